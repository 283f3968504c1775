//! PutRecord: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>.

use std::collections::BTreeMap;

use tidemill_model::{Caller, StreamArn};
use tidemill_shapes::kinesis::{PutRecordError, PutRecordInput, PutRecordOutput};

use crate::distribution::Distribution;
use crate::iterator::{Ordering, check_ordering, invalid_ordering};
use crate::measured::PutOperation;
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};
use crate::write::{Entry, outcome};

/// Puts one record.
pub async fn put_record(
    streams: &Streams,
    caller: &Caller,
    input: PutRecordInput,
) -> Result<PutRecordOutput, PutRecordError> {
    let began = streams.clock().now();
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "PutRecord", name, arn)?;
    let entry = Entry {
        data: &input.data,
        partition_key: input.partition_key.as_deref(),
        explicit_hash_key: input.explicit_hash_key.as_deref(),
    };
    let admissible = streams.admissible(&arn, vec![entry], |_, member| member.to_owned())?;
    let encryption_type = admissible.encryption_type();
    if let Some(number) = input.sequence_number_for_ordering {
        check_given_out(streams, &arn, &number)?;
    }
    if input.dry_run == Some(true) {
        return Err(Refused::DryRun.into());
    }
    let subject = admissible.subject();
    let admitted = streams.admit_writes(&admissible.routed, admissible.record_bytes_max);
    let (put, throttled) = if admitted == [true] {
        let (incarnation, routed) = (admissible.incarnation, admissible.routed);
        let put = streams.put(&arn, incarnation, routed).await;
        (put, BTreeMap::new())
    } else {
        let place = admissible
            .routed
            .places()
            .next()
            .expect("there is one record");
        let (stream, shard) = (arn, place.shard);
        let refused = Refused::ShardRate { stream, shard };
        (
            Err(refused.into()),
            BTreeMap::from([(place.partition.number(), 1)]),
        )
    };
    let outcome = outcome(&put, throttled.is_empty().into(), throttled);
    streams.measured(|measured, now| {
        let operation = PutOperation::PutRecord;
        measured.put(subject, operation, &outcome, now.since(began), now);
    });
    let stored = put?;
    let (shard, mut numbers) = stored.shards().next().expect("one got the record");
    let (_, number) = numbers.next().expect("it got one record");
    Ok(PutRecordOutput {
        shard_id: shard.to_string(),
        sequence_number: number.to_string(),
        encryption_type,
    })
}

fn check_given_out(streams: &Streams, arn: &StreamArn, number: &str) -> Result<(), Refused> {
    let ordering = streams.serving_stream(arn, |stream, now| match stream.distribution {
        Distribution::UserPartitionKey => check_ordering(stream, number, now),
        Distribution::Auto => Err(Refused::OrderingUnderAuto {
            stream: arn.clone(),
        }),
    })?;
    match ordering {
        Ordering::IfReached(partition, position)
            if streams.log().partition(partition).end < position =>
        {
            Err(invalid_ordering(arn, number))
        }
        Ordering::Good | Ordering::IfReached(..) => Ok(()),
    }
}
