//! What the answers of the demo's view should be: [`Oracle`]. Pure, and of no code that answers them.
//!
//! It knows the records of the stream by shard and position, as GetRecords gave them, and adds up those
//! before a vector. Vectors that only grow cost each record once.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::demo::landings::{Bucket, Landing};

/// Flights and their delay together.
pub type Sums = (i64, i64);

/// Adds up landings.
pub struct Oracle<'a> {
    landings: &'a [Landing],
    /// The rows of each shard by their positions.
    shards: BTreeMap<String, Vec<usize>>,
    /// How far each shard is in the sums.
    reached: BTreeMap<String, usize>,
    sums: BTreeMap<Bucket, Sums>,
}

impl<'a> Oracle<'a> {
    /// Over `records`: shard, position and the row that is there. Positions are dense.
    pub fn new(
        landings: &'a [Landing],
        records: impl IntoIterator<Item = (String, u64, usize)>,
    ) -> Result<Oracle<'a>> {
        let mut shards: BTreeMap<String, BTreeMap<u64, usize>> = BTreeMap::new();
        for (shard, position, row) in records {
            shards.entry(shard).or_default().insert(position, row);
        }
        let mut dense = BTreeMap::new();
        for (shard, rows) in shards {
            let is_dense = rows.keys().copied().eq(0..rows.len() as u64);
            ensure!(is_dense, "{shard} does not give a record for each position");
            dense.insert(shard, rows.into_values().collect());
        }
        Ok(Oracle {
            landings,
            shards: dense,
            reached: BTreeMap::new(),
            sums: BTreeMap::new(),
        })
    }

    /// The sums over what is before `vector`, which is nowhere before the last one that was asked for.
    pub fn at(&mut self, vector: &BTreeMap<String, u64>) -> Result<&BTreeMap<Bucket, Sums>> {
        for (shard, end) in vector {
            let rows = self
                .shards
                .get(shard)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let reached = self.reached.entry(shard.clone()).or_default();
            let end = usize::try_from(*end)?;
            ensure!(
                end <= rows.len(),
                "an answer has {end} records of {shard}, which has {}",
                rows.len()
            );
            ensure!(*reached <= end, "an answer went back in {shard}");
            for row in &rows[*reached..end] {
                let landing = &self.landings[*row];
                let sums = self.sums.entry(landing.bucket()).or_default();
                sums.0 += 1;
                sums.1 += landing.delay;
            }
            *reached = end;
        }
        Ok(&self.sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landing(hour: &str, delay: i64) -> Landing {
        Landing {
            departed: format!("2001-01-01T{hour}:10:00Z"),
            delay,
            distance: 1,
            origin: "ATL".into(),
            destination: "SAV".to_owned(),
            landed: "2001-01-01T05:00:00Z".to_owned(),
        }
    }

    fn vector(one: u64, two: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("one".to_owned(), one), ("two".to_owned(), two)])
    }

    #[test]
    fn sums_are_those_of_the_records_before_the_vector() {
        let landings = [landing("00", 5), landing("00", -7), landing("01", 3)];
        let record = |shard: &str, position, row| (shard.to_owned(), position, row);
        let records = [
            record("one", 0, 0),
            record("two", 0, 1),
            record("one", 1, 2),
        ];
        let mut oracle = Oracle::new(&landings, records).expect("dense");
        let bucket = |hour: &str| (format!("2001-01-01T{hour}"), "ATL".into());
        let sums = oracle.at(&vector(1, 0)).expect("there");
        assert_eq!(*sums, BTreeMap::from([(bucket("00"), (1, 5))]));
        let sums = oracle.at(&vector(2, 1)).expect("there");
        assert_eq!(
            *sums,
            BTreeMap::from([(bucket("00"), (2, -2)), (bucket("01"), (1, 3))])
        );
        assert!(oracle.at(&vector(1, 1)).is_err(), "vectors only grow");
        assert!(
            oracle.at(&vector(3, 1)).is_err(),
            "there is no third record"
        );
    }

    #[test]
    fn a_hole_among_the_positions_is_noticed() {
        let landings = [landing("00", 5)];
        assert!(Oracle::new(&landings, [("one".to_owned(), 1, 0)]).is_err());
    }
}
