//! The allocator of the program, and how it gives memory back: [`give_back`].
//!
//! Requests of many records make and drop thousands of small pieces, often on different threads: hence
//! this allocator. It gives back what is free when somebody allocates again, so a program that falls
//! idle behind much load would hold it for ever.
//!
//! What must hold: the program does without transparent huge pages (feature `no_thp`, `PR_SET_THP_DISABLE`).
//! Why: the system fills what was given back up again, with zeros, to make huge pages of what is left between,
//! and an idle program grows by tens of megabytes without doing anything. Whatever starts a program
//! that is not ours takes this back for it, since it is inherited.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives the system back what is free. Takes a while.
#[expect(unsafe_code, reason = "no safe crate has mi_collect")]
pub fn give_back() {
    let is_forced = true;
    // SAFETY: it takes no pointer, and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(is_forced) }
}
