//! Opening a chunk: [`read_extents`] tells what it holds.
//!
//! What must hold: only the chunk that the log names is believed, by the checksum of its footer, which
//! covers where everything else is told. The blocks themselves are checked when they are read.

use std::io;

use crate::chunk::{
    ChunkFooter, ChunkHeader, ChunkRow, EXTENT_ROW_BYTES, ExtentRow, HEADER_BYTES, extent_rows,
};
use crate::disk::{DiskFile, read_exactly};
use crate::frame::BadFrame;

/// What the chunk that `row` names says of itself. `InvalidData` when it is not what was written.
pub fn read_header(file: &dyn DiskFile, row: &ChunkRow) -> io::Result<ChunkHeader> {
    let mut block = [0; HEADER_BYTES];
    read_exactly(file, 0, &mut block)?;
    let header = ChunkHeader::decode(&block).map_err(invalid)?;
    if header.number != row.number {
        return Err(invalid(BadFrame::Place("header")));
    }
    Ok(header)
}

/// What the chunk that `row` names holds, given its `file`. `InvalidData` when it is not what was written.
/// Blocks.
pub fn read_extents(file: &dyn DiskFile, row: &ChunkRow) -> io::Result<Vec<ExtentRow>> {
    if file.size()? != row.bytes || row.bytes < 2 * HEADER_BYTES as u64 {
        return Err(invalid("its size is not the one that was written"));
    }
    read_header(file, row)?;
    let mut block = [0; HEADER_BYTES];
    read_exactly(file, row.bytes - HEADER_BYTES as u64, &mut block)?;
    let footer = ChunkFooter::decode(&block, row).map_err(invalid)?;
    // The footer has been checked to lie within the file, which is in memory soon.
    let mut bytes = vec![0; footer.extents as usize * EXTENT_ROW_BYTES];
    read_exactly(file, footer.extents_offset, &mut bytes)?;
    let extents = extent_rows(&bytes, &footer).map_err(invalid)?;
    let is_within = |extent: &ExtentRow| {
        let end = extent.rows_offset.checked_add(u64::from(extent.rows_bytes));
        extent.count > 0 && end.is_some_and(|end| end <= footer.extents_offset)
    };
    if !extents.iter().all(is_within) {
        return Err(invalid(BadFrame::Bounds("extent rows")));
    }
    Ok(extents)
}

fn invalid(detail: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}
