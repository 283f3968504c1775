//! Seeded chance: [`SimEntropy`].
//!
//! What must hold: the same seed gives the same numbers on every machine and in every version, or the
//! seeds that stand in bug reports lose their worth. The generator is splitmix64 (Steele, Lea and
//! Flood, 2014), whose whole state is one number.

use std::sync::atomic::{AtomicU64, Ordering};

use tidemill_model::Entropy;

/// Chance that follows from a seed.
#[derive(Debug)]
pub struct SimEntropy {
    state: AtomicU64,
}

impl SimEntropy {
    /// Chance that follows from `seed`.
    pub fn new(seed: u64) -> SimEntropy {
        SimEntropy {
            state: AtomicU64::new(seed),
        }
    }

    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self
            .state
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        let entropy = SimEntropy::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| entropy.next_u64()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn a_number_below_a_bound_reaches_both_ends() {
        let entropy = SimEntropy::new(1);
        let drawn: Vec<u64> = (0..200).map(|_| entropy.below(3)).collect();
        for value in 0..3 {
            assert!(drawn.contains(&value));
        }
        assert!(drawn.iter().all(|value| *value < 3));
        assert_eq!(entropy.below(0), 0);
    }
}
