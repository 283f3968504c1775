//! The real chance: the door to the operating system's random numbers.
//!
//! What must hold: every byte is given out once, and none that was given out stays behind. Each thread draws a
//! stock at a time, because a request needs few bytes and a call of the system costs as much as all else that is
//! done with them. What is left of it is in memory, so of a machine that is copied while it runs both copies
//! give the same for a while: a KiB for each thread.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door that the rest of the program is sent to"
)]

use std::cell::RefCell;

use tidemill_model::Entropy;

/// What a thread draws at once. More is drawn for itself.
const STOCK_BYTES: usize = 1024;

/// The random numbers of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

/// Bytes that have been drawn; those behind `used` are still to be given out.
struct Stock {
    bytes: [u8; STOCK_BYTES],
    used: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const {
        RefCell::new(Stock {
            bytes: [0; STOCK_BYTES],
            used: STOCK_BYTES,
        })
    };
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        match bytes.len() > STOCK_BYTES {
            true => draw(bytes),
            false => STOCK.with_borrow_mut(|stock| stock.give(bytes)),
        }
    }
}

impl Stock {
    fn give(&mut self, bytes: &mut [u8]) {
        if self.bytes.len() - self.used < bytes.len() {
            draw(&mut self.bytes);
            self.used = 0;
        }
        let given = &mut self.bytes[self.used..][..bytes.len()];
        bytes.copy_from_slice(given);
        given.fill(0);
        self.used += bytes.len();
    }
}

fn draw(bytes: &mut [u8]) {
    // Keys are drawn from here: to go on with numbers that are not random would be worse than to stop.
    getrandom::fill(bytes).expect("the operating system gives random numbers");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_byte_is_given_out_twice() {
        let mut given = BTreeSet::new();
        for _ in 0..10 * STOCK_BYTES / 16 {
            let mut bytes = [0; 16];
            SystemEntropy.fill(&mut bytes);
            assert!(given.insert(bytes), "{bytes:?} was given out before");
        }
    }

    #[test]
    fn more_than_a_stock_is_drawn_for_itself() {
        for length in [0, 1, STOCK_BYTES, STOCK_BYTES + 1, 3 * STOCK_BYTES] {
            let mut bytes = vec![0; length];
            SystemEntropy.fill(&mut bytes);
            let end = length.saturating_sub(16);
            assert!(length < 16 || bytes[end..] != [0; 16], "{length}");
        }
    }
}
