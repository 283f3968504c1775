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
    /// Drop a view; what is archived of its stream stays.
    #[command(before_help = EXAMPLES)]
    Drop(NamedView),
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

/// Options of `tidemill views create`.
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

/// Options of commands about one view.
#[derive(Debug, Args)]
pub struct NamedView {
    /// The view.
    pub name: String,
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
