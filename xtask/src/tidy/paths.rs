//! Paths as Rust spells them: takes `crate::a::{b, c as d}` apart into one [`Path`] for each leaf.

use super::source::Token;

/// One path with all its segments, the leading `crate`, `super` or `self` included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The segments; the last is `*` for a glob.
    pub segments: Vec<String>,
    /// The name it is known by: the last segment, or what stands behind `as`.
    pub name: String,
    /// The line of its last segment.
    pub line: usize,
}

/// The paths that begin at token `at`, and where they end.
pub fn paths_at(tokens: &[Token<'_>], at: usize) -> (Vec<Path>, usize) {
    let mut found = Vec::new();
    let end = collect(tokens, at, &[], &mut found);
    (found, end)
}

fn collect(tokens: &[Token<'_>], mut at: usize, before: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = before.to_vec();
    let mut line = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => return group(tokens, at + 1, &segments, found),
            text if is_segment(text) => {
                segments.push(text.to_owned());
                line = token.line;
                at += 1;
            }
            _ => break,
        }
        match tokens.get(at) {
            Some(token) if token.text == "::" => at += 1,
            _ => break,
        }
    }
    let alias = match (tokens.get(at), tokens.get(at + 1)) {
        (Some(word), Some(alias)) if word.text == "as" => {
            at += 2;
            Some(alias.text.to_owned())
        }
        _ => None,
    };
    if let Some(last) = segments.last().filter(|_| segments.len() > before.len()) {
        let name = alias.unwrap_or_else(|| last.clone());
        found.push(Path {
            segments,
            name,
            line,
        });
    }
    at
}

fn group(tokens: &[Token<'_>], mut at: usize, before: &[String], found: &mut Vec<Path>) -> usize {
    while let Some(token) = tokens.get(at) {
        at = match token.text {
            "}" => return at + 1,
            "," => at + 1,
            _ => collect(tokens, at, before, found).max(at + 1),
        };
    }
    at
}

fn is_segment(text: &str) -> bool {
    let first = text.as_bytes()[0];
    text == "*" || first == b'_' || first.is_ascii_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::super::source::SourceFile;
    use super::*;

    fn spelled(text: &str) -> Vec<String> {
        let file = SourceFile::new("a.rs", text);
        let (paths, _) = paths_at(&file.tokens(), 0);
        paths
            .iter()
            .map(|path| format!("{} {}", path.segments.join("."), path.name))
            .collect()
    }

    #[test]
    fn a_group_gives_one_path_for_each_leaf() {
        let cases: [(&str, &[&str]); 5] = [
            ("crate::a::b;", &["crate.a.b b"]),
            (
                "crate::{a::{B, C as D}, e::*};",
                &["crate.a.B B", "crate.a.C D", "crate.e.* *"],
            ),
            ("super::x(1)", &["super.x x"]),
            ("crate::a::<T>", &["crate.a a"]),
            (";", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(spelled(text), expected, "{text}");
        }
    }
}
