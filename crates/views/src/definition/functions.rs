//! Which functions are known: [`Known`], by name.
//!
//! What must hold: a function counts as immutable only when it stands in [`IMMUTABLE`]: the same
//! arguments give the same value in every process, time zone and version. What is in no list is refused,
//! because a function that nobody has looked at may read a clock.

use super::refusal::{Refusal, Standing};

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It gives the same value for the same arguments, always.
    Immutable,
    /// It adds up, as the one with this name does.
    Aggregate(Adds),
    /// It cannot stand in a view.
    Refused {
        /// What becomes of the view.
        standing: Standing,
        /// Why.
        why: &'static str,
        /// What could stand there instead.
        nearest: &'static str,
    },
}

/// How an aggregate adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// Counts.
    Count,
    /// Adds numbers.
    Sum,
    /// Adds numbers and counts them.
    Average,
    /// Keeps the smallest.
    Min,
    /// Keeps the greatest.
    Max,
    /// Whether all are true.
    All,
    /// Whether any is true.
    Any,
    /// About how many different ones there are.
    ApproximateDistinct,
    /// About the value below which a part lies; the second argument says which part.
    Quantile,
    /// The value of the first record, by an order or by place.
    First,
    /// The value of the last record, by an order or by place.
    Last,
    /// The value where the second argument is smallest.
    MinBy,
    /// The value where the second argument is greatest.
    MaxBy,
}

const AGGREGATES: [(&str, Adds); 19] = [
    ("count", Adds::Count),
    ("sum", Adds::Sum),
    ("avg", Adds::Average),
    ("mean", Adds::Average),
    ("min", Adds::Min),
    ("max", Adds::Max),
    ("bool_and", Adds::All),
    ("every", Adds::All),
    ("bool_or", Adds::Any),
    ("approx_distinct", Adds::ApproximateDistinct),
    ("approx_count_distinct", Adds::ApproximateDistinct),
    ("approx_quantile", Adds::Quantile),
    ("first_value", Adds::First),
    ("first", Adds::First),
    ("last_value", Adds::Last),
    ("last", Adds::Last),
    ("min_by", Adds::MinBy),
    ("max_by", Adds::MaxBy),
    ("arg_max", Adds::MaxBy),
];

/// Functions whose value follows from their arguments alone.
const IMMUTABLE: [&str; 56] = [
    "abs",
    "acos",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "btrim",
    "cbrt",
    "ceil",
    "char_length",
    "chr",
    "coalesce",
    "concat",
    "concat_ws",
    "date_bin",
    "date_part",
    "date_trunc",
    "degrees",
    "ends_with",
    "exp",
    "floor",
    "greatest",
    "initcap",
    "json_as_text",
    "json_get",
    "json_get_bool",
    "json_get_float",
    "json_get_int",
    "json_get_str",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "md5",
    "nullif",
    "octet_length",
    "pow",
    "power",
    "radians",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sha256",
    "split_part",
    "sqrt",
    "starts_with",
    "upper",
];

const CLOCKS: [&str; 10] = [
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "today",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
];

const CHANCE: [&str; 5] = ["random", "rand", "uuid", "gen_random_uuid", "newid"];

const CALLERS: [&str; 6] = [
    "current_user",
    "session_user",
    "user",
    "current_schema",
    "current_database",
    "current_role",
];

const VARIANCES: [&str; 11] = [
    "var",
    "variance",
    "var_pop",
    "var_samp",
    "var_sample",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "corr",
    "covar_pop",
    "covar_samp",
];

const COLLECTIONS: [&str; 6] = [
    "array_agg",
    "string_agg",
    "listagg",
    "group_concat",
    "json_agg",
    "list",
];

const SKETCHES: [&str; 6] = [
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "approx_median",
    "approx_percentile",
    "percentile_approx",
    "tdigest",
];

const QUANTILES: [&str; 5] = [
    "median",
    "percentile_cont",
    "percentile_disc",
    "quantile",
    "mode",
];

/// What is known of the function `name`, in lower case; none when nothing is.
pub fn known(name: &str) -> Option<Known> {
    if let Some((_, adds)) = AGGREGATES.iter().find(|(known, _)| *known == name) {
        return Some(Known::Aggregate(*adds));
    }
    if IMMUTABLE.contains(&name) {
        return Some(Known::Immutable);
    }
    let refused = |standing, why, nearest| {
        Some(Known::Refused {
            standing,
            why,
            nearest,
        })
    };
    let (batch, unsupported) = (Standing::BatchOnly, Standing::Unsupported);
    match name {
        name if CLOCKS.contains(&name) => refused(
            Standing::Invalid,
            "its value depends on when it is asked, so a record would count differently each time",
            "the record's own time or _arrival, or the condition in the query over the view",
        ),
        name if CHANCE.contains(&name) => refused(
            Standing::Invalid,
            "its value is another one each time",
            "a hash of the record, such as md5(_partition_key)",
        ),
        name if CALLERS.contains(&name) => refused(
            Standing::Invalid,
            "its value depends on who asks",
            "the condition in the query over the view",
        ),
        name if VARIANCES.contains(&name) => refused(
            unsupported,
            "it has no state that adds up exactly yet",
            "sum(x * x), sum(x) and count(x) in the view, and the formula over them",
        ),
        name if COLLECTIONS.contains(&name) => refused(
            batch,
            "it keeps every value, in an order that parts do not have",
            "count(distinct x), or first_value(x) and last_value(x)",
        ),
        name if SKETCHES.contains(&name) => refused(
            Standing::Approximate,
            "its sketch depends on the order of records, so the layers would disagree",
            "approx_quantile(x, p), which is within 0.4 % in any order",
        ),
        name if QUANTILES.contains(&name) => refused(
            batch,
            "it needs all values at once",
            "approx_quantile(x, p), which is within 0.4 %",
        ),
        "tumble" => refused(
            unsupported,
            "it has another name here",
            "date_bin(size, time)",
        ),
        "hop" => refused(
            Standing::Invalid,
            "a record falls into several windows, so they are grouped by and stand alone there",
            "GROUP BY hop(INTERVAL '5 minutes', INTERVAL '1 hour', time)",
        ),
        "session" => refused(
            batch,
            "where a session ends depends on records that come later",
            "date_bin(gap, time)",
        ),
        _ => None,
    }
}

/// Whether the function `name` says something of the query it stands in: above the merge it may.
pub fn is_of_the_query(name: &str) -> bool {
    CLOCKS.contains(&name) || CALLERS.contains(&name)
}

/// Refuses a function of which nothing is known.
pub fn unknown(name: &str) -> Refusal {
    Refusal::new(
        Standing::Unsupported,
        format!("{name}()"),
        "nothing is known of this function, so it may not give the same value each time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_in_two_lists() {
        let lists: [&[&str]; 9] = [
            &IMMUTABLE,
            &CLOCKS,
            &CHANCE,
            &CALLERS,
            &VARIANCES,
            &COLLECTIONS,
            &SKETCHES,
            &QUANTILES,
            &["tumble", "hop", "session"],
        ];
        let aggregates = AGGREGATES.iter().map(|(name, _)| *name);
        let mut names: Vec<&str> = lists.concat().into_iter().chain(aggregates).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
