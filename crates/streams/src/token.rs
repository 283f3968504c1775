//! Tokens that the service gives out and trusts when they come back: shard iterators, page tokens.
//!
//! Pure. Stateless: what a token means is in the token, under a keyed hash, so it survives a restart.
//! What must hold: a token that this service did not make with this key and for this purpose is not
//! accepted; two tokens are never equal, because each carries chance of its own.
//!
//! ```text
//! offset  size  field
//! 0       1     version, 1
//! 1       1     purpose: 1 shard iterator, 2 ListShards page, 3 ListStreams page,
//!               4 ListStreamConsumers page
//! 2       8     chance
//! 10      16    HMAC-SHA-256 of all other bytes, cut to its first half
//! 26            what the token means, JSON
//! ```
//!
//! On the wire all of it is standard base64.

use base64_simd::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const VERSION: u8 = 1;
const CHANCE_AT: usize = 2;
const MAC_AT: usize = 10;
const MEANING_AT: usize = 26;

/// The secret that tokens are made with: drawn once, and kept as long as the catalog is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key made of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> TokenKey {
        TokenKey(bytes)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenKey(..)")
    }
}

/// What a token is for. The numbers stand in tokens that clients hold: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A shard iterator.
    ShardIterator = 1,
    /// The next page of ListShards.
    ListShards = 2,
    /// The next page of ListStreams.
    ListStreams = 3,
    /// The next page of ListStreamConsumers.
    ListStreamConsumers = 4,
}

/// Makes the token that means `meaning`; `chance` are random bytes.
pub fn seal<T: Serialize>(
    key: &TokenKey,
    purpose: Purpose,
    chance: [u8; 8],
    meaning: &T,
) -> String {
    let meaning = serde_json::to_vec(meaning).expect("a token's meaning can be written as JSON");
    let mut bytes = Vec::with_capacity(MEANING_AT + meaning.len());
    bytes.extend_from_slice(&[VERSION, purpose as u8]);
    bytes.extend_from_slice(&chance);
    let mac = keyed_hash(key, &bytes, &meaning).finalize().into_bytes();
    bytes.extend_from_slice(&mac[..MEANING_AT - MAC_AT]);
    bytes.extend_from_slice(&meaning);
    STANDARD.encode_to_string(bytes)
}

/// What `token` means; none when it was not made by [`seal`] with this key for this purpose.
pub fn open<T: DeserializeOwned>(key: &TokenKey, purpose: Purpose, token: &str) -> Option<T> {
    let bytes = STANDARD.decode_to_vec(token).ok()?;
    let (head, meaning) = bytes.split_at_checked(MEANING_AT)?;
    if head[..CHANCE_AT] != [VERSION, purpose as u8] {
        return None;
    }
    keyed_hash(key, &head[..MAC_AT], meaning)
        .verify_truncated_left(&head[MAC_AT..])
        .ok()?;
    serde_json::from_slice(meaning).ok()
}

fn keyed_hash(key: &TokenKey, head: &[u8], meaning: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(head);
    mac.update(meaning);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TokenKey = TokenKey([7; 32]);

    #[test]
    fn the_token_is_golden() {
        let token = seal(
            &KEY,
            Purpose::ShardIterator,
            [1, 2, 3, 4, 5, 6, 7, 8],
            &("a", 1),
        );
        assert_eq!(token, "AQEBAgMEBQYHCF7BBIirfmpvPVhmjPZ45m1bImEiLDFd");
    }

    #[test]
    fn a_token_comes_back_for_its_purpose_and_key_only() {
        let token = seal(&KEY, Purpose::ListShards, [0; 8], &41);
        assert_eq!(open::<u32>(&KEY, Purpose::ListShards, &token), Some(41));
        assert_eq!(open::<u32>(&KEY, Purpose::ShardIterator, &token), None);
        assert_eq!(
            open::<u32>(&TokenKey([8; 32]), Purpose::ListShards, &token),
            None
        );
    }

    #[test]
    fn a_token_that_was_touched_anywhere_is_refused() {
        let token = seal(&KEY, Purpose::ListShards, [9; 8], &"meaning");
        let bytes = STANDARD.decode_to_vec(&token).expect("base64");
        for place in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[place] ^= 1;
            let touched = STANDARD.encode_to_string(touched);
            assert_eq!(
                open::<String>(&KEY, Purpose::ListShards, &touched),
                None,
                "byte {place}"
            );
        }
        for text in ["", "AAAA", "not base64", &token[..20]] {
            assert_eq!(open::<String>(&KEY, Purpose::ListShards, text), None);
        }
    }
}
