//! The allocator of the program, and how it gives memory back: [`give_back`].
//!
//! Requests of many records make and drop thousands of small pieces, often on different threads: hence
//! this allocator. It gives back what is free when somebody allocates again, so a program that falls
//! idle behind much load would hold it for ever.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives the system back what is free. Takes a while.
#[expect(unsafe_code, reason = "no safe crate has mi_collect")]
pub fn give_back() {
    let is_forced = true;
    // SAFETY: it takes no pointer, and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(is_forced) }
}
