//! Decimal digits of a fixed width: [`put_digits`]. The formatting of the standard library takes many
//! times as long, and a request of 500 records is answered with 34,000 digits.

/// Puts the lowest decimal digits of `number` into all of `text`, zeros in front.
pub(crate) fn put_digits(text: &mut [u8], mut number: u64) {
    let (first, eights) = text.as_rchunks_mut();
    for eight in eights.iter_mut().rev() {
        *eight = eight_digits(number % 100_000_000);
        number /= 100_000_000;
    }
    for digit in first.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The eight digits of `number`, which has no more. Two, then four, then eight parts of one word are divided at a
/// time, each by a multiplication that is exact for what it can hold.
fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x0f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_four_digits_is_what_it_is_in_either_half() {
        for four in 0..10_000 {
            let expected = format!("{four:04}{four:04}");
            assert_eq!(eight_digits(four * 10_001), expected.as_bytes());
        }
    }

    #[test]
    fn numbers_have_all_their_digits_and_zeros_in_front() {
        for number in [0, 7, 42, 100, 99_999, 1_234_567_890, 999_999_999_999] {
            for width in [12, 13, 19] {
                let mut text = vec![b'x'; width];
                put_digits(&mut text, number);
                let expected = format!("{number:0width$}");
                assert_eq!(String::from_utf8(text).as_deref(), Ok(expected.as_str()));
            }
        }
        let mut largest = [0; 20];
        put_digits(&mut largest, u64::MAX);
        assert_eq!(largest, *u64::MAX.to_string().as_bytes());
    }
}
