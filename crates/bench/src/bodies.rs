//! The request bodies of the benchmark. Pure.
//!
//! What must hold: bodies are the same in every run, data does not compress, and partition keys
//! spread over all shards.

use bytes::Bytes;
use serde_json::json;

/// Entries in one PutRecords request; the most that AWS takes.
pub const ENTRIES: usize = 500;

/// `bytes` of data that do not compress, different for each `seed`.
fn data(seed: u64, bytes: usize) -> Vec<u8> {
    // Marsaglia's xorshift64*; any state but 0 will do.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn entry(seed: u64, record_bytes: usize) -> serde_json::Value {
    let data = base64_simd::STANDARD.encode_to_string(data(seed, record_bytes));
    json!({ "Data": data, "PartitionKey": partition_key(seed) })
}

/// Body number `seed` of a PutRecords call with [`ENTRIES`] records of `record_bytes` each.
pub fn put_records(stream: &str, record_bytes: usize, seed: u64) -> Bytes {
    let first = seed * ENTRIES as u64;
    let records: Vec<_> = (first..first + ENTRIES as u64)
        .map(|number| entry(number, record_bytes))
        .collect();
    json!({ "StreamName": stream, "Records": records })
        .to_string()
        .into()
}

/// `count` records of `record_bytes` each, data and partition key, as a server keeps them.
pub fn records(record_bytes: usize, count: u64) -> Vec<(Vec<u8>, String)> {
    let record = |seed| (data(seed, record_bytes), partition_key(seed));
    (0..count).map(record).collect()
}

fn partition_key(seed: u64) -> String {
    format!("key-{seed:08}")
}

/// Body number `seed` of a PutRecord call with `record_bytes` of data.
pub fn put_record(stream: &str, record_bytes: usize, seed: u64) -> Bytes {
    let mut body = entry(seed, record_bytes);
    body["StreamName"] = stream.into();
    body.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_the_same_each_time_and_differs_by_seed() {
        assert_eq!(put_record("s", 1024, 3), put_record("s", 1024, 3));
        assert_ne!(put_record("s", 1024, 3), put_record("s", 1024, 4));
    }

    #[test]
    fn five_hundred_records_of_a_kibibyte_make_about_700_kilobytes() {
        let body = put_records("stream", 1024, 1);
        assert!(
            (680_000..730_000).contains(&body.len()),
            "{} bytes",
            body.len()
        );
        let parsed: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
        assert_eq!(parsed["Records"].as_array().map(Vec::len), Some(ENTRIES));
    }
}
