//! [`SequenceNumber`]: the 56-digit Kinesis spelling of a place in a shard.
//!
//! The layout, 47 hexadecimal digits from the most significant (spec: the version-2 layout that was
//! worked out on production numbers):
//!
//! ```text
//! digits  1   constant 2
//!         9   creation second of the shard, logical: a child's exceeds its parents'
//!         1   low nibble of the shard number
//!        16   index: place in the shard's chain, 63 bits
//!         2   00
//!         9   second of this record's arrival
//!         8   shard number
//!         1   constant 2 (version)
//! ```
//!
//! What must hold: numbers grow with the index within a shard, every number of a parent is smaller
//! than every number of its children, and a number prints as exactly 56 decimal digits.
//!
//! The index of a record is its position plus one, so that index 0, the shard's own starting number,
//! is smaller than that of its first record and a reader may say "after" it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digits::put_digits;
use crate::ident::{Malformed, ShardId};

/// Greatest index; a closed shard's ending number carries it.
pub const INDEX_MAX: u64 = (1 << 63) - 1;
const SECS_MAX: u64 = (1 << 36) - 1;

/// A place in a shard, as Kinesis spells it.
///
/// Field order is the order of significance, so the derived order is the numeric one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber {
    created_secs: u64,
    nibble: u8,
    index: u64,
    time_secs: u64,
    shard: u32,
}

impl SequenceNumber {
    /// How many digits there are: the leading bits are always the same, and leave no zero in front.
    pub const DIGITS: usize = 56;

    /// The number of the record at `position` of a shard created (logically) at `created_secs`.
    ///
    /// The time field never lies before the shard's creation: a clock that stepped back would
    /// otherwise give the first record a number below the shard's start.
    pub fn of_record(shard: ShardId, created_secs: u64, position: u64, arrival_secs: u64) -> Self {
        Self::new(
            shard,
            created_secs,
            position + 1,
            arrival_secs.max(created_secs),
        )
    }

    /// The shard's starting number: index 0 at its creation.
    pub fn start_of(shard: ShardId, created_secs: u64) -> Self {
        Self::new(shard, created_secs, 0, created_secs)
    }

    /// A number before that of the record at `position` and not before those of earlier ones, given
    /// out at `secs`: what a reader may go on after, though no record has it.
    pub fn before(shard: ShardId, created_secs: u64, position: u64, secs: u64) -> Self {
        Self::new(shard, created_secs, position, secs.max(created_secs))
    }

    /// The closed shard's ending number: the greatest index at the time of closing.
    pub fn end_of(shard: ShardId, created_secs: u64, closed_secs: u64) -> Self {
        Self::new(
            shard,
            created_secs,
            INDEX_MAX,
            closed_secs.max(created_secs),
        )
    }

    fn new(shard: ShardId, created_secs: u64, index: u64, time_secs: u64) -> Self {
        assert!(
            created_secs <= SECS_MAX && time_secs <= SECS_MAX,
            "a second needs 36 bits"
        );
        assert!(index <= INDEX_MAX, "an index needs 63 bits");
        let nibble = (shard.0 & 0xf) as u8;
        SequenceNumber {
            created_secs,
            nibble,
            index,
            time_secs,
            shard: shard.0,
        }
    }

    /// The shard that the number was given in.
    pub fn shard(&self) -> ShardId {
        ShardId(self.shard)
    }

    /// Logical creation second of that shard.
    pub fn created_secs(&self) -> u64 {
        self.created_secs
    }

    /// Second of the record's arrival.
    pub fn time_secs(&self) -> u64 {
        self.time_secs
    }

    /// The position of the first record at or after this number: index 0, the shard's start, is
    /// before all.
    pub fn position_at(&self) -> u64 {
        self.index.saturating_sub(1)
    }

    /// The position of the first record after this number.
    pub fn position_after(&self) -> u64 {
        self.index
    }

    /// Whether `other` is that of the next record, which arrived in the same second.
    pub(crate) fn is_followed_by(&self, other: &SequenceNumber) -> bool {
        *other
            == SequenceNumber {
                index: self.index + 1,
                ..*self
            }
    }

    /// The 47 hexadecimal digits as a 192-bit number, high part first.
    fn bits(&self) -> (u64, u128) {
        // 188 bits: 4 | 36 | 4 | 64 | 8 | 36 | 32 | 4. The low 128 bits start inside `index`.
        let low = (u128::from(self.index & 0xffff_ffff_ffff) << 80)
            | (u128::from(self.time_secs) << 36)
            | (u128::from(self.shard) << 4)
            | 2;
        let high = (2u64 << 56)
            | (self.created_secs << 20)
            | (u64::from(self.nibble) << 16)
            | (self.index >> 48);
        (high, low)
    }

    fn from_bits(high: u64, low: u128) -> Option<SequenceNumber> {
        let number = SequenceNumber {
            created_secs: (high >> 20) & SECS_MAX,
            nibble: ((high >> 16) & 0xf) as u8,
            index: ((high & 0xffff) << 48) | ((low >> 80) as u64 & 0xffff_ffff_ffff),
            time_secs: (low >> 36) as u64 & SECS_MAX,
            shard: (low >> 4) as u32,
        };
        let legal = u32::from(number.nibble) == number.shard & 0xf && number.index <= INDEX_MAX;
        (legal && number.bits() == (high, low)).then_some(number)
    }

    /// Its digits, put into `text`.
    pub fn put_into<'a>(&self, text: &'a mut [u8; SequenceNumber::DIGITS]) -> &'a str {
        // Long division of the 192-bit number by 10^19, twice; u64 limbs, most significant first.
        let (high, low) = self.bits();
        let mut limbs = [high, (low >> 64) as u64, low as u64];
        for part in text.rchunks_mut(19) {
            let mut remainder: u128 = 0;
            for limb in &mut limbs {
                let current = (remainder << 64) | u128::from(*limb);
                let quotient = if current < TEN_19 {
                    0
                } else {
                    current / TEN_19
                };
                *limb = quotient as u64;
                remainder = current - quotient * TEN_19;
            }
            put_digits(part, remainder as u64);
        }
        std::str::from_utf8(text).expect("digits are ASCII")
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.put_into(&mut [0; SequenceNumber::DIGITS]))
    }
}

const TEN_19: u128 = 10_000_000_000_000_000_000;

impl FromStr for SequenceNumber {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<SequenceNumber, Malformed> {
        let malformed = || Malformed {
            text: text.to_owned(),
            expected: "a sequence number of this service",
        };
        if text.len() != SequenceNumber::DIGITS {
            return Err(malformed());
        }
        let (high, low) = bits_of(text).ok_or_else(malformed)?;
        SequenceNumber::from_bits(high, low).ok_or_else(malformed)
    }
}

/// The 192-bit number that `text` spells in decimal, high part first; `None` when it is none or larger.
fn bits_of(text: &str) -> Option<(u64, u128)> {
    if text.is_empty() {
        return None;
    }
    let mut limbs = [0u64; 3];
    for byte in text.bytes() {
        let mut carry = u128::from(char::from(byte).to_digit(10)?);
        for limb in limbs.iter_mut().rev() {
            let current = u128::from(*limb) * 10 + carry;
            *limb = current as u64;
            carry = current >> 64;
        }
        if carry > 0 {
            return None;
        }
    }
    Some((
        limbs[0],
        (u128::from(limbs[1]) << 64) | u128::from(limbs[2]),
    ))
}

/// A number in one of the layouts that the service gave out before 2014 and still reads: the shard that it names.
///
/// Layout 0 has 128 bits and the shard in its lowest 16; short numbers such as `5` are of this layout too. Layout 1
/// is as long as that of [`SequenceNumber`] and has the shard in the same place. Source: `db/index.js` of
/// <https://github.com/mhart/kinesalite>, whose tests were run against the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderNumber {
    /// Layout 0.
    Zero(ShardId),
    /// Layout 1.
    One {
        /// The shard.
        shard: ShardId,
        /// The second in which it was created.
        created_secs: u64,
    },
}

/// The first creation second that layout 0 does not allow.
const LAYOUT_0_SECS_END: u128 = 16_025_175_000;

impl FromStr for OlderNumber {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<OlderNumber, Malformed> {
        let malformed = || Malformed {
            text: text.to_owned(),
            expected: "a sequence number of an older layout",
        };
        let (high, low) = bits_of(text).ok_or_else(malformed)?;
        let created_secs = (low >> 88) & u128::from(SECS_MAX);
        match (high, low & 0xf) {
            (0, _) if created_secs < LAYOUT_0_SECS_END => {
                Ok(OlderNumber::Zero(ShardId(u32::from(low as u16))))
            }
            (high, 1) if high >> 56 == 2 => Ok(OlderNumber::One {
                shard: ShardId((low >> 4) as u32),
                created_secs: (high >> 20) & SECS_MAX,
            }),
            _ => Err(malformed()),
        }
    }
}

impl Serialize for SequenceNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SequenceNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_recorded_in_production_is_read_and_printed() {
        let text = "49590338271490256608559692538361571095921575989136588898";
        let number: SequenceNumber = text.parse().expect("a real number");
        assert_eq!(number.to_string(), text);
        assert_eq!(number.shard(), ShardId(6));
        assert_eq!(number.created_secs(), 0x5bf4e5c2);
        assert_eq!(number.position_after(), 1_734_642_199);
        assert_eq!(number.time_secs(), 0x5c181eea);
    }

    #[test]
    fn numbers_of_older_layouts_name_their_shard() {
        let layout_1 = "11150372599265311570767859136324180752990209";
        for (text, read) in [
            ("0", Some(OlderNumber::Zero(ShardId(0)))),
            ("5", Some(OlderNumber::Zero(ShardId(5)))),
            ("65541", Some(OlderNumber::Zero(ShardId(5)))),
            ("26227199374822427428162556223570313216", None),
            ("", None),
            ("5x", None),
            (layout_1, None),
            (&"9".repeat(129), None),
        ] {
            assert_eq!(text.parse::<OlderNumber>().ok(), read, "{text}");
        }
        for (bits, shard) in [(1, 0), (0x31, 3)] {
            let text = decimal((2 << 56) | (7 << 20), bits);
            let read = OlderNumber::One {
                shard: ShardId(shard),
                created_secs: 7,
            };
            assert_eq!(text.parse(), Ok(read), "{text}");
        }
        assert!(decimal(2 << 56, 4).parse::<OlderNumber>().is_err());
        assert!(decimal(3 << 56, 1).parse::<OlderNumber>().is_err());
    }

    fn decimal(high: u64, low: u128) -> String {
        let mut digits = vec![0u8];
        let bits = (0..64)
            .rev()
            .map(|bit| high >> bit & 1 == 1)
            .chain((0..128).rev().map(|bit| low >> bit & 1 == 1));
        for bit in bits {
            let mut carry = u8::from(bit);
            for digit in &mut digits {
                let doubled = *digit * 2 + carry;
                (*digit, carry) = (doubled % 10, doubled / 10);
            }
            if carry > 0 {
                digits.push(carry);
            }
        }
        digits
            .iter()
            .rev()
            .map(|digit| char::from(b'0' + digit))
            .collect()
    }

    #[test]
    fn adjacent_shards_of_one_stream_differ_as_in_production() {
        let first = SequenceNumber::start_of(ShardId(0), 1_700_000_000);
        let second = SequenceNumber::start_of(ShardId(1), 1_700_000_000);
        let (first, second) = (first.bits(), second.bits());
        // 22300745198530623141535718272648361505980432 is 2^144 + 16.
        assert_eq!((second.0 - first.0, second.1 - first.1), (1 << 16, 16));
    }

    #[test]
    fn numbers_grow_with_position_and_from_parent_to_child() {
        let shard = ShardId(3);
        let start = SequenceNumber::start_of(shard, 1_700_000_000);
        let first = SequenceNumber::of_record(shard, 1_700_000_000, 0, 1_699_999_990);
        let second = SequenceNumber::of_record(shard, 1_700_000_000, 1, 1_700_000_005);
        let between = SequenceNumber::before(shard, 1_700_000_000, 1, 1_700_000_004);
        let end = SequenceNumber::end_of(shard, 1_700_000_000, 1_700_000_006);
        let child = SequenceNumber::start_of(ShardId(4), 1_700_000_007);
        let numbers = [start, first, between, second, end, child];
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            numbers
                .windows(2)
                .all(|pair| pair[0].to_string() < pair[1].to_string())
        );
        assert!(numbers.iter().all(|number| number.to_string().len() == 56));
        assert_eq!((first.position_at(), first.position_after()), (0, 1));
        assert_eq!((start.position_at(), start.position_after()), (0, 0));
        assert_eq!(between.position_after(), 1);
    }

    #[test]
    fn what_this_service_never_gave_out_is_refused() {
        for text in [
            "0",
            "",
            "49590338271490256608559692538361571095921575989136588899",
            "x",
        ] {
            assert!(text.parse::<SequenceNumber>().is_err(), "{text}");
        }
    }
}
