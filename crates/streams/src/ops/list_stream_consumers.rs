//! ListStreamConsumers:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreamConsumers.html>.

use serde::{Deserialize, Serialize};

use tidemill_model::{Caller, Timestamp};
use tidemill_shapes::kinesis::{
    ListStreamConsumersError, ListStreamConsumersInput, ListStreamConsumersOutput,
};

use crate::describe::page;
use crate::limits::{ControlOperation, LIST_CONSUMERS_MAX, PAGE_TOKEN_AGE_MAX};
use crate::named_consumer::{listed, stream_of_consumers};
use crate::refused::Refused;
use crate::stream::Stream;
use crate::streams::Streams;
use crate::token::{Purpose, open, seal};

/// Where the next page begins, and of which stream.
#[derive(Serialize, Deserialize)]
struct PageToken {
    issued: Timestamp,
    incarnation: u64,
    after: String,
}

/// Lists the consumers of a stream in the order of their names.
pub async fn list_stream_consumers(
    streams: &Streams,
    caller: &Caller,
    input: ListStreamConsumersInput,
) -> Result<ListStreamConsumersOutput, ListStreamConsumersError> {
    let arn = stream_of_consumers(caller, "ListStreamConsumers", &input.stream_arn)?;
    streams.admit(ControlOperation::ListStreamConsumers, &arn)?;
    let key = streams.token_key().await?;
    let now = streams.clock().now();
    let token = match (&input.next_token, input.stream_creation_timestamp) {
        (None, _) => None,
        (Some(_), Some(_)) => {
            let parameter = "StreamCreationTimestamp";
            return Err(Refused::TokenAndParameter { parameter }.into());
        }
        (Some(token), None) => {
            let token: Option<PageToken> = open(&key, Purpose::ListStreamConsumers, token);
            Some(token.ok_or(Refused::InvalidNextToken)?)
        }
    };
    if token
        .as_ref()
        .is_some_and(|token| now.since(token.issued) > PAGE_TOKEN_AGE_MAX)
    {
        return Err(Refused::ExpiredNextToken.into());
    }
    let consumers_max = page(input.max_results, LIST_CONSUMERS_MAX);
    let (incarnation, mut found) = streams.stream(&arn, |stream, now| {
        check_stream(stream, token.as_ref(), input.stream_creation_timestamp)?;
        let after = token.as_ref().map(|token| token.after.as_str());
        let wanted = stream
            .consumers(now)
            .filter(|consumer| after.is_none_or(|after| consumer.arn.name.as_str() > after));
        let found: Vec<_> = wanted.take(consumers_max + 1).collect();
        Ok((stream.incarnation, found))
    })?;
    let has_more = found.len() > consumers_max;
    found.truncate(consumers_max);
    let next_token = found.last().filter(|_| has_more).map(|last| {
        let token = PageToken {
            issued: now,
            incarnation,
            after: last.arn.name.clone(),
        };
        seal(&key, Purpose::ListStreamConsumers, streams.chance(), &token)
    });
    let consumers = found
        .iter()
        .map(|found| listed(&found.arn, found.created_at, found.status));
    Ok(ListStreamConsumersOutput {
        consumers: Some(consumers.collect()),
        next_token,
    })
}

/// Whether `stream` is the one that is meant: not another of its name, which has other consumers.
fn check_stream(
    stream: &Stream,
    token: Option<&PageToken>,
    created: Option<Timestamp>,
) -> Result<(), Refused> {
    // Clients carry the time as seconds, with a fraction or without.
    if created.is_some_and(|time| time.as_secs() != stream.created_at.as_secs()) {
        let stream = stream.arn.clone();
        return Err(Refused::StreamNotFound { stream });
    }
    if token.is_some_and(|token| token.incarnation != stream.incarnation) {
        return Err(Refused::InvalidNextToken);
    }
    Ok(())
}
