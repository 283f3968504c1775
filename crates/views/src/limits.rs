//! The limits of views. All are ours: each bounds what one node has to hold or do.

use std::time::Duration;

/// Views of an installation, versions beside them included, at most: each costs memory for its speed layer and a task.
pub const VIEWS_MAX: usize = 100;
/// Named queries, at most.
pub const ENDPOINTS_MAX: usize = 1000;
/// Letters of the name of a view or a named query, as many as PostgreSQL has.
pub const NAME_LETTERS_MAX: usize = 63;
/// Records that are looked at to infer a schema, at most.
pub const INFERENCE_RECORDS: usize = 1000;
/// Bytes that are read to infer a schema, at most.
pub const INFERENCE_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a named query, at most.
pub const ENDPOINT_BYTES_MAX: usize = 64 * 1024;
/// Groups of a view, at most: one with five sums and counts takes about half a kilobyte, and all are held.
pub const GROUPS_MAX: usize = 4_000_000;
/// Rows of a static table, at most: all are in memory for each view that is made over it.
pub const TABLE_ROWS_MAX: usize = 1_000_000;
/// Static tables, at most.
pub const TABLES_MAX: usize = 100;
/// Versions of a static table, at most: all are kept until it is dropped.
pub const TABLE_VERSIONS_MAX: usize = 1000;
/// Exclusions of an installation, at most, those that were undone included: all are looked at to plan a view.
pub const EXCLUSIONS_MAX: usize = 10_000;
/// Bytes of the reason of an exclusion, at most.
pub const REASON_BYTES_MAX: usize = 1024;
/// Answers of a view that can be given again at their vector without a recompute, at most.
pub const ANSWERS_REMEMBERED: usize = 64;
/// From how many states of the batch view they are, at most: each holds groups of its own.
pub const EPOCHS_REMEMBERED: u64 = 2;
/// Parts of a speed layer that are not closed, beyond which they become one: each answer looks at all.
pub const OPEN_PARTS_MAX: usize = 64;
/// Closed parts, beyond which two of them become one.
pub const CLOSED_PARTS_MAX: usize = 32;
/// Records that a batch view takes out of the master dataset before it is kept: what a crash repeats.
pub const CATCH_UP_RECORDS: u64 = 4_000_000;
/// Windows that overlap and that a record falls into, at most: each costs what a group costs.
pub const HOP_WINDOWS_MAX: i64 = 100;
/// Groups of a page of rows: a change copies the rows of its page, and an answer looks at each page.
pub const PAGE_GROUPS: usize = 2048;
/// How long one request to a bucket may take; a file of a table has 64 MiB.
pub const S3_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection to a bucket may take.
pub const S3_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request to a bucket is tried again, before whoever asked pauses longer and longer.
pub const S3_RETRIES: usize = 3;
/// For how long it is tried again.
pub const S3_RETRY_TIMEOUT: Duration = Duration::from_secs(60);
