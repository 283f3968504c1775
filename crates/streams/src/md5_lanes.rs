//! MD5 of eight short texts at once: [`digests`].
//!
//! Pure. Each step of MD5 waits for the one before, so a processor that hashes one key after the other
//! is mostly idle; eight keys side by side fill it, in plain loops that the compiler makes wide. A text
//! must fit into one block with its padding ([`SHORT_BYTES_MAX`]), as nearly every partition key does.
//!
//! The algorithm and its constants: RFC 1321.

/// How many texts are hashed at once.
pub const LANES: usize = 8;

/// The longest text that fits into one block of 64 bytes, beside a mark and its length.
pub const SHORT_BYTES_MAX: usize = 55;

type Lanes = [u32; LANES];

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

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The digests of `texts`, each at most [`SHORT_BYTES_MAX`] long.
pub fn digests(texts: &[&[u8]; LANES]) -> [[u8; 16]; LANES] {
    let words = words(texts);
    let mut state = START.map(|word| [word; LANES]);
    rounds::<0>(&mut state, &words);
    rounds::<1>(&mut state, &words);
    rounds::<2>(&mut state, &words);
    rounds::<3>(&mut state, &words);
    let mut digests = [[0; 16]; LANES];
    for (index, (lanes, start)) in state.iter().zip(START).enumerate() {
        for (digest, word) in digests.iter_mut().zip(lanes) {
            let word = word.wrapping_add(start).to_le_bytes();
            digest[4 * index..4 * index + 4].copy_from_slice(&word);
        }
    }
    digests
}

/// The sixteen words of each text's block, word by word.
fn words(texts: &[&[u8]; LANES]) -> [Lanes; 16] {
    let mut words = [[0; LANES]; 16];
    for (lane, text) in texts.iter().enumerate() {
        let mut block = [0; 64];
        block[..text.len()].copy_from_slice(text);
        block[text.len()] = 0x80;
        block[56..].copy_from_slice(&(8 * text.len() as u64).to_le_bytes());
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            word[lane] = u32::from_le_bytes(bytes.try_into().expect("a chunk has 4 bytes"));
        }
    }
    words
}

/// One of the four rounds of sixteen steps.
#[inline(always)]
fn rounds<const ROUND: usize>([a, b, c, d]: &mut [Lanes; 4], words: &[Lanes; 16]) {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let shifts = SHIFTS[ROUND];
    for first in (0..16).step_by(4) {
        let word = |step: usize| {
            let index = first + step;
            let place = match ROUND {
                0 => index,
                1 => 5 * index + 1,
                2 => 3 * index + 5,
                _ => 7 * index,
            };
            (&words[place % 16], SINES[16 * ROUND + index])
        };
        *a = step::<ROUND>(a, b, c, d, word(0), shifts[0]);
        *d = step::<ROUND>(d, a, b, c, word(1), shifts[1]);
        *c = step::<ROUND>(c, d, a, b, word(2), shifts[2]);
        *b = step::<ROUND>(b, c, d, a, word(3), shifts[3]);
    }
}

#[inline(always)]
fn step<const ROUND: usize>(
    a: &Lanes,
    b: &Lanes,
    c: &Lanes,
    d: &Lanes,
    (word, sine): (&Lanes, u32),
    shift: u32,
) -> Lanes {
    let mut next = [0; LANES];
    for lane in 0..LANES {
        let (b, c, d) = (b[lane], c[lane], d[lane]);
        let mixed = match ROUND {
            0 => d ^ (b & (c ^ d)),
            1 => c ^ (d & (b ^ c)),
            2 => b ^ c ^ d,
            _ => c ^ (b | !d),
        };
        let sum = a[lane]
            .wrapping_add(mixed)
            .wrapping_add(word[lane])
            .wrapping_add(sine);
        next[lane] = b.wrapping_add(sum.rotate_left(shift));
    }
    next
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
                &text[lane * 20..lane * 20 + length]
            });
            for (text, digest) in texts.iter().zip(digests(&texts)) {
                assert_eq!(digest, <[u8; 16]>::from(Md5::digest(text)));
            }
        }
    }
}
