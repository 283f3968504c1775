//! `tidemill log dump`: what stands in the write-ahead log of a data directory.
//!
//! What must hold: text is told as it is read, so that a log of any size can be; a reader that has
//! closed the pipe ends it. Damage is a finding and ends with status 1.

use std::io::Write;
use std::ops::ControlFlow;

use serde::Serialize;

use tidemill_log::inspect::{Command, DataDirectory, Line, Summary, Wanted};

use crate::args;
use crate::output::{self, Ending, Failed};

use super::refused;

#[derive(Debug, Serialize)]
struct Dumped {
    directory: String,
    summary: Summary,
    lines: Vec<Line>,
}

/// Lists a data directory.
pub fn run(options: &args::LogDump) -> Result<Ending, Failed> {
    let directory = DataDirectory::open(&options.data_dir).map_err(refused)?;
    let wanted = Wanted {
        partition: options.partition.map(|name| name.0),
        from: options.from,
    };
    if options.json {
        let mut lines = Vec::new();
        let summary = directory.dump(wanted, |line| {
            lines.push(line);
            ControlFlow::Continue(())
        });
        let summary = summary.map_err(refused)?;
        let dumped = Dumped {
            directory: options.data_dir.display().to_string(),
            summary,
            lines,
        };
        let ending = ending(&summary);
        output::print(&output::envelope("log dump", ending, &dumped, &[]));
        return Ok(ending);
    }
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let summary = directory.dump(wanted, |line| match writeln!(stdout, "{}", text(&line)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    let summary = summary.map_err(refused)?;
    // A reader that has closed the pipe wants no more of it.
    let _ = stdout.flush();
    Ok(ending(&summary))
}

fn ending(summary: &Summary) -> Ending {
    match summary.damages {
        0 => Ending::Ok,
        _ => Ending::Finding,
    }
}

fn text(line: &Line) -> String {
    match line {
        Line::File {
            file,
            bytes,
            first_frame,
            made,
            unsynced,
        } => {
            let unsynced = if *unsynced {
                ", acknowledged unsynced"
            } else {
                ""
            };
            format!("{file}  {bytes} bytes, from frame {first_frame}, made {made}{unsynced}")
        }
        Line::Chunk {
            file,
            bytes,
            entries,
            extents,
            kept,
            made,
        } => format!(
            "{file}  {bytes} bytes, {entries} entries in {extents} extents, kept {kept}, made {made}"
        ),
        Line::Frame {
            frame,
            offset,
            bytes,
            checkpoint,
            runs,
            written,
        } => {
            let what = if *checkpoint {
                "checkpoint"
            } else {
                "commands"
            };
            format!(
                "  frame {frame} at {offset}  {what}, {bytes} bytes, runs {runs}, written {written}"
            )
        }
        Line::Change { partition, what } => match partition {
            Some(partition) => format!("    {partition}  {what}"),
            None => format!("    {what}"),
        },
        Line::Entry {
            partition,
            position,
            at,
            bytes,
            checksum_ok,
            command,
        } => {
            let checksum = if *checksum_ok {
                "checksum ok"
            } else {
                "CHECKSUM WRONG"
            };
            let command = command.as_ref().map_or_else(String::new, command_text);
            format!("    {partition} {position}  {at}  {bytes} bytes  {checksum}{command}")
        }
        Line::Damage(damage) => format!("  DAMAGED at {}: {}", damage.offset, damage.what),
        Line::TornTail(torn) => format!(
            "  torn at {}: {} bytes of a write that was cut short",
            torn.offset, torn.bytes
        ),
    }
}

fn command_text(command: &Command) -> String {
    let json = command.json.as_ref();
    let json = json.map_or_else(|| "no JSON".to_owned(), ToString::to_string);
    format!("  {} v{} {json}", command.service, command.version)
}

#[cfg(test)]
mod tests {
    use tidemill_log::inspect::PartitionName;

    use super::*;

    #[test]
    fn an_entry_is_one_line_with_its_command() {
        let partition: PartitionName = "control/0".parse().expect("a partition");
        let mut line = Line::Entry {
            partition,
            position: 7,
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            bytes: 30,
            checksum_ok: true,
            command: Some(Command {
                service: "streams",
                version: 1,
                json: Some(serde_json::json!({"a": 1})),
            }),
        };
        let place = "    control/0 7  2026-01-01T00:00:00.000Z  30 bytes";
        let expected = format!("{place}  checksum ok  streams v1 {{\"a\":1}}");
        assert_eq!(text(&line), expected);
        if let Line::Entry {
            checksum_ok,
            command,
            ..
        } = &mut line
        {
            (*checksum_ok, *command) = (false, None);
        }
        assert_eq!(text(&line), format!("{place}  CHECKSUM WRONG"));
    }
}
