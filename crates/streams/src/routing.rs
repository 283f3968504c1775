//! Where a record goes: the hash of its partition key, or the hash key it names.
//!
//! Pure. A partition key's hash is the MD5 of its UTF-8 bytes, read as a big-endian number.

use md5::{Digest, Md5};

use tidemill_model::HashKey;

/// The hash key that `partition_key` is placed by.
pub fn hash_of(partition_key: &str) -> HashKey {
    HashKey(u128::from_be_bytes(
        Md5::digest(partition_key.as_bytes()).into(),
    ))
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
