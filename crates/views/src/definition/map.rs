//! What is done with one record: [`check`] says whether an expression depends on the record alone.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Query, Value, Visit, Visitor};

use super::functions::{Known, known, unknown};
use super::refusal::{Refusal, Standing};

/// Refuses `expression` unless its value follows from the record alone.
pub fn check(expression: &Expr) -> Result<(), Refusal> {
    match expression.visit(&mut Checker) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Checker;

impl Visitor for Checker {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        ControlFlow::Break(subquery(query))
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Refusal> {
        match check_one(expression) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refusal) => ControlFlow::Break(refusal),
        }
    }
}

/// Refuses a query inside an expression.
pub fn subquery(query: &Query) -> Refusal {
    let why = "a record would count by what other records there are at the time";
    Refusal::new(Standing::BatchOnly, format!("({query})"), why)
        .nearest("two views, compared in the query over them")
}

fn check_one(expression: &Expr) -> Result<(), Refusal> {
    match expression {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::Between { .. }
        | Expr::BinaryOp { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::UnaryOp { .. }
        | Expr::Cast { .. }
        | Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Nested(_)
        | Expr::TypedString(_)
        | Expr::Case { .. }
        | Expr::Interval(_)
        | Expr::Tuple(_) => Ok(()),
        Expr::Value(value) => match &value.value {
            Value::Placeholder(_) => {
                let why = "a view has no parameters";
                Err(Refusal::new(Standing::Invalid, expression, why)
                    .nearest("a column to group by, and the condition in the query over the view"))
            }
            _ => Ok(()),
        },
        Expr::Function(function) => check_function(expression, function),
        Expr::AtTimeZone { time_zone, .. } if is_utc(time_zone) => Ok(()),
        Expr::AtTimeZone { .. } => {
            let why = "the rules of time zones change, and with them what has been added up";
            Err(Refusal::new(Standing::Unsupported, expression, why)
                .nearest("AT TIME ZONE 'UTC' in the view, and the zone in the query over it"))
        }
        Expr::Subquery(query)
        | Expr::InSubquery {
            subquery: query, ..
        }
        | Expr::Exists {
            subquery: query, ..
        } => Err(subquery(query)),
        other => {
            let why = "this kind of expression is not known here";
            Err(Refusal::new(Standing::Unsupported, other, why))
        }
    }
}

fn check_function(expression: &Expr, function: &Function) -> Result<(), Refusal> {
    let name = function.name.to_string();
    if function.over.is_some() {
        return Err(over_records(expression));
    }
    match known(&name) {
        Some(Known::Immutable) => Ok(()),
        Some(Known::Refused {
            standing,
            why,
            nearest,
        }) => Err(Refusal::new(standing, expression, why).nearest(nearest)),
        Some(Known::Aggregate(_)) => {
            let why = "an aggregate cannot stand inside another, in WHERE or in GROUP BY";
            Err(Refusal::new(Standing::Invalid, expression, why).nearest("HAVING"))
        }
        None => Err(unknown(&name)),
    }
}

/// Refuses a window over the records themselves.
pub fn over_records(expression: &Expr) -> Refusal {
    let why = "a window over records needs their neighbours, which may come later";
    Refusal::new(Standing::BatchOnly, expression, why)
        .nearest("a window over the groups: GROUP BY first, and OVER on the aggregates")
}

fn is_utc(zone: &Expr) -> bool {
    let text = match zone {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text,
            _ => return false,
        },
        _ => return false,
    };
    text.eq_ignore_ascii_case("utc")
}
