//! Where a record goes: the hash of its partition key, or the hash key it names.
//!
//! Pure. A partition key's hash is the MD5 of its UTF-8 bytes, read as a big-endian number.

use md5::{Digest, Md5};

use tidemill_model::HashKey;

use crate::md5_lanes::{LANES, SHORT_BYTES_MAX, digests};

/// The hash key that `partition_key` is placed by.
pub fn hash_of(partition_key: &str) -> HashKey {
    HashKey(u128::from_be_bytes(
        Md5::digest(partition_key.as_bytes()).into(),
    ))
}

/// As [`hash_of`], of each of `partition_keys`.
pub fn hashes_of(partition_keys: &[&str]) -> Vec<HashKey> {
    let mut hashes = Vec::with_capacity(partition_keys.len());
    for group in partition_keys.chunks(LANES) {
        if group.len() > 1 && group.iter().all(|key| key.len() <= SHORT_BYTES_MAX) {
            let mut texts = [&b""[..]; LANES];
            for (text, key) in texts.iter_mut().zip(group) {
                *text = key.as_bytes();
            }
            let digests = digests(&texts).into_iter().take(group.len());
            hashes.extend(digests.map(|digest| HashKey(u128::from_be_bytes(digest))));
        } else {
            hashes.extend(group.iter().map(|key| hash_of(key)));
        }
    }
    hashes
}

/// The hash key written as `text`; none when it is not a number below 2^128.
pub fn explicit_hash_key(text: &str) -> Option<HashKey> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        text.parse().ok().map(HashKey)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_is_hashed_as_aws_does() {
        let cases = [
            ("a", 16_955_237_001_963_240_173_058_271_559_858_726_497),
            ("1", 261_578_874_264_819_908_609_102_035_485_573_088_411),
            (
                "user-42",
                157_107_139_746_365_290_205_026_809_710_278_036_035,
            ),
            ("é", 136_732_923_097_551_493_579_404_309_126_273_812_335),
        ];
        for (key, hash) in cases {
            assert_eq!(hash_of(key), HashKey(hash), "{key}");
        }
    }

    #[test]
    fn many_keys_are_hashed_as_each_is_alone() {
        let lengths = (0..50).map(|index| if index == 20 { 200 } else { index });
        let keys: Vec<String> = lengths.map(|length| "é".repeat(length)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for count in [0, 1, 2, 15, 16, 17, 32, 50] {
            let alone: Vec<HashKey> = keys[..count].iter().map(|key| hash_of(key)).collect();
            assert_eq!(hashes_of(&keys[..count]), alone);
        }
    }

    #[test]
    fn an_explicit_hash_key_ends_below_2_to_the_128() {
        let max = "340282366920938463463374607431768211455";
        assert_eq!(explicit_hash_key("0"), Some(HashKey(0)));
        assert_eq!(explicit_hash_key(max), Some(HashKey::MAX));
        for text in [
            "340282366920938463463374607431768211456",
            "",
            "-1",
            "+1",
            "x",
        ] {
            assert_eq!(explicit_hash_key(text), None, "{text}");
        }
    }
}
