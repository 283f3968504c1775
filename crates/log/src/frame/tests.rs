//! The frozen layouts of file header and frame, and how frames are told from what is not one.

use proptest::prelude::*;

use super::*;
use crate::batch::Batch;
use crate::partition_id::PartitionId;
use crate::port::Appended;
use crate::run::{Change, Command, PlacedRun, SnapshotPointer, put_command, put_entries, runs};
use crate::tail::{Tail, frame_at, judge, next_valid};

fn file_header() -> FileHeader {
    FileHeader {
        file: 0x0102,
        unsynced: true,
        salt: 0x0304_0506_0708_090a,
        first_lsn: 0x0b0c,
        created: Timestamp::from_millis(0x0d0e),
        previous: Some(FileTail {
            file: 0x0101,
            end: 0x2000,
            checksum: 0x0f10_1112,
        }),
    }
}

const CHAIN: Chain = Chain {
    salt: 0x0102_0304_0506_0708,
    lsn: 9,
    checksum: 0x0a0b_0c0d,
};

fn frame(payloads: &[&[u8]]) -> (Bytes, Chain) {
    let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0);
    let partition = PartitionId(0x0100_0000_0000_0002);
    let batch = Batch::of(payloads.iter().map(|payload| (partition, payload)));
    let first = Appended {
        position: 3,
        at: Timestamp::from_millis(0x0405),
    };
    let placed: Vec<PlacedRun<'_>> = batch
        .runs()
        .map(|run| PlacedRun { first, of: run })
        .collect();
    put_entries(writer.run(), &placed);
    put_command(
        writer.run(),
        PartitionId(0x0100_0000_0000_0003),
        &Command::Trim(6),
    );
    writer.finish(FrameKind::Commands, CHAIN, Timestamp::from_millis(0x0708))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_layout_of_a_file_header_is_frozen() {
    let (block, checksum) = file_header().encode();
    let golden = "5449444557414c00 01000000 01000000 0201000000000000 0a09080706050403 \
                  0c0b000000000000 0e0d000000000000 0101000000000000 0020000000000000 1211100f";
    assert_eq!(hex(&block[..68]), golden.replace(' ', ""));
    assert!(is_zero(&block[68..BLOCK_BYTES - 4]));
    assert_eq!(hex(&block[BLOCK_BYTES - 4..]), "e5bdf8cb");
    assert_eq!(FileHeader::decode(&block), Ok((file_header(), checksum)));
}

#[test]
fn the_layout_of_a_frame_is_frozen() {
    let (frame, next) = frame(&[b"one", b"", b"three"]);
    let golden = include_str!("golden_frame.txt").replace(char::is_whitespace, "");
    let content = golden.len() / 2;
    assert_eq!(hex(&frame[..content]), golden);
    assert!(is_zero(&frame[content..]));
    assert_eq!(frame.len(), BLOCK_BYTES);
    let header = frame_at(&frame, 0, &CHAIN).unwrap();
    assert_eq!(
        (header.runs, header.zero_sectors, header.next()),
        (2, 7, next)
    );
}

#[test]
fn a_file_of_a_newer_layout_is_told_from_a_damaged_one() {
    let (mut block, _) = file_header().encode();
    block[8] = 2;
    assert_eq!(
        FileHeader::decode(&block),
        Err(BadFrame::Checksum("header"))
    );
    let checksum = crc32c(&block[..BLOCK_BYTES - 4]);
    block[BLOCK_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(FileHeader::decode(&block), Err(BadFrame::Layout(2)));
}

#[test]
fn a_frame_is_believed_only_in_its_place() {
    let (frame, _) = frame(&[b"x"]);
    let cases = [
        (Chain { salt: 1, ..CHAIN }, "salt"),
        (Chain { lsn: 8, ..CHAIN }, "sequence number"),
        (Chain { lsn: 10, ..CHAIN }, "sequence number"),
        (
            Chain {
                checksum: 1,
                ..CHAIN
            },
            "checksum of the frame before",
        ),
    ];
    for (chain, field) in cases {
        assert_eq!(frame_at(&frame, 0, &chain), Err(BadFrame::Place(field)));
    }
}

#[test]
fn every_flipped_bit_of_a_frame_is_noticed_and_is_no_torn_tail() {
    let (frame, _) = frame(&[&[1; 3000], &[0; 2000]]);
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(frame_at(&flipped, 0, &CHAIN).is_err(), "bit {bit}");
        if bit % 61 == 0 {
            let tail = judge(&flipped, 0, &CHAIN, false);
            assert!(matches!(tail, Tail::Damaged(_)), "bit {bit}: {tail:?}");
        }
    }
}

#[test]
fn a_write_that_was_cut_short_is_a_torn_tail() {
    let (frame, _) = frame(&[&[1; 3000], &[0; 2000]]);
    let sectors = frame.len() / SECTOR_BYTES;
    for missing in 0..1_u32 << sectors.min(12) {
        let mut torn = frame.to_vec();
        for (index, sector) in torn.chunks_mut(SECTOR_BYTES).enumerate() {
            if missing >> index & 1 == 1 {
                sector.fill(0);
            }
        }
        if torn == frame {
            assert!(frame_at(&torn, 0, &CHAIN).is_ok());
        } else {
            // When nothing of it arrived there is nothing that was torn.
            let expected = if is_zero(&torn) {
                Tail::Clean
            } else {
                Tail::Torn
            };
            assert_eq!(judge(&torn, 0, &CHAIN, false), expected, "{missing:b}");
        }
    }
    for size in 1..sectors {
        let short = &frame[..size * SECTOR_BYTES];
        assert_eq!(judge(short, 0, &CHAIN, false), Tail::Torn, "{size} sectors");
    }
    assert_eq!(judge(&[], 0, &CHAIN, false), Tail::Clean);
}

#[test]
fn a_bad_frame_before_a_good_one_is_no_torn_tail() {
    let (first, next) = frame(&[b"first"]);
    let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0);
    put_command(writer.run(), PartitionId(1), &Command::Delete);
    let (second, _) = writer.finish(FrameKind::Commands, next, Timestamp::EPOCH);
    let mut file = vec![0; first.len()];
    file.extend_from_slice(&second);
    let (offset, header) = next_valid(&file, 0, &CHAIN).unwrap();
    assert_eq!((offset, header.lsn), (first.len(), 10));
    assert!(matches!(judge(&file, 0, &CHAIN, false), Tail::Damaged(_)));
    assert_eq!(
        judge(&file, 0, &CHAIN, true),
        Tail::Torn,
        "unsynced frames may go missing"
    );
    assert_eq!(
        next_valid(&file, 0, &Chain { salt: 5, ..CHAIN }),
        None,
        "of another file"
    );
}

/// Two frames as they lie behind one another, the second begun beside the first, and where it begins.
fn two_beside() -> (Vec<u8>, usize) {
    let (first, next) = frame(&[&[1; 2000], &[0; 1000]]);
    let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0).beside();
    put_command(writer.run(), PartitionId(1), &Command::Trim(7));
    let (second, _) = writer.finish(FrameKind::Commands, next, Timestamp::EPOCH);
    assert_eq!(hex(&second[56..60]), "01000000", "frozen");
    let mut file = first.to_vec();
    file.extend_from_slice(&second);
    (file, first.len())
}

#[test]
fn of_two_frames_that_were_on_their_way_either_may_be_torn() {
    let (whole, second) = two_beside();
    assert_eq!(whole.len(), 16 * SECTOR_BYTES);
    for missing in 0..1_u32 << 16 {
        let mut torn = whole.clone();
        for (index, sector) in torn.chunks_mut(SECTOR_BYTES).enumerate() {
            if missing >> index & 1 == 1 {
                sector.fill(0);
            }
        }
        torn.resize(torn.len() + BLOCK_BYTES, 0);
        let (offset, chain) = match frame_at(&torn, 0, &CHAIN) {
            Ok(header) => (second, header.next()),
            Err(_) => (0, CHAIN),
        };
        let is_whole = torn[..whole.len()] == whole[..];
        assert_eq!(frame_at(&torn, offset, &chain).is_ok(), is_whole);
        let expected = match is_zero(&torn[offset..]) {
            true => Tail::Clean,
            false => Tail::Torn,
        };
        if !is_whole {
            let tail = judge(&torn, offset, &chain, false);
            assert_eq!(tail, expected, "{missing:016b}");
        }
    }
}

#[test]
fn what_stands_behind_a_frame_that_is_not_whole_must_explain_it() {
    let (whole, second) = two_beside();
    let damaged = |file: &[u8]| matches!(judge(file, 0, &CHAIN, false), Tail::Damaged(_));
    for bit in 0..second * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(damaged(&flipped), "bit {bit}");
    }
    let mut torn = whole.clone();
    torn[..second].fill(0);
    assert!(!damaged(&torn), "nothing of the first has arrived");
    torn.extend_from_slice(&[0; BLOCK_BYTES]);
    torn[second + BLOCK_BYTES] = 1;
    assert!(
        damaged(&torn),
        "something was written behind the second, so the first was on the disk"
    );
    let (first, next) = frame(&[b"first"]);
    let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0);
    put_command(writer.run(), PartitionId(1), &Command::Delete);
    let (alone, _) = writer.finish(FrameKind::Commands, next, Timestamp::EPOCH);
    let mut file = vec![0; first.len()];
    file.extend_from_slice(&alone);
    assert!(
        damaged(&file),
        "it was begun when the first was on the disk"
    );
    let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0).beside();
    put_command(writer.run(), PartitionId(1), &Command::Delete);
    let later = Chain {
        lsn: next.lsn + 1,
        ..next
    };
    let (later, _) = writer.finish(FrameKind::Commands, later, Timestamp::EPOCH);
    file.truncate(first.len());
    file.extend_from_slice(&later);
    assert!(damaged(&file), "it is not the next");
}

proptest! {
    #[test]
    fn what_is_put_into_a_frame_is_read_back(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 1..20),
        numbers in any::<(u64, u64, u64, u32)>(),
    ) {
        let entry = |payload| (PartitionId(numbers.0), payload);
        // Of two callers, the second of which may have had nothing to say.
        let half = payloads.len().div_ceil(2);
        let batches = [&payloads[..half], &payloads[half..]];
        let batches = batches.map(|payloads| Batch::of(payloads.iter().map(entry)));
        let first = |skipped: usize| Appended {
            position: (numbers.1 >> 1) + skipped as u64,
            at: Timestamp::from_millis(numbers.2),
        };
        let placed = batches.iter().zip([0, half]);
        let placed = placed.flat_map(|(batch, skipped)| {
            let place = move |run| PlacedRun { first: first(skipped), of: run };
            batch.runs().map(place)
        });
        let placed: Vec<PlacedRun<'_>> = placed.collect();
        let pointer = SnapshotPointer {
            position: numbers.0,
            number: numbers.1,
            bytes: numbers.2,
            checksum: numbers.3,
        };
        let mut writer = FrameWriter::with_capacity(&Arc::new(Buffers::new(0)), 0);
        put_entries(writer.run(), &placed);
        put_command(writer.run(), PartitionId(numbers.0), &Command::Snapshot(pointer));
        let (frame, _) = writer.finish(FrameKind::Commands, CHAIN, Timestamp::EPOCH);
        let header = frame_at(&frame, 0, &CHAIN).unwrap();
        let payload = &frame[header.payload()];
        let mut read = runs(payload);
        let Some(Ok((partition, Change::Entries(run)))) = read.next() else {
            panic!("entries stand first");
        };
        prop_assert_eq!(partition, PartitionId(numbers.0));
        let body = &payload[run.body.clone()];
        let rows: Vec<_> = crate::run::rows(body, run.count).collect();
        prop_assert_eq!(rows.len(), payloads.len());
        for (index, (row, expected)) in rows.iter().zip(&payloads).enumerate() {
            let found = &body[row.payload_offset..row.payload_offset + row.payload_bytes];
            let position = run.first + index as u64;
            let Appended { position: expected_position, at } = first(index);
            prop_assert_eq!((row.at, position, found), (at, expected_position, &expected[..]));
            prop_assert_eq!(crate::run::check_entry(row, partition, position, found), Ok(()));
            let elsewhere = crate::run::check_entry(row, partition, position + 1, found);
            prop_assert!(elsewhere.is_err(), "an entry is bound to its place");
        }
        prop_assert_eq!(read.next(), Some(Ok((partition, Change::Snapshot(pointer)))));
        prop_assert_eq!(read.next(), None);
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = FileHeader::decode(&bytes);
        let _ = FrameHeader::decode(&bytes);
        prop_assert!(runs(&bytes).count() <= bytes.len());
    }
}
