//! Putting records: admission by the rates, one atomic append, and routing anew when a shard has been
//! closed meanwhile.
//!
//! What must hold: records of one request that go to one shard stand there in the order of the
//! request; a record is acknowledged with the shard that holds it; a request's records are all
//! appended or none. The rates count a record once, where it was first routed to.

use std::collections::BTreeMap;

use tidemill_log::{AppendError, Appended, Batch, Log};
use tidemill_model::{HashKey, SequenceNumber, ShardId, StreamArn};
use tidemill_shapes::kinesis::{EncryptionType, PutRecordsRequestEntry};

use crate::distribution::Distribution;
use crate::failure::{Failure, nothing_happened};
use crate::limits::{PUT_RECORDS_BYTES_MAX, REROUTES_MAX};
use crate::measured::{Amount, PutOutcome, Subject};
use crate::places::{Place, Places};
use crate::refused::Refused;
use crate::routing::{explicit_hash_key, hashes_of};
use crate::stored_record::{RECORD_OVERHEAD_BYTES_MAX, RecordToStore};
use crate::streams::Streams;

/// One entry of a request.
pub(crate) type Entry<'a> = PutRecordsRequestEntry<&'a [u8], &'a str>;

/// What the rates and sizes count of `entry`: data and partition key; the explicit hash key is free.
fn counted_bytes(entry: &Entry<'_>) -> u64 {
    let key_bytes = entry.partition_key.map_or(0, str::len);
    (entry.data.len() + key_bytes) as u64
}

/// What each of `entries`, which are not too large, is placed by.
fn hashes(entries: &[Entry<'_>]) -> Result<Vec<HashKey>, Refused> {
    let keys = entries.iter().map(|entry| entry.partition_key);
    let keys: Vec<&str> = keys.map(Option::unwrap_or_default).collect();
    let mut hashes = hashes_of(&keys);
    for (hash, entry) in hashes.iter_mut().zip(entries) {
        if let Some(text) = entry.explicit_hash_key {
            let key = explicit_hash_key(text);
            *hash = key.ok_or_else(|| Refused::ExplicitHashKey {
                key: text.to_owned(),
            })?;
        }
    }
    Ok(hashes)
}

/// The records of a request, each with where it goes.
#[derive(Default)]
pub(crate) struct Routed<'a> {
    entries: Vec<Entry<'a>>,
    /// As many as there are entries.
    hashes: Vec<HashKey>,
    /// As many as there are entries.
    places: Places,
    encrypted: bool,
}

impl Routed<'_> {
    /// Where each goes.
    pub fn places(&self) -> impl ExactSizeIterator<Item = Place> {
        self.places.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps those that `are_kept`.
    pub fn keep(&mut self, are_kept: &[bool]) {
        if are_kept.iter().all(|is_kept| *is_kept) {
            return;
        }
        self.places.keep(are_kept);
        let mut kept = are_kept.iter();
        self.hashes.retain(|_| kept.next() == Some(&true));
        let mut kept = are_kept.iter();
        self.entries.retain(|_| kept.next() == Some(&true));
    }

    /// The records as they go to `log`, in `order`.
    fn to_batch(&self, log: &dyn Log, order: &[usize]) -> Batch {
        let bytes = self.entries.iter().map(counted_bytes).sum::<u64>() as usize;
        let overhead = RECORD_OVERHEAD_BYTES_MAX * self.len();
        let mut batch = log.batch(self.len(), bytes + overhead);
        for (place, run) in self.places.runs(order) {
            for record in run {
                let entry = self.entries[*record];
                let explicit = entry.explicit_hash_key;
                let record = RecordToStore {
                    partition_key: entry.partition_key,
                    explicit_hash_key: explicit
                        .map(|text| explicit_hash_key(text).expect("it was placed by it")),
                    encrypted: self.encrypted,
                    data: entry.data,
                };
                record.put_into(&mut batch, place.partition);
            }
        }
        batch
    }
}

/// The records of a request, which are durable.
pub(crate) struct Stored {
    places: Places,
    /// In which they were appended.
    order: Vec<usize>,
    /// As many, in that order.
    appended: Vec<Appended>,
    /// What each shard got, by the numbers of their partitions.
    amounts: BTreeMap<u64, Amount>,
}

impl Stored {
    /// Each shard that got some, with the numbers of these in the request and their sequence numbers.
    pub fn shards(
        &self,
    ) -> impl Iterator<Item = (ShardId, impl Iterator<Item = (usize, SequenceNumber)>)> {
        let mut appended = &self.appended[..];
        self.places.runs(&self.order).map(move |(place, run)| {
            let (own, rest) = appended.split_at(run.len());
            appended = rest;
            let numbers = own.iter().map(move |own| place.number(own));
            (place.shard, run.iter().copied().zip(numbers))
        })
    }
}

/// The text for a member that is larger than the stream's records may be.
fn too_large(member: &str, bytes_max: u64) -> String {
    format!(
        "Value at '{member}' failed to satisfy constraint: Member must have length less than or \
         equal to {bytes_max}."
    )
}

/// The text for a partition key that is missing: only record distribution by the service does without.
fn missing_key(member: &str) -> String {
    format!("Value null at '{member}' failed to satisfy constraint: Member must not be null")
}

/// The entries of one request, checked and routed.
pub(crate) struct Admissible<'a> {
    pub incarnation: u64,
    is_monitored: bool,
    pub record_bytes_max: u64,
    pub routed: Routed<'a>,
}

/// Checks that each entry has a partition key. `member` names that of the entry with an index.
fn check_keys(entries: &[Entry<'_>], member: impl Fn(usize) -> String) -> Result<(), Refused> {
    let missing = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.partition_key.is_none());
    let missing: Vec<String> = missing
        .map(|(index, _)| missing_key(&member(index)))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refused::Violations(missing))
    }
}

/// Checks the sizes of `entries`. `member` names the data of the entry with an index in AWS's error
/// texts.
fn check_sizes(
    entries: &[Entry<'_>],
    record_bytes_max: u64,
    member: impl Fn(usize) -> String,
) -> Result<(), Refused> {
    let large = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| counted_bytes(entry) > record_bytes_max);
    let large: Vec<String> = large
        .map(|(index, _)| too_large(&member(index), record_bytes_max))
        .collect();
    if !large.is_empty() {
        return Err(Refused::Violations(large));
    }
    if entries.iter().map(counted_bytes).sum::<u64>() > PUT_RECORDS_BYTES_MAX {
        return Err(Refused::RecordsTooLarge);
    }
    Ok(())
}

impl Admissible<'_> {
    /// What the answer says of encryption.
    pub fn encryption_type(&self) -> Option<EncryptionType> {
        self.routed.encrypted.then_some(EncryptionType::Kms)
    }

    /// The stream, as what is measured has it.
    pub fn subject(&self) -> Subject {
        Subject {
            stream: self.incarnation,
            is_monitored: self.is_monitored,
        }
    }
}

/// What became of a call that the rates left `attempted` records of, and what it put.
pub(crate) fn outcome(
    stored: &Result<Stored, Failure>,
    attempted: usize,
    throttled: BTreeMap<u64, u64>,
) -> PutOutcome {
    let (stored, failed) = match stored {
        Ok(stored) => (stored.amounts.clone(), 0),
        Err(_) => (BTreeMap::new(), attempted as u64),
    };
    PutOutcome {
        stored,
        throttled,
        failed,
    }
}

impl Streams {
    /// Checks `entries` as a whole and each, and routes them. Hashing is done between two short
    /// looks at the catalog, not under its lock. `member` names a member of the entry with an
    /// index.
    pub(crate) fn admissible<'a>(
        &self,
        stream: &StreamArn,
        entries: Vec<Entry<'a>>,
        member: impl Fn(usize, &str) -> String,
    ) -> Result<Admissible<'a>, Refused> {
        let (distribution, mut admissible) = self.serving_stream(stream, |stream, _| {
            let admissible = Admissible {
                incarnation: stream.incarnation,
                is_monitored: !stream.monitored.is_empty(),
                record_bytes_max: u64::from(stream.record_kib_max) * 1024,
                routed: Routed {
                    encrypted: stream.key_id.is_some(),
                    ..Routed::default()
                },
            };
            Ok((stream.distribution, admissible))
        })?;
        if distribution == Distribution::UserPartitionKey {
            check_keys(&entries, |index| member(index, "partitionKey"))?;
        }
        let data = |index| member(index, "data");
        check_sizes(&entries, admissible.record_bytes_max, data)?;
        let mut hashes = hashes(&entries)?;
        if distribution == Distribution::Auto {
            self.take_turns(stream, &mut hashes)?;
        }
        let routed = &mut admissible.routed;
        routed.places = self.places(stream, admissible.incarnation, &hashes)?;
        (routed.entries, routed.hashes) = (entries, hashes);
        Ok(admissible)
    }

    /// Sends each record to the shard whose turn it is, whatever its keys say.
    fn take_turns(&self, stream: &StreamArn, hashes: &mut [HashKey]) -> Result<(), Refused> {
        self.serving_stream(stream, |stream, _| {
            let mut rotation = self.rotation();
            let range_of = |key| stream.shards[&stream.route(key)].range;
            for hash in hashes {
                *hash = rotation.next(stream.incarnation, range_of);
            }
            Ok(())
        })
    }

    /// Where each of `hashes` goes now, in the incarnation of the stream that the request began in.
    fn places(
        &self,
        stream: &StreamArn,
        incarnation: u64,
        hashes: &[HashKey],
    ) -> Result<Places, Refused> {
        self.serving_stream(stream, |stream, _| {
            if stream.incarnation != incarnation {
                return Err(Refused::StreamNotFound {
                    stream: stream.arn.clone(),
                });
            }
            Ok(Places::in_stream(stream, hashes))
        })
    }

    /// Whether the rates of its shard admit each of the records that are `routed`, in their order.
    pub(crate) fn admit_writes(&self, routed: &Routed<'_>, record_bytes_max: u64) -> Vec<bool> {
        let Some(mut throttle) = self.throttle() else {
            return vec![true; routed.len()];
        };
        // Read under the lock: a time older than the last refill's counts as a clock stepping back.
        let now = self.clock().now();
        let entries = routed.places().zip(&routed.entries);
        let admitted = entries.map(|(place, entry)| {
            let partition = place.partition.number();
            let bytes = counted_bytes(entry);
            throttle.admit_write(partition, bytes, record_bytes_max, now)
        });
        admitted.collect()
    }

    /// Appends the records that are `routed`, all or none; gives what became of each.
    pub(crate) async fn put(
        &self,
        stream: &StreamArn,
        incarnation: u64,
        mut routed: Routed<'_>,
    ) -> Result<Stored, Failure> {
        let mut reroutes = 0;
        loop {
            let order = routed.places.order();
            let batch = routed.to_batch(self.log(), &order);
            // Now, for the records are no longer near at hand behind the append.
            let amounts = amounts(&routed, &order);
            match self.log().append(batch).await {
                Ok(appended) => {
                    let answers = appended.len();
                    assert_eq!(order.len(), answers, "the log answers for each entry");
                    let places = routed.places;
                    return Ok(Stored {
                        places,
                        order,
                        appended,
                        amounts,
                    });
                }
                Err(AppendError::Sealed(_)) if reroutes < REROUTES_MAX => {
                    reroutes += 1;
                    self.finish_reshard(stream).await.map_err(nothing_put)?;
                    routed.places = self.places(stream, incarnation, &routed.hashes)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The failure to finish a reshard, as a put has it: whatever became of that, nothing was put.
fn nothing_put(failure: Failure) -> Failure {
    match failure {
        Failure::Storage(storage) => nothing_happened(storage.detail),
        Failure::Refused(refused) => Failure::Refused(refused),
    }
}

/// What each shard gets of the records that are `routed`, by the numbers of their partitions.
fn amounts(routed: &Routed<'_>, order: &[usize]) -> BTreeMap<u64, Amount> {
    let mut amounts = BTreeMap::new();
    for (place, run) in routed.places.runs(order) {
        let mut amount = Amount::default();
        for record in run {
            amount.add_record(counted_bytes(&routed.entries[*record]));
        }
        amounts.insert(place.partition.number(), amount);
    }
    amounts
}
