//! The nouns of Tidemill and its doors to the world.
//!
//! What must hold: nothing here reads a clock, draws chance, touches a disk or knows tokio. The doors
//! ([`Clock`], [`Entropy`]) and the port that two services share ([`Source`]) are traits; the real
//! ones stand in `server`, the simulated ones in `testkit`. Modules are declared lowest first, and a
//! module uses only modules declared above it.

pub mod time;
pub mod entropy;
pub mod failure;
pub mod fault;
mod digits;
pub mod ident;
pub mod hash_key;
pub mod metric;
pub mod sequence;
pub mod spelling;
pub mod record;
pub mod caller;
pub mod source;
pub mod given_up;

pub use caller::Caller;
pub use entropy::Entropy;
pub use failure::Determinacy;
pub use hash_key::{HashKey, HashKeyRange};
pub use ident::{AccountId, ConsumerArn, FunctionArn, QueueArn, Region, ShardId, StreamArn};
pub use record::Record;
pub use sequence::{OlderNumber, SequenceNumber};
pub use source::Source;
pub use spelling::Spelling;
pub use time::{Clock, Timestamp};

/// A future on the heap, as the ports return it so that they can be used as trait objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
