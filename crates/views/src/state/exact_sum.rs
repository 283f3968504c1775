//! The exact sum of doubles: [`ExactSum`].
//!
//! A double is a whole number of 2^-1074, so a sum of doubles is one too, and fixed point holds it
//! without rounding: limbs of 32 bits, limb `i` standing for 2^(32 i - 1074). The sum is rounded once,
//! to the nearest double with ties to even, when it is asked for. So it does not depend on order or
//! split, which a running double does. Only the limbs in use are kept: sums of numbers of like size
//! take three or four. Infinities and NaNs are counted.
//!
//! What must hold: a limb and the carries pending on it fit into 64 bits. Each addition puts less than
//! 2^32 on a limb, so carries are settled after [`ADDITIONS_MAX`].

use crate::encoding::{Damaged, Reader, Writer};

/// Additions before carries are settled: 2^30 times 2^32 fits into 63 bits.
const ADDITIONS_MAX: u32 = 1 << 30;
const LIMB_BITS: usize = 32;
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;
/// A double ends in limb 65; 2^64 of the largest reach two limbs further.
const LIMBS_MAX: usize = 68;
const MANTISSA_BITS: usize = 52;
const SIGN: u64 = 1 << 63;

/// A sum of doubles that has not been rounded.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    /// Index of the lowest limb that is kept.
    low: usize,
    limbs: Vec<i64>,
    additions: u32,
    plus_infinities: i64,
    minus_infinities: i64,
    nans: i64,
}

/// A sum in its one form: sign, and limbs without zeros at either end; zero has none and is positive.
#[derive(Debug, PartialEq, Eq)]
struct Settled {
    is_negative: bool,
    low: usize,
    limbs: Vec<u32>,
}

impl ExactSum {
    /// Adds `value`, or takes it away with `times` -1.
    pub fn add(&mut self, value: f64, times: i64) {
        if value.is_nan() {
            self.nans += times;
        } else if value == f64::INFINITY {
            self.plus_infinities += times;
        } else if value == f64::NEG_INFINITY {
            self.minus_infinities += times;
        } else if value != 0.0 {
            let bits = value.to_bits();
            let exponent = (bits >> MANTISSA_BITS & 0x7ff) as usize;
            let fraction = bits & ((1 << MANTISSA_BITS) - 1);
            // Subnormals have the unit of exponent 1 and no hidden bit.
            let hidden = u64::from(exponent > 0) << MANTISSA_BITS;
            let shift = exponent.max(1) - 1;
            let shifted = u128::from(fraction | hidden) << (shift % LIMB_BITS);
            let sign = if bits & SIGN == 0 { times } else { -times };
            let parts = [0, 1, 2].map(|index| (shifted >> (32 * index)) as u32);
            self.put(shift / LIMB_BITS, &parts, sign);
        }
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &ExactSum) {
        self.plus_infinities += other.plus_infinities;
        self.minus_infinities += other.minus_infinities;
        self.nans += other.nans;
        let settled = other.settled();
        let sign = if settled.is_negative { -1 } else { 1 };
        self.put(settled.low, &settled.limbs, sign);
    }

    /// The nearest double; a tie goes to the even one.
    pub fn rounded(&self) -> f64 {
        let (plus, minus) = (self.plus_infinities > 0, self.minus_infinities > 0);
        match (self.nans > 0, plus, minus) {
            (true, _, _) | (_, true, true) => f64::NAN,
            (_, true, _) => f64::INFINITY,
            (_, _, true) => f64::NEG_INFINITY,
            _ => self.settled().rounded(),
        }
    }

    /// Whether more was taken away than there was of what has no size.
    pub fn is_overdrawn(&self) -> bool {
        self.plus_infinities < 0 || self.minus_infinities < 0 || self.nans < 0
    }

    /// Adds `sign` times `parts`, the first of which stands at limb `at`.
    fn put(&mut self, at: usize, parts: &[u32], sign: i64) {
        if self.additions == ADDITIONS_MAX {
            self.settle();
        }
        if parts.is_empty() {
            return;
        }
        self.additions += 1;
        self.cover(at, at + parts.len());
        for (limb, part) in self.limbs[at - self.low..].iter_mut().zip(parts) {
            *limb += sign * i64::from(*part);
        }
    }

    /// Sees to it that limbs `from..to` are kept.
    fn cover(&mut self, from: usize, to: usize) {
        if self.limbs.is_empty() {
            self.low = from;
        }
        if from < self.low {
            let missing = self.low - from;
            self.limbs.splice(0..0, std::iter::repeat_n(0, missing));
            self.low = from;
        }
        if to > self.low + self.limbs.len() {
            self.limbs.resize(to - self.low, 0);
        }
    }

    fn settle(&mut self) {
        let settled = self.settled();
        let sign = if settled.is_negative { -1 } else { 1 };
        let limbs = settled.limbs.iter().map(|limb| sign * i64::from(*limb));
        self.limbs = limbs.collect();
        self.low = settled.low;
        self.additions = 1;
    }

    fn settled(&self) -> Settled {
        let carried = carry(&self.limbs);
        // All limbs but the last are positive now, so the last has the sign of the whole.
        let is_negative = carried.last().is_some_and(|last| *last < 0);
        let limbs = if is_negative {
            let negated: Vec<i64> = carried.iter().map(|limb| -limb).collect();
            carry(&negated)
        } else {
            carried
        };
        let used = limbs.iter().rposition(|limb| *limb != 0);
        let zeros = limbs.iter().position(|limb| *limb != 0).unwrap_or(0);
        let used = used.map_or(zeros, |last| last + 1);
        let limbs: Vec<u32> = limbs[zeros..used]
            .iter()
            .map(|limb| u32::try_from(*limb).expect("carries are settled"))
            .collect();
        Settled {
            is_negative,
            low: if limbs.is_empty() {
                0
            } else {
                self.low + zeros
            },
            limbs,
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let settled = self.settled();
        writer.byte(u8::from(settled.is_negative));
        writer.length(settled.low as u64);
        writer.length(settled.limbs.len() as u64);
        for limb in &settled.limbs {
            writer.raw(&limb.to_le_bytes());
        }
        writer.integer(self.plus_infinities);
        writer.integer(self.minus_infinities);
        writer.integer(self.nans);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<ExactSum, Damaged> {
        let wrong = Damaged::Field {
            what: "a sum of doubles",
        };
        let sign = match reader.byte()? {
            0 => 1,
            1 => -1,
            _ => return Err(wrong),
        };
        let low = reader.length()?;
        let count = reader.length()?;
        let (low, count) = match (usize::try_from(low), usize::try_from(count)) {
            (Ok(low), Ok(count)) if low <= LIMBS_MAX && count <= LIMBS_MAX - low => (low, count),
            _ => return Err(wrong),
        };
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            parts.push(u32::from_le_bytes(reader.array()?));
        }
        let is_one_form = match (parts.first(), parts.last()) {
            (Some(first), Some(last)) => *first != 0 && *last != 0,
            _ => low == 0 && sign == 1,
        };
        if !is_one_form {
            return Err(wrong);
        }
        let mut sum = ExactSum::default();
        sum.put(low, &parts, sign);
        sum.plus_infinities = reader.integer()?;
        sum.minus_infinities = reader.integer()?;
        sum.nans = reader.integer()?;
        Ok(sum)
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &ExactSum) -> bool {
        let counts = |sum: &ExactSum| (sum.plus_infinities, sum.minus_infinities, sum.nans);
        counts(self) == counts(other) && self.settled() == other.settled()
    }
}

impl Eq for ExactSum {}

impl Settled {
    fn rounded(&self) -> f64 {
        let Some(last) = self.limbs.last() else {
            return 0.0;
        };
        let top = LIMB_BITS * (self.low + self.limbs.len()) - 1 - last.leading_zeros() as usize;
        let magnitude = if top <= MANTISSA_BITS {
            // As small as this, the bits of a double are its number of units.
            self.bits_from(0)
        } else {
            let shift = top - MANTISSA_BITS;
            let mantissa = self.bits_from(shift);
            let is_half = self.bits_from(shift - 1) & 1 == 1;
            let is_more = self.has_bits_below(shift - 1);
            let up = is_half && (is_more || mantissa & 1 == 1);
            // A carry out of the mantissa goes into the exponent, where it belongs.
            let exponent = (shift as u64) << MANTISSA_BITS;
            (exponent + mantissa + u64::from(up)).min(f64::INFINITY.to_bits())
        };
        let sign = if self.is_negative { SIGN } else { 0 };
        f64::from_bits(magnitude | sign)
    }

    /// The 53 bits from `bit` on, counted from 2^-1074.
    fn bits_from(&self, bit: usize) -> u64 {
        let window = [0, 1, 2].map(|index| u128::from(self.limb(bit / LIMB_BITS + index)));
        let window = window[0] | window[1] << 32 | window[2] << 64;
        (window >> (bit % LIMB_BITS)) as u64 & ((1 << (MANTISSA_BITS + 1)) - 1)
    }

    fn has_bits_below(&self, bit: usize) -> bool {
        let (limb, rest) = (bit / LIMB_BITS, bit % LIMB_BITS);
        let below = self.limb(limb) & ((1_u32 << rest) - 1);
        below != 0 || (self.low..limb).any(|index| self.limb(index) != 0)
    }

    fn limb(&self, index: usize) -> u32 {
        let index = index.checked_sub(self.low);
        let limb = index.and_then(|index| self.limbs.get(index));
        limb.copied().unwrap_or(0)
    }
}

/// The same sum with every limb but the last between 0 and 2^32, and the last as small as it gets.
fn carry(limbs: &[i64]) -> Vec<i64> {
    let mut carried = Vec::with_capacity(limbs.len() + 2);
    let mut over = 0;
    for limb in limbs {
        let sum = limb + over;
        carried.push(sum & LIMB_MASK);
        over = sum >> LIMB_BITS;
    }
    while over != 0 && over != -1 {
        carried.push(over & LIMB_MASK);
        over >>= LIMB_BITS;
    }
    if over == -1 {
        carried.push(-1);
    }
    carried
}

#[cfg(test)]
mod tests;
