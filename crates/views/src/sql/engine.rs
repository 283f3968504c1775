//! The engine as this crate has it: [`state`] with our functions and settings, and [`said`], what an error
//! of it says in one line.
//!
//! What must hold: an expression means the same wherever it is computed, so every session is made here.
//! Numbers with a point are decimals, as in the standard, and times are in UTC.

use std::sync::Arc;

use datafusion::arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::common::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionConfig;

use tidemill_model::Timestamp;

use super::arithmetic::Numbers;
use super::bounded;
use super::json;
use super::json_operators::JsonOperators;
use super::whole_sum::whole_sum;

/// Who says it, before what an error says.
const PREFIXES: [&str; 3] = [
    "Internal error: ",
    "Error during planning: ",
    "sql parser error: ",
];
/// Where a list of everything that could have been meant begins.
const DETAILS: [&str; 3] = [
    " No function matches",
    ", errors: ",
    ": While expanding wildcard",
];

/// A session that computes expressions.
pub fn state(config: SessionConfig) -> SessionState {
    let builder = SessionStateBuilder::new()
        .with_config(settings(config))
        .with_default_features();
    let mut state = builder.build();
    let functions: Vec<Arc<ScalarUDF>> = json::functions().into_iter().map(Arc::new).collect();
    let operators = JsonOperators {
        get: Arc::clone(&functions[0]),
        as_text: Arc::clone(&functions[1]),
    };
    let mut added = Ok(());
    for function in functions {
        added = added.and_then(|()| state.register_udf(function).map(|_| ()));
    }
    for name in bounded::NAMES {
        let function = state.udf(name).map(bounded::bounded);
        added = added.and_then(|()| state.register_udf(Arc::new(function?)).map(|_| ()));
    }
    for name in bounded::REMOVED {
        added = added.and_then(|()| state.deregister_udf(name).map(|_| ()));
    }
    let sum = state.udaf("sum").map(whole_sum);
    added = added.and_then(|()| state.register_udaf(Arc::new(sum?)).map(|_| ()));
    let added = added
        .and_then(|()| state.register_function_rewrite(Arc::new(Numbers::default())))
        .and_then(|()| state.register_expr_planner(Arc::new(operators)));
    added.expect("a session that was just made can be added to");
    state
}

/// `state` for a query that is made at `now`.
pub fn at(mut state: SessionState, now: Timestamp) -> SessionState {
    let micros = now.as_millis() as i64 * 1000;
    let now = timestamp_us_to_datetime(micros).map(|now| now.and_utc());
    state.execution_props_mut().query_execution_start_time = now;
    state
}

fn settings(config: SessionConfig) -> SessionConfig {
    let mut config = config;
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.time_zone = Some("+00:00".to_owned());
    config
}

/// What `error` says, in one line and without who says it.
pub fn said(error: &DataFusionError) -> String {
    let root = error.find_root();
    let text = match root {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::NotImplemented(text)
        | DataFusionError::Internal(text)
        | DataFusionError::ResourcesExhausted(text) => text.clone(),
        DataFusionError::Diagnostic(_, inner) => return said(inner),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let line = text.lines().next().unwrap_or_default();
    let line = PREFIXES.iter().fold(line, |line, prefix| {
        line.strip_prefix(prefix).unwrap_or(line)
    });
    let line = DETAILS.iter().fold(line, |line, detail| {
        line.split_once(detail).map_or(line, |(before, _)| before)
    });
    line.trim().trim_end_matches('.').to_owned()
}
