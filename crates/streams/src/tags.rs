//! What a tag may be made of.
//!
//! Source: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html>.

use crate::refused::Refused;

/// Whether keys or values have legal characters only.
pub(crate) fn check_characters<'a>(
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), Refused> {
    let legal = |character: char| {
        character.is_alphanumeric() || character.is_whitespace() || "_./=+-%@".contains(character)
    };
    if texts.into_iter().all(|text| text.chars().all(legal)) {
        Ok(())
    } else {
        Err(Refused::TagCharacters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_spaces_and_eight_signs_are_legal() {
        for text in ["", "Ab 1_./=+-%@", "größe", "数"] {
            assert_eq!(check_characters([&text.to_owned()]), Ok(()), "{text}");
        }
        for text in ["a:b", "a,b", "a\u{0}", "😀", "a*"] {
            assert_eq!(
                check_characters([&text.to_owned()]),
                Err(Refused::TagCharacters),
                "{text}"
            );
        }
    }
}
