//! Directories made here, whole and harmed, and what is told of them.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use tidemill_model::Timestamp;
use tidemill_testkit::{SimClock, SimEntropy};

use super::*;
use crate::batch::Batch;
use crate::blobs::{Blobs, DiskBlobs};
use crate::envelope::Envelope;
use crate::file_disk::FileDisk;
use crate::local::{LocalLog, LocalOptions};
use crate::partition_id::{PartitionId, ServiceTag};
use crate::port::{Log, Snapshot};

const SHARD: PartitionId = PartitionId(1 << 56 | 3);

fn server(root: &Path, file_bytes: u64) -> LocalLog {
    let disk = Arc::new(FileDisk::open(root).unwrap());
    let clock = Arc::new(SimClock::new(Timestamp::from_millis(1_000_000)));
    let options = LocalOptions {
        file_bytes,
        sort_after_files: 1,
        sorts_by_itself: false,
        scrubs_by_itself: false,
        ..LocalOptions::default()
    };
    LocalLog::open(disk, clock, Arc::new(SimEntropy::new(7)), options).unwrap()
}

fn record(n: u32) -> Bytes {
    Bytes::from(format!("record {n} {}", "grain ".repeat(100)))
}

async fn append(log: &LocalLog, partition: PartitionId, payload: Bytes) {
    let entries = vec![(partition, payload)];
    log.append(Batch::of(entries)).await.unwrap();
}

/// A directory with a command, ten records over several files, a snapshot and a blob; written by two
/// starts.
async fn written() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for start in 0..2 {
        let log = server(root.path(), 16 * 1024);
        let command = Envelope {
            service: ServiceTag::Streams,
            version: 2,
            command_id: start,
            command: Bytes::from_static(br#"{"CreateStream":"flour"}"#),
        };
        append(&log, PartitionId::CONTROL, command.encode()).await;
        for n in 0..5 {
            append(&log, SHARD, record(n)).await;
        }
        let snapshot = Snapshot {
            position: 1,
            bytes: Bytes::from_static(b"state"),
        };
        log.snapshot(PartitionId::CONTROL, snapshot).await.unwrap();
    }
    let blobs = DiskBlobs::open(Arc::new(FileDisk::open(root.path()).unwrap())).unwrap();
    blobs.put(Bytes::from_static(b"code")).await.unwrap();
    root
}

fn verify(root: &TempDir) -> Report {
    DataDirectory::open(root.path()).unwrap().verify().unwrap()
}

fn dump(root: &TempDir, wanted: Wanted) -> (Vec<Line>, Summary) {
    let mut lines = Vec::new();
    let directory = DataDirectory::open(root.path()).unwrap();
    let summary = directory.dump(wanted, |line| {
        lines.push(line);
        ControlFlow::Continue(())
    });
    (lines, summary.unwrap())
}

/// The files in `directory`, in order.
fn files(root: &TempDir, directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root.path().join(directory)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Where the zeros begin that are written ahead of the frames; the end of a file without them.
fn end_of_frames(path: &Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    bytes.len().min(used.next_multiple_of(4096)) as u64
}

fn flip_bit(path: &Path, offset: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 4], offset).unwrap();
}

/// The file in which `text` stands, and where.
fn find(files: &[PathBuf], text: &[u8]) -> (PathBuf, u64) {
    let found = files.iter().find_map(|path| {
        let bytes = std::fs::read(path).unwrap();
        let offset = bytes.windows(text.len()).position(|part| part == text)?;
        Some((path.clone(), offset as u64))
    });
    found.unwrap()
}

fn relative(root: &TempDir, path: &Path) -> String {
    let path = path.strip_prefix(root.path()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_written_is_clean_and_counted() {
    let root = written().await;
    let report = verify(&root);
    assert_eq!(
        (report.verdict, report.damages),
        (Verdict::Clean, 0),
        "{report:?}"
    );
    let counts = &report.counts;
    assert!(counts.files > 2, "{counts:?}");
    assert_eq!(counts.entries, 12);
    assert_eq!(
        (counts.partitions, counts.snapshots, counts.blobs),
        (2, 1, 1)
    );
    assert_eq!(report.torn_tail, None);
}

#[tokio::test]
async fn every_flipped_bit_of_what_counts_is_found_at_its_place() {
    let root = written().await;
    let log = files(&root, "wal");
    // Past the first block, any file may end in what nobody needs; bits are flipped where bytes stand.
    for path in [
        log.as_slice(),
        &files(&root, "snap"),
        &files(&root, "blobs"),
    ]
    .concat()
    {
        for offset in (0..end_of_frames(&path)).step_by(997) {
            flip_bit(&path, offset);
            let report = verify(&root);
            assert_eq!(
                report.verdict,
                Verdict::Damaged,
                "{} at {offset}",
                path.display()
            );
            let file = relative(&root, &path);
            let told = report.damage.iter().find(|damage| damage.file == file);
            let told = told.unwrap_or_else(|| panic!("{offset} of {file}: {report:?}"));
            assert!(told.offset <= offset, "{offset}: {told:?}");
            flip_bit(&path, offset);
        }
    }
    for offset in 0..36 {
        flip_bit(&root.path().join("SUPER"), offset);
        let looked = DataDirectory::open(root.path()).unwrap().verify();
        let damage = looked.map(|report| report.damage[0].file.clone());
        assert!(damage.is_ok_and(|file| file == "SUPER"), "{offset}");
        flip_bit(&root.path().join("SUPER"), offset);
    }
    assert_eq!(verify(&root).verdict, Verdict::Clean);
}

#[tokio::test]
async fn a_damaged_entry_is_named_and_all_others_are_still_told() {
    let root = written().await;
    let (path, offset) = find(&files(&root, "wal"), b"record 2");
    flip_bit(&path, offset);
    let report = verify(&root);
    let file = relative(&root, &path);
    let entry = Damage {
        file: file.clone(),
        offset,
        what: "entry 2 of streams/3: the checksum of its entry does not fit".to_owned(),
    };
    assert!(report.damage.contains(&entry), "{:?}", report.damage);
    let frame = &report.damage[0];
    assert_eq!(&frame.file, &file);
    assert!(frame.what.starts_with("frame "), "{frame:?}");
    assert_eq!(report.counts.entries, 12, "nothing behind it is missed");
    let (lines, summary) = dump(&root, Wanted::default());
    let wrong: Vec<u64> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Entry {
                position,
                checksum_ok: false,
                ..
            } => Some(*position),
            _ => None,
        })
        .collect();
    assert_eq!(wrong, [2]);
    assert_eq!((summary.entries, summary.damages), (12, 2));
}

#[tokio::test]
async fn several_damages_are_found_at_once() {
    let root = written().await;
    let log = files(&root, "wal");
    for text in [b"record 1", b"record 4"] {
        let (path, offset) = find(&log, text);
        flip_bit(&path, offset);
    }
    let blob = files(&root, "blobs").remove(0);
    std::fs::write(&blob, b"c0de").unwrap();
    std::fs::remove_file(&files(&root, "snap")[0]).unwrap();
    let report = verify(&root);
    let told = |what: &str| {
        report
            .damage
            .iter()
            .filter(|damage| damage.what.contains(what))
            .count()
    };
    assert_eq!(told("entry 1 of streams/3"), 1, "{:?}", report.damage);
    assert_eq!(told("entry 4 of streams/3"), 1, "{:?}", report.damage);
    assert_eq!(told("its bytes hash to"), 1);
    assert_eq!(told("it is missing, and is the newest snapshot"), 1);
}

#[tokio::test]
async fn a_torn_tail_is_told_and_is_no_damage() {
    let root = written().await;
    let newest = files(&root, "wal").pop().unwrap();
    let size = end_of_frames(&newest);
    let file = OpenOptions::new().write(true).open(&newest).unwrap();
    file.set_len(size).unwrap();
    file.write_all_at(b"torn", size).unwrap();
    let report = verify(&root);
    assert_eq!(report.verdict, Verdict::Clean, "{report:?}");
    let torn = report.torn_tail.unwrap();
    assert_eq!((torn.offset, torn.bytes), (size, 4));
    // Zeros are written ahead of the frames: they are no part of one.
    file.write_all_at(&[0; 4096], size).unwrap();
    assert_eq!(verify(&root).torn_tail, None);
    // What was synced was whole: a file that got shorter by whole frames ends in silence, one that ends
    // inside a frame ends torn.
    file.set_len(size - 100).unwrap();
    assert!(verify(&root).torn_tail.is_some());
}

#[tokio::test]
async fn a_missing_file_is_damage_unless_a_start_would_not_miss_it() {
    let root = written().await;
    let log = files(&root, "wal");
    std::fs::rename(&log[0], root.path().join("kept")).unwrap();
    let report = verify(&root);
    assert_eq!(report.damages, 1, "{:?}", report.damage);
    assert!(
        report.damage[0].what.contains("are in no file"),
        "{:?}",
        report.damage
    );
    std::fs::rename(root.path().join("kept"), &log[0]).unwrap();
    std::fs::write(root.path().join("wal/00000000000000ff.wal"), b"begun").unwrap();
    let report = verify(&root);
    assert_eq!(report.verdict, Verdict::Clean, "{report:?}");
    assert_eq!(report.not_needed, ["wal/00000000000000ff.wal"]);
    std::fs::remove_file(root.path().join("SUPER")).unwrap();
    assert_eq!(verify(&root).verdict, Verdict::Damaged);
}

#[tokio::test]
async fn chunks_are_looked_at_like_the_files_they_came_from() {
    let root = written().await;
    let before = dump(&root, Wanted::default()).1;
    assert!(server(root.path(), 16 * 1024).sort().unwrap() > 0);
    let report = verify(&root);
    assert_eq!(report.verdict, Verdict::Clean, "{report:?}");
    assert!(report.counts.chunks > 0);
    let (lines, summary) = dump(&root, Wanted::default());
    assert_eq!(summary.entries, before.entries);
    let told = lines.iter().find_map(|line| match line {
        Line::Chunk { file, .. } => Some(file.clone()),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("chunk/0000000000000001.chk"));
    let chunk = files(&root, "chunk").remove(0);
    flip_bit(&chunk, 100);
    let report = verify(&root);
    assert_eq!(report.damages, 1, "{:?}", report.damage);
    assert!(report.damage[0].what.contains("block"));
    flip_bit(&chunk, 100);
    flip_bit(&chunk, std::fs::metadata(&chunk).unwrap().len() - 10);
    let report = verify(&root);
    assert!(report.damages > 0);
    std::fs::remove_file(&chunk).unwrap();
    let report = verify(&root);
    assert!(report.damage[0].what.contains("are in no file"));
}

#[tokio::test]
async fn a_listing_shows_entries_and_commands_and_can_be_narrowed() {
    let root = written().await;
    let (lines, summary) = dump(&root, Wanted::default());
    assert!(matches!(&lines[0], Line::File { file, .. } if file == "wal/0000000000000001.wal"));
    assert!(matches!(
        &lines[1],
        Line::Frame {
            checkpoint: true,
            ..
        }
    ));
    assert_eq!((summary.entries, summary.damages), (12, 0));
    let command = lines.iter().find_map(|line| match line {
        Line::Entry {
            partition, command, ..
        } => command.clone().map(|command| (*partition, command)),
        _ => None,
    });
    let expected = Command {
        service: "streams",
        version: 2,
        json: Some(serde_json::json!({"CreateStream": "flour"})),
    };
    assert_eq!(
        command,
        Some((PartitionName(PartitionId::CONTROL), expected))
    );
    let wanted = Wanted {
        partition: Some(SHARD),
        from: Some(7),
    };
    let (lines, _) = dump(&root, wanted);
    let positions: Vec<u64> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Entry { position, .. } => Some(*position),
            _ => None,
        })
        .collect();
    assert_eq!(positions, [7, 8, 9]);
}

#[tokio::test]
async fn a_directory_in_use_or_without_data_is_refused_and_nothing_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let refused = DataDirectory::open(root.path()).unwrap_err();
    assert!(matches!(refused, InspectError::NoData { .. }), "{refused}");
    assert_eq!(files(&root, ""), Vec::<PathBuf>::new());
    let log = server(root.path(), 1 << 20);
    let refused = DataDirectory::open(root.path()).unwrap_err();
    assert!(matches!(refused, InspectError::InUse { .. }), "{refused}");
    drop(log);
    let held = DataDirectory::open(root.path()).unwrap();
    assert!(
        FileDisk::open(root.path()).is_err(),
        "no server starts meanwhile"
    );
    drop(held);
    FileDisk::open(root.path()).unwrap();
}

#[test]
fn a_partition_reads_as_it_is_written() {
    for name in [
        "control/0",
        "streams/3",
        "functions/1",
        "destinations/77",
        "mapping/1",
        "9/5",
    ] {
        let parsed: PartitionName = name.parse().unwrap();
        assert_eq!(parsed.to_string(), name);
    }
    let too_large = format!("streams/{}", 1_u64 << 56);
    for name in [
        "",
        "streams",
        "streams/",
        "streams/-1",
        "mills/1",
        "300/1",
        &too_large,
    ] {
        assert!(name.parse::<PartitionName>().is_err(), "{name}");
    }
}
