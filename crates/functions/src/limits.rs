//! The table of limits: what AWS bounds, and what we bound so that nothing grows without end.
//!
//! AWS's figures: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>. Ours
//! carry the reason instead of an address.

use std::time::Duration;

/// Largest request body of a synchronous invocation, in bytes.
pub const SYNC_PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Largest answer of a function, in bytes; the figure stands in AWS's message.
pub const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// Largest request body of an asynchronous invocation, in bytes.
pub const ASYNC_PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Largest client context, in bytes of its base64 text.
pub const CLIENT_CONTEXT_BYTES_MAX: usize = 3583;
/// Largest zip archive in a request, in bytes.
pub const ZIPPED_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Largest sum of the files in an archive, in bytes.
pub const UNZIPPED_BYTES_MAX: u64 = 250 * 1024 * 1024;
/// Most entries in an archive. Ours: an archive of empty files must not fill the file system's table.
pub const ARCHIVE_ENTRIES_MAX: usize = 100_000;
/// Longest sum of the paths in an archive, directories included, in bytes. Ours: they are held in
/// memory while it is read.
pub const ARCHIVE_PATHS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest environment of a function, in bytes of its JSON.
pub const VARIABLES_BYTES_MAX: usize = 4 * 1024;
/// Longest timeout of a function, in seconds.
pub const TIMEOUT_SECONDS_MAX: i32 = 900;
/// Largest memory size of a function, in MB.
pub const MEMORY_MB_MAX: i32 = 10_240;
/// Largest ephemeral storage of a function, in MB.
pub const EPHEMERAL_STORAGE_MB_MAX: i32 = 10_240;
/// Most tags of a function.
pub const TAGS_MAX: usize = 50;
/// Most functions on one page of a list.
pub const LIST_PAGE_MAX: usize = 50;
/// How much of the end of its output an invocation answers with.
pub const LOG_TAIL_BYTES_MAX: usize = 4 * 1024;
/// Longest init phase before it is tried again within the invocation.
pub const INIT_TIME_MAX: Duration = Duration::from_secs(10);

/// Waits before the first and the second retry of a queued invocation that the function failed.
pub const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// First wait after a throttle or a failure of ours.
pub const SYSTEM_WAIT_MIN: Duration = Duration::from_secs(1);
/// Longest wait after a throttle or a failure of ours.
pub const SYSTEM_WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// Age at which a queued invocation is given up.
pub const QUEUED_AGE_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Most queued invocations. Ours: they are held in memory.
pub const QUEUED_COUNT_MAX: usize = 100_000;
/// Most payload bytes of queued invocations. Ours: they are held in memory.
pub const QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest line of function output that is kept whole. Ours: a line without end must not fill memory.
pub const OUTPUT_LINE_BYTES_MAX: usize = 256 * 1024;
/// Largest request head a runtime may send. Ours: more than any runtime client needs.
pub const RUNTIME_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Largest error report a runtime may post.
pub const ERROR_REPORT_BYTES_MAX: usize = RESPONSE_BYTES_MAX;
/// How long stopping waits for the environments to end.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(5);

const _: () = assert!(
    RESPONSE_BYTES_MAX == 6_291_556,
    "the figure in AWS's message"
);
const _: () = assert!(
    UNZIPPED_BYTES_MAX == 262_144_000,
    "the figure in AWS's message"
);
const _: () = assert!(
    ZIPPED_BYTES_MAX == 52_428_800,
    "the figure in AWS's message"
);
const _: () = assert!(ASYNC_PAYLOAD_BYTES_MAX <= SYNC_PAYLOAD_BYTES_MAX);
