//! Every file opens with `//!`: what it is, what must hold, why it is so.

use super::finding::Finding;
use super::source::SourceFile;

/// Checks that the first line with anything on it is an inner doc comment that says something.
pub fn check(file: &SourceFile) -> Option<Finding> {
    let first = file
        .text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let words = first.strip_prefix("//!").map(str::trim);
    if words.is_some_and(|words| !words.is_empty()) {
        return None;
    }
    Some(Finding::new(
        &file.path,
        1,
        "the file does not open with `//!`",
        "begin with `//! What this is.`, then what must always hold, then why it is so",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_first_what_it_is() {
        let cases = [
            ("//! A thing.\n", true),
            ("\n//! A thing.\n", true),
            ("//!\nuse a;", false),
            ("// A thing.", false),
            ("use a;\n//! late", false),
            ("", false),
        ];
        for (text, fine) in cases {
            assert_eq!(
                check(&SourceFile::new("a.rs", text)).is_none(),
                fine,
                "{text:?}"
            );
        }
    }
}
