//! The engine as this crate has it: [`state`] with our functions and settings, and [`said`], what an error
//! of it says in one line.
//!
//! What must hold: an expression means the same wherever it is computed, so every session is made here.
//! Numbers with a point are decimals, as in the standard, and times are in UTC.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::arithmetic::Checked;
use super::json;

/// A session that computes expressions.
pub fn state(config: SessionConfig) -> SessionState {
    let builder = SessionStateBuilder::new()
        .with_config(settings(config))
        .with_default_features();
    let mut state = builder.build();
    for function in json::functions() {
        let before = state.register_udf(Arc::new(function));
        before.expect("a function can be added to a session that was just made");
    }
    let checked = state.register_function_rewrite(Arc::new(Checked::default()));
    checked.expect("a rewrite can be added to a session that was just made");
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
        other => other.strip_backtrace(),
    };
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" No function matches").next().unwrap_or(line);
    line.trim().trim_end_matches('.').to_owned()
}
