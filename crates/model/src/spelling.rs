//! Sequence numbers as texts, one after the other: [`Spelling`].
//!
//! What must hold: a number is spelt as it prints. Why: to divide 192 bits takes 50 ns, and a request has 500
//! numbers; but those of one shard that stand beside each other differ by 2^80, and adding that to decimal digits,
//! eight at a time, takes a fifth of it.

use crate::sequence::SequenceNumber;

/// Eight digits, one in each byte.
type Eight = u64;

/// Digits of a number in eights.
const EIGHTS: usize = SequenceNumber::DIGITS / 8;

/// What one position more adds: 2^80, lowest digits first, in eights.
const STEP: [Eight; 4] = [
    0x07_04_07_00_06_01_07_06,
    0x09_06_01_04_06_02_09_01,
    0x02_00_08_09_02_05_08_01,
    0x00_00_00_00_00_00_00_01,
];

const ZEROS: Eight = 0x3030_3030_3030_3030;

/// What makes a digit that is ten or more carry into the next byte.
const CARRYING: Eight = 0xf6f6_f6f6_f6f6_f6f6;

/// The last number that was spelt.
#[derive(Default)]
pub struct Spelling {
    last: Option<SequenceNumber>,
    /// Its digits, the lowest first.
    eights: [Eight; EIGHTS],
}

impl Spelling {
    /// The digits of `number`, of which the last one's are kept to go on from.
    pub fn of(&mut self, number: SequenceNumber) -> [u8; SequenceNumber::DIGITS] {
        if self.last.is_some_and(|last| last.is_followed_by(&number)) {
            self.step();
        } else {
            let mut text = [0; SequenceNumber::DIGITS];
            number.put_into(&mut text);
            let eights = text.as_rchunks().1.iter().rev();
            for (eight, digits) in self.eights.iter_mut().zip(eights) {
                *eight = u64::from_be_bytes(*digits) ^ ZEROS;
            }
        }
        self.last = Some(number);
        self.text()
    }

    /// Adds one position.
    fn step(&mut self) {
        let mut carry = false;
        for (eight, step) in self.eights.iter_mut().zip(STEP) {
            (*eight, carry) = sum(*eight, step, carry);
        }
        for eight in &mut self.eights[STEP.len()..] {
            if !carry {
                return;
            }
            (*eight, carry) = sum(*eight, 0, carry);
        }
    }

    fn text(&self) -> [u8; SequenceNumber::DIGITS] {
        let mut text = [0; SequenceNumber::DIGITS];
        let digits = text.as_rchunks_mut().1.iter_mut().rev();
        for (digits, eight) in digits.zip(self.eights) {
            *digits = (eight ^ ZEROS).to_be_bytes();
        }
        text
    }
}

/// The sum of two numbers of eight digits, and whether it has a ninth.
fn sum(left: Eight, right: Eight, carry: bool) -> (Eight, bool) {
    let (sum, carry) = left.carrying_add(right + CARRYING, carry);
    // A byte that did not carry has all of its upper half still, and six too many.
    let uncarried = (sum >> 4) & 0x0101_0101_0101_0101;
    ((sum & 0x0f0f_0f0f_0f0f_0f0f) - uncarried * 6, carry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::ShardId;

    fn number(shard: u32, position: u64, secs: u64) -> SequenceNumber {
        SequenceNumber::of_record(ShardId(shard), 1_700_000_000, position, secs)
    }

    fn spells_as_they_print(numbers: impl IntoIterator<Item = SequenceNumber>) {
        let mut spelling = Spelling::default();
        for number in numbers {
            assert_eq!(spelling.of(number), *number.to_string().as_bytes());
        }
    }

    #[test]
    fn numbers_beside_each_other_are_spelt_as_they_print() {
        for first in [
            0,
            1,
            999,
            (1 << 44) - 3_000,
            (1 << 62) - 3_000,
            123_456_789_012,
        ] {
            let positions = first..first + 6_000;
            spells_as_they_print(positions.map(|position| number(7, position, 1_700_000_100)));
        }
    }

    #[test]
    fn others_are_not_taken_for_the_next() {
        let secs = 1_700_000_100;
        spells_as_they_print([
            number(7, 5, secs),
            number(7, 7, secs),
            number(7, 6, secs),
            number(7, 7, secs + 1),
            number(8, 8, secs + 1),
            number(8, 8, secs + 1),
            number(8, 9, secs + 1),
        ]);
    }

    #[test]
    fn a_carry_goes_as_far_as_there_are_nines() {
        let nines = 0x0909_0909_0909_0909;
        assert_eq!(sum(nines, 1, false), (0, true));
        assert_eq!(sum(nines, nines, true), (nines, true));
        assert_eq!(sum(0, 0, true), (1, false));
        let mut spelling = Spelling {
            last: None,
            eights: [nines; EIGHTS],
        };
        spelling.eights[6] = 4;
        spelling.step();
        assert_eq!(&spelling.text()[..9], b"000000050");
    }
}
