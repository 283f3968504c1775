//! What a run of the log benchmark says: [`LogReport`]. Pure.
//!
//! What must hold: the latency of a put stands beside that of a bare write of the size that the frames
//! of the same turn had, and beside one of 4 KiB; a ratio is ours over the floor's.

use serde::Serialize;

use crate::machine::Machine;
use crate::statistics::Figure;

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LogReport {
    /// Version of the log.
    pub version: &'static str,
    /// The circumstances.
    pub machine: Option<Machine>,
    /// Rounds that a figure is the median of.
    pub rounds: usize,
    /// Length of a turn.
    pub turn_millis: u64,
    /// Whether as many threads as there are cores were spinning beside it.
    pub busy: bool,
    /// Puts of 1 KiB, by way of writing and number in flight.
    pub puts: Vec<PutsMeasured>,
    /// Read-back, memory and restart.
    pub held: Option<Held>,
    /// Records in memory that were read back.
    pub tail_read: Option<Throughput>,
    /// Why a figure should not be trusted.
    pub warnings: Vec<String>,
}

/// A latency at two percentiles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half took no longer, in microseconds.
    pub p50_us: Figure,
    /// 99 of 100 took no longer, in microseconds.
    pub p99_us: Figure,
}

impl Latency {
    /// Of rounds, each ascending; none when one is empty.
    pub fn of(rounds: &[Vec<f64>]) -> Option<Latency> {
        let at = |percent: usize| {
            let ranks = rounds.iter().map(|round| {
                let rank = (round.len() * percent).div_ceil(100);
                round.get(rank.saturating_sub(1)).copied()
            });
            Figure::of(&ranks.collect::<Option<Vec<_>>>()?)
        };
        Some(Latency {
            p50_us: at(50)?,
            p99_us: at(99)?,
        })
    }

    /// This over `floor`, at both percentiles.
    pub fn over(&self, floor: &Latency) -> [f64; 2] {
        [
            self.p50_us.median / floor.p50_us.median,
            self.p99_us.median / floor.p99_us.median,
        ]
    }
}

/// Puts of one kind, beside the disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PutsMeasured {
    /// Way of writing.
    pub way: String,
    /// How the committer is scheduled and how it writes.
    pub log: String,
    /// Puts in flight.
    pub in_flight: usize,
    /// Records of 1 KiB in each put, each to a partition of its own.
    pub entries: usize,
    /// Latency of a put.
    pub put: Latency,
    /// Puts per second.
    pub puts_per_second: Figure,
    /// Size of the frames: the median of each turn.
    pub frame_bytes: Figure,
    /// A bare durable write of that size.
    pub floor: Latency,
    /// A bare durable write of 4 KiB.
    pub floor_4_kib: Latency,
    /// Put over floor, at both percentiles.
    pub over_floor: [f64; 2],
    /// Put over the floor of 4 KiB.
    pub over_floor_4_kib: [f64; 2],
}

/// How fast something was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Throughput {
    /// Records per second.
    pub records_per_second: Figure,
    /// Megabytes (10^6) of payload per second.
    pub megabytes_per_second: Figure,
}

/// What came of a log that a process filled, held, and was killed with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held {
    /// Many partitions with few records each, then idle.
    pub memory: Option<MemoryMeasured>,
    /// Killed while it wrote, and started again.
    pub restart: Option<RestartMeasured>,
}

/// What a process said about the log it filled.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Filled {
    /// Partitions.
    pub partitions: u64,
    /// Records in each.
    pub entries: u64,
    /// Payload in all.
    pub payload_bytes: u64,
    /// Seconds it took to put them.
    pub seconds: f64,
    /// Resident memory before, with the empty log open.
    pub resident_before_bytes: u64,
    /// Resident memory behind, when the disk had been quiet for a while.
    pub resident_idle_bytes: u64,
    /// Bytes written to all files, until the disk was quiet.
    pub written_bytes: u64,
}

/// Resident memory of an idle log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryMeasured {
    /// What was put.
    pub filled: Filled,
    /// The tail ring that the log may keep in memory.
    pub tail_ring_bytes: u64,
    /// What it took beyond the empty log and the whole tail ring.
    pub beyond_tail_ring_bytes: i64,
    /// Bytes written over bytes put.
    pub write_amplification: f64,
}

/// A start after a kill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestartMeasured {
    /// What was retained.
    pub filled: Filled,
    /// Bytes written over bytes put.
    pub write_amplification: f64,
    /// Seconds until the log was open.
    pub open_seconds: f64,
    /// Seconds until the first put was durable, the opening included.
    pub first_put_seconds: f64,
    /// Records that no process had in memory, read back after the start.
    pub cold_read: Throughput,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_the_median_over_rounds_of_each_percentile() {
        let round = |scale: f64| (1..=100).map(|value| f64::from(value) * scale).collect();
        let latency = Latency::of(&[round(1.0), round(3.0), round(2.0)]).expect("has rounds");
        assert_eq!(
            (latency.p50_us.median, latency.p99_us.median),
            (100.0, 198.0)
        );
        let floor = Latency::of(&[round(0.5)]).expect("has a round");
        assert_eq!(latency.over(&floor), [4.0, 4.0]);
        assert_eq!(Latency::of(&[vec![]]), None);
    }
}
