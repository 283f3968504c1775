//! Options of `tidemill views`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use tidemill_bench::client::Endpoint;

pub const EXAMPLES: &str = "\
Examples:
  tidemill views create \"CREATE VIEW sales AS SELECT store, count(*) AS n FROM STREAM orders GROUP BY store\"
  tidemill views create --file sales.sql
  tidemill views list
  tidemill views query \"SELECT * FROM sales ORDER BY n DESC LIMIT 10\"
  tidemill views query \"SELECT * FROM sales\" --min-position SEQUENCE_NUMBER
  tidemill views alter \"ALTER VIEW sales AS SELECT store, sum(amount) AS total FROM STREAM orders GROUP BY store\"
  tidemill views diff sales
  tidemill views audit sales
  tidemill views promote sales
  tidemill views rollback sales
  tidemill views exclude orders --shard 3 --from 1200 --to 1350 --reason \"the till was broken\"
  tidemill views put-table stores stores.ndjson
  tidemill views spark-sql sales --table 'delta.`/mnt/lake/orders`'
  tidemill views drop sales
";

/// The commands below `tidemill views`.
#[derive(Debug, Subcommand)]
pub enum Views {
    /// Make a view (CREATE VIEW), or declare the columns of a stream (CREATE SCHEMA FOR STREAM).
    #[command(before_help = EXAMPLES)]
    Create(ViewsCreate),
    /// List the views.
    #[command(before_help = EXAMPLES)]
    List(Server),
    /// Show what a view is made of, how exact it is and how far it is.
    #[command(before_help = EXAMPLES)]
    Show(NamedView),
    /// Drop a view, or one of its versions; what is archived of its stream stays.
    #[command(before_help = EXAMPLES)]
    Drop(ViewsDrop),
    /// Make the next version of a view (ALTER VIEW), beside the one that is served.
    #[command(before_help = EXAMPLES)]
    Alter(ViewsCreate),
    /// Compare the served version of a view with the next one, or else with the previous; 1 when they differ.
    #[command(before_help = EXAMPLES)]
    Diff(NamedView),
    /// Compute what the batch view of a view has again out of the master dataset, and compare.
    #[command(before_help = EXAMPLES)]
    Audit(NamedView),
    /// Serve the next version of a view, once it has caught up.
    #[command(before_help = EXAMPLES)]
    Promote(NamedView),
    /// Serve the previous version of a view again.
    #[command(before_help = EXAMPLES)]
    Rollback(NamedView),
    /// Leave records out of all views of a stream.
    #[command(before_help = EXAMPLES)]
    Exclude(ViewsExclude),
    /// List what is left out, and what was.
    #[command(before_help = EXAMPLES)]
    Exclusions(Server),
    /// Count the records of an exclusion again.
    #[command(before_help = EXAMPLES)]
    Undo(ViewsUndo),
    /// Make the next version of a static table out of a file with a JSON object in each line.
    #[command(before_help = EXAMPLES)]
    PutTable(ViewsPutTable),
    /// List the static tables.
    #[command(before_help = EXAMPLES)]
    Tables(Server),
    /// Drop a static table, with all its versions.
    #[command(before_help = EXAMPLES)]
    DropTable(NamedView),
    /// Write down what a view computes as one query of Spark SQL over the master dataset of its stream.
    #[command(before_help = EXAMPLES)]
    SparkSql(ViewsSparkSql),
    /// Query views with SQL.
    #[command(before_help = EXAMPLES)]
    Query(ViewsQuery),
}

impl Views {
    /// The command's name, and whether it prints JSON.
    pub fn name_and_json(&self) -> (&'static str, bool) {
        match self {
            Views::Create(options) => ("views create", options.server.json),
            Views::List(server) => ("views list", server.json),
            Views::Show(options) => ("views show", options.server.json),
            Views::Drop(options) => ("views drop", options.server.json),
            Views::Alter(options) => ("views alter", options.server.json),
            Views::Diff(options) => ("views diff", options.server.json),
            Views::Audit(options) => ("views audit", options.server.json),
            Views::Promote(options) => ("views promote", options.server.json),
            Views::Rollback(options) => ("views rollback", options.server.json),
            Views::Exclude(options) => ("views exclude", options.server.json),
            Views::Exclusions(server) => ("views exclusions", server.json),
            Views::Undo(options) => ("views undo", options.server.json),
            Views::PutTable(options) => ("views put-table", options.server.json),
            Views::Tables(server) => ("views tables", server.json),
            Views::DropTable(options) => ("views drop-table", options.server.json),
            Views::SparkSql(options) => ("views spark-sql", options.server.json),
            Views::Query(options) => ("views query", options.server.json),
        }
    }
}

/// Which server is asked, and how its answer is printed.
#[derive(Debug, Args)]
pub struct Server {
    /// The server to ask.
    #[arg(
        long,
        env = "TIDEMILL_ENDPOINT",
        value_name = "URL",
        default_value = "http://127.0.0.1:4566"
    )]
    pub endpoint: Endpoint,
    /// Print the answer as JSON.
    #[arg(long, env = "TIDEMILL_JSON")]
    pub json: bool,
}

/// Options of `tidemill views create` and `tidemill views alter`.
#[derive(Debug, Args)]
pub struct ViewsCreate {
    /// The statement.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub sql: Option<String>,
    /// A file with the statement.
    #[arg(long, env = "TIDEMILL_FILE", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of commands about one view, or one table.
#[derive(Debug, Args)]
pub struct NamedView {
    /// Its name.
    pub name: String,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views drop`.
#[derive(Debug, Args)]
pub struct ViewsDrop {
    /// The view.
    pub name: String,
    /// Only the version that was made to be served next.
    #[arg(long, conflicts_with = "previous")]
    pub next: bool,
    /// Only the version that was served before.
    #[arg(long)]
    pub previous: bool,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views exclude`.
#[derive(Debug, Args)]
pub struct ViewsExclude {
    /// The stream.
    pub stream: String,
    /// The shard, by its number or its name.
    #[arg(long, value_name = "SHARD")]
    pub shard: String,
    /// The first record, by its position or its sequence number.
    #[arg(long, value_name = "POSITION")]
    pub from: String,
    /// The record behind the last one, likewise.
    #[arg(long, value_name = "POSITION")]
    pub to: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views undo`.
#[derive(Debug, Args)]
pub struct ViewsUndo {
    /// The number of the exclusion.
    pub exclusion: u64,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views put-table`.
#[derive(Debug, Args)]
pub struct ViewsPutTable {
    /// The table.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views spark-sql`.
#[derive(Debug, Args)]
pub struct ViewsSparkSql {
    /// The view.
    pub name: String,
    /// What Spark calls the master dataset: the name of the stream when it is not given.
    #[arg(long, env = "TIDEMILL_TABLE", value_name = "TABLE")]
    pub table: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `tidemill views query`.
#[derive(Debug, Args)]
pub struct ViewsQuery {
    /// The query.
    pub sql: String,
    /// A record that must be in the answer, by the sequence number that PutRecord gave; with the name of
    /// its stream in front when the query is over views of several: orders/4965…
    #[arg(long, env = "TIDEMILL_MIN_POSITION", value_name = "[STREAM/]NUMBER")]
    pub min_position: Vec<String>,
    /// Answer as of this vector of positions, as an earlier answer says it: 0:1500,1:700.
    #[arg(long, env = "TIDEMILL_AS_OF", value_name = "VECTOR")]
    pub as_of: Option<String>,
    /// Which server.
    #[command(flatten)]
    pub server: Server,
}
