//! [`Suite`]: the tests of one client, and which operations they call, read from their sources.
//!
//! Each client spells an operation in its own way: `put_record`, `put-record`, `PutRecordCommand`,
//! `putRecord`. A suite calls an operation when its sources spell it; whether the call came out well is
//! for the suite's run to say.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The tests of one client.
pub struct Suite {
    /// The client's name.
    pub client: &'static str,
    sources: String,
    spelled: Spelling,
}

/// How a client spells the call of an operation.
type Spelling = fn(&str) -> String;

/// All suites but that with boto3, in the order of the document.
pub fn others(root: &Path) -> Result<Vec<Suite>> {
    let suite = |client, folder: &str, ending, spelled: Spelling| -> Result<Suite> {
        Ok(Suite {
            client,
            sources: sources(&root.join(folder), ending)?,
            spelled,
        })
    };
    Ok(vec![
        suite("AWS CLI", "tests/clients", "test_aws_cli.py", |name| {
            format!("\"{}\"", joined(name, '-'))
        })?,
        suite("JavaScript", "tests/node", ".mjs", |name| {
            format!("{name}Command")
        })?,
        suite("Rust", "crates/cli/tests", "rust_sdk.rs", |name| {
            format!(".{}()", joined(name, '_'))
        })?,
        suite("Java", "tests/java", ".java", |name| {
            format!(".{}(", camel(name))
        })?,
    ])
}

/// The tests of a service with boto3: the files of `tests/clients`.
pub fn boto3(root: &Path) -> Result<Suite> {
    Ok(Suite {
        client: "boto3",
        sources: sources(&root.join("tests/clients"), ".py")?,
        spelled: |name| format!(".{}", joined(name, '_')),
    })
}

impl Suite {
    /// Whether a test of the suite calls `operation`.
    pub fn calls(&self, operation: &str) -> bool {
        let spelled = (self.spelled)(operation);
        self.sources.match_indices(&spelled).any(|(at, found)| {
            let behind = self.sources[at + found.len()..].chars().next();
            !found.ends_with(char::is_alphanumeric)
                || !behind.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        })
    }
}

/// All files of `folder` whose names end so, in one text; nothing when there is no folder.
fn sources(folder: &Path, ending: &str) -> Result<String> {
    let mut text = String::new();
    if !folder.is_dir() {
        return Ok(text);
    }
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(ending) {
            text += &fs::read_to_string(&path).with_context(reading)?;
        }
    }
    Ok(text)
}

/// `PutRecord` in small letters, its words joined by `by`.
fn joined(name: &str, by: char) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(by);
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// `PutRecord` as `putRecord`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_as_its_client_spells_it_and_not_inside_a_longer_word() {
        let suite = Suite {
            client: "a client",
            sources: "refused(kinesis.put_records, ..); kinesis.list_streams()".into(),
            spelled: |name| format!(".{}", joined(name, '_')),
        };
        assert!(suite.calls("PutRecords"));
        assert!(suite.calls("ListStreams"));
        assert!(!suite.calls("PutRecord"));
        assert!(!suite.calls("GetRecords"));
    }

    #[test]
    fn names_are_spelled_as_each_client_does() {
        assert_eq!(
            joined("DescribeStreamSummary", '_'),
            "describe_stream_summary"
        );
        assert_eq!(joined("PutRecord", '-'), "put-record");
        assert_eq!(camel("PutRecord"), "putRecord");
    }
}
