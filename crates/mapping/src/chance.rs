//! [`Chance`]: random numbers that follow from a seed, for pure code.
//!
//! What must hold: the same seed gives the same numbers. The generator is splitmix64; nothing secret
//! hangs on it.

/// Random numbers that follow from a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// The numbers that follow from `seed`.
    pub fn seeded(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next number, uniform over all.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next 16 bytes.
    pub fn draw_bytes(&mut self) -> [u8; 16] {
        let number = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        number.to_be_bytes()
    }
}
