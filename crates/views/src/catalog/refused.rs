//! Why a command changes nothing, in words for the one who asked: [`Refused`].

use thiserror::Error;

/// Why a command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The name is taken.
    #[error("there is a view {name} already: drop it first, or choose another name")]
    ViewExists {
        /// The name.
        name: String,
    },
    /// There is none.
    #[error("there is no view {name}")]
    NoView {
        /// The name asked for.
        name: String,
    },
    /// There are too many.
    #[error("there are {limit} views already, which is as many as there can be")]
    TooManyViews {
        /// How many there can be.
        limit: usize,
    },
    /// There can be one at a time.
    #[error(
        "there is a next version of {name} already: PROMOTE VIEW {name}, or DROP VIEW {name} NEXT"
    )]
    NextExists {
        /// The view.
        name: String,
    },
    /// There is none.
    #[error("there is no next version of {name}: ALTER VIEW {name} AS SELECT … makes one")]
    NoNext {
        /// The view.
        name: String,
    },
    /// There is none.
    #[error("there is no previous version of {name}: PROMOTE VIEW {name} keeps one")]
    NoPrevious {
        /// The view.
        name: String,
    },
    /// Somebody has made another one meanwhile.
    #[error("the version of {name} is {found} by now: look at it first")]
    OtherVersion {
        /// The view.
        name: String,
        /// The number of what is there.
        found: u32,
    },
    /// Versions are compared and exchanged at positions of one stream.
    #[error("{name} is over stream {stream}, and so are its versions: make another view")]
    OtherStream {
        /// The view.
        name: String,
        /// Its stream.
        stream: String,
    },
    /// There is nothing in it.
    #[error("[{from}, {to}) has no positions: the end is one past the last")]
    NoPositions {
        /// The first position.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// Each position is excluded once.
    #[error("exclusion {id} has [{from}, {to}) of this shard: choose others, or undo it first")]
    ExcludedAlready {
        /// Its number.
        id: u64,
        /// Its first position.
        from: u64,
        /// One past its last.
        to: u64,
    },
    /// There is none.
    #[error("there is no exclusion {id}")]
    NoExclusion {
        /// The number asked for.
        id: u64,
    },
    /// It does not hold any more.
    #[error("exclusion {id} has been undone already")]
    UndoneAlready {
        /// Its number.
        id: u64,
    },
    /// There are too many.
    #[error("there are {limit} exclusions already, which is as many as there can be")]
    TooManyExclusions {
        /// How many there can be.
        limit: usize,
    },
    /// Somebody will ask.
    #[error("a reason is needed, of {most} bytes at most: REASON 'the sensor was broken'")]
    Reason {
        /// How long it can be.
        most: usize,
    },
    /// Such a name cannot be had.
    #[error("{name:?} cannot be a name: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// What there is stays.
    #[error(
        "the columns of stream {stream} are {columns}: others can only be added behind them; for \
         another type, add a column of another name with FROM 'field'"
    )]
    ColumnsChanged {
        /// The stream.
        stream: String,
        /// Its columns.
        columns: String,
    },
    /// There is none.
    #[error("there is no table {name}: `tidemill views put-table {name} FILE` makes one")]
    NoTable {
        /// The name asked for.
        name: String,
    },
    /// The name is taken.
    #[error("there is a table {name} already: drop it first, or choose another name")]
    TableExists {
        /// The name.
        name: String,
    },
    /// Somebody has put another one meanwhile.
    #[error("the newest version of table {name} is {found} by now: put it again")]
    OtherTable {
        /// The table.
        name: String,
        /// The number of what is there.
        found: u32,
    },
    /// A view needs it.
    #[error("view {view} is made over table {name}: drop the view first, and its versions")]
    TableJoined {
        /// The table.
        name: String,
        /// The view.
        view: String,
    },
    /// There are too many.
    #[error("there are {limit} tables already, which is as many as there can be")]
    TooManyTables {
        /// How many there can be.
        limit: usize,
    },
    /// There are too many.
    #[error("there are {limit} versions of table {name} already: make another table")]
    TooManyTableVersions {
        /// The table.
        name: String,
        /// How many there can be.
        limit: usize,
    },
    /// The name is taken.
    #[error("there is a query {name} already: drop it first, or choose another name")]
    EndpointExists {
        /// The name.
        name: String,
    },
    /// There is none.
    #[error("there is no query {name}")]
    NoEndpoint {
        /// The name asked for.
        name: String,
    },
    /// There are too many.
    #[error("there are {limit} named queries already, which is as many as there can be")]
    TooManyEndpoints {
        /// How many there can be.
        limit: usize,
    },
}
