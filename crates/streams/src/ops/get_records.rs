//! GetRecords: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>.
//!
//! What must hold: the answer at the end of a closed shard has the child shards and no next iterator,
//! and no other answer has; MillisBehindLatest is 0 exactly when everything has been read.

use tidemill_log::Entry;
use tidemill_model::{Caller, StreamArn, Timestamp};
use tidemill_shapes::kinesis::{
    ChildShard, GetRecordsError, GetRecordsInput, GetRecordsOutput, Record,
};

use crate::describe::{amount, children, page, records};
use crate::failure::Failure;
use crate::iterator::ShardIterator;
use crate::limits::{GET_RECORDS_BYTES_MAX, GET_RECORDS_MAX};
use crate::measured::GetOutcome;
use crate::read::Fresh;
use crate::refused::Refused;
use crate::stream::FoundShard;
use crate::streams::{Streams, check_owner};

/// Reads records from where an iterator stands.
pub async fn get_records(
    streams: &Streams,
    caller: &Caller,
    input: GetRecordsInput,
) -> Result<GetRecordsOutput, GetRecordsError> {
    let key = streams.token_key().await?;
    let now = streams.clock().now();
    let iterator = ShardIterator::open(&key, &input.shard_iterator)?;
    let arn = stream_of(caller, &iterator, input.stream_arn)?;
    iterator.check_age(now)?;
    let (found, children) = find(streams, &arn, &iterator)?;
    if input.dry_run == Some(true) {
        return Err(Refused::DryRun.into());
    }
    let measured = |outcome| {
        let (subject, partition) = (found.subject(), found.shard.partition);
        streams.measured(|measured, ended| {
            measured.get(subject, partition, outcome, ended.since(now), ended);
        });
    };
    let partition = found.shard.partition;
    let admitted = streams
        .throttle()
        .is_none_or(|mut throttle| throttle.admit_read(partition, now));
    if !admitted {
        measured(GetOutcome::Throttled);
        return Err(Refused::ShardRate {
            stream: arn,
            shard: found.id,
        }
        .into());
    }
    let page = read(streams, &found, &iterator, input.limit).await;
    let (records, Fresh { entries, next }) = match page {
        Ok(page) => page,
        Err(failure) => {
            measured(GetOutcome::Failed);
            return Err(failure.into());
        }
    };
    let given = amount(&records);
    if let Some(mut throttle) = streams.throttle() {
        throttle.charge_read(partition, given.bytes, now);
    }
    let last = entries.last().map_or(now, |last| last.at);
    let age = now.since(last);
    measured(GetOutcome::Answered { given, age });
    let at_end = found
        .shard
        .closed
        .as_ref()
        .is_some_and(|closing| next >= closing.end);
    let next_shard_iterator =
        (!at_end).then(|| ShardIterator::new(&found, next, now).seal(&key, streams.chance()));
    Ok(GetRecordsOutput {
        millis_behind_latest: Some(millis_behind(streams, &found, &entries, next, now)),
        records,
        next_shard_iterator,
        child_shards: at_end.then_some(children),
    })
}

/// Reads one page.
async fn read(
    streams: &Streams,
    found: &FoundShard,
    iterator: &ShardIterator,
    limit: Option<i32>,
) -> Result<(Vec<Record>, Fresh), Failure> {
    let fresh = streams
        .read_fresh(
            found.shard.partition_id(),
            iterator.from,
            found.horizon,
            page(limit, GET_RECORDS_MAX),
            GET_RECORDS_BYTES_MAX,
        )
        .await?;
    Ok((records(found, &fresh.entries)?, fresh))
}

/// The stream of `iterator`, in the region that the caller asks.
fn stream_of(
    caller: &Caller,
    iterator: &ShardIterator,
    arn: Option<String>,
) -> Result<StreamArn, Refused> {
    let stream = StreamArn {
        region: caller.region.clone(),
        account: iterator.account.clone(),
        name: iterator.name.clone(),
    };
    if let Some(arn) = arn
        && arn.parse().ok().as_ref() != Some(&stream)
    {
        return Err(Refused::IteratorOfOtherStream { arn });
    }
    check_owner(caller, "GetRecords", &stream)?;
    Ok(stream)
}

fn find(
    streams: &Streams,
    arn: &StreamArn,
    iterator: &ShardIterator,
) -> Result<(FoundShard, Vec<ChildShard>), Refused> {
    let shard = iterator.shard;
    let missing = || Refused::ShardDoesNotExist {
        stream: arn.clone(),
        shard,
    };
    let found = streams.stream(arn, |stream, now| {
        if stream.incarnation != iterator.incarnation {
            return Err(missing());
        }
        let found = stream.find(shard, now).ok_or_else(missing)?;
        let children = children(stream, &found.shard);
        Ok((found, children))
    });
    found.map_err(|_| missing())
}

/// The age of the last record read, when there are more behind it.
fn millis_behind(
    streams: &Streams,
    found: &FoundShard,
    entries: &[Entry],
    next: u64,
    now: Timestamp,
) -> i64 {
    let end = streams.log().partition(found.shard.partition_id()).end;
    match entries.last() {
        Some(last) if next < end => i64::try_from(now.since(last.at).as_millis())
            .unwrap_or(i64::MAX)
            .max(1),
        Some(_) | None => 0,
    }
}
