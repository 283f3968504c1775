//! What a client asks for: [`Request`], told from the first words of a statement.
//!
//! What must hold: only what reads reaches the engine. What is said about views goes on as it was written.
//! Everything else is either done here or refused by name.

use super::split::without_comments;

/// What one statement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Rows.
    Query(String),
    /// What is not a query about views, as it was written.
    CarryOut(String),
    /// A setting, and its value as it was written; none for the default.
    Set(String, Option<String>),
    /// All settings as they were.
    ResetAll,
    /// The value of a setting.
    Show(String),
    /// The beginning of a transaction, which here is only a word.
    Begin,
    /// Its end.
    End(&'static str),
    /// Something that has nothing to do here, and is done with that.
    Nothing(&'static str),
    /// What is not done here, and what is there instead.
    Refused(String, &'static str),
}

/// What `statement` asks for.
pub fn request(statement: &str) -> Request {
    let text = without_comments(statement);
    let words: Vec<String> = text.split_whitespace().take(4).map(word).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let whole = || text.to_owned();
    match words.as_slice() {
        ["show", "tables" | "views", ..] => Request::Query(VIEWS.to_owned()),
        ["show", "exclusions"] => Request::CarryOut(whole()),
        ["show", ..] => Request::Show(shown(text)),
        ["select" | "with" | "values" | "explain" | "table", ..] => Request::Query(whole()),
        ["rollback", "view", ..] => Request::CarryOut(whole()),
        [
            "create" | "drop" | "alter" | "diff" | "promote" | "audit" | "exclude" | "undo",
            ..,
        ] => Request::CarryOut(whole()),
        ["set", "transaction", ..] | ["set", "session", "characteristics", ..] => {
            Request::Nothing("SET")
        }
        ["set", ..] => set(text),
        ["reset", "all", ..] => Request::ResetAll,
        ["reset", name, ..] => Request::Set((*name).to_owned(), None),
        ["discard", ..] => Request::ResetAll,
        ["begin", ..] | ["start", "transaction", ..] => Request::Begin,
        ["commit" | "end", ..] => Request::End("COMMIT"),
        ["rollback", "to", ..] => Request::Nothing("ROLLBACK"),
        ["rollback" | "abort", ..] => Request::End("ROLLBACK"),
        ["savepoint", ..] => Request::Nothing("SAVEPOINT"),
        ["release", ..] => Request::Nothing("RELEASE"),
        ["deallocate", ..] => Request::Nothing("DEALLOCATE"),
        ["unlisten", ..] => Request::Nothing("UNLISTEN"),
        ["close", ..] => Request::Nothing("CLOSE CURSOR"),
        [first, ..] => refused(text, first),
        [] => Request::Query(whole()),
    }
}

/// The views, for who asks for tables.
const VIEWS: &str = "SELECT table_name AS view FROM information_schema.tables \
     WHERE table_schema = 'public' ORDER BY 1";

fn word(text: &str) -> String {
    let is_of_it = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let end = text.find(|letter| !is_of_it(letter)).unwrap_or(text.len());
    text[..end].to_lowercase()
}

fn refused(text: &str, first: &str) -> Request {
    let named = first.to_uppercase();
    let hint = match first {
        "insert" | "update" | "delete" | "merge" | "truncate" | "copy" => {
            "records come in by PutRecord; views follow from them"
        }
        "declare" | "fetch" | "move" => "the query itself, or a fetch size in the driver",
        "prepare" | "execute" => "the driver's prepared statements",
        "listen" | "notify" => "a query from time to time; each answer says what it is as of",
        "grant" | "revoke" => "",
        // The engine's parser says best what is wrong with it.
        _ => return Request::Query(text.to_owned()),
    };
    Request::Refused(format!("{named} is not supported"), hint)
}

/// `SET [SESSION | LOCAL] name { = | TO } value`, and `SET TIME ZONE value`.
fn set(text: &str) -> Request {
    let mut rest = after(text, "set");
    rest = after(rest, "session");
    rest = after(rest, "local");
    let zone = after(rest, "time");
    if zone.len() < rest.len() {
        return Request::Set("timezone".to_owned(), value(after(zone, "zone")));
    }
    let name = word(rest);
    let behind = rest[name.len().min(rest.len())..].trim_start();
    let behind = match behind.strip_prefix('=') {
        Some(behind) => behind,
        None => after(behind, "to"),
    };
    Request::Set(name, value(behind))
}

fn value(text: &str) -> Option<String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("default") {
        return None;
    }
    let bare = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    Some(bare.map_or_else(
        || text.trim_matches('"').to_owned(),
        |bare| bare.replace("''", "'"),
    ))
}

fn shown(text: &str) -> String {
    let name = after(text, "show").trim().trim_matches('"').to_lowercase();
    match name.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["time", "zone"] => "timezone".to_owned(),
        ["transaction", "isolation", "level"] => "transaction_isolation".to_owned(),
        ["session", "authorization"] => "session_authorization".to_owned(),
        _ => name,
    }
}

/// What stands behind the word `first`, when `text` begins with it.
fn after<'a>(text: &'a str, first: &str) -> &'a str {
    if word(text) == first {
        text[first.len()..].trim_start()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Request {
        Request::Set(name.into(), Some(value.into()))
    }

    #[test]
    fn statements_are_told_from_their_first_words() {
        let query = |text: &str| Request::Query(text.into());
        let carry_out = |text: &str| Request::CarryOut(text.into());
        let cases = [
            ("-- a\nSELECT 1", query("SELECT 1")),
            ("(SELECT 1)", query("(SELECT 1)")),
            ("frobnicate", query("frobnicate")),
            ("CREATE VIEW v AS x", carry_out("CREATE VIEW v AS x")),
            ("ROLLBACK VIEW v", carry_out("ROLLBACK VIEW v")),
            ("SHOW EXCLUSIONS", carry_out("SHOW EXCLUSIONS")),
            ("rollback", Request::End("ROLLBACK")),
            ("BEGIN READ ONLY", Request::Begin),
            ("SET a = 1", set("a", "1")),
            ("SET LOCAL A TO 'it''s'", set("a", "it's")),
            (
                "set tidemill.min_position='orders/0:5'",
                set("tidemill.min_position", "orders/0:5"),
            ),
            ("SET a TO DEFAULT", Request::Set("a".into(), None)),
            ("SET TIME ZONE 'UTC'", set("timezone", "UTC")),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                Request::Nothing("SET"),
            ),
            (
                "SHOW TRANSACTION ISOLATION LEVEL",
                Request::Show("transaction_isolation".into()),
            ),
            ("SHOW search_path", Request::Show("search_path".into())),
            ("show views", query(VIEWS)),
            ("DISCARD ALL", Request::ResetAll),
        ];
        for (text, expected) in cases {
            assert_eq!(request(text), expected, "{text}");
        }
        let refused = [
            "INSERT INTO v VALUES (1)",
            "COPY v TO STDOUT",
            "DECLARE c CURSOR FOR SELECT 1",
        ];
        for text in refused {
            assert!(matches!(request(text), Request::Refused(..)), "{text}");
        }
    }
}
