//! The frozen layouts of a chunk, and how what was not written is told from what was.

use super::*;

fn row() -> ChunkRow {
    ChunkRow {
        number: 0x0102,
        bytes: 8192,
        entries: 3,
        retention: Retention::Week,
        checksum: 0,
    }
}

/// `bytes` filled up to 60, with their checksum behind.
fn closed(bytes: &[u8]) -> Vec<u8> {
    let mut closed = bytes.to_vec();
    closed.resize(HEADER_BYTES - 4, 0);
    closed.extend(crc32c(&closed).to_le_bytes());
    closed
}

#[test]
fn the_header_is_frozen_and_every_flipped_bit_is_noticed() {
    let header = ChunkHeader {
        number: 0x0102,
        retention: Retention::Week,
        created: Timestamp::from_millis(0x0304),
    };
    let mut golden = b"TIDECHK\0\x01\0\0\0\x03\0\0\0".to_vec();
    golden.extend([2, 1, 0, 0, 0, 0, 0, 0, 4, 3]);
    let golden = closed(&golden);
    assert_eq!(header.encode(), golden.as_slice());
    assert_eq!(ChunkHeader::decode(&golden), Ok(header));
    for bit in 0..golden.len() * 8 {
        let mut flipped = golden.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(ChunkHeader::decode(&flipped).is_err(), "bit {bit}");
    }
    let mut newer = golden[..HEADER_BYTES - 4].to_vec();
    newer[8] = 2;
    let newer = ChunkHeader::decode(&closed(&newer));
    assert_eq!(newer, Err(BadFrame::Layout(2)));
}

#[test]
fn the_footer_is_frozen_and_believed_only_of_the_chunk_that_the_log_names() {
    let footer = ChunkFooter {
        number: 0x0102,
        extents_offset: 4096,
        extents: 2,
        extents_checksum: 0x0a0b,
    };
    let mut golden = b"TIDECHF\0".to_vec();
    golden.extend([2, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0]);
    golden.extend([2, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0x0a]);
    let golden = closed(&golden);
    let (bytes, checksum) = footer.encode();
    assert_eq!(bytes, golden.as_slice());
    let named = ChunkRow { checksum, ..row() };
    assert_eq!(ChunkFooter::decode(&golden, &named), Ok(footer));
    let others = [
        ChunkRow { number: 1, ..named },
        ChunkRow {
            checksum: checksum + 1,
            ..named
        },
    ];
    for other in others {
        let refused = ChunkFooter::decode(&golden, &other);
        assert_eq!(refused, Err(BadFrame::Place("footer")));
    }
    let short = ChunkRow {
        bytes: 4100,
        ..named
    };
    let refused = ChunkFooter::decode(&golden, &short);
    assert_eq!(refused, Err(BadFrame::Bounds("footer")));
    for bit in 0..golden.len() * 8 {
        let mut flipped = golden.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(ChunkFooter::decode(&flipped, &named).is_err(), "bit {bit}");
    }
}

#[test]
fn the_rows_of_blocks_are_frozen_and_every_flipped_bit_is_noticed() {
    let row = BlockRow {
        first: 1,
        first_at: Timestamp::from_millis(2),
        last_at: Timestamp::from_millis(3),
        offset: 4,
        stored_bytes: 5,
        body_bytes: 6,
        count: 7,
        checksum: 8,
    };
    let mut rows = vec![1, 0, 0, 0];
    for number in 1..=4 {
        rows.extend([number, 0, 0, 0, 0, 0, 0, 0]);
    }
    for number in 5..=8 {
        rows.extend([number, 0, 0, 0]);
    }
    let mut golden = crc32c(&rows).to_le_bytes().to_vec();
    golden.extend(rows);
    let mut bytes = Vec::new();
    put_block_rows(&mut bytes, &[row]);
    assert_eq!(bytes, golden);
    assert_eq!(block_rows(&golden), Ok(vec![row]));
    for bit in 0..golden.len() * 8 {
        let mut flipped = golden.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(block_rows(&flipped).is_err(), "bit {bit}");
    }
    assert_eq!(block_rows(&[]), Err(BadFrame::Bounds("run")));
}

#[test]
fn the_rows_of_extents_are_frozen() {
    let row = ExtentRow {
        partition: PartitionId(1),
        created_lsn: 2,
        first: 3,
        first_at: Timestamp::from_millis(4),
        last_at: Timestamp::from_millis(5),
        rows_offset: 6,
        rows_bytes: 7,
        count: 8,
    };
    let mut golden = Vec::new();
    for number in 1..=6 {
        golden.extend([number, 0, 0, 0, 0, 0, 0, 0]);
    }
    golden.extend([7, 0, 0, 0, 8, 0, 0, 0]);
    let mut bytes = Vec::new();
    put_extent_rows(&mut bytes, &[row]);
    assert_eq!(bytes, golden);
    let footer = ChunkFooter {
        number: 1,
        extents_offset: 64,
        extents: 1,
        extents_checksum: crc32c(&golden),
    };
    assert_eq!(extent_rows(&golden, &footer), Ok(vec![row]));
    golden[0] ^= 1;
    let refused = extent_rows(&golden, &footer);
    assert_eq!(refused, Err(BadFrame::Checksum("extent rows")));
}

#[test]
fn a_block_comes_back_as_it_was_or_not_at_all() {
    let body: Vec<u8> = (0..5000).map(|index| (index / 100) as u8).collect();
    let compressed = zstd::bulk::compress(&body, 1).unwrap();
    for stored in [&body, &compressed] {
        let row = BlockRow {
            first: 0,
            first_at: Timestamp::EPOCH,
            last_at: Timestamp::EPOCH,
            offset: 64,
            stored_bytes: stored.len() as u32,
            body_bytes: body.len() as u32,
            count: 1,
            checksum: crc32c(stored),
        };
        let read = block_body(&row, Bytes::copy_from_slice(stored)).unwrap();
        assert_eq!(read, body);
        let mut flipped = stored.clone();
        flipped[10] ^= 1;
        let refused = block_body(&row, flipped.clone().into());
        assert_eq!(refused, Err(BadFrame::Checksum("block")));
        // A writer that was wrong: the checksum fits and the content does not.
        if row.is_compressed() {
            let checksum = crc32c(&flipped[..8]);
            let row = BlockRow { checksum, ..row };
            assert!(block_body(&row, Bytes::copy_from_slice(&flipped[..8])).is_err());
        }
    }
}
