//! A `mod.rs` is a table of contents: module declarations and imports, nothing that it defines itself.

use super::finding::Finding;
use super::source::{SourceFile, Token};

/// Checks a `mod.rs`; other files are fine.
pub fn check(file: &SourceFile) -> Option<Finding> {
    if !file.path.ends_with("/mod.rs") {
        return None;
    }
    let tokens = file.tokens();
    let mut at = 0;
    while at < tokens.len() {
        at = skip_attribute(&tokens, at);
        at = skip_visibility(&tokens, at);
        match tokens.get(at) {
            None => return None,
            Some(word) if word.text == "use" || declares_module(&tokens, at) => {
                at = behind_semicolon(&tokens, at);
            }
            Some(other) => {
                return Some(Finding::new(
                    &file.path,
                    other.line,
                    format!("a mod.rs that defines something (`{}`)", other.text),
                    "give it a file of its own beside this one, and declare and re-export it here",
                ));
            }
        }
    }
    None
}

fn skip_attribute(tokens: &[Token<'_>], at: usize) -> usize {
    let is = |offset: usize, text| {
        tokens
            .get(at + offset)
            .is_some_and(|token| token.text == text)
    };
    if !(is(0, "#") && (is(1, "[") || (is(1, "!") && is(2, "[")))) {
        return at;
    }
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text {
            "[" => depth += 1,
            "]" if depth == 1 => return skip_attribute(tokens, index + 1),
            "]" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn skip_visibility(tokens: &[Token<'_>], at: usize) -> usize {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(word), Some(open)) if word.text == "pub" && open.text == "(" => {
            let close = tokens.iter().skip(at).position(|token| token.text == ")");
            close.map_or(tokens.len(), |close| at + close + 1)
        }
        (Some(word), _) if word.text == "pub" => at + 1,
        _ => at,
    }
}

/// `mod name;`, but not `mod name { .. }`.
fn declares_module(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].text == "mod" && tokens.get(at + 2).is_some_and(|token| token.text == ";")
}

fn behind_semicolon(tokens: &[Token<'_>], at: usize) -> usize {
    let end = tokens.iter().skip(at).position(|token| token.text == ";");
    end.map_or(tokens.len(), |end| at + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mod_rs_lists_modules_and_defines_nothing() {
        let cases = [
            (
                "//! Ops.\npub mod a;\n#[cfg(unix)]\npub(crate) mod b;\npub use a::{X, Y};\n",
                true,
            ),
            ("//! Ops.\nmod a;\npub fn f() {}\n", false),
            ("//! Ops.\npub struct S;\n", false),
            (
                "mod a { fn f() {} }\n#[cfg(test)]\nmod tests { fn g() {} }",
                false,
            ),
            ("mod a;\n#[cfg(test)]\nmod tests { fn g() {} }", true),
            ("//! Ops.\n#![expect(dead_code)]\nmod a;", true),
        ];
        for (text, fine) in cases {
            assert_eq!(
                check(&SourceFile::new("ops/mod.rs", text)).is_none(),
                fine,
                "{text}"
            );
        }
        assert!(check(&SourceFile::new("ops/x.rs", "fn f() {}")).is_none());
    }
}
