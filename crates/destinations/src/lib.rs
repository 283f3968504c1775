//! Queues, and the envelope a failure is sent in.
//!
//! A queue is a standard queue of SQS: at-least-once, no promise of order. The catalog of queues
//! stands among the control commands; the messages of each queue stand in a partition of their own, so
//! that a queue's space is freed by its own snapshots. What must hold: a message that was accepted is
//! received again and again until it is deleted, purged or expired, across crashes; sends, deletes and
//! purges are durable when they are answered, receives are not. A failure that is delivered twice
//! under one id is there once.
//!
//! Deliberately absent: FIFO queues, redrive, encryption, policies, tags, and changes to a queue's
//! settings. Each is refused by name.

pub mod limits;
mod message;
mod digest;
mod content;
mod settings;
mod receipt;
mod url;
mod parameters;
mod delivered;
mod queue;
mod visibility;
pub mod envelope;
mod catalog;
mod open_queue;
mod queues;
pub mod ops;

pub use catalog::Catalog;
pub use content::ContentError;
pub use queues::{DeliverError, Queues, QueuesParts, RecoverError};
