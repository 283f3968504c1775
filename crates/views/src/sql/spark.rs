//! A view as Spark SQL over the master dataset: [`spark_sql`].
//!
//! It is the batch computation, written for another engine, so that its answer can be had where the data
//! is large, and compared. What must hold: where no record is poisoned, Spark's answer is ours, up to the
//! last digits of sums of doubles, which are exact here. What cannot be promised is refused by name.

use std::fmt::Write;

use crate::definition::{Call, Definition, Refusal, Standing};
use crate::positions::Span;
use crate::schema::Schema;
use crate::state::{Aggregate, Function};
use crate::value::Type;

use super::compile::{Compiler, Parts, Prepared, Written, compile};
use super::spark_expression::{name, written};

/// The view of `definition` as one query of Spark over `table`, which has the records of a stream with the
/// columns of `schema`; those in `excluded` are left out.
pub fn spark_sql(
    definition: &Definition,
    schema: &Schema,
    table: &str,
    excluded: &[Span],
) -> Result<String, Refusal> {
    check(definition)?;
    let program = compile(definition, schema, &[])?;
    let prepared = Prepared::of(definition, &program.columns)?;
    let records = Compiler::of_records(&program);
    let groups = Compiler::of_groups(&program);
    let over = |compiler: &Compiler, part: &Written| {
        let logical = compiler.logical(part)?;
        written(&logical, compiler.names())
    };
    let mut selected = Vec::new();
    let mut keys = Vec::new();
    for (index, key) in prepared.keys.iter().enumerate() {
        let key = over(&records, key)?;
        selected.push(format!("{key} AS `_k{index}`"));
        keys.push(key);
    }
    let calls = definition
        .calls
        .iter()
        .zip(&prepared.calls)
        .zip(&program.aggregates);
    for (index, ((call, parts), aggregate)) in calls.enumerate() {
        let aggregate = aggregated(call, parts, *aggregate, &|part| over(&records, part))?;
        selected.push(format!("{aggregate} AS `_a{index}`"));
    }
    let mut text = notes(&program.aggregates);
    let selected = selected.join(",\n    ");
    let _ = write!(
        text,
        "WITH `groups` AS (\n  SELECT\n    {selected}\n  FROM {table}"
    );
    let mut filters: Vec<String> = excluded.iter().map(outside).collect();
    if let Some(filter) = &prepared.filter {
        filters.push(over(&records, filter)?);
    }
    if !filters.is_empty() {
        let _ = write!(text, "\n  WHERE {}", filters.join("\n    AND "));
    }
    if !keys.is_empty() {
        let _ = write!(text, "\n  GROUP BY {}", keys.join(", "));
    }
    let above = |expression: &sqlparser::ast::Expr| over(&groups, &Written::of(expression));
    let columns = definition.columns.iter().map(|column| {
        Ok(format!(
            "{} AS {}",
            above(&column.value)?,
            name(&column.name)
        ))
    });
    let columns = columns.collect::<Result<Vec<_>, Refusal>>()?.join(",\n  ");
    let _ = write!(text, "\n)\nSELECT\n  {columns}\nFROM `groups`");
    if let Some(having) = &definition.having {
        let _ = write!(text, "\nWHERE {}", above(having)?);
    }
    if !definition.order.is_empty() {
        let _ = write!(text, "\nORDER BY {}", order(definition, &above)?);
    }
    if let Some(limit) = definition.limit {
        let _ = write!(text, "\nLIMIT {limit}");
    }
    text.push('\n');
    Ok(text)
}

/// Refuses what is not written for Spark.
fn check(definition: &Definition) -> Result<(), Refusal> {
    let unsupported = |what: String, why, nearest| {
        Err(Refusal::new(Standing::Unsupported, what, why).nearest(nearest))
    };
    if let Some(join) = definition.joins.first() {
        let why = "tables of this server are not there in Spark";
        let nearest = "a view by what is looked up, joined in the query over it";
        return unsupported(join.table.clone(), why, nearest);
    }
    if let Some(hop) = &definition.hop {
        let why = "windows that overlap are not written for Spark";
        let key = definition.keys[hop.key].to_string();
        return unsupported(key, why, "window(time, size, slide) of Spark");
    }
    Ok(())
}

/// By what rows are ordered: what was asked for, and then the keys.
fn order(
    definition: &Definition,
    above: &dyn Fn(&sqlparser::ast::Expr) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    let order = definition.order.iter().map(|by| {
        let is_descending = by.options.asc == Some(false);
        let nulls_first = by.options.nulls_first.unwrap_or(is_descending);
        let direction = if is_descending { "DESC" } else { "ASC" };
        let nulls = if nulls_first { "FIRST" } else { "LAST" };
        Ok(format!("{} {direction} NULLS {nulls}", above(&by.expr)?))
    });
    let order = order.collect::<Result<Vec<_>, Refusal>>()?;
    let keys = (0..definition.keys.len()).map(|index| format!("`_k{index}` ASC NULLS LAST"));
    let order: Vec<String> = order.into_iter().chain(keys).collect();
    Ok(order.join(", "))
}

/// Whether a record is not one of `span`.
fn outside(span: &Span) -> String {
    let Span { shard, from, to } = span;
    let shard = shard.0;
    format!("NOT (`_shard` = {shard} AND `_position` >= {from} AND `_position` < {to})")
}

fn notes(aggregates: &[Aggregate]) -> String {
    let mut notes =
        "-- SET TIME ZONE 'UTC' first. Spark fails where a record is poisoned in the view.\n"
            .to_owned();
    for (index, aggregate) in aggregates.iter().enumerate() {
        let adds_up = matches!(aggregate.function(), Function::Sum | Function::Average);
        if adds_up && aggregate.argument() == Some(Type::Float) {
            let _ = writeln!(
                notes,
                "-- _a{index} adds up doubles: Spark rounds at every step, the view once."
            );
        }
    }
    notes
}

fn aggregated(
    call: &Call,
    parts: &Parts,
    aggregate: Aggregate,
    over: &dyn Fn(&Written) -> Result<String, Refusal>,
) -> Result<String, Refusal> {
    let part = |part: &Option<Written>| part.as_ref().map(over).transpose();
    let argument = part(&parts.argument)?.unwrap_or_else(|| "*".to_owned());
    let order = part(&parts.order)?;
    let mut filters: Vec<String> = part(&parts.filter)?.into_iter().collect();
    if let Some(order) = &order {
        filters.push(format!("({order} IS NOT NULL)"));
    }
    let filter = match filters.as_slice() {
        [] => String::new(),
        filters => format!(" FILTER (WHERE {})", filters.join(" AND ")),
    };
    let place = match &order {
        Some(order) => format!("struct({order}, `_shard`, `_position`)"),
        None => "struct(`_shard`, `_position`)".to_owned(),
    };
    Ok(match (aggregate.function(), aggregate.argument()) {
        (Function::CountRecords | Function::Count, _) => format!("count({argument}){filter}"),
        (Function::CountDistinct, _) => format!("count(DISTINCT {argument}){filter}"),
        // Adding up 64 bits, Spark fails on the way; what counts is whether the sum fits.
        (Function::Sum, Some(Type::Integer)) => {
            format!("CAST(sum(CAST({argument} AS DECIMAL(38, 0))){filter} AS BIGINT)")
        }
        (Function::Sum, _) => format!("sum({argument}){filter}"),
        (Function::Average, Some(Type::Integer)) => {
            let sum = format!("sum(CAST({argument} AS DECIMAL(38, 0))){filter}");
            format!("CAST({sum} AS DOUBLE) / nullif(count({argument}){filter}, 0)")
        }
        (Function::Average, _) => format!("avg({argument}){filter}"),
        (Function::Min, _) => format!("min({argument}){filter}"),
        (Function::Max, _) => format!("max({argument}){filter}"),
        (Function::All, _) => format!("bool_and({argument}){filter}"),
        (Function::Any, _) => format!("bool_or({argument}){filter}"),
        (Function::First | Function::MinBy, _) => format!("min_by({argument}, {place}){filter}"),
        (Function::Last | Function::MaxBy, _) => format!("max_by({argument}, {place}){filter}"),
        (Function::ApproximateCountDistinct | Function::Quantile { .. }, _) => {
            let why = "Spark approximates with other sketches";
            return Err(Refusal::new(Standing::Unsupported, call, why).nearest("count(distinct x)"));
        }
    })
}
