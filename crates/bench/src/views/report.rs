//! What a run of the benchmark of views says: [`ViewsReport`]. Pure.
//!
//! What must hold: a figure stands beside the floor, the peer or the target that it is held against, from
//! the same run; a ratio is ours over the other's.

use serde::Serialize;

use crate::log::report::Latency;
use crate::machine::Machine;
use crate::statistics::Figure;

/// Microseconds within which 99 of 100 acknowledged records are to be in an answer.
pub const FRESH_P99_US: f64 = 250_000.0;
/// What an answer out of both layers may cost over one out of the batch layer, where groups are few.
pub const MERGED_RATIO: f64 = 1.2;
/// The groups up to which it may.
pub const MERGED_GROUPS: u64 = 1400;
/// Microseconds within which 99 of 100 lookups are to be answered.
pub const LOOKUP_P99_US: f64 = 2_000.0;

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ViewsReport {
    /// Version of the server.
    pub version: &'static str,
    /// The circumstances.
    pub machine: Option<Machine>,
    /// Rounds that a figure is the median of.
    pub rounds: usize,
    /// Length of a turn of queries.
    pub turn_millis: u64,
    /// How the server was started.
    pub server: &'static str,
    /// Size of a record.
    pub record_bytes: usize,
    /// Records into a view.
    pub ingest: Option<IngestMeasured>,
    /// From the acknowledgement to the answer.
    pub freshness: Vec<FreshnessMeasured>,
    /// Queries over both layers.
    pub merged: Vec<MergedMeasured>,
    /// Lookups of one group.
    pub lookups: Vec<LookupMeasured>,
    /// A view over records that are there.
    pub recompute: Option<RecomputeMeasured>,
    /// The start after a kill.
    pub rebuild: Option<RebuildMeasured>,
    /// Why a figure should not be trusted, and what was not measured.
    pub warnings: Vec<String>,
}

/// Records into a view of five aggregates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IngestMeasured {
    /// Records of a round.
    pub records: u64,
    /// Groups of the view.
    pub groups: u64,
    /// From the first put until answers have every record.
    pub records_per_second: Figure,
    /// CPU of the server for a record, in microseconds: putting, archiving and both layers.
    pub cpu_us: Figure,
    /// The same into a stream that has no view.
    pub cpu_without_view_us: Figure,
    /// Records that a core takes in a second, everything included.
    pub records_per_core: f64,
    /// Records that a core would take in a second if putting cost nothing: archiving and both layers.
    pub records_per_core_of_views: f64,
    /// What a thread does of the same records by hand.
    pub floors: IngestFloors,
    /// The floor of adding up over what the views cost.
    pub adding_over_views: f64,
}

/// What one thread does by hand, in records per second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IngestFloors {
    /// Reading the JSON and nothing else.
    pub parsing: Figure,
    /// Reading it and adding the five aggregates up in a map.
    pub adding: Figure,
}

/// From the acknowledgement of a record to the first answer that has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FreshnessMeasured {
    /// `demanded` with the sequence number, or `polled` for.
    pub way: &'static str,
    /// Records per second that were put meanwhile.
    pub put_rate: u64,
    /// Records that were looked for in a round.
    pub probes: usize,
    /// How long it took.
    pub latency: Latency,
    /// Whether the target is met.
    pub is_met: bool,
}

/// A query over both layers beside the same over the batch layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MergedMeasured {
    /// Groups of the view.
    pub groups: u64,
    /// Its records.
    pub records: u64,
    /// Those of them that are in the speed layer.
    pub behind: u64,
    /// What was asked.
    pub query: String,
    /// Whether a record came in before each answer, so that none could use what the one before it did.
    pub is_after_a_record: bool,
    /// All of the records in the batch layer.
    pub batch: Latency,
    /// Some of them in the speed layer.
    pub merged: Latency,
    /// Merged over batch, at both percentiles.
    pub over_batch: [f64; 2],
    /// Whether the target is met; none where there is none.
    pub is_met: Option<bool>,
}

/// Looking up one group by its whole key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LookupMeasured {
    /// Groups of the view.
    pub groups: u64,
    /// `rows` by the values of columns, or `sql`.
    pub way: &'static str,
    /// How long it took.
    pub latency: Latency,
    /// A bare HTTP server asked the same.
    pub floor: Latency,
    /// Ours over the floor.
    pub over_floor: [f64; 2],
    /// Whether the target is met.
    pub is_met: bool,
}

/// A view that is made over records that are there already.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecomputeMeasured {
    /// The records.
    pub records: u64,
    /// Groups of the view.
    pub groups: u64,
    /// Until answers have all records: the speed layer reads the stream.
    pub answered_per_second: Figure,
    /// Until the batch view has all records: it is computed again out of the master dataset and compared.
    pub absorbed_per_second: Figure,
    /// CPU of the server for a record until then, in microseconds.
    pub cpu_us: Figure,
    /// All of it once more, out of the master dataset, from the first record on.
    pub recomputed_per_second: Figure,
    /// CPU of the server for a record of that, in microseconds.
    pub recompute_cpu_us: Figure,
    /// `DuckDB` over the same files; none when it is not there.
    pub duckdb: Option<DuckDb>,
}

/// What `DuckDB` does with the same files, in rows per second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DuckDb {
    /// Its version.
    pub version: String,
    /// Over the columns, on one thread.
    pub columns_one_thread: Figure,
    /// Over the columns, on all cores.
    pub columns_all_threads: Figure,
    /// Reading the JSON of the payloads, on one thread; none when it cannot.
    pub payloads_one_thread: Option<Figure>,
}

/// A start after a kill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RebuildMeasured {
    /// Records behind the batch view.
    pub records: u64,
    /// Groups of the view.
    pub groups: u64,
    /// Seconds until the server serves.
    pub ready_seconds: Figure,
    /// Seconds until the first answer, which has all records.
    pub answer_seconds: Figure,
    /// Records that were read again in a second of it, the start included.
    pub records_per_second: f64,
}

impl FreshnessMeasured {
    /// Of some rounds; none when one is empty.
    pub fn of(way: &'static str, put_rate: u64, rounds: &[Vec<f64>]) -> Option<FreshnessMeasured> {
        let latency = Latency::of(rounds)?;
        Some(FreshnessMeasured {
            way,
            put_rate,
            probes: rounds.first().map_or(0, Vec::len),
            is_met: latency.p99_us.median <= FRESH_P99_US,
            latency,
        })
    }
}

impl MergedMeasured {
    /// With its ratio and whether that is as it is to be.
    pub fn judged(self) -> MergedMeasured {
        let over_batch = self.merged.over(&self.batch);
        let has_target = self.groups <= MERGED_GROUPS;
        MergedMeasured {
            over_batch,
            is_met: has_target.then_some(over_batch[0] <= MERGED_RATIO),
            ..self
        }
    }
}

impl LookupMeasured {
    /// Of some rounds; none when one is empty.
    pub fn of(
        groups: u64,
        way: &'static str,
        rounds: &[Vec<f64>],
        floor: &[Vec<f64>],
    ) -> Option<LookupMeasured> {
        let (latency, floor) = (Latency::of(rounds)?, Latency::of(floor)?);
        Some(LookupMeasured {
            groups,
            way,
            over_floor: latency.over(&floor),
            is_met: latency.p99_us.median <= LOOKUP_P99_US,
            latency,
            floor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(us: f64) -> Vec<Vec<f64>> {
        vec![vec![us / 2.0, us]]
    }

    #[test]
    fn a_figure_is_held_against_its_target() {
        for (us, is_met) in [(250_000.0, true), (250_001.0, false)] {
            let fresh = FreshnessMeasured::of("polled", 0, &rounds(us)).expect("has a round");
            assert_eq!((fresh.is_met, fresh.probes), (is_met, 2));
        }
        for (us, is_met) in [(2000.0, true), (2001.0, false)] {
            let lookup = LookupMeasured::of(1400, "sql", &rounds(us), &rounds(100.0));
            assert_eq!(lookup.expect("has rounds").is_met, is_met);
        }
        assert_eq!(FreshnessMeasured::of("polled", 0, &[vec![]]), None);
    }

    #[test]
    fn only_few_groups_have_a_target_for_the_merge() {
        let latency = |us| Latency::of(&rounds(us)).expect("has a round");
        let merged = |groups, us| {
            let measured = MergedMeasured {
                groups,
                records: 1,
                behind: 1,
                query: String::new(),
                is_after_a_record: false,
                batch: latency(100.0),
                merged: latency(us),
                over_batch: [0.0; 2],
                is_met: None,
            };
            let judged = measured.judged();
            (judged.over_batch[0], judged.is_met)
        };
        assert_eq!(merged(1400, 120.0), (1.2, Some(true)));
        assert_eq!(merged(1400, 130.0), (1.3, Some(false)));
        assert_eq!(merged(400_000, 500.0), (5.0, None));
    }
}
