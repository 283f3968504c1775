//! Decimal digits of a fixed width: [`put_digits`]. The formatting of the standard library takes many
//! times as long, and a request of 500 records is answered with 34,000 digits.

/// Puts the lowest decimal digits of `number` into all of `text`, zeros in front.
pub(crate) fn put_digits(text: &mut [u8], mut number: u64) {
    const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
        2021222324252627282930313233343536373839\
        4041424344454647484950515253545556575859\
        6061626364656667686970717273747576777879\
        8081828384858687888990919293949596979899";
    for place in text.rchunks_mut(2) {
        let pair = 2 * (number % 100) as usize;
        number /= 100;
        match place {
            [high, low] => (*high, *low) = (PAIRS[pair], PAIRS[pair + 1]),
            [low] => *low = PAIRS[pair + 1],
            _ => unreachable!("a part of two has one or two"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
