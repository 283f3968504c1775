//! What can be asked of `tidemill bench`. No behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::duration;

/// How the help of `tidemill bench` opens.
pub const EXAMPLES: &str = "\
Examples:
  tidemill bench                                    streams, over 8 connections
  tidemill bench --quick --json                     only show that it works
  tidemill bench streams --connections 1,8,32 --peers ./peers
  tidemill bench streams --only put_records_1_kib --rounds 3 --turn 500ms
";

const STREAMS_EXAMPLES: &str = "\
Examples:
  tidemill bench streams
  tidemill bench streams --connections 1,8,32 --peers ./peers --json
  tidemill bench streams --only put_records_1_kib --rounds 3 --turn 500ms
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

impl Bench {
    /// The command's name and whether it answers in JSON.
    pub fn name_and_json(&self) -> (&'static str, bool) {
        match &self.what {
            None => ("bench", self.streams.json),
            Some(BenchWhat::Streams(options)) => ("bench streams", options.json),
        }
    }
}
