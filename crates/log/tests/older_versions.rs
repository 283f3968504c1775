//! Data directories that earlier versions wrote can be read and written to.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use tidemill_log::{
    Batch, FileDisk, LocalLog, LocalOptions, Log, Partition, PartitionId, ServiceTag, Snapshot,
};
use tidemill_testkit::{SimClock, SimEntropy};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(directory: &Path) -> LocalLog {
    let disk = Arc::new(FileDisk::open(directory).unwrap());
    let clock = Arc::new(SimClock::default());
    let entropy = Arc::new(SimEntropy::new(9));
    LocalLog::open(disk, clock, entropy, LocalOptions::default()).unwrap()
}

/// Written by the first version in two lives: files that grew with their frames, no zeros ahead.
#[tokio::test]
async fn what_the_first_version_wrote_is_read_and_continued() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    copy(&fixture, directory.path());
    let [trimmed, sealed, deleted] =
        [1, 2, 3].map(|number| PartitionId::new(ServiceTag::Streams, number));
    for end in [6, 7] {
        let log = open(directory.path());
        assert_eq!(log.partitions(), [trimmed, sealed]);
        let expected = Partition {
            start: 2,
            end,
            sealed: false,
        };
        assert_eq!(log.partition(trimmed), expected);
        assert_eq!(log.partition(deleted), Partition::default());
        assert!(log.partition(sealed).sealed);
        let read = log.read(trimmed, 2, 10, 10_000).await.unwrap();
        let texts: Vec<_> = read
            .entries
            .iter()
            .take(4)
            .map(|entry| &entry.payload[..])
            .collect();
        let expected: [&[u8]; 4] = [
            b"life 0 record 2",
            b"life 1 record 0",
            b"life 1 record 1",
            b"life 1 record 2",
        ];
        assert_eq!(texts, expected);
        assert_eq!(read.entries[0].at.as_millis(), 1_700_000_000_030);
        assert_eq!(
            log.read(sealed, 0, 10, 10_000).await.unwrap().entries.len(),
            3
        );
        let snapshot = Snapshot {
            position: 3,
            bytes: Bytes::from_static(b"state of b"),
        };
        assert_eq!(log.restore(sealed).await.unwrap(), Some(snapshot));
        let entries = vec![(trimmed, Bytes::from_static(b"new"))];
        assert_eq!(
            log.append(Batch::of(entries)).await.unwrap()[0].position,
            end
        );
    }
}

/// Written in two lives by the version that sorts into chunks: two that hold what is kept for a day, two
/// compressed ones of what is kept for a year, and a file of the write-ahead log behind them.
#[tokio::test]
async fn what_the_version_with_chunks_wrote_is_read_and_continued() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v2");
    copy(&fixture, directory.path());
    let [trimmed, sealed, deleted] =
        [1, 2, 3].map(|number| PartitionId::new(ServiceTag::Streams, number));
    for end in [13, 14] {
        let log = open(directory.path());
        assert_eq!(log.partitions(), [trimmed, sealed]);
        let expected = Partition {
            start: 2,
            end,
            sealed: false,
        };
        assert_eq!(log.partition(trimmed), expected);
        assert_eq!(log.partition(deleted), Partition::default());
        assert!(log.partition(sealed).sealed);
        let read = log.read(trimmed, 2, 11, 10_000).await.unwrap();
        let starts: Vec<_> = read
            .entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.payload[..15]).into_owned())
            .collect();
        let mut expected: Vec<_> = (2..6).map(|n| format!("life 0 record {n}")).collect();
        expected.extend((0..6).map(|n| format!("life 1 record {n}")));
        expected.push("behind the chun".to_owned());
        assert_eq!(starts, expected);
        assert_eq!(read.entries[0].at.as_millis(), 1_700_000_000_030);
        let read = log.read(sealed, 0, 100, 100_000).await.unwrap();
        assert_eq!(read.entries.len(), 12);
        let snapshot = Snapshot {
            position: 3,
            bytes: Bytes::from_static(b"state of b"),
        };
        assert_eq!(log.restore(sealed).await.unwrap(), Some(snapshot));
        let entries = vec![(trimmed, Bytes::from_static(b"new"))];
        assert_eq!(
            log.append(Batch::of(entries)).await.unwrap()[0].position,
            end
        );
    }
}
