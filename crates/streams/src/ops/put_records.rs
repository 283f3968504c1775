//! PutRecords: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>.
//!
//! What must hold: entries are admitted one by one, so one may be refused between two that are not;
//! all that are admitted become durable together, and on one shard in the order of the request; the
//! answer has one result for each entry, in its place.

use std::collections::BTreeMap;

use tidemill_model::{Caller, ShardId, StreamArn};
use tidemill_shapes::kinesis::{
    PutRecordsError, PutRecordsInput, PutRecordsOutput, PutRecordsRequestEntry,
    PutRecordsResultEntry,
};

use crate::describe::count;
use crate::measured::PutOperation;
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};
use crate::write::{Entry, Put, missing_key, outcome};

/// Puts up to 500 records.
pub async fn put_records(
    streams: &Streams,
    caller: &Caller,
    input: PutRecordsInput,
) -> Result<PutRecordsOutput, PutRecordsError> {
    let began = streams.clock().now();
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "PutRecords", name, arn)?;
    let entries = entries(input.records)?;
    let member = |index: usize| format!("records.{}.member.data", index + 1);
    let admissible = streams.admissible(&arn, entries, member)?;
    if input.dry_run == Some(true) {
        return Err(Refused::DryRun.into());
    }
    let admitted = streams.admit_writes(&admissible.records, admissible.record_bytes_max);
    let mut results = Vec::with_capacity(admitted.len());
    let mut records = Vec::with_capacity(admitted.len());
    let (subject, mut refused) = (admissible.subject(), BTreeMap::new());
    for (record, admitted) in admissible.records.into_iter().zip(admitted) {
        if admitted {
            results.push(None);
            records.push(record);
        } else {
            results.push(Some(throttled(&arn, record.0.shard)));
            *refused.entry(record.0.partition.number()).or_default() += 1;
        }
    }
    let failed = results.iter().flatten().count();
    let attempted = records.len();
    let puts = streams.put(&arn, admissible.incarnation, records).await;
    let outcome = outcome(&puts, attempted, refused);
    streams.measured(|measured, now| {
        let operation = PutOperation::PutRecords;
        measured.put(subject, operation, &outcome, now.since(began), now);
    });
    let mut puts = puts?.into_iter();
    let results = results.into_iter().map(|refusal| {
        refusal.unwrap_or_else(|| stored(&puts.next().expect("one for each admitted entry")))
    });
    Ok(PutRecordsOutput {
        records: results.collect(),
        failed_record_count: Some(count(u32::try_from(failed).expect("at most 500"))),
        encryption_type: None,
    })
}

/// The entries, unless one has no partition key: then the whole call is refused.
fn entries(records: Vec<PutRecordsRequestEntry>) -> Result<Vec<Entry>, Refused> {
    let missing = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.partition_key.is_none());
    let missing: Vec<String> = missing
        .map(|(index, _)| missing_key(&format!("records.{}.member.partitionKey", index + 1)))
        .collect();
    if !missing.is_empty() {
        return Err(Refused::Violations(missing));
    }
    let entries = records.into_iter().map(|record| Entry {
        data: record.data,
        partition_key: record.partition_key.unwrap_or_default(),
        explicit_hash_key: record.explicit_hash_key,
    });
    Ok(entries.collect())
}

fn throttled(stream: &StreamArn, shard: ShardId) -> PutRecordsResultEntry {
    let refused = Refused::ShardRate {
        stream: stream.clone(),
        shard,
    };
    PutRecordsResultEntry {
        error_code: Some("ProvisionedThroughputExceededException".to_owned()),
        error_message: Some(refused.to_string()),
        sequence_number: None,
        shard_id: None,
    }
}

fn stored(put: &Put) -> PutRecordsResultEntry {
    PutRecordsResultEntry {
        error_code: None,
        error_message: None,
        sequence_number: Some(put.sequence_number.to_string()),
        shard_id: Some(put.shard.to_string()),
    }
}
