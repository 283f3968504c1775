//! PutRecords: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>.
//!
//! What must hold: entries are admitted one by one, so one may be refused between two that are not;
//! all that are admitted become durable together, and on one shard in the order of the request; the
//! answer has one result for each entry, in its place.

use std::collections::BTreeMap;

use tidemill_model::{Caller, SequenceNumber, ShardId, Spelling, StreamArn};
use tidemill_shapes::arena::{Arena, TextSlot};
use tidemill_shapes::kinesis::{
    PutRecordsError, PutRecordsInput, PutRecordsOutput, PutRecordsResultEntry,
};
use tidemill_shapes::packed::Packed;

use crate::describe::count;
use crate::measured::PutOperation;
use crate::places::Place;
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};
use crate::write::{Stored, outcome};

/// What became of each entry.
type Results = Packed<PutRecordsResultEntry<TextSlot>>;

/// The texts of a record that was put, at most: a sequence number and a shard.
const RESULT_BYTES: usize = SequenceNumber::DIGITS + ShardId::NAME_BYTES;

/// Puts up to 500 records.
pub async fn put_records(
    streams: &Streams,
    caller: &Caller,
    input: PutRecordsInput,
) -> Result<PutRecordsOutput, PutRecordsError> {
    let began = streams.clock().now();
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "PutRecords", name, arn)?;
    let entries = input.records.iter().collect();
    let member = |index: usize, member: &str| format!("records.{}.member.{member}", index + 1);
    let mut admissible = streams.admissible(&arn, entries, member)?;
    let encryption_type = admissible.encryption_type();
    if input.dry_run == Some(true) {
        return Err(Refused::DryRun.into());
    }
    let admitted = streams.admit_writes(&admissible.routed, admissible.record_bytes_max);
    let places = admissible.routed.places().zip(&admitted);
    let refused = places.filter(|(_, admitted)| !**admitted);
    let refused: Vec<Place> = refused.map(|(place, _)| place).collect();
    admissible.routed.keep(&admitted);
    let (subject, attempted) = (admissible.subject(), admissible.routed.len());
    let put = streams.put(&arn, admissible.incarnation, admissible.routed);
    let put = put.await;
    let outcome = outcome(&put, attempted, by_shard(&refused));
    streams.measured(|measured, now| {
        let operation = PutOperation::PutRecords;
        measured.put(subject, operation, &outcome, now.since(began), now);
    });
    Ok(PutRecordsOutput {
        records: results(&arn, &admitted, &put?, &refused),
        failed_record_count: Some(count(u32::try_from(refused.len()).expect("at most 500"))),
        encryption_type,
    })
}

/// How many entries were refused, by the numbers of the partitions of their shards.
fn by_shard(refused: &[Place]) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for place in refused {
        *counts.entry(place.partition.number()).or_default() += 1;
    }
    counts
}

/// One result for each entry: those that were `admitted` are `stored`, the others have the next of `refused`.
fn results(stream: &StreamArn, admitted: &[bool], stored: &Stored, refused: &[Place]) -> Results {
    let mut results = vec![PutRecordsResultEntry::default(); admitted.len()];
    let mut texts = Arena::default();
    texts.reserve_unread(admitted.len() * RESULT_BYTES);
    let entries = |wanted: bool| {
        let entries = admitted.iter().enumerate();
        let wanted = entries.filter(move |(_, is_admitted)| **is_admitted == wanted);
        wanted.map(|(entry, _)| entry)
    };
    let kept: Vec<usize> = entries(true).collect();
    for (shard, numbers) in stored.shards() {
        let mut name = [0; ShardId::NAME_BYTES];
        let shard_id = texts.put_unread(shard.put_into(&mut name).as_bytes());
        let mut spelling = Spelling::default();
        for (record, number) in numbers {
            results[kept[record]] = PutRecordsResultEntry {
                sequence_number: texts.put_unread(&spelling.of(number)),
                shard_id,
                ..PutRecordsResultEntry::default()
            };
        }
    }
    for (entry, place) in entries(false).zip(refused) {
        let (stream, shard) = (stream.clone(), place.shard);
        let refusal = Refused::ShardRate { stream, shard };
        results[entry] = PutRecordsResultEntry {
            error_code: texts.put_unread(b"ProvisionedThroughputExceededException"),
            error_message: texts.put_unread(refusal.to_string().as_bytes()),
            ..PutRecordsResultEntry::default()
        };
    }
    Packed::of(results, texts).expect("names and digits are texts")
}
