//! The real chance: the door to the operating system's random numbers.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the door that the rest of the program is sent to"
)]

use tidemill_model::Entropy;

/// The random numbers of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Keys are drawn from here: to go on with numbers that are not random would be worse than to stop.
        getrandom::fill(bytes).expect("the operating system gives random numbers");
    }
}
