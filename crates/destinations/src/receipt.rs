//! The receipt of a received message: [`Receipt`], and the opaque handle it is written as.
//!
//! ```text
//! handle = base64url( queue number u64 | message key u64 | nonce u64 | check [u8; 4] ), big-endian
//! ```
//!
//! What must hold: a handle outlives a restart, because it names the message and not a place in
//! memory. Each receive gives another handle, and each of them deletes the message, as long as it
//! exists. The check tells a mangled handle from one of ours; it is no protection against forgery.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::digest;

/// Names a message of a queue, once for each receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue's number.
    pub queue: u64,
    /// The message's key in it.
    pub key: u64,
    /// What makes the handles of two receives differ.
    pub nonce: u64,
}

/// A text that is no receipt handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a receipt handle")]
pub struct MalformedReceipt;

const FACTS_BYTES: usize = 24;
const BYTES: usize = FACTS_BYTES + 4;

impl fmt::Display for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        for (place, number) in bytes.chunks_mut(8).zip([self.queue, self.key, self.nonce]) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let check = digest::check_bytes(&bytes[..FACTS_BYTES]);
        bytes[FACTS_BYTES..].copy_from_slice(&check);
        formatter.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
    }
}

impl FromStr for Receipt {
    type Err = MalformedReceipt;

    fn from_str(text: &str) -> Result<Receipt, MalformedReceipt> {
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text);
        let bytes = bytes.map_err(|_| MalformedReceipt)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| MalformedReceipt)?;
        if bytes[FACTS_BYTES..] != digest::check_bytes(&bytes[..FACTS_BYTES]) {
            return Err(MalformedReceipt);
        }
        let number = |index: usize| {
            let bytes = bytes[index * 8..(index + 1) * 8].try_into();
            u64::from_be_bytes(bytes.expect("eight bytes were cut out"))
        };
        Ok(Receipt {
            queue: number(0),
            key: number(1),
            nonce: number(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_was_written() {
        let receipt = Receipt {
            queue: 1,
            key: 2,
            nonce: u64::MAX,
        };
        assert_eq!(receipt.to_string().parse(), Ok(receipt));
    }

    #[test]
    fn a_mangled_handle_is_no_receipt() {
        let handle = Receipt {
            queue: 1,
            key: 2,
            nonce: 3,
        }
        .to_string();
        let mangled = handle.replacen('A', "B", 1);
        for text in [
            "",
            "x",
            "not base64!",
            &handle[1..],
            &format!("{handle}AAAA"),
            &mangled,
        ] {
            assert_eq!(text.parse::<Receipt>(), Err(MalformedReceipt), "{text}");
        }
    }
}
