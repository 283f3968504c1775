//! What the demo says at its end: [`Report`], as JSON and as text.

use serde::Serialize;

use tidemill_ledger::{Counts, MappingReport};

use crate::demo::landing_act::LandingReport;
use crate::demo::pipeline;
use crate::demo::verdict::Check;
use crate::output::{self, grouped};

/// Takes one count.
type CountOf = fn(&Counts) -> i128;

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub endpoint: String,
    /// The stream.
    pub stream: String,
    /// The file.
    pub file: FileCounts,
    /// The producer.
    pub producer: ProducerCounts,
    /// The stream, read back.
    pub stream_holds: StreamCounts,
    /// The queue for failures.
    pub queue: QueueCounts,
    /// The ledger of the mapping with AWS's defaults.
    pub defaults: MappingReport,
    /// The ledger of the mapping with bisect, reported failures, few retries and the queue.
    pub careful: MappingReport,
    /// The second act; none where the server has no views.
    pub landings: Option<LandingReport>,
    /// The comparisons.
    pub checks: Vec<Check>,
    /// What to type next.
    pub next: Vec<String>,
}

/// Counted in the file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FileCounts {
    /// Rows.
    pub rows: u64,
    /// Rows that lack a delay.
    pub incomplete: u64,
}

/// Counted by the producer.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ProducerCounts {
    /// Acknowledgements.
    pub acknowledged: u64,
    /// Calls of PutRecords that were answered.
    pub calls: u64,
    /// Of these, calls that failed in part, with HTTP 200.
    pub partial_failures: u64,
    /// Entries refused for a shard's limit, and put again.
    pub throttled: u64,
    /// Entries refused for other reasons, and put again.
    pub failed: u64,
    /// Calls whose answer was lost.
    pub lost_answers: u64,
    /// Entries of these, which may be stored twice.
    pub doubtful: u64,
}

/// Counted in the stream.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StreamCounts {
    /// Records.
    pub records: u64,
    /// Acknowledged rows that are not there.
    pub missing: u64,
}

/// Counted in the queue.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueueCounts {
    /// Messages.
    pub messages: u64,
    /// Records they stand for.
    pub records: u64,
    /// Different rows of the file among them.
    pub rows: u64,
}

impl Report {
    /// The comparisons that do not hold.
    pub fn findings(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }

    /// The report for a reader.
    pub fn text(&self) -> String {
        let parts = [
            self.story(),
            self.ledgers(),
            self.standstill(),
            self.queue_line(),
            self.second_act(),
            self.conclusion(),
            self.way_on(),
        ];
        parts
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    fn story(&self) -> String {
        let ProducerCounts {
            acknowledged,
            calls,
            partial_failures,
            throttled,
            failed,
            lost_answers,
            ..
        } = self.producer;
        let mut text = format!(
            "{} flights of January 2013, {} acknowledged by {} calls of PutRecords.\n\
             {} of these calls failed in part; {} entries met a shard's limit and were put again.",
            grouped(self.file.rows),
            grouped(acknowledged),
            grouped(calls),
            grouped(partial_failures),
            grouped(throttled),
        );
        if failed > 0 {
            text += &format!(
                "\n{} entries met trouble of the server and were put again.",
                grouped(failed)
            );
        }
        if lost_answers > 0 {
            let doubtful = grouped(self.producer.doubtful);
            text += &format!(
                "\n{lost_answers} answers were lost; up to {doubtful} flights may be stored twice."
            );
        }
        text
    }

    fn ledgers(&self) -> String {
        let careful = format!("bisect, {} retries, queue", pipeline::RETRIES);
        let mut table = output::table(&["records", "AWS's defaults", &careful]);
        let rows: [(&str, CountOf); 9] = [
            ("acknowledged", |counts| counts.acked.into()),
            ("processed", |counts| counts.processed.into()),
            ("filtered", |counts| counts.filtered.into()),
            ("dead-lettered", |counts| counts.dead_lettered.into()),
            ("discarded", |counts| counts.discarded.into()),
            ("expired", |counts| counts.expired.into()),
            ("pending", |counts| counts.pending.into()),
            ("unaccounted", Counts::unaccounted),
            ("delivered again", |counts| counts.duplicates.into()),
        ];
        for (name, count) in rows {
            let cell = |mapping: &MappingReport| grouped(count(&mapping.totals));
            table.add_row([name.to_owned(), cell(&self.defaults), cell(&self.careful)]);
        }
        table.to_string()
    }

    fn standstill(&self) -> String {
        let blocked = |mapping: &MappingReport| {
            let shards = mapping.shards.iter();
            shards.filter(|shard| shard.blocked.is_some()).count()
        };
        if blocked(&self.defaults) == 0 {
            return String::new();
        }
        let mut table = output::table(&["shard", "pending", "standing still since", "attempts"]);
        for shard in &self.defaults.shards {
            if let Some(blocked) = &shard.blocked {
                let pending = grouped(shard.counts.pending);
                table.add_row([
                    &shard.shard_id,
                    &pending,
                    &blocked.since,
                    &grouped(blocked.attempts),
                ]);
            }
        }
        format!(
            "AWS's defaults retry a failed batch until it expires: {} of {} shards stand still behind a \
             flight without a delay.\n{table}",
            blocked(&self.defaults),
            self.defaults.shards.len(),
        )
    }

    fn queue_line(&self) -> String {
        format!(
            "Read back, the stream holds {} records; {} acknowledged ones are missing.\n\
             The queue gave {} messages for {} records, {} different flights; the file has {} that \
             lack a delay.",
            grouped(self.stream_holds.records),
            grouped(self.stream_holds.missing),
            grouped(self.queue.messages),
            grouped(self.queue.records),
            grouped(self.queue.rows),
            grouped(self.file.incomplete),
        )
    }

    fn second_act(&self) -> String {
        match &self.landings {
            Some(landings) => landings.text(),
            None => "The server has no views, so there was no second act.".to_owned(),
        }
    }

    fn conclusion(&self) -> String {
        let findings: Vec<String> = self
            .findings()
            .map(|check| {
                let numbers = check.finding.as_deref().unwrap_or_default();
                format!("  {}: {}\n    found: {numbers}", check.name, check.claim)
            })
            .collect();
        if findings.is_empty() {
            let totals = &self.careful.totals;
            return format!(
                "Verdict: {} processed, {} dead-lettered, {} unaccounted for. All {} checks hold.",
                grouped(totals.processed),
                grouped(totals.dead_lettered),
                grouped(totals.unaccounted()),
                self.checks.len(),
            );
        }
        format!(
            "Verdict: the numbers do not add up.\n{}",
            findings.join("\n")
        )
    }

    fn way_on(&self) -> String {
        format!("Next:\n  {}", self.next.join("\n  "))
    }
}
