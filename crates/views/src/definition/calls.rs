//! One aggregate of a definition: [`Call`].

use std::fmt;

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function as Called, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, OrderByExpr, Value,
};

use crate::state::Function;

use super::functions::Adds;
use super::map;
use super::refusal::{Refusal, Standing};

/// An aggregate and what it looks at in each record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is computed.
    pub function: Function,
    /// Over which value of a record; none for `count(*)`.
    pub argument: Option<Expr>,
    /// What `min_by` and `max_by` order by.
    pub order: Option<Expr>,
    /// Which records count.
    pub filter: Option<Expr>,
}

impl Call {
    /// The aggregate that `called` is.
    pub fn of(adds: Adds, called: &Called) -> Result<Call, Refusal> {
        let unsupported = |why: &str| Refusal::new(Standing::Unsupported, called, why);
        let invalid = |why: &str| Refusal::new(Standing::Invalid, called, why);
        let has_extras = called.null_treatment.is_some()
            || !called.within_group.is_empty()
            || !matches!(called.parameters, FunctionArguments::None);
        if has_extras {
            return Err(unsupported(
                "only arguments, DISTINCT, ORDER BY and FILTER are supported",
            ));
        }
        let FunctionArguments::List(list) = &called.args else {
            return Err(invalid("it has no arguments"));
        };
        let is_distinct = match list.duplicate_treatment {
            Some(DuplicateTreatment::Distinct) => true,
            Some(DuplicateTreatment::All) | None => false,
        };
        let arguments =
            arguments(&list.args).ok_or_else(|| invalid("its arguments are not values"))?;
        let order = order_of(&list.clauses).ok_or_else(|| {
            unsupported(
                "of what can stand behind arguments, one ORDER BY without NULLS is supported",
            )
        })?;
        if is_distinct && !matches!(adds, Adds::Count | Adds::Min | Adds::Max) {
            return Err(
                unsupported("it does not tell values apart yet").nearest("count(distinct x)")
            );
        }
        if order.is_some() && !matches!(adds, Adds::First | Adds::Last) {
            return Err(invalid("its value does not depend on an order"));
        }
        let shape = shape(adds, is_distinct, &arguments, order.as_ref());
        let (function, argument, order) = shape.map_err(invalid)?;
        let call = Call {
            function,
            argument: argument.cloned(),
            order: order.cloned(),
            filter: called.filter.as_deref().cloned(),
        };
        for part in [&call.argument, &call.order, &call.filter]
            .into_iter()
            .flatten()
        {
            map::check(part)?;
        }
        Ok(call)
    }
}

/// What an aggregate computes, over what and by what.
type Shape<'a> = (Function, Option<&'a Expr>, Option<&'a Expr>);

fn shape<'a>(
    adds: Adds,
    is_distinct: bool,
    arguments: &[Option<&'a Expr>],
    order: Option<&'a OrderByExpr>,
) -> Result<Shape<'a>, &'static str> {
    Ok(match (adds, arguments) {
        (Adds::Count, [] | [None]) if !is_distinct => (Function::CountRecords, None, None),
        (Adds::Count, [Some(argument)]) if is_distinct => {
            (Function::CountDistinct, Some(*argument), None)
        }
        (Adds::Quantile, [Some(argument), Some(part)]) => {
            let per_million = millionths(part).ok_or(
                "the part is a number from 0 to 1 with at most six digits behind the point",
            )?;
            (Function::Quantile { per_million }, Some(*argument), None)
        }
        (Adds::MinBy, [Some(argument), Some(by)]) => (Function::MinBy, Some(*argument), Some(*by)),
        (Adds::MaxBy, [Some(argument), Some(by)]) => (Function::MaxBy, Some(*argument), Some(*by)),
        (Adds::First | Adds::Last, [Some(argument)]) => {
            let (function, by) = picked(adds, order);
            (function, Some(*argument), by)
        }
        (Adds::MinBy | Adds::MaxBy | Adds::Quantile, _) => return Err("it has two arguments"),
        (adds, [Some(argument)]) => (of_one(adds), Some(*argument), None),
        _ => return Err("it has one argument"),
    })
}

fn of_one(adds: Adds) -> Function {
    match adds {
        Adds::Count => Function::Count,
        Adds::Sum => Function::Sum,
        Adds::Average => Function::Average,
        Adds::Min => Function::Min,
        Adds::Max => Function::Max,
        Adds::All => Function::All,
        Adds::Any => Function::Any,
        Adds::ApproximateDistinct => Function::ApproximateCountDistinct,
        Adds::First | Adds::Last | Adds::MinBy | Adds::MaxBy | Adds::Quantile => {
            unreachable!("{adds:?} is taken care of before")
        }
    }
}

/// `first_value(x ORDER BY y DESC)` is where y is greatest; without an order, the place decides.
fn picked(adds: Adds, order: Option<&OrderByExpr>) -> (Function, Option<&Expr>) {
    let is_first = adds == Adds::First;
    match order {
        None if is_first => (Function::First, None),
        None => (Function::Last, None),
        Some(order) => {
            let is_descending = order.options.asc == Some(false);
            let function = if is_first == is_descending {
                Function::MaxBy
            } else {
                Function::MinBy
            };
            (function, Some(&order.expr))
        }
    }
}

/// The arguments; none inside for `*`.
fn arguments(given: &[FunctionArg]) -> Option<Vec<Option<&Expr>>> {
    let arguments = given.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(Some(expression)),
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Some(None),
        _ => None,
    });
    arguments.collect()
}

/// The order, when nothing else stands there.
fn order_of(clauses: &[FunctionArgumentClause]) -> Option<Option<OrderByExpr>> {
    match clauses {
        [] => Some(None),
        [FunctionArgumentClause::OrderBy(by)] => match by.as_slice() {
            [order] if order.options.nulls_first.is_none() && order.with_fill.is_none() => {
                Some(Some(order.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn millionths(part: &Expr) -> Option<u32> {
    let Expr::Value(value) = part else {
        return None;
    };
    let Value::Number(text, _) = &value.value else {
        return None;
    };
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let whole: u32 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let padded = format!("{behind:0<6}");
    let behind: u32 = padded.parse().ok().filter(|_| padded.len() == 6)?;
    let millionths = whole.checked_mul(1_000_000)?.checked_add(behind)?;
    (millionths <= 1_000_000).then_some(millionths)
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.function)?;
        if let Some(argument) = &self.argument {
            write!(formatter, " of {argument}")?;
        }
        if let Some(order) = &self.order {
            write!(formatter, " by {order}")?;
        }
        if let Some(filter) = &self.filter {
            write!(formatter, " where {filter}")?;
        }
        Ok(())
    }
}
