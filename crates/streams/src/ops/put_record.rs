//! PutRecord: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>.

use tidemill_model::{Caller, StreamArn};
use tidemill_shapes::kinesis::{PutRecordError, PutRecordInput, PutRecordOutput};

use crate::iterator::{Ordering, check_ordering, invalid_ordering};
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};
use crate::write::{Entry, missing_key};

/// Puts one record.
pub async fn put_record(
    streams: &Streams,
    caller: &Caller,
    input: PutRecordInput,
) -> Result<PutRecordOutput, PutRecordError> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    let arn = named_stream(caller, "PutRecord", name, arn)?;
    let Some(partition_key) = input.partition_key else {
        return Err(Refused::Violations(vec![missing_key("partitionKey")]).into());
    };
    let explicit_hash_key = input.explicit_hash_key;
    let entry = Entry {
        data: input.data,
        partition_key,
        explicit_hash_key,
    };
    let admissible = streams.admissible(&arn, vec![entry], |_| "data".to_owned())?;
    if let Some(number) = input.sequence_number_for_ordering {
        check_given_out(streams, &arn, &number)?;
    }
    if input.dry_run == Some(true) {
        return Err(Refused::DryRun.into());
    }
    let admitted = streams.admit_writes(&admissible.records, admissible.record_bytes_max);
    if admitted != [true] {
        let (place, _) = &admissible.records[0];
        return Err(Refused::ShardRate {
            stream: arn,
            shard: place.shard,
        }
        .into());
    }
    let put = streams
        .put(&arn, admissible.incarnation, admissible.records)
        .await?
        .remove(0);
    Ok(PutRecordOutput {
        shard_id: put.shard.to_string(),
        sequence_number: put.sequence_number.to_string(),
        encryption_type: None,
    })
}

fn check_given_out(streams: &Streams, arn: &StreamArn, number: &str) -> Result<(), Refused> {
    let ordering =
        streams.serving_stream(arn, |stream, now| check_ordering(stream, number, now))?;
    match ordering {
        Ordering::IfReached(partition, position)
            if streams.log().partition(partition).end < position =>
        {
            Err(invalid_ordering(arn, number))
        }
        Ordering::Good | Ordering::IfReached(..) => Ok(()),
    }
}
