//! ListShards: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html>.

use serde::{Deserialize, Serialize};

use tidemill_model::{Caller, ShardId, StreamArn, Timestamp};
use tidemill_shapes::kinesis::{ListShardsError, ListShardsInput, ListShardsOutput};

use crate::describe::{page, shard};
use crate::limits::{ControlOperation, LIST_SHARDS_MAX, PAGE_TOKEN_AGE_MAX};
use crate::refused::Refused;
use crate::shard_filter::ShardFilter;
use crate::stream::Stream;
use crate::streams::{Streams, check_owner, named_stream};
use crate::token::{Purpose, TokenKey, open, seal};

/// What is listed, and from where on.
#[derive(Clone, Serialize, Deserialize)]
struct Listing {
    issued: Timestamp,
    stream: StreamArn,
    /// Set on all pages but the first: a stream created anew under the name is another one.
    incarnation: Option<u64>,
    filter: ShardFilter,
    after: Option<ShardId>,
}

/// Lists the shards of a stream that have not expired.
pub async fn list_shards(
    streams: &Streams,
    caller: &Caller,
    input: ListShardsInput,
) -> Result<ListShardsOutput, ListShardsError> {
    let key = streams.token_key().await?;
    let now = streams.clock().now();
    let listing = match &input.next_token {
        Some(token) => continued(&key, caller, &input, token, now)?,
        None => begun(caller, &input, now)?,
    };
    streams.admit(ControlOperation::ListShards, &listing.stream)?;
    let created = input.stream_creation_timestamp;
    let shards_max = page(input.max_results, LIST_SHARDS_MAX);
    let (incarnation, mut listed) = streams.stream(&listing.stream, |stream, now| {
        check_stream(stream, &listing, created, now)?;
        let wanted = stream.listed(now).filter(|(id, state)| {
            listing.after.is_none_or(|after| *id > after)
                && listing.filter.admits(stream, *id, state, now)
        });
        let listed = wanted
            .take(shards_max + 1)
            .map(|(id, state)| (id, shard(id, state)));
        Ok((stream.incarnation, listed.collect::<Vec<_>>()))
    })?;
    let has_more = listed.len() > shards_max;
    listed.truncate(shards_max);
    let last = listed.last().filter(|_| has_more);
    let next_token = last.map(|(last, _)| {
        let next = Listing {
            issued: now,
            incarnation: Some(incarnation),
            after: Some(*last),
            ..listing.clone()
        };
        seal(&key, Purpose::ListShards, streams.chance(), &next)
    });
    let shards = listed.into_iter().map(|(_, shard)| shard).collect();
    Ok(ListShardsOutput {
        shards: Some(shards),
        next_token,
    })
}

fn begun(caller: &Caller, input: &ListShardsInput, now: Timestamp) -> Result<Listing, Refused> {
    let (name, arn) = (input.stream_name.as_deref(), input.stream_arn.as_deref());
    if name.is_none() && arn.is_none() {
        return Err(Refused::NeitherTokenNorName);
    }
    let stream = named_stream(caller, "ListShards", name, arn)?;
    let after = match &input.exclusive_start_shard_id {
        None => None,
        Some(shard) => Some(shard.parse().map_err(|_| Refused::ShardNotFound {
            stream: stream.clone(),
            shard: shard.clone(),
        })?),
    };
    let filter = input
        .shard_filter
        .as_ref()
        .map(ShardFilter::read)
        .transpose()?;
    let filter = filter.unwrap_or(ShardFilter::FromTrimHorizon);
    Ok(Listing {
        issued: now,
        stream,
        incarnation: None,
        filter,
        after,
    })
}

fn continued(
    key: &TokenKey,
    caller: &Caller,
    input: &ListShardsInput,
    token: &str,
    now: Timestamp,
) -> Result<Listing, Refused> {
    let excluded = [
        ("StreamName", input.stream_name.is_some()),
        ("StreamARN", input.stream_arn.is_some()),
        (
            "ExclusiveStartShardId",
            input.exclusive_start_shard_id.is_some(),
        ),
        (
            "StreamCreationTimestamp",
            input.stream_creation_timestamp.is_some(),
        ),
        ("ShardFilter", input.shard_filter.is_some()),
    ];
    if let Some((parameter, _)) = excluded.into_iter().find(|(_, given)| *given) {
        return Err(Refused::TokenAndParameter { parameter });
    }
    let listing: Option<Listing> = open(key, Purpose::ListShards, token);
    let listing = listing.ok_or(Refused::InvalidNextToken)?;
    check_owner(caller, "ListShards", &listing.stream)?;
    if now.since(listing.issued) > PAGE_TOKEN_AGE_MAX {
        return Err(Refused::ExpiredNextToken);
    }
    Ok(listing)
}

fn check_stream(
    stream: &Stream,
    listing: &Listing,
    created: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refused> {
    // Clients carry the time as seconds, with a fraction or without.
    let other_time = created.is_some_and(|time| time.as_secs() != stream.created_at.as_secs());
    if other_time
        || listing
            .incarnation
            .is_some_and(|number| number != stream.incarnation)
    {
        return Err(Refused::StreamNotFound {
            stream: stream.arn.clone(),
        });
    }
    match stream.status(now) {
        Some(status) if !stream.serves(now) => Err(Refused::NotActive {
            stream: stream.arn.clone(),
            status: status.as_str(),
        }),
        Some(_) | None => Ok(()),
    }
}
