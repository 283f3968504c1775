//! The command line: what can be asked for. No behaviour.
//!
//! What must hold: every option has an environment variable, the flag's name in capitals behind
//! `TIDEMILL_`; help opens with examples; what is not understood is refused by clap with status 2.

mod bench;
mod views;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use tidemill_bench::client::Endpoint;
use tidemill_log::inspect::PartitionName;
use tidemill_model::AccountId;

pub use bench::{Bench, BenchLog, BenchStreams, BenchViews, BenchWhat, LogPart, ViewsPart};
pub use views::{
    NamedView, Server, Views, ViewsCreate, ViewsDrop, ViewsExclude, ViewsPutTable, ViewsQuery,
    ViewsSparkSql, ViewsUndo,
};

/// Streams, functions and the mappings between them, on your own machine, every record accounted for.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidemill demo                     see the whole thing work on real data, in under a minute
  tidemill start                    serve on http://127.0.0.1:4566, data in ./tidemill-data
  tidemill start --ephemeral        the same, keeping nothing
  tidemill ledger                   what became of every record
";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server.
    #[command(before_help = START_EXAMPLES)]
    Start(Start),
    /// Put a month of flights through a stream and two mappings, and account for every record.
    #[command(before_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Show what became of every record, by mapping and shard.
    #[command(before_help = LEDGER_EXAMPLES)]
    Ledger(Ledger),
    /// Make, look at, query and drop views: SQL over streams, answered exactly.
    #[command(subcommand, before_help = views::EXAMPLES)]
    Views(Views),
    /// Measure throughput and latency beside what the machine does at best.
    #[command(before_help = bench::EXAMPLES)]
    Bench(Bench),
    /// Look at a data directory that no server uses.
    #[command(subcommand, before_help = LOG_EXAMPLES)]
    Log(Log),
}

const START_EXAMPLES: &str = "\
Examples:
  tidemill start
  tidemill start --ephemeral --port 0
  tidemill start --data-dir /var/lib/tidemill --bind 0.0.0.0 --limits none
  TIDEMILL_PORT=4567 tidemill start
";

/// Options of `tidemill start`.
#[derive(Debug, Args)]
pub struct Start {
    /// Directory that holds everything; made when it is not there.
    ///
    /// [env: TIDEMILL_DATA_DIR=] [default: ./tidemill-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep everything in memory and lose it at the end.
    #[arg(long, env = "TIDEMILL_EPHEMERAL", conflicts_with = "data_dir")]
    pub ephemeral: bool,
    /// Address to listen on.
    #[arg(
        long,
        env = "TIDEMILL_BIND",
        default_value = "127.0.0.1",
        value_name = "IP"
    )]
    pub bind: IpAddr,
    /// Port to listen on; 0 takes any that is free.
    #[arg(long, env = "TIDEMILL_PORT", default_value_t = 4566)]
    pub port: u16,
    /// Port for psql and other clients of Postgres; 0 takes any that is free. 5466 when it is not given
    /// and nobody else has that.
    #[arg(long, env = "TIDEMILL_SQL_PORT", value_name = "PORT")]
    pub sql_port: Option<u16>,
    /// Whether AWS's limits are kept, such as 1,000 records a second and shard.
    #[arg(long, env = "TIDEMILL_LIMITS", value_enum, default_value_t = Limits::Aws)]
    pub limits: Limits,
    /// Whether to wait where AWS does, such as a second between polls.
    #[arg(long, env = "TIDEMILL_PACE", value_enum, default_value_t = Pace::Fast)]
    pub pace: Pace,
    /// When a record is acknowledged: once it is synced, once the system has it, or at once.
    #[arg(long, env = "TIDEMILL_DURABILITY", value_enum, default_value_t = Durability::Sync)]
    pub durability: Durability,
    /// The account of requests whose access key is not an account number.
    #[arg(
        long,
        env = "TIDEMILL_ACCOUNT_ID",
        default_value = "000000000000",
        value_name = "DIGITS"
    )]
    pub account_id: AccountId,
    /// How long a stream stays in states such as CREATING: a number and ms, s, m or h.
    #[arg(
        long,
        env = "TIDEMILL_STATE_DELAY",
        default_value = "0s",
        value_name = "TIME",
        value_parser = duration
    )]
    pub state_delay: Duration,
    /// Serve TLS beside plain connections on the same port, with a certificate made for this machine.
    #[arg(long, env = "TIDEMILL_TLS")]
    pub tls: bool,
    /// Serve TLS with this certificate, a file of PEM.
    #[arg(
        long,
        env = "TIDEMILL_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, a file of PEM.
    #[arg(
        long,
        env = "TIDEMILL_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Configuration file.
    #[arg(long, env = "TIDEMILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Start although stored data is damaged, without what cannot be read.
    #[arg(long, env = "TIDEMILL_ACCEPT_DATA_LOSS")]
    pub accept_data_loss: bool,
}

impl Start {
    /// The data directory: the option, else what the environment says, else the default.
    ///
    /// The environment is not left to clap, which would take it for an option that was given and refuse
    /// `--ephemeral` beside it.
    pub fn directory(&self, environment: Option<OsString>) -> PathBuf {
        let given = self
            .data_dir
            .clone()
            .or_else(|| environment.map(PathBuf::from));
        given.unwrap_or_else(|| PathBuf::from("./tidemill-data"))
    }
}

/// Values of `--limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Limits {
    /// AWS's limits.
    Aws,
    /// None.
    None,
}

/// Values of `--pace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// No delay that nobody wants.
    Fast,
    /// AWS's delays.
    Aws,
}

/// Values of `--durability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// Survives a power cut.
    Sync,
    /// Survives a crash of the process.
    Os,
    /// Survives nothing.
    Memory,
}

const DEMO_EXAMPLES: &str = "\
Examples:
  tidemill demo
  tidemill demo --json
  tidemill demo --endpoint http://127.0.0.1:4566     against a server that runs already
  tidemill demo --data-dir ./flights                 and keep what it stored
";

/// Options of `tidemill demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Run against this server and not an embedded one.
    #[arg(
        long,
        env = "TIDEMILL_ENDPOINT",
        value_name = "URL",
        conflicts_with_all = ["data_dir", "keep"]
    )]
    pub endpoint: Option<Endpoint>,
    /// Directory for the embedded server, which is kept; a temporary one otherwise.
    #[arg(long, env = "TIDEMILL_DEMO_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep the embedded server's temporary directory.
    #[arg(long, env = "TIDEMILL_KEEP")]
    pub keep: bool,
    /// What to append to the names of the stream, functions and queue; drawn by chance where the
    /// server may hold others.
    #[arg(long, env = "TIDEMILL_SUFFIX", value_parser = suffix)]
    pub suffix: Option<String>,
    /// Only the second act, on the flights of this file, as data/extract_landings.py writes it.
    #[arg(long, env = "TIDEMILL_LANDINGS", value_name = "FILE")]
    pub landings: Option<PathBuf>,
    /// Print the verdict as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

const LEDGER_EXAMPLES: &str = "\
Examples:
  tidemill ledger
  tidemill ledger --endpoint http://127.0.0.1:4567 --json
";

/// Options of `tidemill ledger`.
#[derive(Debug, Args)]
pub struct Ledger {
    /// The server to ask.
    #[arg(
        long,
        env = "TIDEMILL_ENDPOINT",
        value_name = "URL",
        default_value = "http://127.0.0.1:4566"
    )]
    pub endpoint: Endpoint,
    /// Print the ledger as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

const LOG_EXAMPLES: &str = "\
Examples:
  tidemill log verify                                  is everything what was written?
  tidemill log verify --data-dir /var/lib/tidemill --json
  tidemill log dump --partition control/0              every control command
  tidemill log dump --partition streams/3 --from 1000
";

/// The commands below `tidemill log`.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Check every checksum and chain; status 1 when something is damaged.
    #[command(before_help = LOG_EXAMPLES)]
    Verify(LogVerify),
    /// List frames and entries; status 1 when something is damaged.
    #[command(before_help = LOG_EXAMPLES)]
    Dump(LogDump),
}

/// Options of `tidemill log verify`.
#[derive(Debug, Args)]
pub struct LogVerify {
    /// The data directory; nothing in it is changed.
    #[arg(
        long,
        env = "TIDEMILL_DATA_DIR",
        default_value = "./tidemill-data",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,
    /// Print the findings as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

/// Options of `tidemill log dump`.
#[derive(Debug, Args)]
pub struct LogDump {
    /// The data directory; nothing in it is changed.
    #[arg(
        long,
        env = "TIDEMILL_DATA_DIR",
        default_value = "./tidemill-data",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,
    /// Only this partition: its owner and the owner's number, such as control/0 or streams/3.
    #[arg(long, env = "TIDEMILL_PARTITION", value_name = "OWNER/NUMBER")]
    pub partition: Option<PartitionName>,
    /// Only entries from this position on.
    #[arg(long, env = "TIDEMILL_FROM", value_name = "POSITION")]
    pub from: Option<u64>,
    /// Print the listing as JSON, all of it at once.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

/// A length of time: a whole number and its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => {
            return Err("a number and its unit are needed, such as 500ms, 2s, 1m or 1h".to_owned());
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("{number:?} is not a number"))?;
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(|| "too long".to_owned())
}

/// What may stand at the end of every AWS name there is here.
fn suffix(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match text.len() {
        1..=32 if text.bytes().all(legal) => Ok(text.to_owned()),
        _ => Err("1 to 32 letters, digits, hyphens and underscores are needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str]) -> Result<Start, clap::Error> {
        let words = ["tidemill", "start"].iter().chain(arguments);
        match Arguments::try_parse_from(words)?.command {
            Command::Start(start) => Ok(start),
            _ => panic!("start was asked for"),
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn start_has_the_published_defaults() {
        let start = start(&[]).expect("no argument is needed");
        assert_eq!(start.directory(None), PathBuf::from("./tidemill-data"));
        assert_eq!(start.directory(Some("kept".into())), PathBuf::from("kept"));
        assert_eq!(start.bind.to_string(), "127.0.0.1");
        assert_eq!(start.port, 4566);
        assert_eq!((start.limits, start.pace), (Limits::Aws, Pace::Fast));
        assert_eq!(start.durability, Durability::Sync);
        assert_eq!(start.account_id.as_str(), "000000000000");
        assert_eq!(start.state_delay, Duration::ZERO);
        assert!(!start.ephemeral && !start.accept_data_loss && start.config.is_none());
    }

    #[test]
    fn every_option_has_its_environment_variable() {
        use clap::CommandFactory;
        for command in Arguments::command().get_subcommands() {
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_long() != Some("help"))
                .filter(|argument| !is_read_by_start(command, argument))
            {
                let variable = argument
                    .get_env()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                assert!(
                    variable.starts_with("TIDEMILL_"),
                    "{} of {command}",
                    argument.get_id()
                );
            }
        }
    }

    /// The one variable that clap does not read: see [`Start::directory`].
    fn is_read_by_start(command: &clap::Command, argument: &clap::Arg) -> bool {
        command.get_name() == "start" && argument.get_long() == Some("data-dir")
    }

    #[test]
    fn what_contradicts_itself_is_a_usage_error() {
        for arguments in [
            ["--ephemeral", "--data-dir=d"].as_slice(),
            &["--port=70000"],
            &["--limits=some"],
            &["--account-id=12"],
            &["--state-delay=3"],
            &["--bind=nowhere"],
            &["--tls-cert=c"],
            &["--tls-key=k"],
        ] {
            assert_eq!(
                start(arguments).expect_err("is refused").exit_code(),
                2,
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn a_length_of_time_needs_its_unit() {
        let cases = [
            ("0s", Some(0)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("99999999999999999999s", None),
            ("9999999999999999999h", None),
        ];
        for (text, millis) in cases {
            assert_eq!(
                duration(text).ok(),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn a_suffix_must_fit_into_a_name() {
        assert_eq!(suffix("a-1_B"), Ok("a-1_B".to_owned()));
        for text in ["", "a b", "a.b", "ä", &"x".repeat(33)] {
            assert!(suffix(text).is_err(), "{text}");
        }
    }
}
