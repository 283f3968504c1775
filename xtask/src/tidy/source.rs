//! [`SourceFile`]: a Rust file as the rules look at it.
//!
//! What must hold: `code` has as many lines as `text`, with every comment, literal and test item
//! replaced by blanks, so that a rule may search it for words and still name the right line. This is a
//! scanner and no parser: it knows where comments, literals and braces begin and end, and no more.

/// A Rust file of the workspace.
pub struct SourceFile {
    /// Relative to the workspace, with forward slashes.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The file without comments, literals and test items; line for line the same.
    pub code: String,
    /// How many lines belong to no test item.
    pub lines: usize,
}

/// A word or a sign of the code, and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// An identifier, `::`, or one sign.
    pub text: &'a str,
    /// From 1.
    pub line: usize,
}

impl SourceFile {
    /// The file at `path` with the content `text`.
    pub fn new(path: &str, text: &str) -> SourceFile {
        let mut code = without_literals(text);
        let lines = text.lines().count();
        let test_lines = if is_test_file(path) || code.contains("#![cfg(test)]") {
            blank(&mut code, 0, text.len());
            lines
        } else {
            blank_test_items(&mut code)
        };
        let code = String::from_utf8_lossy(code.as_bytes()).into_owned();
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            lines: lines - test_lines,
        }
    }

    /// Words and signs of the code, in order.
    pub fn tokens(&self) -> Vec<Token<'_>> {
        tokens(&self.code)
    }
}

/// Files that hold nothing but tests: `tests.rs` beside the code, and everything below `tests/`.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let length = match bytes[at] {
            byte if is_word(byte) => bytes[at..]
                .iter()
                .take_while(|byte| is_word(**byte))
                .count(),
            b':' if bytes.get(at + 1) == Some(&b':') => 2,
            byte if byte.is_ascii() => 1,
            _ => code[at..].chars().next().map_or(1, char::len_utf8),
        };
        if bytes[at] == b'\n' {
            line += 1;
        }
        if !bytes[at].is_ascii_whitespace() {
            found.push(Token {
                text: &code[at..at + length],
                line,
            });
        }
        at += length;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Replaces what stands between two offsets by blanks, but keeps the line ends.
fn blank(code: &mut String, from: usize, to: usize) {
    let blanks: String = code[from..to]
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    code.replace_range(from..to, &blanks);
}

fn without_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = text.to_owned();
    let mut at = 0;
    while at < bytes.len() {
        match end_of_literal(text, at) {
            Some(end) => {
                blank(&mut code, at, end);
                at = end;
            }
            None if is_word(bytes[at]) => {
                at += bytes[at..]
                    .iter()
                    .take_while(|byte| is_word(**byte))
                    .count();
            }
            None => at += 1,
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends, if one does.
fn end_of_literal(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let length = match rest {
        [b'/', b'/', ..] => Some(find(rest, 0, b"\n").unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, b'"')),
        [b'\'', ..] => character(&text[at..]),
        [b'r', ..] => raw_string(rest, 1),
        [b'b' | b'c', b'r', ..] => raw_string(rest, 2),
        _ => None,
    };
    length.map(|length| at + length)
}

fn find(bytes: &[u8], from: usize, pattern: &[u8]) -> Option<usize> {
    let found = bytes[from..]
        .windows(pattern.len())
        .position(|window| window == pattern)?;
    Some(from + found)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next()?, characters.next()) {
        ((_, '\\'), _) => Some(quoted(rest.as_bytes(), b'\'')),
        (_, Some((at, '\''))) => Some(at + 1),
        _ => None,
    }
}

fn raw_string(rest: &[u8], prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let end = find(rest, prefix + hashes + 1, &close);
    Some(end.map_or(rest.len(), |end| end + close.len()))
}

/// Blanks every item behind `#[cfg(test)]`; answers how many lines they had.
fn blank_test_items(code: &mut String) -> usize {
    let mut lines = 0;
    while let Some(from) = code.find("#[cfg(test)]") {
        let to = end_of_item(code.as_bytes(), from);
        lines += code[from..to].lines().count();
        blank(code, from, to);
    }
    lines
}

/// Where the item ends whose attributes begin at `from`: behind its `;` or its closing brace.
fn end_of_item(code: &[u8], from: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blanks_and_lines_stay() {
        let cases = [
            ("a // hyper::b\nc", "a            \nc"),
            ("a /* x /* y */ z */ b", "a                   b"),
            ("\"crate::\\\"x\" y", "             y"),
            ("r#\"a\"b\"# c", "         c"),
            ("'\\'' 'a 'é' x", "     'a      x"),
            ("\"one\ntwo\" z", "    \n     z"),
            ("br\"x\" r#type", "      r#type"),
        ];
        for (text, code) in cases {
            assert_eq!(SourceFile::new("a.rs", text).code, code, "{text}");
        }
    }

    #[test]
    fn test_items_are_neither_code_nor_counted() {
        let text = "use a;\n#[cfg(test)]\nmod tests {\n    fn f() { x(); }\n}\nfn g() {}\n";
        let file = SourceFile::new("a.rs", text);
        assert_eq!(
            file.code.split_whitespace().collect::<Vec<_>>(),
            ["use", "a;", "fn", "g()", "{}"]
        );
        assert_eq!(file.lines, 2);
    }

    #[test]
    fn an_item_with_more_attributes_or_without_braces_ends_where_it_ends() {
        let text = "#[cfg(test)]\n#[path = \"x\"]\nmod t;\nfn f() -> [u8; 2] { [0; 2] }";
        let file = SourceFile::new("a.rs", text);
        assert_eq!(file.code.trim(), "fn f() -> [u8; 2] { [0; 2] }");
    }

    #[test]
    fn a_file_of_tests_has_no_code() {
        assert_eq!(SourceFile::new("crates/a/tests/b.rs", "fn f() {}").lines, 0);
        assert_eq!(
            SourceFile::new("crates/a/src/b/tests.rs", "fn f() {}")
                .code
                .trim(),
            ""
        );
    }

    #[test]
    fn tokens_know_their_lines() {
        let file = SourceFile::new("a.rs", "use a::b;\nx");
        let tokens: Vec<_> = file
            .tokens()
            .iter()
            .map(|token| (token.text, token.line))
            .collect();
        assert_eq!(
            tokens,
            [
                ("use", 1),
                ("a", 1),
                ("::", 1),
                ("b", 1),
                (";", 1),
                ("x", 2)
            ]
        );
    }
}
