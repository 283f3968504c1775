//! A text with several statements: [`statements`] cuts it where one ends.
//!
//! What must hold: a semicolon inside quotes, dollar quotes or a comment ends nothing, so that each part can
//! be read by whom it is for; `CREATE VIEW` is ours and no parser of Postgres knows all of it.

/// The statements of `text`, without the semicolons and without empty ones.
pub fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(';') {
            found.push(&text[start..at]);
            at += 1;
            start = at;
        } else {
            at += token(rest);
        }
    }
    found.push(&text[start..]);
    found.retain(|part| !without_comments(part).is_empty());
    found.into_iter().map(str::trim).collect()
}

/// `text` from its first word on.
pub fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with("--") || text.starts_with("/*") {
        text = text[token(text)..].trim_start();
    }
    text
}

/// Bytes of what `text` begins with: something in quotes, a comment, or one letter.
fn token(text: &str) -> usize {
    let is_text_with_escapes = text.starts_with("E'") || text.starts_with("e'");
    if is_text_with_escapes {
        return 1 + quoted(&text[1..], '\'', true);
    }
    match text.chars().next() {
        Some('\'') => quoted(text, '\'', false),
        Some('"') => quoted(text, '"', false),
        Some('$') => dollar_quoted(text),
        Some('-') if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        Some('/') if text.starts_with("/*") => comment(text),
        Some(letter) => letter.len_utf8(),
        None => 0,
    }
}

/// Two quotes in a row end it and begin it again, which comes to the same.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut is_escaped = false;
    for (index, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if has_escapes => is_escaped = true,
            letter if letter == quote => return index + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `$tag$ … $tag$`; one byte when no such quote begins.
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$').map(|end| end + 2) else {
        return 1;
    };
    let tag = &text[..end];
    let is_tag = |letter: char| letter.is_alphanumeric() || letter == '_';
    if !tag[1..end - 1].chars().all(is_tag)
        || tag[1..].starts_with(|first: char| first.is_ascii_digit())
    {
        return 1;
    }
    match text[end..].find(tag) {
        Some(close) => end + close + tag.len(),
        None => text.len(),
    }
}

/// Comments nest.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_end_at_semicolons_that_are_not_inside_something() {
        let cases: [(&str, &[&str]); 9] = [
            ("SELECT 1", &["SELECT 1"]),
            (" SELECT 1; ;\nSELECT 2 ;", &["SELECT 1", "SELECT 2"]),
            ("SELECT ';', \"a;b\"; x", &["SELECT ';', \"a;b\"", "x"]),
            ("SELECT 'it''s;'; x", &["SELECT 'it''s;'", "x"]),
            (r"SELECT E'\';'; x", &[r"SELECT E'\';'", "x"]),
            ("SELECT $a$;$$;$a$; x", &["SELECT $a$;$$;$a$", "x"]),
            ("SELECT $1; x", &["SELECT $1", "x"]),
            (
                "-- a;b\nx; /* ; /* ; */ ; */ y",
                &["-- a;b\nx", "/* ; /* ; */ ; */ y"],
            ),
            ("-- only a comment; this\n", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(statements(text), expected, "{text}");
        }
        assert_eq!(without_comments("/* a */ -- b\n SELECT"), "SELECT");
    }

    proptest! {
        #[test]
        fn any_text_is_cut(text in r#"[ab;'"$/*\-\\E\n é1]{0,40}"#) {
            for part in statements(&text) {
                prop_assert!(text.contains(part));
            }
        }
    }
}
