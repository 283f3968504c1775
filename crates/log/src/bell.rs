//! Bells: [`hang_up`] has writers look at what waits when the tasks that are ready have had their turn.
//!
//! What must hold: a bell that was hung up rings once, even if its runtime ends. Why: a write of one entry costs
//! the processors as much as several requests do. A task that is ready is likely to append, and its entries go
//! with the same write for nothing; where none is, the bell rings at once. So there is no timer, and who is alone
//! waits for nobody. It rings on the thread that hung it up, behind 61 turns of tasks at most: whoever blocks
//! that thread until something is written must not have appended it there. Closing the log rings for all.
//! Where turns are long, such as those that write pages of 10 MB, a bell costs more than it saves: [`Backoff`].

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;

use crate::limits::{BELL_BACKOFF_CHANGES, BELL_TIME_MAX};

/// When to go without bells, from how long they took to ring. Pure.
#[derive(Debug, Default)]
pub struct Backoff {
    changes_left: u32,
}

impl Backoff {
    /// Whether the next change may be held for a bell.
    pub fn is_over(&mut self) -> bool {
        let is_over = self.changes_left == 0;
        self.changes_left = self.changes_left.saturating_sub(1);
        is_over
    }

    /// Notes that a bell has rung that hung for so long.
    pub fn rang_after(&mut self, waited: Duration) {
        if waited > BELL_TIME_MAX {
            self.changes_left = BELL_BACKOFF_CHANGES;
        }
    }
}

/// Rings when it is dropped.
struct Bell<R: FnOnce()>(Option<R>);

impl<R: FnOnce()> Drop for Bell<R> {
    fn drop(&mut self) {
        if let Some(ring) = self.0.take() {
            ring();
        }
    }
}

/// Where a bell can be hung up. Where all tasks have one thread, as in tests, there is none: who blocks it until
/// something is written would wait for ever.
pub fn place() -> Option<Handle> {
    let runtime = Handle::try_current().ok();
    runtime.filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Calls `ring` behind the tasks of `runtime` that are ready now.
pub fn hang_up(runtime: &Handle, ring: impl FnOnce() + Send + 'static) {
    let bell = Bell(Some(ring));
    runtime.spawn(async move {
        yield_now().await;
        drop(bell);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::sync_channel;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
    }

    #[test]
    fn behind_a_bell_that_took_too_long_changes_go_without_one_for_a_while() {
        let mut backoff = Backoff::default();
        backoff.rang_after(BELL_TIME_MAX);
        assert!(backoff.is_over() && backoff.is_over());
        backoff.rang_after(BELL_TIME_MAX + Duration::from_millis(1));
        let without = (0..1000).take_while(|_| !backoff.is_over()).count();
        assert_eq!(without, BELL_BACKOFF_CHANGES as usize);
        assert!(backoff.is_over(), "it is tried again");
    }

    #[test]
    fn it_rings_behind_the_tasks_that_are_ready() {
        let runtime = runtime();
        let (turns, (told, heard)) = (Arc::new(AtomicUsize::new(0)), sync_channel(1));
        let before = Arc::clone(&turns);
        runtime.spawn(async move {
            let seen = Arc::clone(&before);
            hang_up(&Handle::current(), move || {
                told.send(seen.load(Ordering::Relaxed)).unwrap();
            });
            for _ in 0..10 {
                let turns = Arc::clone(&before);
                tokio::spawn(async move { turns.fetch_add(1, Ordering::Relaxed) });
            }
        });
        assert_eq!(heard.recv(), Ok(10));
    }

    #[test]
    fn it_rings_when_its_runtime_has_ended() {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let (told, heard) = sync_channel(1);
        hang_up(&handle, move || told.send(()).unwrap());
        assert_eq!(heard.recv(), Ok(()));
    }

    #[test]
    fn there_is_a_place_only_where_others_go_on_while_one_blocks() {
        assert!(place().is_none());
        assert!(runtime().block_on(async { place().is_some() }));
        let single = Builder::new_current_thread().build().unwrap();
        assert!(single.block_on(async { place().is_none() }));
    }
}
