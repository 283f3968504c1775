//! What a definition was split into: [`Definition`].

use std::fmt;
use std::time::Duration;

use sqlparser::ast::{Expr, OrderByExpr};

use crate::state::Class;

use super::calls::Call;
use super::hop::Hop;
use super::join::Join;

/// How a view is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A batch layer and a speed layer, merged.
    Lambda,
    /// Rebuilt by replay only.
    Kappa,
}

/// A column of a view's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its value, over `_k0`… (keys) and `_a0`… (aggregates).
    pub value: Expr,
}

/// A view that can be split.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// How it is kept up to date.
    pub mode: Mode,
    /// How often the batch layer takes over what the speed layer has, if it was said.
    pub absorb: Option<Duration>,
    /// The stream it reads.
    pub stream: String,
    /// The static tables that its records are looked up in.
    pub joins: Vec<Join>,
    /// Which records count.
    pub filter: Option<Expr>,
    /// What is grouped by: `_k0` and so on.
    pub keys: Vec<Expr>,
    /// The windows among the keys, if they overlap.
    pub hop: Option<Hop>,
    /// What adds up: `_a0` and so on.
    pub calls: Vec<Call>,
    /// The columns of the answer.
    pub columns: Vec<Column>,
    /// Which groups are answered, over keys and aggregates.
    pub having: Option<Expr>,
    /// The order of the answer, over keys and aggregates.
    pub order: Vec<OrderByExpr>,
    /// How many groups are answered.
    pub limit: Option<u64>,
    /// How exact it is.
    pub class: Class,
}

impl fmt::Display for Definition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Exact => "exact".to_owned(),
            Class::ExactApproximate { error } => {
                format!("exact-approximate ({:.1} %)", error * 100.0)
            }
        };
        let (name, stream, mode) = (&self.name, &self.stream, self.mode);
        write!(formatter, "view {name} of {stream}, {mode:?}")?;
        if let Some(absorb) = self.absorb {
            write!(formatter, ", absorbed each {} s", absorb.as_secs())?;
        }
        writeln!(formatter, ": {class}")?;
        for join in &self.joins {
            writeln!(formatter, "{join}")?;
        }
        if let Some(filter) = &self.filter {
            writeln!(formatter, "filter {filter}")?;
        }
        for (index, key) in self.keys.iter().enumerate() {
            writeln!(formatter, "_k{index} = {key}")?;
        }
        if let Some(hop) = &self.hop {
            writeln!(formatter, "{hop}")?;
        }
        for (index, call) in self.calls.iter().enumerate() {
            writeln!(formatter, "_a{index} = {call}")?;
        }
        for Column { name, value } in &self.columns {
            writeln!(formatter, "column {name} = {value}")?;
        }
        if let Some(having) = &self.having {
            writeln!(formatter, "having {having}")?;
        }
        for by in &self.order {
            writeln!(formatter, "order {by}")?;
        }
        if let Some(limit) = self.limit {
            writeln!(formatter, "limit {limit}")?;
        }
        Ok(())
    }
}
