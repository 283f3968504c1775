//! How a command stands in an entry, and how the machines of a state log stand in a snapshot.
//!
//! What must hold: what is persisted names the service and the version it was written by, so that an
//! older program refuses what a newer one wrote instead of misreading it. All numbers are
//! little-endian. The layouts are frozen by golden bytes below.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::partition_id::ServiceTag;

const ENVELOPE_FORMAT: u8 = 1;
const ENVELOPE_HEADER_BYTES: usize = 20;
const SNAPSHOT_MAGIC: [u8; 4] = *b"TMST";
const SNAPSHOT_FORMAT: u8 = 1;
const SNAPSHOT_HEADER_BYTES: usize = 6;
const SECTION_HEADER_BYTES: usize = 11;

/// A command in its envelope.
///
/// ```text
///  0  1   format, 1
///  1  1   tag of the service
///  2  2   version of the service's commands
///  4  16  command id
/// 20  ..  the command, JSON
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The service whose machine applies it.
    pub service: ServiceTag,
    /// Version of the commands of that service when this one was written.
    pub version: u16,
    /// Unique among the commands of the partition.
    pub command_id: u128,
    /// The command.
    pub command: Bytes,
}

/// Why persisted bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Fewer bytes than a header has.
    #[error("{0} bytes are too few")]
    Short(usize),
    /// A layout that this program does not know, probably written by a newer one.
    #[error("layout {0} is not known to this version")]
    Format(u8),
    /// A service that this program does not know, probably added by a newer one.
    #[error("service tag {0} is not known to this version")]
    Service(u8),
    /// Not what a snapshot begins with.
    #[error("this is no snapshot")]
    Magic,
}

impl Envelope {
    /// The bytes of the envelope.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(ENVELOPE_HEADER_BYTES + self.command.len());
        bytes.put_u8(ENVELOPE_FORMAT);
        bytes.put_u8(self.service as u8);
        bytes.put_u16_le(self.version);
        bytes.put_u128_le(self.command_id);
        bytes.put_slice(&self.command);
        bytes.freeze()
    }

    /// Reads an envelope back.
    pub fn decode(bytes: &Bytes) -> Result<Envelope, EnvelopeError> {
        if bytes.len() < ENVELOPE_HEADER_BYTES {
            return Err(EnvelopeError::Short(bytes.len()));
        }
        if bytes[0] != ENVELOPE_FORMAT {
            return Err(EnvelopeError::Format(bytes[0]));
        }
        Ok(Envelope {
            service: service(bytes[1])?,
            version: u16::from_le_bytes([bytes[2], bytes[3]]),
            command_id: u128::from_le_bytes(
                bytes[4..20].try_into().expect("the slice has 16 bytes"),
            ),
            command: bytes.slice(ENVELOPE_HEADER_BYTES..),
        })
    }
}

/// The state of one machine in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The service whose machine it is.
    pub service: ServiceTag,
    /// Version of the service's commands when it was written.
    pub version: u16,
    /// The state, in the machine's own encoding.
    pub state: Bytes,
}

/// The bytes of a snapshot of several machines.
///
/// ```text
///  0  4   "TMST"
///  4  1   format, 1
///  5  1   number of sections
///  6  ..  sections: tag 1, version 2, length 8, state
/// ```
pub fn encode_sections(sections: &[Section]) -> Bytes {
    let states: usize = sections.iter().map(|section| section.state.len()).sum();
    let mut bytes = BytesMut::with_capacity(
        SNAPSHOT_HEADER_BYTES + SECTION_HEADER_BYTES * sections.len() + states,
    );
    bytes.put_slice(&SNAPSHOT_MAGIC);
    bytes.put_u8(SNAPSHOT_FORMAT);
    bytes.put_u8(u8::try_from(sections.len()).expect("there are fewer than 256 service tags"));
    for section in sections {
        bytes.put_u8(section.service as u8);
        bytes.put_u16_le(section.version);
        bytes.put_u64_le(section.state.len() as u64);
        bytes.put_slice(&section.state);
    }
    bytes.freeze()
}

/// Reads the sections of a snapshot back.
pub fn decode_sections(bytes: &Bytes) -> Result<Vec<Section>, EnvelopeError> {
    if bytes.len() < SNAPSHOT_HEADER_BYTES {
        return Err(EnvelopeError::Short(bytes.len()));
    }
    if bytes[..4] != SNAPSHOT_MAGIC {
        return Err(EnvelopeError::Magic);
    }
    if bytes[4] != SNAPSHOT_FORMAT {
        return Err(EnvelopeError::Format(bytes[4]));
    }
    let mut rest = bytes.slice(SNAPSHOT_HEADER_BYTES..);
    let mut sections = Vec::new();
    for _ in 0..bytes[5] {
        if rest.len() < SECTION_HEADER_BYTES {
            return Err(EnvelopeError::Short(bytes.len()));
        }
        let header = rest.split_to(SECTION_HEADER_BYTES);
        let length = u64::from_le_bytes(header[3..11].try_into().expect("the slice has 8 bytes"));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if rest.len() < length {
            return Err(EnvelopeError::Short(bytes.len()));
        }
        sections.push(Section {
            service: service(header[0])?,
            version: u16::from_le_bytes([header[1], header[2]]),
            state: rest.split_to(length),
        });
    }
    Ok(sections)
}

fn service(tag: u8) -> Result<ServiceTag, EnvelopeError> {
    ServiceTag::from_number(tag).ok_or(EnvelopeError::Service(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_command_is_frozen() {
        let envelope = Envelope {
            service: ServiceTag::Streams,
            version: 0x0203,
            command_id: 0x0405,
            command: Bytes::from_static(b"{}"),
        };
        let golden = [
            1, 1, 3, 2, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'{', b'}',
        ];
        assert_eq!(envelope.encode(), golden.as_slice());
        assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
    }

    #[test]
    fn the_layout_of_a_snapshot_is_frozen() {
        let sections = [
            Section {
                service: ServiceTag::Streams,
                version: 1,
                state: Bytes::from_static(b"ab"),
            },
            Section {
                service: ServiceTag::Mapping,
                version: 2,
                state: Bytes::new(),
            },
        ];
        let golden = [
            b'T', b'M', b'S', b'T', 1, 2, 1, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', 4, 2, 0, 0,
            0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(encode_sections(&sections), golden.as_slice());
        assert_eq!(
            decode_sections(&encode_sections(&sections)),
            Ok(sections.to_vec())
        );
    }

    #[test]
    fn what_this_version_cannot_read_is_refused_by_name() {
        let header = |format: u8, tag: u8| {
            let mut bytes = vec![0; ENVELOPE_HEADER_BYTES];
            bytes[0] = format;
            bytes[1] = tag;
            Bytes::from(bytes)
        };
        let cases = [
            (Bytes::new(), EnvelopeError::Short(0)),
            (header(2, 1), EnvelopeError::Format(2)),
            (header(1, 200), EnvelopeError::Service(200)),
        ];
        for (bytes, error) in cases {
            assert_eq!(Envelope::decode(&bytes), Err(error));
        }
        let cases: [(&'static [u8], EnvelopeError); 5] = [
            (b"TMST", EnvelopeError::Short(4)),
            (b"TMSX\x01\x00", EnvelopeError::Magic),
            (b"TMST\x02\x00", EnvelopeError::Format(2)),
            (b"TMST\x01\x01", EnvelopeError::Short(6)),
            (
                b"TMST\x01\x01\x01\x00\x00\x09\0\0\0\0\0\0\0",
                EnvelopeError::Short(17),
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode_sections(&Bytes::from_static(bytes)), Err(error));
        }
    }
}
