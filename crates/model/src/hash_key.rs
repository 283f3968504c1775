//! The 128-bit hash-key space that shards divide: [`HashKey`] and [`HashKeyRange`].
//!
//! What must hold: ranges are inclusive at both ends, and over the open shards of a stream they are
//! disjoint and cover the whole space. On the wire a hash key is a decimal string.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point of the hash-key space, 0 to 2^128 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKey(pub u128);

impl HashKey {
    /// The greatest hash key.
    pub const MAX: HashKey = HashKey(u128::MAX);
}

impl fmt::Display for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

impl Serialize for HashKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HashKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<HashKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(HashKey).map_err(serde::de::Error::custom)
    }
}

/// An inclusive range of hash keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashKeyRange {
    /// The first key of the range.
    pub start: HashKey,
    /// The last key of the range, included.
    pub end: HashKey,
}

impl HashKeyRange {
    /// Whether `key` lies in the range.
    pub fn contains(&self, key: HashKey) -> bool {
        self.start <= key && key <= self.end
    }

    /// `count` equal ranges over the whole space; the last takes the remainder, as AWS does.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn divide(count: u32) -> Vec<HashKeyRange> {
        assert!(count > 0, "a stream has at least one shard");
        let width = match u128::MAX / u128::from(count) {
            // floor(2^128 / n) is one more than floor((2^128 - 1) / n) when n divides 2^128.
            width if count.is_power_of_two() && count > 1 => width + 1,
            width => width,
        };
        let ranges = (0..u128::from(count)).map(|index| {
            let start = HashKey(index * width);
            let last = index + 1 == u128::from(count);
            let end = if last {
                HashKey::MAX
            } else {
                HashKey((index + 1) * width - 1)
            };
            HashKeyRange { start, end }
        });
        ranges.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_space_is_divided_as_aws_does() {
        let ranges: Vec<(String, String)> = HashKeyRange::divide(3)
            .iter()
            .map(|range| (range.start.to_string(), range.end.to_string()))
            .collect();
        assert_eq!(
            ranges[0],
            ("0".into(), "113427455640312821154458202477256070484".into())
        );
        assert_eq!(ranges[1].1, "226854911280625642308916404954512140969");
        assert_eq!(ranges[2].1, "340282366920938463463374607431768211455");
    }

    #[test]
    fn ranges_tile_the_whole_space() {
        for count in [1, 2, 3, 4, 5, 7, 8, 100, 1000, 4096] {
            let ranges = HashKeyRange::divide(count);
            assert_eq!(ranges.len(), count as usize);
            assert_eq!(
                (ranges[0].start, ranges[ranges.len() - 1].end),
                (HashKey(0), HashKey::MAX)
            );
            assert!(
                ranges
                    .windows(2)
                    .all(|pair| pair[0].end.0 + 1 == pair[1].start.0)
            );
        }
        assert_eq!(HashKeyRange::divide(2)[0].end, HashKey((1 << 127) - 1));
    }
}
