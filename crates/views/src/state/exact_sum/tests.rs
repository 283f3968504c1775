//! Sums against those of Python's `math.fsum`, and against whole numbers in 128 bits.

use proptest::prelude::*;

use super::*;

fn sum(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::default();
    for value in values {
        sum.add(*value, 1);
    }
    sum
}

#[test]
fn sums_are_those_of_fsum() {
    let cases: [(&[f64], f64); 9] = [
        (&[0.1; 10], 1.0),
        (&[1e16, 1.0, -1e16], 1.0),
        (&[5e-324; 3], 1.5e-323),
        (&[f64::MIN_POSITIVE, -5e-324], 2.225073858507201e-308),
        (&[1e100, 1.0, -1e100, 1e-100], 1.0),
        (&[f64::MAX, 9.979201547673598e291], f64::MAX),
        (&[9007199254740992.0, 1.0, 2e-60], 9007199254740994.0),
        (&[9007199254740992.0, 1.0], 9007199254740992.0),
        (&[9007199254740994.0, 1.0], 9007199254740996.0),
    ];
    for (values, expected) in cases {
        let rounded = sum(values).rounded();
        assert_eq!(
            rounded.to_bits(),
            expected.to_bits(),
            "{values:?}: {rounded:e}"
        );
    }
}

#[test]
fn what_passes_the_largest_double_on_the_way_is_still_exact() {
    assert_eq!(sum(&[1e308, 1e308, -1e308]).rounded(), 1e308);
    assert_eq!(sum(&[f64::MAX, f64::MAX]).rounded(), f64::INFINITY);
    assert_eq!(sum(&[-f64::MAX, -f64::MAX]).rounded(), f64::NEG_INFINITY);
}

#[test]
fn infinities_and_nans_are_what_the_sum_is_then() {
    assert_eq!(sum(&[f64::INFINITY, 1.0]).rounded(), f64::INFINITY);
    assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).rounded().is_nan());
    assert!(sum(&[f64::NAN, 1.0]).rounded().is_nan());
    let mut taken_away = sum(&[f64::NAN, 1.0]);
    taken_away.add(f64::NAN, -1);
    assert_eq!(taken_away.rounded(), 1.0);
}

#[test]
fn carries_are_settled_before_a_limb_overflows() {
    let mut settled = sum(&[f64::MAX, -1.5, 5e-324]);
    settled.additions = ADDITIONS_MAX;
    settled.add(2.5, 1);
    assert_eq!(settled.additions, 2);
    assert_eq!(settled, sum(&[f64::MAX, 1.0, 5e-324]));
}

#[test]
fn a_sum_that_is_not_in_its_one_form_is_refused() {
    let encoded = |sum: &ExactSum| {
        let mut writer = Writer::default();
        sum.encode(&mut writer);
        writer.finish()
    };
    let mut zero = encoded(&ExactSum::default());
    zero[0] = 1;
    assert!(ExactSum::decode(&mut Reader::new(&zero)).is_err());
    let one = encoded(&sum(&[1.0]));
    let far = [&[0, 69, 0], &one[3..]].concat();
    assert!(ExactSum::decode(&mut Reader::new(&far)).is_err());
}

proptest! {
    /// Multiples of 2^-40 add up exactly in 128 bits, and `as` rounds to the nearest, ties to even.
    #[test]
    fn sums_are_the_nearest_double_to_the_true_sum(
        terms in prop::collection::vec((any::<i64>(), 0_u32..40), 0..60),
    ) {
        let scaled = terms.iter().map(|(mantissa, shift)| {
            let double = (*mantissa >> 11) as f64;
            (double * 2_f64.powi(-40 + *shift as i32), i128::from(*mantissa >> 11) << shift)
        });
        let (doubles, whole): (Vec<f64>, Vec<i128>) = scaled.unzip();
        let expected = whole.iter().sum::<i128>() as f64 * 2_f64.powi(-40);
        prop_assert_eq!(sum(&doubles).rounded(), expected);
    }

    #[test]
    fn one_double_is_its_own_sum(bits in any::<u64>()) {
        let double = f64::from_bits(bits);
        let rounded = sum(&[double]).rounded();
        prop_assert!(rounded == double || (rounded.is_nan() && double.is_nan()));
        let nothing = sum(&[double, -double]).rounded();
        prop_assert!(nothing == 0.0 || !double.is_finite());
    }
}
