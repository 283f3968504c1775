//! `tidemill log verify`: whether everything in a data directory is what was written.
//!
//! What must hold: damage is a finding and ends with status 1; a torn tail is a warning, for nothing of
//! it was acknowledged.

use serde::Serialize;

use tidemill_log::inspect::{DataDirectory, Report};

use crate::args;
use crate::output::{self, Ending, Failed, grouped};

use super::refused;

#[derive(Debug, Serialize)]
struct Verified<'a> {
    directory: String,
    #[serde(flatten)]
    report: &'a Report,
}

/// Checks a data directory.
pub fn run(options: &args::LogVerify) -> Result<Ending, Failed> {
    let directory = DataDirectory::open(&options.data_dir).map_err(refused)?;
    let report = directory.verify().map_err(refused)?;
    let ending = match report.damages {
        0 => Ending::Ok,
        _ => Ending::Finding,
    };
    let warnings = warnings(&report);
    let directory = options.data_dir.display().to_string();
    if options.json {
        let verified = Verified {
            directory,
            report: &report,
        };
        output::print(&output::envelope(
            "log verify",
            ending,
            &verified,
            &warnings,
        ));
        return Ok(ending);
    }
    output::print(&text(&directory, &report));
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    if ending == Ending::Finding {
        eprintln!("  try: restore the damaged files from a copy");
        let program = output::program();
        eprintln!("  try: {program} start --data-dir {directory} --accept-data-loss");
    }
    Ok(ending)
}

fn warnings(report: &Report) -> Vec<String> {
    let torn = report.torn_tail.as_ref().map(|torn| {
        format!(
            "{} ends at {} with a write that was cut short ({} bytes); nothing of it was \
             acknowledged, and the next start drops it",
            torn.file,
            grouped(torn.offset),
            grouped(torn.bytes)
        )
    });
    torn.into_iter().collect()
}

fn text(directory: &str, report: &Report) -> String {
    let counts = &report.counts;
    let mut lines = vec![match report.damages {
        0 => format!("{directory} is clean."),
        1 => format!("{directory} is damaged in 1 place."),
        many => format!("{directory} is damaged in {} places.", grouped(many)),
    }];
    for damage in &report.damage {
        let offset = grouped(damage.offset);
        lines.push(format!("  {} at {offset}: {}", damage.file, damage.what));
    }
    let unlisted = report.damages - report.damage.len() as u64;
    if unlisted > 0 {
        lines.push(format!("  and {} more", grouped(unlisted)));
    }
    lines.push(format!(
        "Looked at: files {} ({} bytes), chunks {} ({} bytes), frames {}, entries {} ({} bytes), partitions {}, snapshots \
         {}, blobs {}.",
        grouped(counts.files),
        grouped(counts.file_bytes),
        grouped(counts.chunks),
        grouped(counts.chunk_bytes),
        grouped(counts.frames),
        grouped(counts.entries),
        grouped(counts.entry_bytes),
        grouped(counts.partitions),
        grouped(counts.snapshots),
        grouped(counts.blobs),
    ));
    if !report.not_needed.is_empty() {
        let names = report.not_needed.join(", ");
        lines.push(format!("Not needed, removed by the next start: {names}."));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use tidemill_log::inspect::{Counts, Damage, Torn, Verdict};

    use super::*;

    fn report(damages: u64) -> Report {
        let damage = Damage {
            file: "wal/1.wal".to_owned(),
            offset: 12_288,
            what: "frame 3: its magic number is not there".to_owned(),
        };
        Report {
            verdict: Verdict::Damaged,
            counts: Counts::default(),
            damages,
            damage: vec![damage; damages.min(2) as usize],
            torn_tail: Some(Torn {
                file: "wal/1.wal".to_owned(),
                offset: 4096,
                bytes: 7,
            }),
            not_needed: Vec::new(),
        }
    }

    #[test]
    fn each_damage_is_told_with_its_place_and_what_is_not_listed_is_counted() {
        let cases = [
            (0, "d is clean.", None),
            (1, "d is damaged in 1 place.", Some("12,288: frame 3")),
            (
                1_002,
                "d is damaged in 1,002 places.",
                Some("and 1,000 more"),
            ),
        ];
        for (damages, first, other) in cases {
            let text = text("d", &report(damages));
            assert!(text.starts_with(first), "{text}");
            assert!(other.is_none_or(|other| text.contains(other)), "{text}");
        }
    }

    #[test]
    fn a_torn_tail_is_a_warning() {
        let told = warnings(&report(0));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("wal/1.wal ends at 4,096"), "{told:?}");
    }
}
