//! Static tables that a view looks things up in: [`Join`].
//!
//! A table's rows never change under a view: it is made over one version of it, as it is over one statement.
//! So what a record comes to still follows from the record alone. What must hold: at most one row of the table
//! goes with a record, because one column of it, in which no value stands twice, equals one expression over
//! the record.

use std::fmt;

use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join as Written, JoinConstraint, JoinOperator, TableFactor,
};

use super::refusal::{Refusal, Standing};
use super::statement;

/// A static table beside the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The table.
    pub table: String,
    /// What it is called in the view.
    pub alias: String,
    /// The column in which a record's row is found.
    pub column: String,
    /// What stands in that column, over the record.
    pub on: Expr,
    /// Whether a record without a row is kept, with nulls.
    pub is_outer: bool,
}

impl Join {
    /// The name of a column of the table among those of a record. No stream has such a column.
    pub fn name_of(&self, column: &str) -> String {
        format!("{}.{column}", self.alias)
    }
}

impl fmt::Display for Join {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Join {
            table,
            alias,
            column,
            on,
            is_outer,
        } = self;
        let kind = if *is_outer { "left join" } else { "join" };
        write!(formatter, "{kind} {table}: {alias}.{column} = {on}")
    }
}

/// The part of a joined column's name that the table has for it; none when `name` is no such name.
pub fn column_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, column)| column)
}

/// The name and the alias of a table that is named and nothing else.
pub fn named(factor: &TableFactor) -> Option<(String, String)> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            version: None,
            sample: None,
            json_path: None,
            ..
        } => {
            let name = statement::one_word(name)?;
            let alias = alias
                .as_ref()
                .map_or_else(|| name.clone(), |alias| alias.name.value.clone());
            Some((name, alias))
        }
        _ => None,
    }
}

/// `written`, which joins a table to the records of `stream`.
pub fn of(written: &Written, stream: &[&String]) -> Result<Join, Refusal> {
    let what = &written.relation;
    let unsupported = |why: &str| {
        Refusal::new(Standing::Unsupported, what, why)
            .nearest("LEFT JOIN table t ON t.column = an expression over the record")
    };
    let (table, alias) =
        named(what).ok_or_else(|| unsupported("a view joins a table by its name"))?;
    let (constraint, is_outer) = match &written.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (constraint, false),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, true),
        _ => {
            return Err(unsupported(
                "each record has to be there as it is, or with nulls",
            ));
        }
    };
    let JoinConstraint::On(Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    }) = constraint
    else {
        return Err(unsupported("a record's row is found by one column"));
    };
    let column = |side: &Expr| match side {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [held, column] if held.value == alias => Some(column.value.clone()),
            _ => None,
        },
        _ => None,
    };
    let (column, on) = match (column(left), column(right)) {
        (Some(column), None) => (column, right),
        (None, Some(column)) => (column, left),
        _ => {
            return Err(unsupported(
                "a column of the table equals something of the record",
            ));
        }
    };
    if stream.contains(&&alias) {
        let why = "two things are called so";
        return Err(Refusal::new(Standing::Invalid, alias, why).nearest("another alias"));
    }
    Ok(Join {
        table,
        alias,
        column,
        on: (**on).clone(),
        is_outer,
    })
}

/// The column of `join` as a column of the record.
pub fn identifier(join: &Join, column: &Ident) -> Ident {
    Ident::with_quote('"', join.name_of(&column.value))
}
