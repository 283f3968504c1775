//! What stands above the merge: [`Finals`] takes keys and aggregates out of expressions and puts names in
//! their place.
//!
//! What must hold: what is left names keys and aggregates only, so it can be computed from merged states
//! and needs no record.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function as Called, Ident, Query, VisitMut, VisitorMut};

use super::calls::Call;
use super::functions::{self, Known, known, unknown};
use super::map::subquery;
use super::refusal::{Refusal, Standing};

/// Functions that are known with `OVER` only.
const WINDOWS: [&str; 9] = [
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "nth_value",
];

/// The name of a key above the merge.
pub fn key_name(index: usize) -> Ident {
    Ident::new(format!("_k{index}"))
}

/// The name of an aggregate above the merge.
pub fn call_name(index: usize) -> Ident {
    Ident::new(format!("_a{index}"))
}

/// Whether `name` could be one of these.
pub fn is_taken(name: &str) -> bool {
    let digits = name.strip_prefix("_k").or(name.strip_prefix("_a"));
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Keys, and the aggregates that were found so far.
#[derive(Clone, Debug, Default)]
pub struct Finals {
    /// What is grouped by.
    pub keys: Vec<Expr>,
    /// What adds up; each once.
    pub calls: Vec<Call>,
    /// Names of what was lifted before and may be named again.
    pub aliases: Vec<(String, Expr)>,
}

impl Finals {
    /// `expression` over names of keys and aggregates.
    pub fn lift(&mut self, expression: &Expr) -> Result<Expr, Refusal> {
        let mut lifted = expression.clone();
        match lifted.visit(self) {
            ControlFlow::Continue(()) => Ok(lifted),
            ControlFlow::Break(refusal) => Err(refusal),
        }
    }

    /// What is to stand in the place of `expression`, if something is.
    fn replacement(&mut self, expression: &Expr) -> Result<Option<Expr>, Refusal> {
        if let Some(index) = self.keys.iter().position(|key| key == expression) {
            return Ok(Some(Expr::Identifier(key_name(index))));
        }
        match expression {
            Expr::Function(called) => {
                let name = self.of_function(expression, called)?;
                Ok(name.map(Expr::Identifier))
            }
            // Put here in the place of something else.
            Expr::Identifier(name) if is_taken(&name.value) => Ok(None),
            Expr::Identifier(name) if self.alias(&name.value).is_some() => {
                Ok(self.alias(&name.value).cloned())
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let why = "it is neither grouped by nor inside an aggregate";
                Err(
                    Refusal::new(Standing::Invalid, expression, why).nearest(format!(
                        "GROUP BY {expression}, or first_value({expression})"
                    )),
                )
            }
            _ => Ok(None),
        }
    }

    /// What a name stands for that was given before.
    pub fn alias(&self, name: &str) -> Option<&Expr> {
        let mut aliases = self.aliases.iter();
        aliases
            .find(|(alias, _)| alias == name)
            .map(|(_, lifted)| lifted)
    }

    fn of_function(
        &mut self,
        expression: &Expr,
        called: &Called,
    ) -> Result<Option<Ident>, Refusal> {
        let name = called.name.to_string();
        if called.over.is_some() {
            let is_known = WINDOWS.contains(&name.as_str())
                || matches!(known(&name), Some(Known::Aggregate(_)));
            return if is_known {
                Ok(None)
            } else {
                Err(unknown(&name))
            };
        }
        match known(&name) {
            Some(Known::Aggregate(adds)) => {
                let call = Call::of(adds, called)?;
                let found = self.calls.iter().position(|held| *held == call);
                let index = found.unwrap_or_else(|| {
                    self.calls.push(call);
                    self.calls.len() - 1
                });
                Ok(Some(call_name(index)))
            }
            Some(Known::Immutable) => Ok(None),
            Some(Known::Refused { .. }) if functions::is_of_the_query(&name) => Ok(None),
            Some(Known::Refused {
                standing,
                why,
                nearest,
            }) => Err(Refusal::new(standing, expression, why).nearest(nearest)),
            None => Err(unknown(&name)),
        }
    }
}

impl VisitorMut for Finals {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refusal> {
        ControlFlow::Break(subquery(query))
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Refusal> {
        match self.replacement(expression) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(replacement)) => {
                *expression = replacement;
                ControlFlow::Continue(())
            }
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }
}
