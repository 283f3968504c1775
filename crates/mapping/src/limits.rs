//! Every limit of a mapping: the constant, its unit and where it comes from.
//!
//! What must hold: a full read-ahead always holds a full batch, or a mapping could wait for records
//! that it does not allow itself to read; the relations at the end keep that true at compile time.

use std::time::Duration;

/// Records per batch when the user names none.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
pub const BATCH_SIZE_DEFAULT: u32 = 100;

/// Most records per batch; same page.
pub const BATCH_SIZE_MAX: u32 = 10_000;

/// Most bytes of the JSON document that one invocation is given.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Least record age a mapping can be limited to, in seconds; -1 stands for no limit.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>
pub const RECORD_AGE_SECS_MIN: i32 = 60;

/// Greatest record age a mapping can be limited to, in seconds; same page.
pub const RECORD_AGE_SECS_MAX: i32 = 604_800;

/// Records held in memory behind an unfinished batch: what one GetRecords gives at most.
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>
pub const AHEAD_RECORDS_MAX: usize = 10_000;

/// Payload bytes held in memory behind an unfinished batch; same page.
pub const AHEAD_BYTES_MAX: usize = 10 * 1024 * 1024;

/// How often a failed batch is offered to its destination before it is discarded; our choice.
pub const DELIVERY_ATTEMPTS_MAX: u32 = 5;

/// How often the failures of a batch that stands still are written down, at most; our choice.
pub const FAILURES_SAVED_EVERY: Duration = Duration::from_secs(10);

/// Longest text kept of a function's error, in bytes; our choice, it stands in every ledger.
pub const ERROR_TEXT_BYTES_MAX: usize = 512;

/// Mappings on one page of a listing.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html>
pub const PAGE_SIZE_MAX: usize = 100;

/// How often a stream is asked for when it does not exist; our choice.
pub const ABSENT_STREAM_POLL: Duration = Duration::from_secs(1);

/// How often an idle shard is read with AWS's pace.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>
pub const AWS_POLL_INTERVAL: Duration = Duration::from_secs(1);

const _: () = assert!(AHEAD_RECORDS_MAX >= BATCH_SIZE_MAX as usize);
const _: () = assert!(AHEAD_BYTES_MAX > EVENT_BYTES_MAX);
