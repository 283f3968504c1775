//! Windows that overlap, `hop(slide, size, time)`: [`Hop`].
//!
//! A record falls into as many windows as slides fit into the size, and is counted in each. So the windows of
//! a view are groups like any others, which merge, are looked up and are recomputed like any others; what
//! that costs is one state for each window when a record is added. What must hold: the windows of a record
//! follow from its time alone, and it counts as one record, whatever the number of windows.

use std::fmt;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Interval, ObjectName,
    ObjectNamePart, Value,
};

use crate::limits::HOP_WINDOWS_MAX;

use super::duration::{FORM, duration};
use super::refusal::{Refusal, Standing};

/// The windows that a view groups by, beside its other keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Which key they are: 0 is `_k0`. Its expression gives the newest window of a record.
    pub key: usize,
    /// From one window to the next, in microseconds.
    pub slide_micros: i64,
    /// Into how many a record falls.
    pub windows: i64,
}

impl fmt::Display for Hop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hop {
            key,
            slide_micros,
            windows,
        } = self;
        write!(
            formatter,
            "hop _k{key}: {windows} windows, each {slide_micros} us"
        )
    }
}

fn refused(what: &Expr, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

/// The windows that `key` stands for as the key at `index`, and the expression of the newest of them; none
/// when it is another key.
pub fn of_key(key: &Expr, index: usize) -> Result<Option<(Hop, Expr)>, Refusal> {
    let Expr::Function(called) = key else {
        return Ok(None);
    };
    if called.name.to_string() != "hop" {
        return Ok(None);
    }
    let form = "hop(INTERVAL '5 minutes', INTERVAL '1 hour', time)";
    let why = "it takes how far a window is from the next one, how long it is, and a time";
    let [slide, size, time] = arguments(called)
        .and_then(|arguments| <[&Expr; 3]>::try_from(arguments).ok())
        .ok_or_else(|| refused(key, why).nearest(form))?;
    let micros =
        |interval: &Expr| micros(interval).ok_or_else(|| refused(interval, FORM).nearest(form));
    let (slide_micros, size_micros) = (micros(slide)?, micros(size)?);
    if size_micros % slide_micros != 0 {
        let why = "a window is a whole number of slides long";
        return Err(refused(key, why).nearest(form));
    }
    let windows = size_micros / slide_micros;
    if windows > HOP_WINDOWS_MAX {
        let why = format!(
            "each record would be counted in {windows} windows, and {HOP_WINDOWS_MAX} is the limit"
        );
        return Err(refused(key, &why).nearest("a longer slide"));
    }
    let hop = Hop {
        key: index,
        slide_micros,
        windows,
    };
    Ok(Some((hop, newest(called, slide, time))))
}

fn arguments(called: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &called.args else {
        return None;
    };
    let is_plain = list.duplicate_treatment.is_none()
        && list.clauses.is_empty()
        && called.filter.is_none()
        && called.over.is_none();
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        _ => None,
    });
    arguments.collect::<Option<_>>().filter(|_| is_plain)
}

/// `date_bin(slide, time)`: when the newest window of `time` begins.
fn newest(called: &Function, slide: &Expr, time: &Expr) -> Expr {
    let mut newest = called.clone();
    newest.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new("date_bin"))]);
    if let FunctionArguments::List(list) = &mut newest.args {
        let arguments = [slide, time].into_iter().cloned();
        let arguments = arguments.map(|one| FunctionArg::Unnamed(FunctionArgExpr::Expr(one)));
        list.args = arguments.collect();
    }
    Expr::Function(newest)
}

/// How long `INTERVAL '5 minutes'` is; none when that is not always the same, or not said so.
fn micros(interval: &Expr) -> Option<i64> {
    let Expr::Interval(Interval {
        value,
        leading_field: None,
        last_field: None,
        ..
    }) = interval
    else {
        return None;
    };
    let Expr::Value(value) = &**value else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return None;
    };
    i64::try_from(duration(text)?.as_micros()).ok()
}
