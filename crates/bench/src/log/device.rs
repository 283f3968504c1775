//! What the disk does at best: [`Device`], bare durable writes of one size, one after the other.
//!
//! What must hold: a write goes over space that is on the disk, from an aligned buffer, by a thread that
//! is scheduled as well as the system grants; there is nothing around it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidemill_log::scheduling::prefer_this_thread;
use tidemill_log::{Disk, DiskFile, FileDisk, Scheduling};

use crate::aligned::Aligned;
use crate::log::subject::{LogBenchError, Way};
use crate::stopwatch::Stopwatch;

/// Space that is written around in.
const SPACE_BYTES: u64 = 64 << 20;

/// A file on the disk under test.
pub struct Device {
    file: Arc<dyn DiskFile>,
    _disk: FileDisk,
}

impl Device {
    /// Makes the file in `directory`, filled and synced.
    pub fn open(directory: &Path, way: &Way) -> Result<Device, LogBenchError> {
        let disk = way.disk(directory)?;
        let file = disk.create_written_through("floor")?;
        let mut zeros = Aligned::with_capacity(1 << 20);
        zeros.extend(&vec![0; 1 << 20]);
        for offset in (0..SPACE_BYTES).step_by(1 << 20) {
            file.write_at(offset, zeros.blocks())?;
        }
        file.sync()?;
        Ok(Device { file, _disk: disk })
    }

    /// Writes `bytes` again and again for `duration`; gives the microseconds of each, ascending.
    pub fn sync_for(&self, bytes: usize, duration: Duration) -> Result<Vec<f64>, LogBenchError> {
        let file = Arc::clone(&self.file);
        let thread = std::thread::Builder::new().name("floor-sync".to_owned());
        let thread = thread.spawn(move || {
            prefer_this_thread(Scheduling::RealTime);
            write_for(&*file, bytes, duration)
        })?;
        match thread.join() {
            Ok(taken) => Ok(taken?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn write_for(file: &dyn DiskFile, bytes: usize, duration: Duration) -> std::io::Result<Vec<f64>> {
    let mut block = Aligned::with_capacity(bytes);
    block.extend(&vec![0x5a; bytes]);
    let blocks = block.blocks();
    let (mut offset, mut taken) = (0, Vec::new());
    let watch = Stopwatch::start();
    while watch.elapsed() < duration {
        if offset + blocks.len() as u64 > SPACE_BYTES {
            offset = 0;
        }
        let one = Stopwatch::start();
        file.write_at(offset, blocks)?;
        if !file.is_written_through() {
            file.sync()?;
        }
        taken.push(one.elapsed().as_nanos() as f64 / 1000.0);
        offset += blocks.len() as u64;
    }
    taken.sort_unstable_by(f64::total_cmp);
    Ok(taken)
}
