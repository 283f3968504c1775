//! How the system schedules the committer's thread: [`prefer_this_thread`].
//!
//! What must hold: the log works with whatever the system grants; what it granted can be told. A thread
//! that wakes on a busy core otherwise waits for the next tick, which takes far longer than the write
//! it was woken for. The committer does little between two writes, so running at once costs the others
//! little; the system's own limit on real-time threads is the net below it.

use std::fmt;
use std::mem::size_of;

/// The lowest real-time priority: before every thread that has none.
const PRIORITY: u32 = 1;

/// The shortest slice that the system accepts, in nanoseconds: a thread with a short slice that wakes
/// is preferred over one with a long slice that runs.
const SLICE_NANOS: u64 = 100_000;

/// How much a thread in the background stands back: about a tenth of a busy processor is left to it.
const BACKGROUND_NICE: i32 = 10;

/// How much functions stand back: about a quarter of a busy processor is left to one of them, as long as
/// only they and the server want it.
const FUNCTION_NICE: i32 = 5;

/// What the system granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Real time, first in first out, at the lowest priority. Needs the right to it.
    RealTime,
    /// The usual class with a short slice: Linux 6.12 and later, without any right.
    ShortSlice,
    /// Like any other thread.
    Usual,
}

impl fmt::Display for Scheduling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Scheduling::RealTime => "SCHED_FIFO 1",
            Scheduling::ShortSlice => "SCHED_OTHER with a slice of 0.1 ms",
            Scheduling::Usual => "SCHED_OTHER",
        })
    }
}

/// Asks for `wanted` or the next best for the calling thread; gives what was granted.
pub fn prefer_this_thread(wanted: Scheduling) -> Scheduling {
    let real_time = libc::sched_attr {
        sched_policy: libc::SCHED_FIFO as u32,
        sched_priority: PRIORITY,
        ..usual()
    };
    let short_slice = libc::sched_attr {
        sched_runtime: SLICE_NANOS,
        ..usual()
    };
    if wanted == Scheduling::RealTime && set(&real_time) {
        return Scheduling::RealTime;
    }
    // Older systems take the call and ignore the slice: only what can be read back was granted.
    let is_wanted = wanted != Scheduling::Usual;
    if is_wanted && set(&short_slice) && get().is_some_and(|got| got.sched_runtime == SLICE_NANOS) {
        return Scheduling::ShortSlice;
    }
    Scheduling::Usual
}

/// Lets all others run before the calling thread, when they have something to do.
pub fn yield_this_thread() {
    let background = libc::sched_attr {
        sched_policy: libc::SCHED_BATCH as u32,
        sched_nice: BACKGROUND_NICE,
        ..usual()
    };
    if !set(&background) {
        tracing::debug!("sorting is scheduled like everything else");
    }
}

/// Lets the calling thread run like all others, for as long as others wait for what it does. Whether the
/// system grants that to a thread that has stood back is told.
pub fn stand_with_others() -> bool {
    set(&usual())
}

/// Lets the server run before the calling process and all that it starts, where both want a processor: for
/// functions, whose work must not hold up that of the log. It takes no lock and no memory, so it may be
/// called between fork and exec. Whether the system grants it is told.
pub fn stand_behind_the_server() -> bool {
    set(&libc::sched_attr {
        sched_policy: libc::SCHED_BATCH as u32,
        sched_nice: FUNCTION_NICE,
        // What it starts stands behind as well.
        sched_flags: 0,
        ..usual()
    })
}

/// While it lives, the calling thread is not put to sleep for others, where the system grants that.
#[must_use]
pub struct Undisturbed {
    /// How the thread was scheduled, if that was changed.
    before: Option<libc::sched_attr>,
}

/// Keeps the processor for what is short and others wait for: a thread that stands back may otherwise be
/// put to sleep in the middle of it, and everybody waits until it has its turn again.
pub fn undisturbed() -> Undisturbed {
    let real_time = libc::sched_attr {
        sched_policy: libc::SCHED_FIFO as u32,
        sched_priority: PRIORITY,
        ..usual()
    };
    let before = get().filter(|_| set(&real_time));
    Undisturbed { before }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && !set(before)
        {
            tracing::debug!("a thread in the background keeps its processor");
        }
    }
}

fn usual() -> libc::sched_attr {
    libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        // What this thread starts must not inherit it.
        sched_flags: libc::SCHED_FLAG_RESET_ON_FORK as u64,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    }
}

#[expect(unsafe_code, reason = "no safe crate has sched_setattr")]
fn set(attributes: &libc::sched_attr) -> bool {
    let this_thread: libc::pid_t = 0;
    let flags: libc::c_uint = 0;
    // SAFETY: the pointer is valid for the size that stands in the struct, and the system only reads.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            this_thread,
            std::ptr::from_ref(attributes),
            flags,
        )
    };
    result == 0
}

#[expect(unsafe_code, reason = "no safe crate has sched_getattr")]
fn get() -> Option<libc::sched_attr> {
    let this_thread: libc::pid_t = 0;
    let flags: libc::c_uint = 0;
    let mut attributes = usual();
    // SAFETY: the pointer is valid for writes of the size that is given with it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            this_thread,
            std::ptr::from_mut(&mut attributes),
            attributes.size,
            flags,
        )
    };
    (result == 0).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls change the thread they are made on, so each has its own.
    fn on_a_thread(wanted: Scheduling) -> (Scheduling, libc::sched_attr) {
        let thread = std::thread::Builder::new();
        let run = move || (prefer_this_thread(wanted), get().unwrap());
        thread.spawn(run).unwrap().join().unwrap()
    }

    #[test]
    fn who_was_undisturbed_stands_back_again() {
        let run = || {
            yield_this_thread();
            let before = get().unwrap();
            drop(undisturbed());
            let after = get().unwrap();
            let said = |got: libc::sched_attr| (got.sched_policy, got.sched_nice);
            assert_eq!(said(before), said(after));
        };
        std::thread::Builder::new()
            .spawn(run)
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn what_is_said_to_be_granted_is_so() {
        for wanted in [
            Scheduling::RealTime,
            Scheduling::ShortSlice,
            Scheduling::Usual,
        ] {
            let (granted, attributes) = on_a_thread(wanted);
            let policy = attributes.sched_policy as libc::c_int;
            match granted {
                Scheduling::RealTime => {
                    assert_eq!(wanted, Scheduling::RealTime);
                    assert_eq!((policy, attributes.sched_priority), (libc::SCHED_FIFO, 1));
                }
                Scheduling::ShortSlice => {
                    assert_ne!(wanted, Scheduling::Usual);
                    assert_eq!(
                        (policy, attributes.sched_runtime),
                        (libc::SCHED_OTHER, SLICE_NANOS)
                    );
                }
                Scheduling::Usual => assert_eq!(policy, libc::SCHED_OTHER),
            }
        }
    }
}
