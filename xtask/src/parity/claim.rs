//! [`Claim`]: what one test proves of one operation, as the tests recorded it.
//!
//! `tests/clients/parity.py` writes the record. What must hold: a word that it does not know is an error
//! and never a claim that is passed over.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Stands for all operations in a claim about the protocol.
pub const EVERY: &str = "*";

/// How near an answer is to the one of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As far as a client can tell, the same.
    Exact,
    /// The same in kind; the claim's note says what differs.
    Approximate,
    /// Not supported, and told so by name.
    Refused,
}

impl Grade {
    /// The word for it in records and in the document.
    pub fn word(self) -> &'static str {
        match self {
            Grade::Exact => "exact",
            Grade::Approximate => "approximate",
            Grade::Refused => "not supported",
        }
    }
}

/// What became of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and held.
    Passed,
    /// It ran and did not hold.
    Failed,
    /// It did not run.
    NotRun,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The operation's name, or [`EVERY`].
    pub operation: String,
    /// What is promised, as a sentence.
    pub aspect: String,
    /// How near we are.
    pub grade: Grade,
    /// Where the expectation comes from.
    pub source: String,
    /// What differs, if anything.
    pub note: Option<String>,
    /// The test, as `file::function`.
    pub test: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// Reads the record at `path`.
pub fn read(path: &Path) -> Result<Vec<Claim>> {
    let reading = || format!("reading {}", path.display());
    let text = std::fs::read_to_string(path).with_context(reading)?;
    parse(&text).with_context(reading)
}

fn parse(text: &str) -> Result<Vec<Claim>> {
    let record: Value = serde_json::from_str(text)?;
    let claims = record["claims"].as_array().context("no claims")?;
    claims.iter().map(claim).collect()
}

fn claim(value: &Value) -> Result<Claim> {
    let member = |name: &str| -> Result<String> {
        let text = value[name].as_str();
        Ok(text.with_context(|| format!("no {name}"))?.to_owned())
    };
    let grade = match member("grade")?.as_str() {
        "exact" => Grade::Exact,
        "approximate" => Grade::Approximate,
        "refused" => Grade::Refused,
        other => bail!("{other} is no grade"),
    };
    let outcome = match member("outcome")?.as_str() {
        "passed" => Outcome::Passed,
        "failed" => Outcome::Failed,
        "skipped" | "not run" => Outcome::NotRun,
        other => bail!("{other} is no outcome"),
    };
    Ok(Claim {
        operation: member("operation")?,
        aspect: member("aspect")?,
        grade,
        source: member("source")?,
        note: value["note"].as_str().map(str::to_owned),
        test: member("test")?,
        outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_and_an_unknown_word_is_refused() {
        let record = |grade: &str, outcome: &str| {
            format!(
                r#"{{"claims": [{{"operation": "PutRecord", "aspect": "a b", "grade": "{grade}", "source": "model",
                "note": null, "test": "t.py::test_a_b", "outcome": "{outcome}"}}]}}"#
            )
        };
        let claims = parse(&record("exact", "passed")).expect("a record");
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].grade, Grade::Exact);
        assert_eq!(claims[0].outcome, Outcome::Passed);
        assert!(parse(&record("perfect", "passed")).is_err());
        assert!(parse(&record("exact", "xpassed")).is_err());
        assert!(parse("{}").is_err());
    }
}
