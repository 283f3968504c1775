//! Going through the chunks of a log, telling what is met.
//!
//! What must hold: as for the files of the write-ahead log, everything is judged by the log's own code,
//! and what is damaged is told with its place and left behind.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::chunk::{
    BlockRow, ChunkHeader, ChunkRow, ExtentRow, block_body, block_rows, chunk_path,
};
use crate::chunk_file::{read_extents, read_header};
use crate::disk::{DiskFile, read_exactly};
use crate::recovery::LocalError;
use crate::run::{check_entry, rows, rows_bytes};

use super::finding::{Damage, PartitionName};
use super::met::{Met, Stop};

/// How the file at a path is opened for reading.
pub type Open<'a> = dyn Fn(&str) -> io::Result<Arc<dyn DiskFile>> + 'a;

/// Walks through the chunks that `rows` name.
pub fn walk_chunks(
    open: &Open<'_>,
    rows: impl Iterator<Item = ChunkRow>,
    tell: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
) -> Result<(), Stop> {
    let mut walk = ChunkWalk { open, tell };
    rows.into_iter().try_for_each(|row| walk.chunk(&row))
}

struct ChunkWalk<'a> {
    open: &'a Open<'a>,
    tell: &'a mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
}

impl ChunkWalk<'_> {
    fn chunk(&mut self, row: &ChunkRow) -> Result<(), Stop> {
        let path = chunk_path(row.number);
        let read = (self.open)(&path).and_then(|file| {
            let header = read_header(&*file, row)?;
            let extents = read_extents(&*file, row)?;
            Ok((file, header, extents))
        });
        let (file, header, extents) = match read {
            Ok(read) => read,
            // Nothing in it is needed, or recovery will miss it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return self.failed(&path, 0, error),
        };
        self.told(&path, row, &header, &extents)?;
        for extent in &extents {
            self.extent(&path, &*file, extent)?;
        }
        Ok(())
    }

    fn told(
        &mut self,
        path: &str,
        row: &ChunkRow,
        header: &ChunkHeader,
        extents: &[ExtentRow],
    ) -> Result<(), Stop> {
        self.tell(Met::Chunk {
            path,
            row,
            header,
            extents: extents.len() as u64,
        })
    }

    fn extent(&mut self, path: &str, file: &dyn DiskFile, extent: &ExtentRow) -> Result<(), Stop> {
        let mut bytes = vec![0; extent.rows_bytes as usize];
        let read = read_exactly(file, extent.rows_offset, &mut bytes).and_then(|()| {
            block_rows(&bytes).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))
        });
        let blocks = match read {
            Ok(blocks) => blocks,
            Err(error) => return self.failed(path, extent.rows_offset, error),
        };
        for block in &blocks {
            self.block(path, file, extent, block)?;
        }
        Ok(())
    }

    fn block(
        &mut self,
        path: &str,
        file: &dyn DiskFile,
        extent: &ExtentRow,
        block: &BlockRow,
    ) -> Result<(), Stop> {
        let mut stored = vec![0; block.stored_bytes as usize];
        if let Err(error) = read_exactly(file, block.offset, &mut stored) {
            return self.failed(path, block.offset, error);
        }
        let body = match block_body(block, stored.into()) {
            Ok(body) if body.len() >= rows_bytes(block.count) => body,
            Ok(_) => return self.damage(path, block.offset, "its rows are cut short".to_owned()),
            Err(bad) => return self.damage(path, block.offset, format!("block: {bad}")),
        };
        let partition = extent.partition;
        for (row, position) in rows(&body, block.count).zip(block.first..) {
            let payload = body.get(row.payload_offset..row.payload_offset + row.payload_bytes);
            let is_whole = payload
                .is_some_and(|payload| check_entry(&row, partition, position, payload).is_ok());
            if !is_whole {
                let what = format!("entry {position} of {}", PartitionName(partition));
                self.damage(
                    path,
                    block.offset,
                    format!("{what}: its checksum does not fit"),
                )?;
            }
            self.tell(Met::Entry {
                partition,
                position,
                row,
                payload,
                is_whole,
            })?;
        }
        Ok(())
    }

    /// Tells of a damage, or ends the walk when the disk does not give what stands there.
    fn failed(&mut self, path: &str, offset: u64, error: io::Error) -> Result<(), Stop> {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                self.damage(path, offset, error.to_string())
            }
            _ => Err(Stop::Failed(LocalError::Disk {
                path: path.to_owned(),
                detail: error.to_string(),
            })),
        }
    }

    fn damage(&mut self, file: &str, offset: u64, what: String) -> Result<(), Stop> {
        let file = file.to_owned();
        self.tell(Met::Damage(Damage { file, offset, what }))
    }

    fn tell(&mut self, met: Met<'_>) -> Result<(), Stop> {
        match (self.tell)(met) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Asked),
        }
    }
}
