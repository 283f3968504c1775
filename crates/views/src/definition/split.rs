//! Splits a definition: [`split`].

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::state::Class;

use super::duration::{FORM, duration};
use super::finals::{Finals, is_taken};
use super::functions::{Known, known};
use super::hop::{self, Hop};
use super::join::{self, Join, named};
use super::map::{self, over_records};
use super::plan::{Column, Definition, Mode};
use super::refusal::{Refusal, Standing};
use super::statement::{self, Written};

fn invalid(what: impl fmt::Display, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

fn unsupported(what: impl fmt::Display, why: &str) -> Refusal {
    Refusal::new(Standing::Unsupported, what, why)
}

/// Splits the definition `text`, or says what stands in the way.
pub fn split(text: &str) -> Result<Definition, Refusal> {
    let written = statement::read(text)?;
    let (mode, absorb) = options(&written)?;
    let mut select = select_of(&written.query)?.clone();
    check_extras(&select)?;
    let (stream, alias) = stream_of(&select, &written)?;
    let called = [&stream, &alias];
    let mut joins = joins(&select, &written, &called)?;
    for join in &mut joins {
        unqualify(&mut join.on, &called, &[])?;
        map::check(&join.on)?;
    }
    select.from.clear();
    unqualify(&mut select, &called, &joins)?;
    let mut query = written.query.clone();
    // The order stands beside the SELECT and may name the stream too.
    unqualify(&mut query.order_by, &called, &joins)?;
    let outputs = outputs(&select)?;
    check_adds_up(&select, &outputs)?;
    let mut finals = Finals {
        keys: keys(&select, &outputs)?,
        ..Finals::default()
    };
    let (record_keys, hop) = without_windows(&finals.keys)?;
    if let Some(filter) = &select.selection {
        map::check(filter)?;
    }
    let mut columns = Vec::new();
    for (name, expression) in &outputs {
        let value = finals.lift(expression)?;
        let name = name.clone();
        columns.push(Column { name, value });
    }
    let named = columns
        .iter()
        .map(|column| (column.name.clone(), column.value.clone()));
    finals.aliases = named.collect();
    let having = select.having.as_ref();
    let having = having.map(|having| finals.lift(having)).transpose()?;
    let order = order(&query, &outputs, &mut finals)?;
    let limit = limit(&query, order.is_empty())?;
    let Finals { calls, .. } = finals;
    let exact = Class::Exact;
    let worse = |one: Class, other: Class| if other > one { other } else { one };
    let class = calls
        .iter()
        .map(|call| call.function.class())
        .fold(exact, worse);
    Ok(Definition {
        name: written.name,
        mode,
        absorb,
        stream,
        joins,
        filter: select.selection,
        keys: record_keys,
        hop,
        calls,
        columns,
        having,
        order,
        limit,
        class,
    })
}

fn options(written: &Written) -> Result<(Mode, Option<Duration>), Refusal> {
    let mut mode = Mode::Lambda;
    let mut absorb = None;
    for (name, text) in &written.options {
        match (name.as_str(), text.as_str()) {
            ("mode", "lambda") => mode = Mode::Lambda,
            ("mode", "kappa") => mode = Mode::Kappa,
            ("mode", other) => return Err(invalid(other, "the modes are lambda and kappa")),
            ("absorb", text) => {
                absorb = Some(duration(text).ok_or_else(|| invalid(text, FORM))?);
            }
            (other, _) => return Err(unsupported(other, "the options are mode and absorb")),
        }
    }
    Ok((mode, absorb))
}

fn select_of(query: &Query) -> Result<&Select, Refusal> {
    if query.with.is_some() {
        let why = "a view is one SELECT from a stream";
        return Err(unsupported("WITH", why).nearest("what it says in the SELECT itself"));
    }
    match &*query.body {
        SetExpr::Select(select) => Ok(select),
        SetExpr::SetOperation { op, .. } => {
            let why = "a view reads one stream";
            Err(unsupported(op, why)
                .nearest("a view for each, put together in the query over them"))
        }
        other => Err(invalid(other, "it is no SELECT")),
    }
}

/// Refuses what else a parser takes in a SELECT.
fn check_extras(select: &Select) -> Result<(), Refusal> {
    if let Some(distinct) = &select.distinct {
        let why = "what is told apart is grouped by";
        return Err(unsupported(distinct, why).nearest("GROUP BY the same columns"));
    }
    let extras = [
        (select.top.is_some(), "TOP"),
        (select.exclude.is_some(), "EXCLUDE"),
        (select.into.is_some(), "INTO"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.value_table_mode.is_some(), "AS VALUE"),
        (select.select_modifiers.is_some(), "modifiers of SELECT"),
    ];
    match extras.into_iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(unsupported(what, "it is no part of a view's SELECT")),
        None => Ok(()),
    }
}

/// The stream that is read, and what it is called.
fn stream_of(select: &Select, written: &Written) -> Result<(String, String), Refusal> {
    let [from] = select.from.as_slice() else {
        return Err(match select.from.len() {
            0 => invalid("FROM", "a view reads a stream").nearest("FROM STREAM name"),
            _ => join_of_streams(","),
        });
    };
    let found = named(&from.relation).ok_or_else(|| {
        let why = "a view reads a stream itself";
        unsupported(&from.relation, why).nearest("one SELECT … FROM STREAM name … GROUP BY …")
    })?;
    if written.streams.contains(&found.0) {
        return Ok(found);
    }
    let nearest = format!("FROM STREAM {}", found.0);
    Err(invalid(&found.0, "a view reads a stream").nearest(nearest))
}

/// The tables that are joined to the stream.
fn joins(select: &Select, written: &Written, stream: &[&String]) -> Result<Vec<Join>, Refusal> {
    let mut joins: Vec<Join> = Vec::new();
    for join in select.from.iter().flat_map(|from| &from.joins) {
        let is_stream = |(name, _): &(String, String)| written.streams.contains(name);
        if named(&join.relation).is_some_and(|joined| is_stream(&joined)) {
            return Err(join_of_streams(&join.relation));
        }
        let join = join::of(join, stream)?;
        if joins.iter().any(|before| before.alias == join.alias) {
            return Err(invalid(join.alias, "two things are called so").nearest("another alias"));
        }
        joins.push(join);
    }
    Ok(joins)
}

fn join_of_streams(what: impl fmt::Display) -> Refusal {
    let why = "records of one stream meet those of another that may come at any time";
    Refusal::new(Standing::BatchOnly, what, why)
        .nearest("a view for each stream by the same key, joined in the query over them")
}

/// Names of columns without the name of the stream before them; those of tables as one word.
fn unqualify(tree: &mut impl VisitMut, stream: &[&String], joins: &[Join]) -> Result<(), Refusal> {
    match tree.visit(&mut Unqualifier { stream, joins }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(refusal),
    }
}

struct Unqualifier<'a> {
    stream: &'a [&'a String],
    joins: &'a [Join],
}

impl Unqualifier<'_> {
    /// What a name of several words stands for.
    fn column(&self, parts: &[Ident]) -> Option<Ident> {
        let [table, column] = parts else {
            return None;
        };
        if self.stream.contains(&&table.value) {
            return Some(column.clone());
        }
        let join = self.joins.iter().find(|join| join.alias == table.value);
        join.map(|join| join::identifier(join, column))
    }
}

impl VisitorMut for Unqualifier<'_> {
    type Break = Refusal;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Refusal> {
        let column = match expression {
            Expr::CompoundIdentifier(parts) => match self.column(parts) {
                Some(column) => column,
                None => {
                    let why = "there is no such table in the view";
                    return ControlFlow::Break(invalid(&*expression, why));
                }
            },
            Expr::Identifier(column) => column.clone(),
            _ => return ControlFlow::Continue(()),
        };
        if is_taken(&column.value) {
            return ControlFlow::Break(invalid(
                column,
                "the name is needed for keys and aggregates",
            ));
        }
        *expression = Expr::Identifier(column);
        ControlFlow::Continue(())
    }
}

/// The columns of the answer, as they were written.
type Outputs = Vec<(String, Expr)>;

fn outputs(select: &Select) -> Result<Outputs, Refusal> {
    let mut outputs = Outputs::new();
    for item in &select.projection {
        let (name, expression) = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(column)) => {
                let name = join::column_of(&column.value).unwrap_or(&column.value);
                (name.to_owned(), Expr::Identifier(column.clone()))
            }
            SelectItem::UnnamedExpr(expression) => (expression.to_string(), expression.clone()),
            SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr.clone()),
            other => {
                let why = "a view names its columns";
                return Err(unsupported(other, why).nearest("the columns that are grouped by"));
            }
        };
        if outputs.iter().any(|(held, _)| *held == name) {
            return Err(invalid(name, "two columns have this name").nearest("AS another name"));
        }
        outputs.push((name, expression));
    }
    Ok(outputs)
}

/// Refuses a definition that groups nothing and adds nothing up.
fn check_adds_up(select: &Select, outputs: &Outputs) -> Result<(), Refusal> {
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let mut found = Aggregates::default();
    for (_, expression) in outputs {
        let _ = expression.visit(&mut found);
    }
    if is_grouped || found.has_aggregate {
        return Ok(());
    }
    Err(match found.window {
        Some(window) => over_records(&window),
        None => {
            let why = "it groups nothing and adds nothing up: it is the records themselves";
            unsupported("SELECT", why).nearest("GROUP BY, or a query over the stream")
        }
    })
}

#[derive(Default)]
struct Aggregates {
    has_aggregate: bool,
    window: Option<Expr>,
}

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(called) = expression {
            if called.over.is_some() {
                self.window.get_or_insert_with(|| expression.clone());
            } else {
                let known = known(&called.name.to_string());
                let is_aggregate =
                    matches!(known, Some(Known::Aggregate(_) | Known::Refused { .. }));
                self.has_aggregate |= is_aggregate;
            }
        }
        ControlFlow::Continue(())
    }
}

fn keys(select: &Select, outputs: &Outputs) -> Result<Vec<Expr>, Refusal> {
    let given = match &select.group_by {
        GroupByExpr::Expressions(given, modifiers) if modifiers.is_empty() => given,
        other => {
            let why = "a view names what it groups by";
            return Err(unsupported(other, why).nearest("GROUP BY and the columns"));
        }
    };
    let mut keys = Vec::new();
    for expression in given {
        if matches!(
            expression,
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_)
        ) {
            let why = "several groupings at once are not supported yet";
            return Err(unsupported(expression, why).nearest("a view for each grouping"));
        }
        let key = key(expression, outputs)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Keys as each record has them: windows that overlap by the newest one.
fn without_windows(keys: &[Expr]) -> Result<(Vec<Expr>, Option<Hop>), Refusal> {
    let mut of_record = Vec::with_capacity(keys.len());
    let mut hop = None;
    for (index, key) in keys.iter().enumerate() {
        let found = hop::of_key(key, index)?;
        if found.is_some() && hop.is_some() {
            let why = "there are windows of one kind in a view";
            return Err(unsupported(key, why).nearest("a view for each"));
        }
        let key = match found {
            Some((windows, newest)) => {
                hop = Some(windows);
                newest
            }
            None => key.clone(),
        };
        map::check(&key)?;
        of_record.push(key);
    }
    Ok((of_record, hop))
}

/// What a member of GROUP BY stands for: a number or a name of a column of the answer, or itself.
fn key(expression: &Expr, outputs: &Outputs) -> Result<Expr, Refusal> {
    if let Some(index) = ordinal(expression) {
        let output = index.checked_sub(1).and_then(|index| outputs.get(index));
        let why = "there is no such column";
        return output
            .map(|(_, output)| output.clone())
            .ok_or_else(|| invalid(expression, why));
    }
    let Expr::Identifier(name) = expression else {
        return Ok(expression.clone());
    };
    let named = outputs.iter().find(|(output, _)| *output == name.value);
    match named {
        Some((_, output)) if output != expression => {
            if names(output, &name.value) {
                let why = "it could be the column of the stream or that of the answer";
                return Err(invalid(name, why).nearest("another name behind AS"));
            }
            Ok(output.clone())
        }
        _ => Ok(expression.clone()),
    }
}

fn ordinal(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `expression` has a column `name` in it.
fn names(expression: &Expr, name: &str) -> bool {
    struct Finder<'a>(&'a str);
    impl Visitor for Finder<'_> {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Identifier(column) if column.value == self.0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Finder(name)).is_break()
}

fn order(
    query: &Query,
    outputs: &Outputs,
    finals: &mut Finals,
) -> Result<Vec<OrderByExpr>, Refusal> {
    let Some(order) = &query.order_by else {
        return Ok(Vec::new());
    };
    let OrderByKind::Expressions(by) = &order.kind else {
        return Err(unsupported(order, "an order names its columns"));
    };
    if order.interpolate.is_some() {
        return Err(unsupported(order, "INTERPOLATE is no part of a view"));
    }
    let lifted = by.iter().map(|by| {
        // A name alone is that of a column of the answer first.
        let named = match &by.expr {
            Expr::Identifier(name) => finals.alias(&name.value).cloned(),
            _ => None,
        };
        let expr = match (ordinal(&by.expr), named) {
            (_, Some(lifted)) => lifted,
            (Some(_), None) => finals.lift(&key(&by.expr, outputs)?)?,
            (None, None) => finals.lift(&by.expr)?,
        };
        Ok(OrderByExpr { expr, ..by.clone() })
    });
    lifted.collect()
}

fn limit(query: &Query, is_unordered: bool) -> Result<Option<u64>, Refusal> {
    let has_others = query.fetch.is_some()
        || !query.locks.is_empty()
        || query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty();
    if has_others {
        let why = "of what can stand behind a SELECT, ORDER BY and LIMIT are supported";
        return Err(unsupported("the end of the definition", why));
    }
    let Some(clause) = &query.limit_clause else {
        return Ok(None);
    };
    let LimitClause::LimitOffset {
        limit: Some(limit),
        offset: None,
        limit_by,
    } = clause
    else {
        return Err(unsupported(clause, "a view takes LIMIT and a number only"));
    };
    let number = ordinal(limit).filter(|_| limit_by.is_empty());
    let number =
        number.ok_or_else(|| unsupported(clause, "a view takes LIMIT and a number only"))?;
    if is_unordered {
        let why = "which groups are answered would be chance";
        return Err(invalid(clause, why).nearest("ORDER BY before it"));
    }
    Ok(Some(number as u64))
}
