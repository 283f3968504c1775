//! Expressions of a definition, made ready for the engine: [`Names`] finds their columns.
//!
//! Names without quotes are in lower case here and a schema's need not be, so they are looked up whatever
//! their case; that is safe because a schema has no two that differ by case only. What must hold: every
//! name in a prepared expression is that of a column that is there, in quotes. `coalesce` becomes the CASE
//! that it stands for, which the engine would make of it only while it simplifies, and simplifying computes
//! things early.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, VisitMut,
    VisitorMut,
};

use crate::definition::{Refusal, Standing};

/// Names that are easier to type than those of the columns they stand for.
const ALIASES: [(&str, &str); 4] = [
    ("payload", "_payload"),
    ("partition_key", "_partition_key"),
    ("arrival_time", "_arrival"),
    ("sequence_number", "_sequence_number"),
];

/// How many letters a name may be away from one that is proposed.
const TYPOS_MAX: usize = 2;

/// The columns that there are, and those that were named so far.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    columns: Vec<&'a str>,
    used: BTreeSet<usize>,
}

impl<'a> Names<'a> {
    /// Of `columns`, in their order.
    pub fn of(columns: Vec<&'a str>) -> Names<'a> {
        let used = BTreeSet::new();
        Names { columns, used }
    }

    /// `expression` as the engine is to have it.
    pub fn prepare(&mut self, expression: &Expr) -> Result<Expr, Refusal> {
        let mut prepared = expression.clone();
        match VisitMut::visit(&mut prepared, self) {
            ControlFlow::Continue(()) => Ok(prepared),
            ControlFlow::Break(refusal) => Err(refusal),
        }
    }

    /// The columns that prepared expressions name, in their order.
    pub fn used(&self) -> Vec<usize> {
        self.used.iter().copied().collect()
    }

    fn find(&mut self, name: &Ident) -> Result<Expr, Refusal> {
        let is_it = |column: &&str| {
            *column == name.value
                || name.quote_style.is_none() && column.eq_ignore_ascii_case(&name.value)
        };
        let place = |wanted: &dyn Fn(&&str) -> bool| self.columns.iter().position(wanted);
        let aliased = || {
            let alias = ALIASES.iter().find(|(alias, _)| *alias == name.value);
            alias.and_then(|(_, column)| place(&|held| held == column))
        };
        let Some(index) = place(&is_it).or_else(aliased) else {
            return Err(self.unknown(name));
        };
        self.used.insert(index);
        Ok(Expr::Identifier(Ident::with_quote(
            '"',
            self.columns[index],
        )))
    }

    fn unknown(&self, name: &Ident) -> Refusal {
        let aliases = ALIASES.iter().map(|(alias, _)| *alias);
        let is_plain = |column: &&str| !column.starts_with('_');
        let declared = self.columns.iter().copied().filter(is_plain);
        let known: Vec<&str> = declared.chain(aliases).collect();
        let why = format!("there is no such column; there are {}", known.join(", "));
        let near = known
            .iter()
            .map(|column| (typos(column, &name.value), *column))
            .min();
        let nearest = match near {
            Some((distance, column)) if distance <= TYPOS_MAX => column.to_owned(),
            _ => format!("payload ->> '{}'", name.value),
        };
        Refusal::new(Standing::Invalid, name, &why).nearest(nearest)
    }
}

impl VisitorMut for Names<'_> {
    type Break = Refusal;

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Refusal> {
        let replacement = match expression {
            Expr::Identifier(name) => match self.find(name) {
                Ok(column) => Some(column),
                Err(refusal) => return ControlFlow::Break(refusal),
            },
            Expr::Function(function) if function.name.to_string() == "coalesce" => {
                first_not_null(function)
            }
            _ => None,
        };
        if let Some(replacement) = replacement {
            *expression = replacement;
        }
        ControlFlow::Continue(())
    }
}

/// `argument` where `condition` holds, and null elsewhere.
pub fn only_where(condition: Expr, argument: Expr) -> Expr {
    case(vec![(condition, argument)], None)
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let branches = branches.into_iter();
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: branches
            .map(|(condition, result)| CaseWhen { condition, result })
            .collect(),
        else_result: otherwise.map(Box::new),
    }
}

/// The CASE that `coalesce(…)` stands for; none when its arguments are not values.
fn first_not_null(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let values = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    });
    let mut values: Vec<Expr> = values.collect::<Option<_>>()?;
    let last = values.pop()?;
    if values.is_empty() {
        return Some(Expr::Nested(Box::new(last)));
    }
    let is_there = |value: &Expr| Expr::IsNotNull(Box::new(value.clone()));
    let branches = values.into_iter().map(|value| (is_there(&value), value));
    Some(case(branches.collect(), Some(last)))
}

/// How many letters have to be changed, added or taken away to make one name of the other.
fn typos(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.to_lowercase().chars().enumerate() {
        let mut here = vec![row + 1];
        for (column, same) in other.iter().enumerate() {
            let changed = before[column] + usize::from(letter != *same);
            let least = changed.min(before[column + 1] + 1).min(here[column] + 1);
            here.push(least);
        }
        before = here;
    }
    before.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    fn prepared(text: &str) -> String {
        let dialect = PostgreSqlDialect {};
        let parser = Parser::new(&dialect).try_with_sql(text);
        let expression = parser.and_then(|mut parser| parser.parse_expr());
        let mut names = Names::of(vec!["_payload", "_arrival", "Store", "amount"]);
        let prepared = names.prepare(&expression.expect("it is an expression"));
        prepared.map_or_else(
            |refusal| refusal.to_string(),
            |prepared| prepared.to_string(),
        )
    }

    #[test]
    fn names_are_found_whatever_their_case_unless_they_are_in_quotes() {
        let cases = [
            ("store", r#""Store""#),
            ("AMOUNT + 1", r#""amount" + 1"#),
            (r#""Store""#, r#""Store""#),
            ("arrival_time", r#""_arrival""#),
            ("payload ->> 'a' = 'x'", r#""_payload" ->> 'a' = 'x'"#),
            (
                "coalesce(amount, 1, 2)",
                r#"CASE WHEN "amount" IS NOT NULL THEN "amount" WHEN 1 IS NOT NULL THEN 1 ELSE 2 END"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(prepared(text), expected);
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_refused_with_those_that_are() {
        let there =
            "there are Store, amount, payload, partition_key, arrival_time, sequence_number";
        let refusal = |name: &str, nearest: &str| {
            format!("invalid: {name}: there is no such column; {there}; instead: {nearest}")
        };
        assert_eq!(prepared("amonut + 1"), refusal("amonut", "amount"));
        assert_eq!(
            prepared("lower(city)"),
            refusal("city", "payload ->> 'city'")
        );
        assert_eq!(prepared(r#""STORE""#), refusal(r#""STORE""#, "Store"));
    }
}
