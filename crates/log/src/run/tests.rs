//! The frozen layouts of the runs that a frame of the tests above does not have.

use super::*;
use crate::port::Retention;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const POINTER: SnapshotPointer = SnapshotPointer {
    position: 5,
    number: 6,
    bytes: 7,
    checksum: 0x0809_0a0b,
};

#[test]
fn the_layout_of_each_command_is_frozen() {
    let cases = [
        (
            Command::Snapshot(POINTER),
            "0200000000000001 02000000 1c000000 0500000000000000 0600000000000000 \
             0700000000000000 0b0a0908",
        ),
        (
            Command::Trim(5),
            "0200000000000001 03000000 08000000 0500000000000000",
        ),
        (
            Command::Seal(5),
            "0200000000000001 04000000 08000000 0500000000000000",
        ),
        (Command::Delete, "0200000000000001 05000000 00000000"),
    ];
    for (command, golden) in cases {
        let mut buffer = Vec::new();
        put_command(&mut buffer, PartitionId(1 << 56 | 2), &command);
        assert_eq!(hex(&buffer), golden.replace(' ', ""), "{command:?}");
        let expected = match command {
            Command::Snapshot(pointer) => Change::Snapshot(pointer),
            Command::Trim(position) => Change::Trim(position),
            Command::Seal(position) => Change::Seal(position),
            Command::Delete => Change::Delete,
            Command::Chunks(_) => unreachable!("they are of no partition"),
        };
        let read: Vec<_> = runs(&buffer).collect();
        assert_eq!(read, [Ok((PartitionId(1 << 56 | 2), expected))]);
    }
}

#[test]
fn the_layout_of_a_checkpoint_is_frozen() {
    let row = PartitionRow {
        start: 1,
        end: 2,
        last_at: Timestamp::from_millis(3),
        created_lsn: 4,
        sealed: true,
        snapshot: Some(POINTER),
    };
    let file = FileRow {
        salt: 2,
        tail: FileTail {
            file: 1,
            end: 3,
            checksum: 4,
        },
    };
    let mut buffer = Vec::new();
    put_partition(&mut buffer, PartitionId(9), &row);
    put_files(&mut buffer, &[file]);
    let golden = "0900000000000000 06000000 40000000 0100000000000000 0200000000000000 \
                  0300000000000000 0400000000000000 03000000 0500000000000000 \
                  0600000000000000 0700000000000000 0b0a0908 \
                  ffffffffffffffff 07000000 1c000000 0100000000000000 0200000000000000 \
                  0300000000000000 04000000";
    assert_eq!(hex(&buffer), golden.replace(' ', ""));
    let read: Vec<_> = runs(&buffer).collect();
    let expected = [
        Ok((PartitionId(9), Change::Partition(row))),
        Ok((NO_PARTITION, Change::Files(vec![file]))),
    ];
    assert_eq!(read, expected);
}

#[test]
fn the_layout_of_chunks_is_frozen() {
    let row = ChunkRow {
        number: 1,
        bytes: 2,
        entries: 3,
        retention: Retention::Month,
        checksum: 5,
    };
    let golden = "ffffffffffffffff 08000000 20000000 0100000000000000 0200000000000000 \
                  0300000000000000 04000000 05000000";
    let command = Command::Chunks(vec![row]);
    let mut buffer = Vec::new();
    put_command(&mut buffer, NO_PARTITION, &command);
    assert_eq!(hex(&buffer), golden.replace(' ', ""));
    let read: Vec<_> = runs(&buffer).collect();
    assert_eq!(read, [Ok((NO_PARTITION, Change::Chunks(vec![row])))]);
}

#[test]
fn a_run_that_cannot_be_is_refused() {
    let run = |kind: u8, body: &[u8]| {
        let mut bytes = vec![0; 8];
        bytes.extend([kind, 0, 0, 0, body.len() as u8, 0, 0, 0]);
        bytes.extend(body);
        bytes
    };
    let cases = [
        ("an unknown kind", run(9, b"")),
        ("half a chunk", run(8, &[0; 16])),
        ("a seal without its end", run(4, b"")),
        ("a trim with more than its start", run(3, &[0; 9])),
        ("entries without rows", run(1, &[0; 16])),
        (
            "fewer rows than entries",
            run(1, &[0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]),
        ),
        ("half a header", run(5, b"")[..10].to_vec()),
        ("a body that is cut", run(3, &[0; 8])[..20].to_vec()),
    ];
    for (what, bytes) in cases {
        let read: Vec<_> = runs(&bytes).collect();
        assert_eq!(read, [Err(BadFrame::Bounds("run"))], "{what}");
    }
}
