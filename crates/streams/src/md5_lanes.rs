//! MD5 of sixteen short texts at once: [`digests`].
//!
//! Pure. Each step of MD5 waits for the one before, so a processor that hashes one key after the other
//! is mostly idle; sixteen keys side by side fill it, in one plain loop that the compiler makes as wide as
//! the processor's registers are. A text must fit into one block with its padding ([`SHORT_BYTES_MAX`]), as
//! nearly every partition key does.
//!
//! The algorithm and its constants: RFC 1321.

use fearless_simd::{Level, Simd, dispatch};

/// How many texts are hashed at once.
pub const LANES: usize = 16;

/// The longest text that fits into one block of 64 bytes, beside a mark and its length.
pub const SHORT_BYTES_MAX: usize = 55;

/// The integer parts of 2^32 times |sin(1)|, |sin(2)| and so on.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// How far each step of a round turns, over and over.
const SHIFTS: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The digests of `texts`, each at most [`SHORT_BYTES_MAX`] long.
pub fn digests(texts: &[&[u8]; LANES]) -> [[u8; 16]; LANES] {
    dispatch!(Level::new(), simd => simd.vectorize(
        #[inline(always)]
        || side_by_side(texts),
    ))
}

#[inline(always)]
fn side_by_side(texts: &[&[u8]; LANES]) -> [[u8; 16]; LANES] {
    let words = words(texts);
    let mut digests = [[0; LANES]; 4];
    // This is the loop that becomes wide: all of a digest, from front to end, is one round of it.
    for lane in 0..LANES {
        let digest = digest(|word| words[word][lane]);
        for (lanes, word) in digests.iter_mut().zip(digest) {
            lanes[lane] = word;
        }
    }
    std::array::from_fn(|lane| {
        let mut bytes = [0; 16];
        for (four, lanes) in bytes.as_chunks_mut().0.iter_mut().zip(&digests) {
            *four = lanes[lane].to_le_bytes();
        }
        bytes
    })
}

/// The sixteen words of each text's block, word by word.
#[inline(always)]
fn words(texts: &[&[u8]; LANES]) -> [[u32; LANES]; 16] {
    let mut words = [[0; LANES]; 16];
    for (lane, text) in texts.iter().enumerate() {
        let mut block = [0; 64];
        block[..text.len()].copy_from_slice(text);
        block[text.len()] = 0x80;
        block[56..].copy_from_slice(&(8 * text.len() as u64).to_le_bytes());
        for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            word[lane] = u32::from_le_bytes(*bytes);
        }
    }
    words
}

/// The digest of one block, whose words are `word(0)` to `word(15)`.
#[inline(always)]
fn digest(word: impl Fn(usize) -> u32) -> [u32; 4] {
    let mut state = START;
    let in_turn = |step| word(step);
    round::<0>(&mut state, in_turn, |b, c, d| d ^ (b & (c ^ d)));
    let by_fives = |step| word((5 * step + 1) % 16);
    round::<1>(&mut state, by_fives, |b, c, d| c ^ (d & (b ^ c)));
    let by_threes = |step| word((3 * step + 5) % 16);
    round::<2>(&mut state, by_threes, |b, c, d| b ^ c ^ d);
    let by_sevens = |step| word(7 * step % 16);
    round::<3>(&mut state, by_sevens, |b, c, d| c ^ (b | !d));
    std::array::from_fn(|index| state[index].wrapping_add(START[index]))
}

/// One of the four rounds of sixteen steps, which take the words in an order of their own.
#[inline(always)]
fn round<const ROUND: usize>(
    state: &mut [u32; 4],
    word: impl Fn(usize) -> u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) {
    for step in 0..16 {
        let [a, b, c, d] = *state;
        let sum = a
            .wrapping_add(mix(b, c, d))
            .wrapping_add(word(step))
            .wrapping_add(SINES[16 * ROUND + step]);
        let turned = sum.rotate_left(SHIFTS[ROUND][step % 4]);
        *state = [d, b.wrapping_add(turned), b, c];
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::*;

    #[test]
    fn every_short_length_is_hashed_as_alone() {
        let text: Vec<u8> = (0..=255).collect();
        for length in 0..=SHORT_BYTES_MAX {
            let texts: [&[u8]; LANES] = std::array::from_fn(|lane| {
                let length = (length + lane * 7) % (SHORT_BYTES_MAX + 1);
                &text[lane * 12..lane * 12 + length]
            });
            for (text, digest) in texts.iter().zip(digests(&texts)) {
                assert_eq!(digest, <[u8; 16]>::from(Md5::digest(text)));
            }
            for (text, digest) in texts.iter().zip(side_by_side(&texts)) {
                assert_eq!(digest, <[u8; 16]>::from(Md5::digest(text)));
            }
        }
    }
}
