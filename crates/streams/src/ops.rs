//! The operations of Kinesis Data Streams, one file and one public function for each.
//!
//! The gateway has checked types and the model's constraints before it calls one; what only the
//! service can know is checked here. Rates are counted before anything is looked up, as AWS does.

mod add_tags_to_stream;
mod create_stream;
mod decrease_stream_retention_period;
mod delete_stream;
mod deregister_stream_consumer;
mod describe_account_settings;
mod describe_limits;
mod describe_stream;
mod describe_stream_consumer;
mod describe_stream_summary;
mod disable_enhanced_monitoring;
mod enable_enhanced_monitoring;
mod get_records;
mod get_shard_iterator;
mod increase_stream_retention_period;
mod list_shards;
mod list_stream_consumers;
mod list_streams;
mod list_tags_for_stream;
mod merge_shards;
mod put_record;
mod put_records;
mod register_stream_consumer;
mod remove_tags_from_stream;
mod split_shard;
mod update_account_settings;
mod update_max_record_size;
mod update_shard_count;
mod update_stream_mode;

pub use add_tags_to_stream::add_tags_to_stream;
pub use create_stream::create_stream;
pub use decrease_stream_retention_period::decrease_stream_retention_period;
pub use delete_stream::delete_stream;
pub use deregister_stream_consumer::deregister_stream_consumer;
pub use describe_account_settings::describe_account_settings;
pub use describe_limits::describe_limits;
pub use describe_stream::describe_stream;
pub use describe_stream_consumer::describe_stream_consumer;
pub use describe_stream_summary::describe_stream_summary;
pub use disable_enhanced_monitoring::disable_enhanced_monitoring;
pub use enable_enhanced_monitoring::enable_enhanced_monitoring;
pub use get_records::get_records;
pub use get_shard_iterator::get_shard_iterator;
pub use increase_stream_retention_period::increase_stream_retention_period;
pub use list_shards::list_shards;
pub use list_stream_consumers::list_stream_consumers;
pub use list_streams::list_streams;
pub use list_tags_for_stream::list_tags_for_stream;
pub use merge_shards::merge_shards;
pub use put_record::put_record;
pub use put_records::put_records;
pub use register_stream_consumer::register_stream_consumer;
pub use remove_tags_from_stream::remove_tags_from_stream;
pub use split_shard::split_shard;
pub use update_account_settings::update_account_settings;
pub use update_max_record_size::update_max_record_size;
pub use update_shard_count::update_shard_count;
pub use update_stream_mode::update_stream_mode;
