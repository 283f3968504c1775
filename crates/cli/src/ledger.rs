//! `tidemill ledger`: what became of every record, by mapping and shard.
//!
//! What must hold: a count that does not add up is a finding and ends with status 1; a shard that
//! stands still is a warning, for all its records are accounted for as pending.

use anyhow::Context;

use tidemill_ledger::{Counts, MappingReport, Report};

use crate::args;
use crate::connection;
use crate::output::{self, Ending, Failed, OrTry, grouped};

/// Shows the ledger of a server.
pub async fn run(options: args::Ledger) -> Result<Ending, Failed> {
    let endpoint = &options.endpoint;
    let answer = connection::client(endpoint).own("/_tidemill/ledger").await;
    let start = format!("{} start", output::program());
    let answer = answer
        .with_context(|| format!("no ledger came from {endpoint}"))
        .or_try(&start)?;
    let report: Report = serde_json::from_value(answer)
        .context("the ledger cannot be read")
        .or_try(&start)?;
    let ending = if adds_up(&report) {
        Ending::Ok
    } else {
        Ending::Finding
    };
    let warnings = warnings(&report);
    if options.json {
        output::print(&output::envelope("ledger", ending, &report, &warnings));
        return Ok(ending);
    }
    output::print(&text(&report));
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    Ok(ending)
}

/// Whether nothing is unaccounted for, in total and in each shard.
fn adds_up(report: &Report) -> bool {
    let holds = |counts: &Counts| counts.unaccounted() == 0;
    report.mappings.iter().all(|mapping| {
        holds(&mapping.totals) && mapping.shards.iter().all(|shard| holds(&shard.counts))
    })
}

fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    for mapping in &report.mappings {
        for shard in &mapping.shards {
            let off = shard.counts.unaccounted();
            if off != 0 {
                let (id, uuid) = (&shard.shard_id, &mapping.uuid);
                warnings.push(format!(
                    "{id} of mapping {uuid}: {} records unaccounted for",
                    grouped(off)
                ));
            }
            if let Some(blocked) = &shard.blocked {
                warnings.push(format!(
                    "{} of {} stands still since {} behind a batch of {} that failed {} times: {}",
                    shard.shard_id,
                    mapping.function,
                    blocked.since,
                    grouped(blocked.records),
                    grouped(blocked.attempts),
                    blocked.last_error,
                ));
            }
        }
    }
    warnings
}

fn text(report: &Report) -> String {
    if report.mappings.is_empty() {
        return "No mapping yet, so there is nothing to account for.".to_owned();
    }
    report
        .mappings
        .iter()
        .map(mapping_text)
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn mapping_text(mapping: &MappingReport) -> String {
    let mut table = output::table(&[
        "shard",
        "acked",
        "processed",
        "filtered",
        "dead-lettered",
        "discarded",
        "expired",
        "pending",
        "unaccounted",
        "delivered again",
    ]);
    for shard in &mapping.shards {
        table.add_row(row(&shard.shard_id, &shard.counts));
    }
    table.add_row(row("all", &mapping.totals));
    format!(
        "{} -> {} ({})\n{table}",
        mapping.stream, mapping.function, mapping.uuid
    )
}

fn row(name: &str, counts: &Counts) -> Vec<String> {
    let Counts {
        acked,
        processed,
        filtered,
        dead_lettered,
        discarded,
        expired,
        pending,
        duplicates,
    } = *counts;
    let closed = [
        acked,
        processed,
        filtered,
        dead_lettered,
        discarded,
        expired,
        pending,
    ];
    let mut row = vec![name.to_owned()];
    row.extend(closed.map(grouped));
    row.extend([grouped(counts.unaccounted()), grouped(duplicates)]);
    row
}

#[cfg(test)]
mod tests {
    use tidemill_ledger::{Blocked, ShardReport};

    use super::*;

    fn report(pending: u64, blocked: bool) -> Report {
        let counts = Counts {
            acked: 1500,
            processed: 1400,
            pending,
            ..Counts::default()
        };
        let blocked = blocked.then(|| Blocked {
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            first_sequence_number: "495".to_owned(),
            records: 100,
            attempts: 7,
            last_error: "TypeError".to_owned(),
        });
        let shard = ShardReport {
            shard_id: "shardId-000000000000".to_owned(),
            counts,
            blocked,
        };
        let mapping = MappingReport {
            uuid: "u".to_owned(),
            stream: "flights".to_owned(),
            function: "gained".to_owned(),
            stream_arn: "sa".to_owned(),
            function_arn: "fa".to_owned(),
            totals: counts,
            shards: vec![shard],
        };
        Report {
            mappings: vec![mapping],
        }
    }

    #[test]
    fn only_a_count_that_does_not_add_up_is_a_finding() {
        assert!(adds_up(&report(100, false)));
        assert!(adds_up(&report(100, true)));
        assert!(!adds_up(&report(99, false)));
        assert!(adds_up(&Report::default()));
    }

    #[test]
    fn a_standstill_and_a_gap_are_told() {
        assert!(warnings(&report(100, false)).is_empty());
        let told = warnings(&report(99, true));
        assert_eq!(
            told,
            [
                "shardId-000000000000 of mapping u: 1 records unaccounted for",
                "shardId-000000000000 of gained stands still since 2026-01-01T00:00:00.000Z behind a \
                 batch of 100 that failed 7 times: TypeError",
            ]
        );
    }

    #[test]
    fn the_table_shows_each_shard_and_the_totals() {
        let text = text(&report(100, false));
        assert!(text.starts_with("flights -> gained (u)\n"), "{text}");
        assert_eq!(text.matches("1,500").count(), 2, "{text}");
        assert!(text.contains(" all "), "{text}");
    }
}
