//! What can be asked of `tidemill bench`. No behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::duration;

/// How the help of `tidemill bench` opens.
pub const EXAMPLES: &str = "\
Examples:
  tidemill bench                                    streams, over 8 connections
  tidemill bench --quick --json                     only show that it works
  tidemill bench streams --connections 1,8,32 --peers ./peers
  tidemill bench streams --only put_records_1_kib --rounds 3 --turn 500ms
  tidemill bench log                                the log alone, beside the disk
  tidemill bench log --busy                         the same while all cores are busy
  tidemill bench views                              views: ingest, freshness, queries, lookups, rebuild
";

const STREAMS_EXAMPLES: &str = "\
Examples:
  tidemill bench streams
  tidemill bench streams --connections 1,8,32 --peers ./peers --json
  tidemill bench streams --only put_records_1_kib --rounds 3 --turn 500ms
";

const LOG_EXAMPLES: &str = "\
Examples:
  tidemill bench log --dir /mnt/fast-disk
  tidemill bench log --busy --only put,batch --json
  tidemill bench log --only restart --partitions 10000 --retained-records 1000
";

const VIEWS_EXAMPLES: &str = "\
Examples:
  tidemill bench views --dir /mnt/fast-disk
  tidemill bench views --only merged,lookup --rounds 5
  tidemill bench views --python ~/venv/bin/python --only recompute --json
";

/// Options of `tidemill bench`: without a word behind it, streams.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub what: Option<BenchWhat>,
    /// Without a word: streams.
    #[command(flatten)]
    pub streams: BenchStreams,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// Putting and reading records over HTTP, beside two floors and the peers that are installed.
    #[command(before_help = STREAMS_EXAMPLES)]
    Streams(BenchStreams),
    /// The log alone, beside what the disk does at best.
    #[command(before_help = LOG_EXAMPLES)]
    Log(BenchLog),
    /// Views: how much they take, how fresh and how fast their answers are, beside floors and `DuckDB`.
    #[command(before_help = VIEWS_EXAMPLES)]
    Views(BenchViews),
}

/// Options of `tidemill bench streams`.
#[derive(Debug, Args)]
pub struct BenchStreams {
    /// Directory on the disk to measure; a temporary one is made in it.
    #[arg(long, env = "TIDEMILL_DIR", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Only show that it works; the figures mean nothing.
    #[arg(long, env = "TIDEMILL_QUICK")]
    pub quick: bool,
    /// Rounds that each figure is the median of; 5 unless --quick.
    #[arg(long, env = "TIDEMILL_ROUNDS", value_name = "NUMBER")]
    pub rounds: Option<usize>,
    /// Length of each turn in a round; 1500ms unless --quick.
    #[arg(long, env = "TIDEMILL_TURN", value_name = "TIME", value_parser = duration)]
    pub turn: Option<Duration>,
    /// How many GiB of records a turn may store, which ends it early; 1 unless --quick.
    #[arg(
        long,
        env = "TIDEMILL_TURN_GIB",
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u64).range(1..=1024)
    )]
    pub turn_gib: Option<u64>,
    /// Requests in flight; one measurement for each number.
    #[arg(
        long,
        env = "TIDEMILL_CONNECTIONS",
        value_name = "NUMBERS",
        value_delimiter = ',',
        default_value = "8"
    )]
    pub connections: Vec<usize>,
    /// Only workloads whose name begins so, such as put_records_1_kib or get_records.
    #[arg(
        long,
        env = "TIDEMILL_ONLY",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub only: Vec<String>,
    /// Where to look for kinesis-local, kinesalite, ferrokinesis and fakecloud, besides the path.
    #[arg(long, env = "TIDEMILL_PEERS", value_name = "DIR")]
    pub peers: Option<PathBuf>,
    /// Measure no peers, even when they are installed.
    #[arg(long, env = "TIDEMILL_WITHOUT_PEERS")]
    pub without_peers: bool,
    /// Print the report as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

/// Options of `tidemill bench log`.
#[derive(Debug, Args)]
pub struct BenchLog {
    /// Directory on the disk to measure; a temporary one is made in it.
    #[arg(long, env = "TIDEMILL_DIR", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Only show that it works; the figures mean nothing.
    #[arg(long, env = "TIDEMILL_QUICK")]
    pub quick: bool,
    /// Have as many threads as there are cores spin beside it.
    #[arg(long, env = "TIDEMILL_BUSY")]
    pub busy: bool,
    /// Measure puts with every way of writing and of scheduling, and not only the best.
    #[arg(long, env = "TIDEMILL_EVERY_WAY")]
    pub every_way: bool,
    /// Only these parts.
    #[arg(
        long,
        env = "TIDEMILL_ONLY",
        value_name = "PARTS",
        value_delimiter = ',',
        value_enum
    )]
    pub only: Vec<LogPart>,
    /// Rounds that each figure is the median of; 5 unless --quick.
    #[arg(long, env = "TIDEMILL_ROUNDS", value_name = "NUMBER")]
    pub rounds: Option<usize>,
    /// Length of each turn in a round; 1s unless --quick.
    #[arg(long, env = "TIDEMILL_TURN", value_name = "TIME", value_parser = duration)]
    pub turn: Option<Duration>,
    /// Puts in flight; one measurement for each number. 1, 16, 128 and 512 unless --quick.
    #[arg(
        long,
        env = "TIDEMILL_IN_FLIGHT",
        value_name = "NUMBERS",
        value_delimiter = ','
    )]
    pub in_flight: Vec<usize>,
    /// Partitions where memory and the start are measured; 10,000 unless --quick.
    #[arg(long, env = "TIDEMILL_PARTITIONS", value_name = "NUMBER")]
    pub partitions: Option<u64>,
    /// Records of 1 KiB on each of them where the start is measured; 1,000 unless --quick.
    #[arg(long, env = "TIDEMILL_RETAINED_RECORDS", value_name = "NUMBER")]
    pub retained_records: Option<u64>,
    /// Print the report as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
    /// Fill a log in this directory and hold it: what this command starts to be measured and killed.
    #[arg(long, env = "TIDEMILL_HOLD", hide = true)]
    pub hold: Option<PathBuf>,
    /// Records on each partition of the log that is held.
    #[arg(long, env = "TIDEMILL_HOLD_ENTRIES", hide = true, default_value_t = 1)]
    pub hold_entries: u64,
}

/// Values of `--only` of `tidemill bench log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogPart {
    /// Puts of one record.
    Put,
    /// Puts of many records, each to a partition of its own.
    Batch,
    /// Reading what is in memory.
    Read,
    /// Memory of many idle partitions.
    Memory,
    /// The start after a kill, and reading what is in no memory.
    Restart,
}

/// Options of `tidemill bench views`.
#[derive(Debug, Args)]
pub struct BenchViews {
    /// Directory on the disk to measure; a temporary one is made in it.
    #[arg(long, env = "TIDEMILL_DIR", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Only show that it works; the figures mean nothing.
    #[arg(long, env = "TIDEMILL_QUICK")]
    pub quick: bool,
    /// Only these parts.
    #[arg(
        long,
        env = "TIDEMILL_ONLY",
        value_name = "PARTS",
        value_delimiter = ',',
        value_enum
    )]
    pub only: Vec<ViewsPart>,
    /// Rounds that each figure is the median of; 3 unless --quick.
    #[arg(long, env = "TIDEMILL_ROUNDS", value_name = "NUMBER")]
    pub rounds: Option<usize>,
    /// Length of each turn of queries in a round; 500ms unless --quick.
    #[arg(long, env = "TIDEMILL_TURN", value_name = "TIME", value_parser = duration)]
    pub turn: Option<Duration>,
    /// The Python that has `DuckDB`; without one, that is not measured.
    #[arg(
        long,
        env = "TIDEMILL_PYTHON",
        value_name = "PROGRAM",
        default_value = "python3"
    )]
    pub python: PathBuf,
    /// Print the report as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

/// Values of `--only` of `tidemill bench views`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ViewsPart {
    /// Records into a view.
    Ingest,
    /// From the acknowledgement of a record to the first answer that has it.
    Freshness,
    /// Queries over both layers, beside the batch layer alone.
    Merged,
    /// Looking up one group.
    Lookup,
    /// A view over what is there already, beside `DuckDB`.
    Recompute,
    /// The first answer after a kill.
    Rebuild,
}

impl Bench {
    /// The command's name and whether it answers in JSON.
    pub fn name_and_json(&self) -> (&'static str, bool) {
        match &self.what {
            None => ("bench", self.streams.json),
            Some(BenchWhat::Streams(options)) => ("bench streams", options.json),
            Some(BenchWhat::Log(options)) => ("bench log", options.json),
            Some(BenchWhat::Views(options)) => ("bench views", options.json),
        }
    }
}
