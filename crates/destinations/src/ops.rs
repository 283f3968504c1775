//! The operations of SQS, one file and one function each.
//!
//! Where an answer carries queue URLs, `base_url` is the endpoint as the caller knows it, such as
//! `http://127.0.0.1:4566`. What SQS answers with `InvalidParameterValue` (and declares for no
//! operation) is a `ValidationException` here.

mod create_queue;
mod delete_message;
mod delete_queue;
mod get_queue_attributes;
mod get_queue_url;
mod list_queues;
mod purge_queue;
mod receive_message;
mod send_message;

pub use create_queue::create_queue;
pub use delete_message::delete_message;
pub use delete_queue::delete_queue;
pub use get_queue_attributes::get_queue_attributes;
pub use get_queue_url::get_queue_url;
pub use list_queues::list_queues;
pub use purge_queue::purge_queue;
pub use receive_message::receive_message;
pub use send_message::send_message;
