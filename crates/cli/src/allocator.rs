//! The allocator of the program, how it gives memory back, [`give_back`], and that it stays given back:
//! [`do_without_huge_pages`].
//!
//! Requests of many records make and drop thousands of small pieces, often on different threads: hence
//! this allocator. It gives back what is free when somebody allocates again, so a program that falls
//! idle behind much load would hold it for ever.
//!
//! What must hold: the program has no transparent huge pages. Why: the system fills what was given back up
//! again, with zeros, to make huge pages of what is left between, and an idle program grows by tens of
//! megabytes without doing anything. It is inherited, so functions, and the peers of a benchmark, have it taken
//! back before they start.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has the system make no huge pages of this process's memory; see prctl(2), `PR_SET_THP_DISABLE`.
pub fn do_without_huge_pages() {
    // Where that is forbidden the program is larger when idle, and nothing else.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// Gives the system back what is free. Takes a while.
#[expect(unsafe_code, reason = "no safe crate has mi_collect")]
pub fn give_back() {
    let is_forced = true;
    // SAFETY: it takes no pointer, and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(is_forced) }
}
