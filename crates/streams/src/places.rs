//! Where the records of a request go: [`Places`].
//!
//! Pure. What must hold: each record has the open shard of the stream whose range has its hash; shard by shard, the
//! records of one keep the order of the request. A record is looked up and put in order in a few steps, whatever the
//! number of shards, as long as these are about as wide as each other.

use std::collections::BTreeMap;

use tidemill_log::{Appended, PartitionId};
use tidemill_model::{HashKey, HashKeyRange, SequenceNumber, ShardId};

use crate::stream::{Shard, Stream};

/// The shard that a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub shard: ShardId,
    pub partition: PartitionId,
    pub created_secs: u64,
}

impl Place {
    fn of(id: ShardId, shard: &Shard) -> Place {
        Place {
            shard: id,
            partition: shard.partition_id(),
            created_secs: shard.created_secs,
        }
    }

    /// The number of a record that was `appended` there.
    pub fn number(&self, appended: &Appended) -> SequenceNumber {
        let arrival_secs = appended.at.as_secs();
        SequenceNumber::of_record(
            self.shard,
            self.created_secs,
            appended.position,
            arrival_secs,
        )
    }
}

/// The places of records, by their numbers.
#[derive(Debug, Default)]
pub struct Places {
    /// Each shard once.
    shards: Vec<Place>,
    /// Which of the shards each record goes to.
    of_records: Vec<u32>,
}

impl Places {
    /// Those of records with these `hashes` in `stream` now. Many are looked up in a list that is made for them.
    pub fn in_stream(stream: &Stream, hashes: &[HashKey]) -> Places {
        if hashes.len() < stream.open_shards() as usize {
            return Places::of_few(stream, hashes);
        }
        let (ranges, shards): (Vec<HashKeyRange>, Vec<Place>) = stream
            .in_order()
            .map(|(id, shard)| (shard.range, Place::of(id, shard)))
            .unzip();
        let of_records = hashes.iter().map(|hash| range_with(&ranges, *hash) as u32);
        Places {
            of_records: of_records.collect(),
            shards,
        }
    }

    fn of_few(stream: &Stream, hashes: &[HashKey]) -> Places {
        let mut places = Places::default();
        let mut known = BTreeMap::new();
        for hash in hashes {
            let id = stream.route(*hash);
            let number = *known.entry(id).or_insert_with(|| {
                places.shards.push(Place::of(id, &stream.shards[&id]));
                places.shards.len() as u32 - 1
            });
            places.of_records.push(number);
        }
        places
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.of_records.len()
    }

    /// Where each record goes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Place> {
        let shard = |number: &u32| self.shards[*number as usize];
        self.of_records.iter().map(shard)
    }

    /// Keeps those of records that `are_kept`.
    pub fn keep(&mut self, are_kept: &[bool]) {
        let mut kept = are_kept.iter();
        self.of_records.retain(|_| kept.next() == Some(&true));
    }

    /// The numbers of the records, shard by shard, and for one shard as they came.
    pub fn order(&self) -> Vec<usize> {
        let mut ends = vec![0; self.shards.len() + 1];
        for shard in &self.of_records {
            ends[*shard as usize + 1] += 1;
        }
        for shard in 1..ends.len() {
            ends[shard] += ends[shard - 1];
        }
        let mut order = vec![0; self.len()];
        for (record, shard) in self.of_records.iter().enumerate() {
            let end = &mut ends[*shard as usize];
            order[*end] = record;
            *end += 1;
        }
        order
    }

    /// Each shard with its part of an [`Places::order`].
    pub fn runs<'o>(&self, order: &'o [usize]) -> impl Iterator<Item = (Place, &'o [usize])> {
        let shard_of = |record: &usize| self.of_records[*record];
        let runs = order.chunk_by(move |left, right| shard_of(left) == shard_of(right));
        runs.map(move |run| (self.shards[shard_of(&run[0]) as usize], run))
    }
}

/// Which of `ranges`, which tile the space in their order, has `key`. Where they are about as wide as each other it is
/// looked for where it would be if they were.
fn range_with(ranges: &[HashKeyRange], key: HashKey) -> usize {
    let likely = (((key.0 >> 64) * ranges.len() as u128) >> 64) as usize;
    match ranges[likely].contains(key) {
        true => likely,
        false => ranges.partition_point(|range| range.end < key),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::Timestamp;

    use super::*;
    use crate::stream::Mode;

    #[test]
    fn a_key_is_in_its_range_however_wide_the_ranges_are() {
        let mut ranges = HashKeyRange::divide(7);
        let key_of = |range: &HashKeyRange, part: u128| {
            HashKey(range.start.0 + (range.end.0 - range.start.0) / 4 * part)
        };
        for split in [3, 3, 3, 0, 0, 9] {
            for (number, range) in ranges.iter().enumerate() {
                for key in [range.start, key_of(range, 1), key_of(range, 3), range.end] {
                    assert_eq!(range_with(&ranges, key), number);
                }
            }
            let (lower, middle) = (ranges[split], key_of(&ranges[split], 1));
            ranges[split].end = middle;
            let start = HashKey(middle.0 + 1);
            ranges.insert(split + 1, HashKeyRange { start, ..lower });
        }
        assert_eq!(range_with(&HashKeyRange::divide(1), HashKey::MAX), 0);
    }

    #[test]
    fn few_records_and_many_go_where_the_stream_routes_them() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
        let arn = arn.parse().expect("an ARN");
        let start = Timestamp::EPOCH;
        let mut stream = Stream::new(arn, 1, Mode::Provisioned, start, start);
        let mut ranges = HashKeyRange::divide(5);
        let half = HashKey(ranges[0].end.0 / 2);
        let upper = HashKeyRange {
            start: HashKey(half.0 + 1),
            end: ranges[1].end,
        };
        (ranges[0].end, ranges[1]) = (half, upper);
        for (partition, range) in (0..).zip(ranges) {
            stream.add_shard(range, vec![], 7, start, partition);
        }
        let hashes: Vec<HashKey> = (0..40).map(|part| HashKey(u128::MAX / 40 * part)).collect();
        for count in [0, 1, 4, 5, 6, 40] {
            let places = Places::in_stream(&stream, &hashes[..count]);
            let shards: Vec<ShardId> = places.iter().map(|place| place.shard).collect();
            let routed = hashes[..count].iter().map(|hash| stream.route(*hash));
            assert_eq!(shards, routed.collect::<Vec<_>>());
        }
    }

    #[test]
    fn records_of_a_shard_stand_together_as_they_came() {
        let place = |number: u32| Place {
            shard: ShardId(number),
            partition: PartitionId(number.into()),
            created_secs: 7,
        };
        let mut places = Places {
            shards: (0..4).map(place).collect(),
            of_records: vec![2, 0, 2, 3, 0, 2],
        };
        assert_eq!(places.order(), [1, 4, 0, 2, 5, 3]);
        places.keep(&[true, false, true, true, true, true]);
        assert_eq!(places.len(), 5);
        let order = places.order();
        let runs: Vec<_> = places.runs(&order).collect();
        let expected: [(Place, &[usize]); 3] =
            [(place(0), &[3]), (place(2), &[0, 1, 4]), (place(3), &[2])];
        assert_eq!(runs, expected);
        assert!(places.iter().eq([2, 2, 3, 0, 2].map(place)));
        assert_eq!(Places::default().order(), [0; 0]);
    }
}
