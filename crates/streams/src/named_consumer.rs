//! How an operation names a consumer, and how AWS shows one.
//!
//! The operations on consumers declare no AccessDenied: a stream of another account is not found.

use tidemill_model::{Caller, ConsumerArn, StreamArn, Timestamp};
use tidemill_shapes::kinesis;

use crate::consumer::{ConsumerStatus, FoundConsumer};
use crate::refused::Refused;
use crate::streams::{Streams, named_stream};

/// A consumer as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedConsumer {
    pub stream: StreamArn,
    pub name: String,
    /// The second of its registration, when the request gave the ARN.
    pub created_secs: Option<u64>,
}

/// The caller's stream with the ARN `arn`.
pub(crate) fn stream_of_consumers(
    caller: &Caller,
    operation: &'static str,
    arn: &str,
) -> Result<StreamArn, Refused> {
    named_stream(caller, operation, None, Some(arn)).map_err(|refused| match refused {
        Refused::OtherAccount { stream, .. } => Refused::StreamNotFound { stream },
        other => other,
    })
}

/// The consumer that a request names: by its ARN, by its stream's ARN and its name, or by all of them
/// when they agree.
pub(crate) fn named_consumer(
    caller: &Caller,
    operation: &'static str,
    consumer_arn: Option<&str>,
    stream_arn: Option<&str>,
    name: Option<&str>,
) -> Result<NamedConsumer, Refused> {
    let Some(text) = consumer_arn else {
        let (Some(stream), Some(name)) = (stream_arn, name) else {
            return Err(Refused::NoConsumerNamed);
        };
        return Ok(NamedConsumer {
            stream: stream_of_consumers(caller, operation, stream)?,
            name: name.to_owned(),
            created_secs: None,
        });
    };
    let arn: ConsumerArn = text.parse().map_err(|_| Refused::NotAConsumerArn {
        arn: text.to_owned(),
    })?;
    let disagree = |parameter| {
        let arn = text.to_owned();
        Err(Refused::ConsumersDisagree { arn, parameter })
    };
    if stream_arn.is_some_and(|stream| arn.stream.to_string() != stream) {
        return disagree("StreamARN");
    }
    if name.is_some_and(|name| arn.name != name) {
        return disagree("ConsumerName");
    }
    Ok(NamedConsumer {
        stream: stream_of_consumers(caller, operation, &arn.stream.to_string())?,
        name: arn.name,
        created_secs: Some(arn.created_secs),
    })
}

impl Streams {
    /// The consumer that `named` names, unless it is gone.
    pub(crate) fn consumer(&self, named: &NamedConsumer) -> Result<FoundConsumer, Refused> {
        self.stream(&named.stream, |stream, now| {
            stream.consumer(&named.name, named.created_secs, now)
        })
    }
}

pub(crate) fn consumer_status(status: ConsumerStatus) -> kinesis::ConsumerStatus {
    match status {
        ConsumerStatus::Creating => kinesis::ConsumerStatus::Creating,
        ConsumerStatus::Active => kinesis::ConsumerStatus::Active,
        ConsumerStatus::Deleting => kinesis::ConsumerStatus::Deleting,
    }
}

/// A consumer as a list shows it.
pub(crate) fn listed(
    arn: &ConsumerArn,
    created_at: Timestamp,
    status: ConsumerStatus,
) -> kinesis::Consumer {
    kinesis::Consumer {
        consumer_name: arn.name.clone(),
        consumer_arn: arn.to_string(),
        consumer_status: consumer_status(status),
        consumer_creation_timestamp: created_at,
    }
}
