//! The limits of the log, all in one table.
//!
//! | what | limit | why |
//! |---|---|---|
//! | one entry | [`ENTRY_BYTES_MAX`] | the largest record of the API (10 MiB) and its envelope fit |
//! | payload of one batch | [`BATCH_BYTES_MAX`] | a batch is one frame, and a frame is held in memory whole |
//! | bytes waiting to be written | [`PENDING_BYTES_MAX`] | beyond this the disk does not keep up: refuse early |
//! | soft size of a frame | [`FRAME_BYTES_SOFT`] | a longer group makes everyone wait for the last of it |
//! | changes held for others | [`HELD_CHANGES_MAX`] | so many are worth a write |
//! | bytes held for others | [`HELD_BYTES_MAX`] | the same, beside another frame too |
//! | how long a bell may take | [`BELL_TIME_MAX`] | sixty small requests take less; behind longer turns it costs more than it saves |
//! | changes that go without one then | [`BELL_BACKOFF_CHANGES`] | one in so many waits for too long |
//! | runs of one file | [`FILE_RUNS_MAX`] | where each run stands is held in memory until it is sorted |
//! | extents of sealed files | [`SEALED_EXTENTS_MAX`] | the same, over all that wait to be sorted |
//! | soft size of a block of a chunk | [`CHUNK_BLOCK_BYTES_SOFT`] | what is read for one entry |
//! | piece of a chunk | [`CHUNK_PIECE_BYTES`] | what a put may have to wait for on its way to the disk |
//! | piece of what is sorted | [`SORTED_PIECE_BYTES`] | the same |
//! | either where sorting is behind | [`BEHIND_PIECE_BYTES`] | puts will soon wait for it, so it must not wait for the disk so often |
//! | unsynced pieces of a chunk | [`CHUNK_SYNC_BYTES`] | the same, where writes go to the cache |
//! | bytes of the chunks merged at once | [`MERGE_BYTES_MAX`] | bounds what one merge writes again |
//! | unused buffers of frames | [`BUFFERS_BYTES_MAX`] | kept so that frames need no fresh memory |
//! | unused buffers of batches | [`BATCH_BUFFERS_BYTES_MAX`] | the same for those of a few dozen callers |
//! | frames on their way to the disk at once | [`FRAMES_ON_THEIR_WAY_MAX`] | what a power cut may tear; a third gains nothing, see decision 0012 |
//! | files sorted in one round | [`SORTED_FILES_MAX`] | where sorting is behind, the write-ahead log gets shorter soon |
//! | files kept to be used again | [`SPARES_MAX`] | as many as one round replaces |
//! | bytes of frames at rest | [`QUIET_BYTES_MAX`] | somebody who writes now and then does not have all memory held |
//! | extents in a block | [`BLOCK_EXTENTS_MAX`] | the memory that one more extent may need at once |
//! | open files | [`OPEN_FILES_MAX`] | of those that are read |
//! | block rows in memory | [`INDEXES_MAX`] | of the extents read last |
//! | commands waiting at a state log | [`COMMANDS_WAITING_MAX`] | a caller waits for room beyond this |
//! | commands of one group | [`COMMANDS_GROUP_MAX`] | one append; bounds what fails together |
//! | bytes of one group of commands | [`COMMANDS_GROUP_BYTES`] | soft: one command is always taken |

use std::time::Duration;

/// The largest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The largest sum of payloads of one batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes may wait to be written or be on their way to the disk.
pub const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A frame takes no further batch once it holds this many bytes of payload.
pub const FRAME_BYTES_SOFT: usize = 2 * 1024 * 1024;

/// More changes than these are written whoever may be about to come.
pub const HELD_CHANGES_MAX: usize = 64;

/// And so are more bytes than these, beside another frame too: what a write costs is little beside what it
/// took to make them.
pub const HELD_BYTES_MAX: usize = 96 * 1024;

/// A bell that took longer is not worth it for a while.
pub const BELL_TIME_MAX: Duration = Duration::from_millis(2);

/// So many changes are held for no bell then, before it is tried again.
pub const BELL_BACKOFF_CHANGES: u32 = 256;

/// A file of the write-ahead log that has this many runs of entries is followed by another.
pub const FILE_RUNS_MAX: u64 = 128 * 1024;

/// Sealed files of the write-ahead log that hold this many extents are sorted, however few they are.
pub const SEALED_EXTENTS_MAX: u64 = 96 * 1024;

/// A block of a chunk takes no further entry once it holds this many bytes of payload.
pub const CHUNK_BLOCK_BYTES_SOFT: usize = 64 * 1024;

/// A chunk is written in pieces of this many bytes.
pub const CHUNK_PIECE_BYTES: usize = 256 * 1024;

/// What is sorted and no longer in memory is read in pieces of this many bytes.
pub const SORTED_PIECE_BYTES: usize = 128 * 1024;

/// Where sorting is behind, both are done in pieces of this many bytes.
pub const BEHIND_PIECE_BYTES: usize = 1024 * 1024;

/// So many bytes of a chunk may wait for a sync.
pub const CHUNK_SYNC_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of chunks that are merged into one.
pub const MERGE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// So many frames are on their way to the disk at once, at most.
pub const FRAMES_ON_THEIR_WAY_MAX: usize = 2;

/// So many files of the write-ahead log go into one set of chunks, at most.
pub const SORTED_FILES_MAX: usize = 16;

/// So many files of the write-ahead log that are not needed are kept to be used again, at most.
pub const SPARES_MAX: usize = SORTED_FILES_MAX;

/// So many extents of a partition stand together in memory, at most.
pub const BLOCK_EXTENTS_MAX: usize = 64;

/// How many bytes of buffers are kept for frames to come.
pub const BUFFERS_BYTES_MAX: usize = 48 * 1024 * 1024;

/// How many bytes of buffers are kept for batches to come.
pub const BATCH_BUFFERS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Less than this while the log is watched for rest is next to nothing: memory that was kept for a burst is given up.
pub const QUIET_BYTES_MAX: usize = 1024 * 1024;

/// How many files are kept open for reading.
pub const OPEN_FILES_MAX: usize = 64;

/// How many extents of chunks have the rows of their blocks in memory.
pub const INDEXES_MAX: usize = 128;

/// How many commands wait at a state log before a caller has to wait for room.
pub const COMMANDS_WAITING_MAX: usize = 1024;

/// The most commands that a state log appends at once.
pub const COMMANDS_GROUP_MAX: usize = 1024;

/// A state log takes no further command into a group once it holds this many bytes.
pub const COMMANDS_GROUP_BYTES: usize = 1024 * 1024;

const _: () = assert!(ENTRY_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(CHUNK_PIECE_BYTES <= BEHIND_PIECE_BYTES);
const _: () = assert!(SORTED_PIECE_BYTES <= BEHIND_PIECE_BYTES);
const _: () = assert!(COMMANDS_GROUP_BYTES + ENTRY_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(2 * BATCH_BYTES_MAX <= PENDING_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_SOFT + BATCH_BYTES_MAX < u32::MAX as usize / 2);
