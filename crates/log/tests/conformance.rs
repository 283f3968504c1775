//! What every log promises, run over each of them: in memory, on the machine's disk written through and buffered, on a simulated
//! disk, on a simulated disk with files so small and a cache so short that every read is from disk and
//! every few frames begin a file, and the same with every file sorted into chunks as soon as it is sealed.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use tidemill_log::limits::{BATCH_BYTES_MAX, ENTRY_BYTES_MAX};
use tidemill_log::{
    AppendError, Appended, Batch, Disk, FileDisk, FileDiskError, LocalLog, LocalOptions, Log,
    MemoryLog, Partition, PartitionId, Position, ReadError, ServiceTag, Snapshot,
};
use tidemill_model::{Clock, Timestamp};
use tidemill_testkit::{SimClock, SimDisk, SimEntropy};

const LEFT: PartitionId = PartitionId(1 << 56 | 1);
const RIGHT: PartitionId = PartitionId(1 << 56 | 2);

/// A log under test, and how to open it again.
struct Subject {
    clock: SimClock,
    kind: Kind,
}

type OpenFileDisk = fn(&std::path::Path) -> Result<FileDisk, FileDiskError>;

enum Kind {
    Memory(Arc<dyn Log>),
    File(tempfile::TempDir, OpenFileDisk),
    Sim(SimDisk, LocalOptions),
}

impl Subject {
    fn memory() -> Subject {
        let clock = SimClock::default();
        let log = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
        Subject {
            clock,
            kind: Kind::Memory(log),
        }
    }

    fn file(open: OpenFileDisk) -> Subject {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Subject {
            clock: SimClock::default(),
            kind: Kind::File(directory, open),
        }
    }

    /// Written through, where the directory for temporary files can do that.
    fn file_direct() -> Subject {
        Subject::file(FileDisk::open)
    }

    fn file_buffered() -> Subject {
        Subject::file(FileDisk::open_buffered)
    }

    fn sim() -> Subject {
        let kind = Kind::Sim(SimDisk::new(), LocalOptions::default());
        Subject {
            clock: SimClock::default(),
            kind,
        }
    }

    fn sim_cold() -> Subject {
        let options = LocalOptions {
            file_bytes: 16 * 1024,
            cache_bytes: 0,
            ..LocalOptions::default()
        };
        Subject {
            clock: SimClock::default(),
            kind: Kind::Sim(SimDisk::new(), options),
        }
    }

    fn sim_sorted() -> Subject {
        let options = LocalOptions {
            file_bytes: 8 * 1024,
            sort_after_files: 1,
            compress: true,
            cache_bytes: 0,
            ..LocalOptions::default()
        };
        Subject {
            clock: SimClock::default(),
            kind: Kind::Sim(SimDisk::new(), options),
        }
    }

    /// Opens the log; again, when the one before has been dropped.
    fn open(&self) -> Arc<dyn Log> {
        match &self.kind {
            Kind::Memory(log) => Arc::clone(log),
            Kind::File(directory, open) => {
                let disk = open(directory.path()).expect("nobody else has it");
                self.open_on(Arc::new(disk), LocalOptions::default())
            }
            Kind::Sim(disk, options) => self.open_on(Arc::new(disk.clone()), *options),
        }
    }

    fn open_on(&self, disk: Arc<dyn Disk>, options: LocalOptions) -> Arc<dyn Log> {
        let entropy = Arc::new(SimEntropy::new(self.clock.now().as_millis()));
        let clock = Arc::new(self.clock.clone());
        Arc::new(LocalLog::open(disk, clock, entropy, options).expect("the log opens"))
    }

    fn reopen(&self, log: Arc<dyn Log>) -> Arc<dyn Log> {
        drop(log);
        self.clock.advance(Duration::from_millis(1));
        self.open()
    }
}

macro_rules! conformance {
    ($($story:ident),* $(,)?) => {
        conformance!(@ memory $($story)*);
        conformance!(@ file_direct $($story)*);
        conformance!(@ file_buffered $($story)*);
        conformance!(@ sim $($story)*);
        conformance!(@ sim_cold $($story)*);
        conformance!(@ sim_sorted $($story)*);
    };
    (@ $kind:ident $($story:ident)*) => {
        mod $kind {
            $(
                #[tokio::test]
                async fn $story() {
                    super::$story(super::Subject::$kind()).await;
                }
            )*
        }
    };
}

conformance!(
    positions_are_dense_per_partition,
    an_empty_batch_is_durable_at_once,
    a_batch_happens_in_all_its_partitions_or_in_none,
    a_batch_in_memory_that_others_had_is_read_back,
    too_large_an_entry_or_batch_is_refused,
    the_largest_entry_is_taken_and_read_back,
    appends_at_once_keep_the_order_of_the_calls,
    a_dropped_append_may_happen_and_harms_nothing,
    a_read_keeps_its_limits,
    a_read_crosses_many_appends,
    a_read_of_what_is_not_there_is_empty,
    a_read_beside_trims_and_a_delete_never_fails_otherwise,
    timestamps_never_go_back,
    a_position_is_found_by_its_time,
    a_wait_ends_with_an_append,
    a_wait_ends_with_a_seal,
    a_wait_ends_with_a_trim,
    a_wait_ends_with_a_delete,
    a_wait_for_what_is_there_ends_at_once,
    a_sealed_partition_takes_no_more,
    a_trimmed_entry_cannot_be_read,
    a_trim_stops_at_the_end_and_never_goes_back,
    a_deleted_partition_is_gone_and_stays_gone,
    the_newest_snapshot_is_restored,
    everything_is_still_there_when_opened_again,
    everything_is_still_there_after_many_openings,
);

fn batch(entries: &[(PartitionId, &str)]) -> Batch {
    Batch::of(
        entries
            .iter()
            .map(|(partition, text)| (*partition, text.to_string().into_bytes())),
    )
}

async fn append(log: &Arc<dyn Log>, entries: &[(PartitionId, &str)]) -> Vec<Position> {
    let appended = log
        .append(batch(entries))
        .await
        .expect("the append succeeds");
    appended.iter().map(|appended| appended.position).collect()
}

async fn texts(log: &Arc<dyn Log>, partition: PartitionId, from: Position) -> Vec<String> {
    let read = log
        .read(partition, from, 1000, usize::MAX)
        .await
        .expect("the read succeeds");
    for (index, entry) in read.entries.iter().enumerate() {
        assert_eq!(entry.position, from + index as u64, "a read is dense");
    }
    read.entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.payload).into_owned())
        .collect()
}

fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    matches!(
        pin!(future).poll(&mut Context::from_waker(Waker::noop())),
        Poll::Pending
    )
}

async fn positions_are_dense_per_partition(subject: Subject) {
    let log = subject.open();
    assert_eq!(
        append(&log, &[(LEFT, "a"), (RIGHT, "b"), (LEFT, "c")]).await,
        [0, 0, 1]
    );
    assert_eq!(append(&log, &[(RIGHT, "d"), (LEFT, "e")]).await, [1, 2]);
    assert_eq!(texts(&log, LEFT, 0).await, ["a", "c", "e"]);
    assert_eq!(texts(&log, RIGHT, 0).await, ["b", "d"]);
    assert_eq!(
        log.partition(LEFT),
        Partition {
            start: 0,
            end: 3,
            sealed: false
        }
    );
    assert_eq!(log.partitions(), [LEFT, RIGHT]);
}

async fn an_empty_batch_is_durable_at_once(subject: Subject) {
    let log = subject.open();
    assert_eq!(log.append(Batch::default()).await, Ok(Vec::new()));
    assert_eq!(log.partitions(), []);
}

async fn a_batch_happens_in_all_its_partitions_or_in_none(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a")]).await;
    assert_eq!(log.seal(LEFT).await, Ok(1));
    let refused = log
        .append(batch(&[(RIGHT, "b"), (LEFT, "c"), (RIGHT, "d")]))
        .await;
    assert_eq!(refused, Err(AppendError::Sealed(LEFT)));
    assert_eq!(log.partition(RIGHT), Partition::default());
    assert_eq!(append(&log, &[(RIGHT, "e")]).await, [0]);
}

async fn a_batch_in_memory_that_others_had_is_read_back(subject: Subject) {
    let log = subject.open();
    let text = |round: usize, index: usize| format!("{round} {index} ").repeat(10_000);
    for round in 0..4 {
        let mut batch = log.batch(3, 200_000);
        for (index, partition) in [LEFT, RIGHT, LEFT].into_iter().enumerate() {
            let text = text(round, index);
            let (head, rest) = text.as_bytes().split_at(7);
            batch.push(partition, &[head, &[], rest]);
        }
        let appended = log.append(batch).await.expect("the append succeeds");
        let positions: Vec<Position> = appended.iter().map(|place| place.position).collect();
        let next = round as Position;
        assert_eq!(positions, [2 * next, next, 2 * next + 1]);
    }
    let left: Vec<String> = (0..4)
        .flat_map(|round| [text(round, 0), text(round, 2)])
        .collect();
    let right: Vec<String> = (0..4).map(|round| text(round, 1)).collect();
    assert!(texts(&log, LEFT, 0).await == left);
    assert!(texts(&log, RIGHT, 0).await == right);
}

async fn too_large_an_entry_or_batch_is_refused(subject: Subject) {
    let log = subject.open();
    let entry = |bytes: usize| (LEFT, Bytes::from(vec![0; bytes]));
    let cases = [
        (
            vec![entry(1), entry(ENTRY_BYTES_MAX + 1)],
            ENTRY_BYTES_MAX + 1,
            ENTRY_BYTES_MAX,
        ),
        (
            vec![entry(BATCH_BYTES_MAX / 4); 5],
            BATCH_BYTES_MAX / 4 * 5,
            BATCH_BYTES_MAX,
        ),
    ];
    for (entries, bytes, bytes_max) in cases {
        let refused = log.append(Batch::of(entries)).await;
        assert_eq!(refused, Err(AppendError::TooLarge { bytes, bytes_max }));
    }
    assert_eq!(log.partition(LEFT).end, 0);
}

async fn the_largest_entry_is_taken_and_read_back(subject: Subject) {
    let log = subject.open();
    let mut payload = vec![7; ENTRY_BYTES_MAX];
    payload[ENTRY_BYTES_MAX - 1] = 8;
    let entries = vec![
        (LEFT, Bytes::from(payload.clone())),
        (LEFT, Bytes::from_static(b"b")),
    ];
    log.append(Batch::of(entries)).await.unwrap();
    let log = subject.reopen(log);
    let read = log.read(LEFT, 0, 10, 1).await.unwrap();
    assert_eq!(
        read.entries.len(),
        1,
        "the first is given even when it is larger"
    );
    assert!(read.entries[0].payload == payload);
    assert_eq!(texts(&log, LEFT, 1).await, ["b"]);
}

async fn appends_at_once_keep_the_order_of_the_calls(subject: Subject) {
    let log = subject.open();
    let appends: Vec<_> = (0..100)
        .map(|number: u32| log.append(batch(&[(LEFT, &number.to_string()), (RIGHT, "-")])))
        .collect();
    let end = log.seal(RIGHT);
    for (number, appended) in appends.into_iter().enumerate() {
        let places: Vec<Position> = appended
            .await
            .unwrap()
            .iter()
            .map(|appended| appended.position)
            .collect();
        assert_eq!(places, [number as u64, number as u64]);
    }
    assert_eq!(end.await, Ok(100));
    let expected: Vec<String> = (0..100).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts(&log, LEFT, 0).await, expected);
}

async fn a_dropped_append_may_happen_and_harms_nothing(subject: Subject) {
    let log = subject.open();
    drop(log.append(batch(&[(LEFT, "a")])));
    assert_eq!(append(&log, &[(LEFT, "b")]).await, [1]);
    assert_eq!(texts(&log, LEFT, 0).await, ["a", "b"]);
}

async fn a_read_keeps_its_limits(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "aa"), (LEFT, "bbb")]).await;
    append(&log, &[(LEFT, ""), (LEFT, "cccc")]).await;
    let cases = [
        (0, 0, 100, 0),
        (0, 1, 100, 1),
        (0, 100, 1, 1),
        (0, 100, 0, 1),
        (0, 100, 4, 1),
        (0, 100, 5, 3),
        (0, 100, 8, 3),
        (0, 100, 9, 4),
        (1, 2, 100, 2),
        (1, 100, 2, 1),
        (2, 100, 0, 1),
        (3, 100, 100, 1),
        (4, 100, 100, 0),
    ];
    for (from, entries_max, bytes_max, expected) in cases {
        let read = log.read(LEFT, from, entries_max, bytes_max).await.unwrap();
        let count = read.entries.len();
        assert_eq!(
            count, expected,
            "from {from}, {entries_max} entries, {bytes_max} bytes"
        );
    }
}

async fn a_read_crosses_many_appends(subject: Subject) {
    let log = subject.open();
    let mut expected = Vec::new();
    for number in 0..300_u32 {
        let text = number.to_string().repeat(10);
        append(&log, &[(RIGHT, "-"), (LEFT, &text)]).await;
        expected.push(text);
    }
    assert_eq!(texts(&log, LEFT, 0).await, expected);
    assert_eq!(texts(&log, LEFT, 123).await, expected[123..]);
}

async fn a_read_of_what_is_not_there_is_empty(subject: Subject) {
    let log = subject.open();
    assert_eq!(texts(&log, LEFT, 5).await, [""; 0]);
    append(&log, &[(LEFT, "a")]).await;
    assert_eq!(texts(&log, LEFT, 1).await, [""; 0]);
    assert_eq!(texts(&log, LEFT, 1 << 60).await, [""; 0]);
}

async fn a_read_beside_trims_and_a_delete_never_fails_otherwise(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "first")]).await;
    let reading = Arc::clone(&log);
    let reader = tokio::spawn(async move {
        let mut reads = 0;
        while reading.partitions().contains(&LEFT) {
            let from = reading.partition(LEFT).start;
            match reading.read(LEFT, from, 50, usize::MAX).await {
                Ok(_) | Err(ReadError::Trimmed { .. }) => reads += 1,
                Err(error) => panic!("{error}"),
            }
            reading
                .position_at(LEFT, Timestamp::from_millis(1))
                .await
                .unwrap();
            reading.restore(LEFT).await.unwrap();
            tokio::task::yield_now().await;
        }
        reads
    });
    let text = "text".repeat(500);
    for position in 1..150 {
        subject.clock.advance(Duration::from_millis(1));
        append(&log, &[(LEFT, &text), (LEFT, &text), (LEFT, &text)]).await;
        if position % 10 == 0 {
            let snapshot = Snapshot {
                position,
                bytes: Bytes::from_static(b"state"),
            };
            log.snapshot(LEFT, snapshot).await.unwrap();
        }
        log.trim(LEFT, 3 * position - 2).await.unwrap();
        tokio::task::yield_now().await;
    }
    log.delete(LEFT).await.unwrap();
    assert!(reader.await.unwrap() > 0);
}

async fn timestamps_never_go_back(subject: Subject) {
    let log = subject.open();
    let start = subject.clock.now();
    let appended = log.append(batch(&[(LEFT, "a")])).await.unwrap();
    assert_eq!(
        appended,
        [Appended {
            position: 0,
            at: start
        }]
    );
    subject.clock.set(start.minus(Duration::from_secs(3600)));
    let appended = log
        .append(batch(&[(LEFT, "b"), (RIGHT, "c")]))
        .await
        .unwrap();
    assert_eq!(appended[0].at, start, "clamped");
    assert_eq!(
        appended[1].at,
        subject.clock.now(),
        "another partition is not"
    );
    let log = subject.reopen(log);
    let appended = log.append(batch(&[(LEFT, "d")])).await.unwrap();
    assert_eq!(appended[0].at, start, "clamped after a start as well");
    let read = log.read(LEFT, 0, 10, 100).await.unwrap();
    assert!(read.entries.iter().all(|entry| entry.at == start));
    log.trim(LEFT, 3).await.unwrap();
    let log = subject.reopen(log);
    let log = subject.reopen(log);
    let appended = log.append(batch(&[(LEFT, "e")])).await.unwrap();
    assert_eq!(
        appended[0].at, start,
        "clamped even when every entry is gone"
    );
}

async fn a_position_is_found_by_its_time(subject: Subject) {
    let log = subject.open();
    let start = subject.clock.now();
    let after = |millis| start.plus(Duration::from_millis(millis));
    assert_eq!(log.position_at(LEFT, start).await, Ok(0));
    for millis in [10_u64, 10, 20, 30] {
        subject.clock.set(after(millis));
        append(&log, &[(LEFT, "-"), (LEFT, "-")]).await;
    }
    // Several timestamps in one group.
    let pending: Vec<_> = (40..50)
        .map(|millis| {
            subject.clock.set(after(millis));
            log.append(batch(&[(LEFT, "-")]))
        })
        .collect();
    for appended in pending {
        appended.await.unwrap();
    }
    let cases = [
        (0, 0),
        (10, 0),
        (11, 4),
        (20, 4),
        (25, 6),
        (30, 6),
        (31, 8),
        (41, 9),
        (45, 13),
        (49, 17),
        (50, 18),
    ];
    for (millis, position) in cases {
        assert_eq!(
            log.position_at(LEFT, after(millis)).await,
            Ok(position),
            "after {millis} ms"
        );
    }
    log.trim(LEFT, 5).await.unwrap();
    assert_eq!(log.position_at(LEFT, Timestamp::EPOCH).await, Ok(5));
    assert_eq!(log.position_at(LEFT, after(20)).await, Ok(5));
    assert_eq!(log.position_at(LEFT, after(25)).await, Ok(6));
}

async fn a_wait_ends_with_an_append(subject: Subject) {
    let log = subject.open();
    let mut first = log.wait(LEFT, 0);
    let mut second = log.wait(LEFT, 1);
    assert!(is_pending(&mut first) && is_pending(&mut second));
    append(&log, &[(RIGHT, "-")]).await;
    assert!(
        is_pending(&mut first),
        "another partition is none of its business"
    );
    append(&log, &[(LEFT, "a")]).await;
    first.await;
    assert!(is_pending(&mut second));
    append(&log, &[(LEFT, "b")]).await;
    second.await;
}

async fn a_wait_ends_with_a_seal(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a")]).await;
    let mut wait = log.wait(LEFT, 1);
    assert!(is_pending(&mut wait));
    log.seal(LEFT).await.unwrap();
    wait.await;
    log.wait(LEFT, 1).await;
}

async fn a_wait_ends_with_a_trim(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a"), (LEFT, "b")]).await;
    log.trim(LEFT, 2).await.unwrap();
    log.wait(LEFT, 1).await;
    assert!(is_pending(&mut log.wait(LEFT, 2)));
}

async fn a_wait_ends_with_a_delete(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a")]).await;
    let mut wait = log.wait(LEFT, 1);
    assert!(is_pending(&mut wait));
    log.delete(LEFT).await.unwrap();
    wait.await;
}

async fn a_wait_for_what_is_there_ends_at_once(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a")]).await;
    assert!(!is_pending(&mut log.wait(LEFT, 0)));
}

async fn a_sealed_partition_takes_no_more(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a"), (LEFT, "b")]).await;
    assert_eq!(log.seal(LEFT).await, Ok(2));
    assert_eq!(log.seal(LEFT).await, Ok(2));
    assert_eq!(log.seal(RIGHT).await, Ok(0), "one that does not exist");
    let mut log = log;
    for _ in 0..3 {
        let refused = log.append(batch(&[(LEFT, "c")])).await;
        assert_eq!(refused, Err(AppendError::Sealed(LEFT)));
        assert_eq!(
            log.partition(LEFT),
            Partition {
                start: 0,
                end: 2,
                sealed: true
            }
        );
        assert_eq!(
            log.partition(RIGHT),
            Partition {
                start: 0,
                end: 0,
                sealed: true
            }
        );
        assert_eq!(texts(&log, LEFT, 0).await, ["a", "b"]);
        log = subject.reopen(log);
    }
}

async fn a_trimmed_entry_cannot_be_read(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a"), (LEFT, "b"), (LEFT, "c")]).await;
    log.trim(LEFT, 2).await.unwrap();
    assert_eq!(texts(&log, LEFT, 2).await, ["c"]);
    let trimmed = ReadError::Trimmed {
        partition: LEFT,
        position: 1,
        start: 2,
    };
    assert_eq!(log.read(LEFT, 1, 10, 10).await, Err(trimmed.clone()));
    let log = subject.reopen(log);
    assert_eq!(texts(&log, LEFT, 2).await, ["c"]);
    assert_eq!(log.read(LEFT, 1, 10, 10).await, Err(trimmed));
}

async fn a_trim_stops_at_the_end_and_never_goes_back(subject: Subject) {
    let log = subject.open();
    log.trim(LEFT, 5).await.unwrap();
    assert_eq!(log.partitions(), []);
    append(&log, &[(LEFT, "a"), (LEFT, "b")]).await;
    log.trim(LEFT, 1).await.unwrap();
    log.trim(LEFT, 0).await.unwrap();
    assert_eq!(log.partition(LEFT).start, 1);
    log.trim(LEFT, 100).await.unwrap();
    assert_eq!(
        log.partition(LEFT),
        Partition {
            start: 2,
            end: 2,
            sealed: false
        }
    );
    let log = subject.reopen(log);
    assert_eq!(append(&log, &[(LEFT, "c")]).await, [2]);
}

async fn a_deleted_partition_is_gone_and_stays_gone(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a"), (RIGHT, "b")]).await;
    log.delete(LEFT).await.unwrap();
    log.delete(LEFT).await.unwrap();
    assert_eq!(log.partitions(), [RIGHT]);
    assert_eq!(log.partition(LEFT), Partition::default());
    assert_eq!(texts(&log, LEFT, 0).await, [""; 0]);
    let late = log.append(batch(&[(LEFT, "c"), (RIGHT, "d")])).await;
    assert_eq!(late, Err(AppendError::Sealed(LEFT)));
    assert!(
        is_pending(&mut log.wait(LEFT, 0)),
        "deleted before the call"
    );
    let mut log = log;
    for _ in 0..3 {
        assert_eq!(log.partitions(), [RIGHT]);
        assert_eq!(texts(&log, RIGHT, 0).await, ["b"]);
        log = subject.reopen(log);
    }
}

async fn the_newest_snapshot_is_restored(subject: Subject) {
    let log = subject.open();
    assert_eq!(log.restore(LEFT).await, Ok(None));
    append(&log, &[(LEFT, "a"), (LEFT, "b")]).await;
    let first = Snapshot {
        position: 1,
        bytes: Bytes::from_static(b"one"),
    };
    let second = Snapshot {
        position: 2,
        bytes: Bytes::from_static(b"two"),
    };
    log.snapshot(LEFT, first.clone()).await.unwrap();
    assert_eq!(log.restore(LEFT).await, Ok(Some(first)));
    log.snapshot(LEFT, second.clone()).await.unwrap();
    log.trim(LEFT, 2).await.unwrap();
    let mut log = log;
    for _ in 0..3 {
        assert_eq!(log.restore(LEFT).await, Ok(Some(second.clone())));
        assert_eq!(
            log.partition(LEFT),
            Partition {
                start: 2,
                end: 2,
                sealed: false
            }
        );
        log = subject.reopen(log);
    }
    log.delete(LEFT).await.unwrap();
    assert_eq!(log.restore(LEFT).await, Ok(None));
}

async fn everything_is_still_there_when_opened_again(subject: Subject) {
    let log = subject.open();
    append(&log, &[(LEFT, "a"), (RIGHT, "b")]).await;
    append(&log, &[(LEFT, "c")]).await;
    let before = log.read(LEFT, 0, 10, 10).await;
    let log = subject.reopen(log);
    assert_eq!(log.read(LEFT, 0, 10, 10).await, before);
    assert_eq!(texts(&log, RIGHT, 0).await, ["b"]);
    assert_eq!(append(&log, &[(LEFT, "d"), (RIGHT, "e")]).await, [2, 1]);
}

async fn everything_is_still_there_after_many_openings(subject: Subject) {
    let mut log = subject.open();
    let other = PartitionId::new(ServiceTag::Destinations, 7);
    for opening in 0..20_u64 {
        let text = opening.to_string();
        assert_eq!(
            append(&log, &[(LEFT, &text), (other, &text)]).await,
            [opening, opening]
        );
        log.trim(other, opening).await.unwrap();
        log = subject.reopen(log);
    }
    let expected: Vec<String> = (0..20).map(|opening: u32| opening.to_string()).collect();
    assert_eq!(texts(&log, LEFT, 0).await, expected);
    assert_eq!(texts(&log, other, 19).await, ["19"]);
}
