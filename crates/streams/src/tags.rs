//! What a tag may be made of.
//!
//! Source: <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html>.

use tidemill_model::StreamArn;

use crate::refused::Refused;

/// Whether keys or values have the characters that TagResource allows. It has a colon where
/// AddTagsToStream has a percent sign:
/// <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_TagResource.html>.
pub(crate) fn check_resource_characters<'a>(
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), Refused> {
    if texts.into_iter().all(|text| is_made_of(text, "_.:/=+-@")) {
        Ok(())
    } else {
        Err(Refused::ResourceTagCharacters)
    }
}

/// Whether `text` is letters, digits, white space and `signs`. The service refuses tabs and the ends of lines, which
/// are control characters too.
fn is_made_of(text: &str, signs: &str) -> bool {
    let is_space = |character: char| character.is_whitespace() && !character.is_control();
    text.chars().all(|character| {
        character.is_alphanumeric() || is_space(character) || signs.contains(character)
    })
}

/// Whether keys or values have legal characters only.
pub(crate) fn check_characters<'a>(
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<(), Refused> {
    if texts.into_iter().all(|text| is_made_of(text, "_./=+-%@")) {
        Ok(())
    } else {
        Err(Refused::TagCharacters)
    }
}

/// Whether keys or values that `stream` is to get or to lose may be those of its tags. The service says that a percent
/// sign is a valid character, and refuses it in other words.
pub(crate) fn check_stream_tags<'a>(
    texts: impl IntoIterator<Item = &'a String> + Clone,
    stream: &StreamArn,
    failed: &'static str,
) -> Result<(), Refused> {
    check_characters(texts.clone())?;
    if texts.into_iter().any(|text| text.contains('%')) {
        let stream = stream.clone();
        return Err(Refused::TagPercent { stream, failed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_may_have_a_colon_and_no_percent_sign() {
        for (text, legal) in [("a:b @", true), ("100%", false), ("a;b", false)] {
            assert_eq!(
                check_resource_characters([&text.to_owned()]).is_ok(),
                legal,
                "{text}"
            );
        }
    }

    #[test]
    fn letters_digits_spaces_and_eight_signs_are_legal() {
        for text in ["", "Ab 1_./=+-%@", "größe", "東京\u{3000}支店"] {
            assert_eq!(check_characters([&text.to_owned()]), Ok(()), "{text}");
        }
        for text in ["a:b", "a,b", "a\u{0}", "😀", "a*", "a\tb", "a\n"] {
            assert_eq!(
                check_characters([&text.to_owned()]),
                Err(Refused::TagCharacters),
                "{text}"
            );
        }
    }
}
