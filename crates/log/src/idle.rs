//! What is done when a log has come to rest: [`when_idle`].
//!
//! What must hold: it is done when nothing has been written for a while, and now and then as long as that
//! lasts, never while the log is busy. Why: what was freed under load is kept at hand by the allocator, which pays under load
//! and holds memory for nothing behind it. Which allocator there is, only the program knows; there is
//! one for the whole process, so this is one for the whole process as well.

use std::sync::OnceLock;

static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Has `give_back` called whenever a log has come to rest. The first caller in a process decides.
pub fn when_idle(give_back: fn()) {
    // Whoever comes later asks for the same: there is one allocator.
    let _ = GIVE_BACK.set(give_back);
}

/// Gives memory back that is free, if the program has said how.
pub fn give_back_memory() {
    if let Some(give_back) = GIVE_BACK.get() {
        give_back();
    }
}
