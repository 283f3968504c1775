//! What an entry holds: [`Payload`], bytes in pieces.
//!
//! What must hold: the pieces stand one behind the other, and where they meet is nobody's business but
//! of who made them; read back they are one. Why pieces: a service says something of bytes that it was given,
//! and would otherwise copy them only to put that in front. What is appended is copied into a frame anyway.

use bytes::Bytes;

use crate::checksum::{crc32c, crc32c_append};

/// A head has at most so many bytes.
pub const HEAD_BYTES_MAX: usize = 24;

/// See the module. Empty at first.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: u8,
    rest: [Bytes; 2],
}

impl Payload {
    /// `head`, which is copied, and `rest` behind it, which is not.
    ///
    /// # Panics
    /// When `head` has more than [`HEAD_BYTES_MAX`].
    pub fn new(head: &[u8], rest: [Bytes; 2]) -> Payload {
        assert!(
            head.len() <= HEAD_BYTES_MAX,
            "a head has {HEAD_BYTES_MAX} bytes at most"
        );
        let mut payload = Payload {
            head_bytes: head.len() as u8,
            rest,
            ..Payload::default()
        };
        payload.head[..head.len()].copy_from_slice(head);
        payload
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> [&[u8]; 3] {
        let [first, second] = &self.rest;
        [&self.head[..usize::from(self.head_bytes)], first, second]
    }

    /// The checksum of its bytes.
    pub fn checksum(&self) -> u32 {
        let [head, first, second] = self.pieces();
        crc32c_append(crc32c_append(crc32c(head), first), second)
    }

    /// In one piece; copied only where it is in several.
    pub fn to_bytes(&self) -> Bytes {
        let [first, second] = &self.rest;
        match (self.head_bytes, first.is_empty(), second.is_empty()) {
            (0, true, _) => second.clone(),
            (0, _, true) => first.clone(),
            _ => self.pieces().concat().into(),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload::new(&[], [bytes, Bytes::new()])
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Bytes::from(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_pieces_are_what_one_is() {
        let full = "h".repeat(HEAD_BYTES_MAX);
        for head in ["", "a", &full] {
            for [first, second] in [["", ""], ["b", ""], ["", "c"], ["b", "cd"]] {
                let rest = [first, second].map(|piece| Bytes::from_static(piece.as_bytes()));
                let payload = Payload::new(head.as_bytes(), rest);
                let whole = [head, first, second].concat();
                assert_eq!(payload.len(), whole.len());
                assert_eq!(payload.is_empty(), whole.is_empty());
                assert_eq!(payload.checksum(), crc32c(whole.as_bytes()));
                assert_eq!(payload.to_bytes(), whole.as_bytes());
            }
        }
    }

    #[test]
    fn what_is_in_one_piece_is_not_copied() {
        let bytes = Bytes::from(vec![1; 100]);
        let payload = Payload::from(bytes.clone());
        assert_eq!(payload.to_bytes().as_ptr(), bytes.as_ptr());
    }
}
