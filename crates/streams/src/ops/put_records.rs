//! PutRecords: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>.
//!
//! What must hold: entries are admitted one by one, so one may be refused between two that are not;
//! all that are admitted become durable together, and on one shard in the order of the request; the
//! answer has one result for each entry, in its place.

use std::collections::BTreeMap;

use tidemill_model::{Caller, ShardId, StreamArn};
use tidemill_shapes::kinesis::{
    PutRecordsError, PutRecordsInput, PutRecordsOutput, PutRecordsResultEntry,
};

use crate::describe::count;
use crate::measured::PutOperation;
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};
use crate::write::{Place, Put, outcome};

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
    let (subject, mut refused) = (admissible.subject(), BTreeMap::new());
    let places = admissible.routed.places().iter().zip(&admitted);
    let refusal = |(place, admitted): (&Place, &bool)| match admitted {
        true => None,
        false => {
            *refused.entry(place.partition.number()).or_default() += 1;
            Some(throttled(&arn, place.shard))
        }
    };
    let results: Vec<_> = places.map(refusal).collect();
    admissible.routed.keep(&admitted);
    let attempted = admissible.routed.len();
    let failed = results.len() - attempted;
    let put = streams.put(&arn, admissible.incarnation, admissible.routed);
    let put = put.await;
    let outcome = outcome(&put, attempted, refused);
    streams.measured(|measured, now| {
        let operation = PutOperation::PutRecords;
        measured.put(subject, operation, &outcome, now.since(began), now);
    });
    let mut puts = put?.puts.into_iter();
    let results = results.into_iter().map(|refusal| {
        refusal.unwrap_or_else(|| stored(&puts.next().expect("one for each admitted entry")))
    });
    Ok(PutRecordsOutput {
        records: results.collect(),
        failed_record_count: Some(count(u32::try_from(failed).expect("at most 500"))),
        encryption_type,
    })
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
