//! What has tags and a policy: a stream or a consumer, named by its ARN.

use serde::{Deserialize, Serialize};

use tidemill_model::{ConsumerArn, StreamArn};

/// A stream or a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    /// A stream.
    Stream(StreamArn),
    /// A consumer of a stream.
    Consumer(ConsumerArn),
}

impl Resource {
    /// The stream, or the one that the consumer reads.
    pub fn stream(&self) -> &StreamArn {
        match self {
            Resource::Stream(stream) => stream,
            Resource::Consumer(consumer) => &consumer.stream,
        }
    }
}
