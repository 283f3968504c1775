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
            log.append(Batch { entries }).await.unwrap()[0].position,
            end
        );
    }
}
