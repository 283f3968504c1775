//! What every command has in common at its end: the `--json` envelope, the exit status, the error with
//! the next thing to type.
//!
//! What must hold: results go to standard output, everything else to standard error. The status is 0
//! when all is well, 1 for a finding, 2 for wrong usage (clap's), 3 when the command could not run.
//! The envelope's fields never change their meaning under the same `schema_version`.

use std::process::ExitCode;

use serde::Serialize;

const SCHEMA_VERSION: u32 = 1;

/// How a command ended that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is well.
    Ok,
    /// A number does not add up.
    Finding,
}

/// A command that could not run.
#[derive(Debug)]
pub struct Failed {
    /// Why, with all causes.
    pub error: anyhow::Error,
    /// What the user can type next; whole commands, one a line.
    pub next: Vec<String>,
}

/// Gives an error the next thing to type.
pub trait OrTry<T> {
    /// Fails with `next` as the way on.
    fn or_try(self, next: impl Into<String>) -> Result<T, Failed>;
}

impl<T, E: Into<anyhow::Error>> OrTry<T> for Result<T, E> {
    fn or_try(self, next: impl Into<String>) -> Result<T, Failed> {
        self.map_err(|error| Failed {
            error: error.into(),
            next: vec![next.into()],
        })
    }
}

#[derive(Debug, Serialize)]
struct Envelope<'a, T> {
    schema_version: u32,
    command: &'a str,
    status: &'a str,
    data: Option<&'a T>,
    warnings: &'a [String],
    error: Option<ErrorBody>,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    message: String,
    next: Vec<String>,
}

/// The envelope of a command that could run, as one line.
pub fn envelope<T: Serialize>(
    command: &str,
    ending: Ending,
    data: &T,
    warnings: &[String],
) -> String {
    let status = match ending {
        Ending::Ok => "ok",
        Ending::Finding => "finding",
    };
    let (data, error) = (Some(data), None);
    line(&Envelope {
        schema_version: SCHEMA_VERSION,
        command,
        status,
        data,
        warnings,
        error,
    })
}

/// Says what a command that went well has found: as JSON, or as `text` with the warnings beside it.
pub fn report<T: Serialize>(
    command: &str,
    json: bool,
    data: &T,
    warnings: &[String],
    text: impl FnOnce(&T) -> String,
) -> Ending {
    if json {
        print(&envelope(command, Ending::Ok, data, warnings));
        return Ending::Ok;
    }
    print(&text(data));
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ending::Ok
}

fn failure_envelope(command: &str, failed: &Failed) -> String {
    let error = ErrorBody {
        message: format!("{:#}", failed.error),
        next: failed.next.clone(),
    };
    line(&Envelope::<()> {
        schema_version: SCHEMA_VERSION,
        command,
        status: "error",
        data: None,
        warnings: &[],
        error: Some(error),
    })
}

fn line(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).expect("an envelope has string keys and no fallible field")
}

/// Ends the program: prints a failure, gives the exit status.
pub fn finish(command: &str, json: bool, result: Result<Ending, Failed>) -> ExitCode {
    match result {
        Ok(Ending::Ok) => ExitCode::SUCCESS,
        Ok(Ending::Finding) => ExitCode::from(1),
        Err(failed) => {
            if json {
                print(&failure_envelope(command, &failed));
            }
            eprintln!("error: {:#}", failed.error);
            for next in &failed.next {
                eprintln!("  try: {next}");
            }
            ExitCode::from(3)
        }
    }
}

/// Prints a result. A reader that has closed the pipe wants no more of it, which is no failure.
pub fn print(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// How this program was called, for commands that can be typed again.
pub fn program() -> String {
    std::env::args()
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "tidemill".to_owned())
}

/// A number with its thousands apart.
pub fn grouped(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A plain table with `header`; all columns but the first are aligned to the right.
pub fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_has_its_six_fields() {
        let text = envelope(
            "demo",
            Ending::Finding,
            &serde_json::json!({ "a": 1 }),
            &["w".to_owned()],
        );
        let expected = concat!(
            r#"{"schema_version":1,"command":"demo","status":"finding","#,
            r#""data":{"a":1},"warnings":["w"],"error":null}"#
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_failure_carries_all_causes_and_the_next_command() {
        let error = anyhow::anyhow!("address in use").context("the server did not start");
        let failed = Failed {
            error,
            next: vec!["tidemill start --port 0".to_owned()],
        };
        let expected = concat!(
            r#"{"schema_version":1,"command":"start","status":"error","data":null,"warnings":[],"#,
            r#""error":{"message":"the server did not start: address in use","#,
            r#""next":["tidemill start --port 0"]}}"#
        );
        assert_eq!(failure_envelope("start", &failed), expected);
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (27_004, "27,004"),
            (-1_234_567, "-1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
