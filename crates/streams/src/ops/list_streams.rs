//! ListStreams: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreams.html>.

use serde::{Deserialize, Serialize};

use tidemill_model::{Caller, Timestamp};
use tidemill_shapes::kinesis::{
    ListStreamsError, ListStreamsInput, ListStreamsOutput, StreamSummary,
};

use crate::describe::{mode, page, status};
use crate::limits::{ControlOperation, LIST_STREAMS_MAX, PAGE_TOKEN_AGE_MAX};
use crate::refused::Refused;
use crate::stream::Stream;
use crate::streams::{Streams, own_stream};
use crate::token::{Purpose, open, seal};

/// Where the next page begins.
#[derive(Serialize, Deserialize)]
struct PageToken {
    issued: Timestamp,
    after: String,
}

/// Lists the names of the caller's streams, in order. A token says more than ExclusiveStartStreamName,
/// which clients that page keep sending with it.
pub async fn list_streams(
    streams: &Streams,
    caller: &Caller,
    input: ListStreamsInput,
) -> Result<ListStreamsOutput, ListStreamsError> {
    let nameless = own_stream(caller, "");
    streams.admit(ControlOperation::ListStreams, &nameless)?;
    let key = streams.token_key().await?;
    let now = streams.clock().now();
    let after = match input.next_token {
        None => input.exclusive_start_stream_name.unwrap_or_default(),
        Some(token) => {
            let token: Option<PageToken> = open(&key, Purpose::ListStreams, &token);
            let token = token.ok_or(Refused::InvalidNextToken)?;
            if now.since(token.issued) > PAGE_TOKEN_AGE_MAX {
                return Err(Refused::ExpiredNextToken.into());
            }
            token.after
        }
    };
    let names_max = page(input.limit, LIST_STREAMS_MAX);
    let mut summaries: Vec<StreamSummary> = streams.catalog(|catalog, now| {
        let own = catalog.streams(now).filter(|stream| {
            stream.arn.account == nameless.account
                && stream.arn.region == nameless.region
                && stream.arn.name > after
        });
        own.take(names_max + 1)
            .map(|stream| summary(stream, now))
            .collect()
    });
    let has_more_streams = summaries.len() > names_max;
    summaries.truncate(names_max);
    let last = summaries.last().filter(|_| has_more_streams);
    let next_token = last.map(|last| {
        let token = PageToken {
            issued: now,
            after: last.stream_name.clone(),
        };
        seal(&key, Purpose::ListStreams, streams.chance(), &token)
    });
    Ok(ListStreamsOutput {
        stream_names: summaries
            .iter()
            .map(|summary| summary.stream_name.clone())
            .collect(),
        has_more_streams,
        next_token,
        stream_summaries: Some(summaries),
    })
}

fn summary(stream: &Stream, now: Timestamp) -> StreamSummary {
    StreamSummary {
        stream_name: stream.arn.name.clone(),
        stream_arn: stream.arn.to_string(),
        stream_status: status(
            stream
                .status(now)
                .expect("a stream that is gone is not listed"),
        ),
        stream_mode_details: Some(mode(stream.mode)),
        stream_creation_timestamp: Some(stream.created_at),
    }
}
