//! [`GroupCommit`]: bytes of many callers made durable together, as cheaply as the machine can.
//!
//! What must hold: one thread writes; whatever is handed over while a write is on its way goes into the
//! next one, without a timer; a caller continues when its bytes are on the disk. Bytes are put behind
//! one another into a buffer that is aligned for the disk and written over space that is on the disk
//! already. There is no format, no checksum and no index: this is what durability costs alone.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use tidemill_log::scheduling::prefer_this_thread;
use tidemill_log::{Disk, DiskFile, FileDisk, Scheduling};

use crate::aligned::Aligned;

/// Space that is written around in.
const SPACE_BYTES: u64 = 256 << 20;

/// Room for a group before it has to grow.
const GROUP_BYTES: usize = 4 << 20;

/// The group that is filled, and who waits for it.
struct Open {
    bytes: Aligned,
    waiting: Vec<oneshot::Sender<()>>,
    is_closed: bool,
}

struct Shared {
    open: Mutex<Open>,
    work: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("no holder of this lock panics")
    }
}

/// A thread that makes bytes durable in groups.
pub struct GroupCommit {
    shared: Arc<Shared>,
    scheduling: Scheduling,
    thread: Option<JoinHandle<()>>,
}

impl GroupCommit {
    /// Starts it, with a file in `directory` that is filled and synced first.
    pub fn start(directory: &Path) -> std::io::Result<GroupCommit> {
        let disk = FileDisk::open(directory).map_err(std::io::Error::other)?;
        let file = disk.create_written_through("groups")?;
        let mut zeros = Aligned::with_capacity(1 << 20);
        zeros.extend(&vec![0; 1 << 20]);
        for offset in (0..SPACE_BYTES).step_by(1 << 20) {
            file.write_at(offset, zeros.blocks())?;
        }
        file.sync()?;
        let open = Open {
            bytes: Aligned::with_capacity(GROUP_BYTES),
            waiting: Vec::new(),
            is_closed: false,
        };
        let shared = Arc::new(Shared {
            open: Mutex::new(open),
            work: Condvar::new(),
        });
        let (told, granted) = std::sync::mpsc::sync_channel(1);
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("floor-commit".to_owned())
                .spawn(move || {
                    // Whoever started this thread waits for it.
                    let _ = told.send(prefer_this_thread(Scheduling::RealTime));
                    write_groups(&shared, &*file);
                    drop(disk);
                })?
        };
        let scheduling = granted.recv().map_err(std::io::Error::other)?;
        Ok(GroupCommit {
            shared,
            scheduling,
            thread: Some(thread),
        })
    }

    /// How its thread is scheduled.
    pub fn scheduling(&self) -> Scheduling {
        self.scheduling
    }

    /// Hands over `bytes`; what is given completes when they are durable.
    pub fn put(&self, bytes: &[u8]) -> oneshot::Receiver<()> {
        let (sender, durable) = oneshot::channel();
        let mut open = self.shared.lock();
        open.bytes.extend(bytes);
        open.waiting.push(sender);
        let is_first = open.waiting.len() == 1;
        drop(open);
        if is_first {
            self.shared.work.notify_one();
        }
        durable
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has dropped its callers' senders: they know.
            let _ = thread.join();
        }
    }
}

/// Writes one group after the other until nobody fills them. A failed write ends it, and with it every
/// caller's wait.
fn write_groups(shared: &Shared, file: &dyn DiskFile) {
    let mut offset = 0;
    let mut group = Aligned::with_capacity(GROUP_BYTES);
    loop {
        let waiting = {
            let mut open = shared.lock();
            while open.waiting.is_empty() {
                if open.is_closed {
                    return;
                }
                open = shared
                    .work
                    .wait(open)
                    .expect("no holder of this lock panics");
            }
            group.clear();
            std::mem::swap(&mut open.bytes, &mut group);
            std::mem::take(&mut open.waiting)
        };
        let blocks = group.blocks();
        if offset + blocks.len() as u64 > SPACE_BYTES {
            offset = 0;
        }
        let written = file.write_at(offset, blocks).and_then(|()| {
            if file.is_written_through() {
                Ok(())
            } else {
                file.sync()
            }
        });
        if written.is_err() {
            return;
        }
        offset += blocks.len() as u64;
        for caller in waiting {
            // A caller that has gone misses it.
            let _ = caller.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_handed_over_stands_in_the_file_when_the_caller_continues() {
        let directory = tempfile::tempdir().expect("a directory");
        let commit = GroupCommit::start(directory.path()).expect("a file");
        let (first, second) = (commit.put(&[1; 5000]), commit.put(&[2; 10]));
        first.await.expect("is written");
        second.await.expect("is written");
        let written = std::fs::read(directory.path().join("groups")).expect("is there");
        assert_eq!(written[..5000], [1; 5000]);
        let twos = written.iter().filter(|byte| **byte == 2).count();
        assert_eq!(twos, 10);
    }
}
