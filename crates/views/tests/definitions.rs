//! What becomes of definitions of views, in `tests/definitions`; and what holds for all of them.

use std::ops::ControlFlow;

use proptest::prelude::*;
use sqlparser::ast::{Expr, VisitMut, VisitorMut};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use tidemill_views::Function;
use tidemill_views::definition::{Definition, Refusal, Standing, split};

#[test]
fn every_definition_becomes_what_is_written() {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/definitions");
    tidemill_testkit::script::run_all(scripts, || {
        |directive: &str| match split(&whole(directive)) {
            Ok(definition) => definition.to_string().trim_end().to_owned(),
            Err(refusal) => refusal.to_string(),
        }
    });
}

/// Most stories leave out what is the same in all.
fn whole(directive: &str) -> String {
    if directive.starts_with("SELECT") {
        format!("CREATE VIEW v AS {directive}")
    } else {
        directive.to_owned()
    }
}

fn parsed(expression: &str) -> Expr {
    let dialect = PostgreSqlDialect {};
    let parser = Parser::new(&dialect).try_with_sql(expression);
    let expression = parser.and_then(|mut parser| parser.parse_expr());
    expression.expect("it is an expression")
}

/// Puts keys and aggregates back into the place of their names.
struct Putter<'a>(&'a Definition);

impl VisitorMut for Putter<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let Expr::Identifier(name) = expression else {
            return ControlFlow::Continue(());
        };
        let index = |prefix: &str| {
            name.value
                .strip_prefix(prefix)
                .and_then(|rest| rest.parse::<usize>().ok())
        };
        if let Some(index) = index("_k") {
            *expression = self.0.keys[index].clone();
        } else if let Some(index) = index("_a") {
            let call = &self.0.calls[index];
            let argument = call
                .argument
                .as_ref()
                .map_or("*".to_owned(), ToString::to_string);
            *expression = match call.function {
                Function::CountRecords => parsed("count(*)"),
                Function::Sum => parsed(&format!("sum({argument})")),
                Function::Min => parsed(&format!("min({argument})")),
                Function::CountDistinct => parsed(&format!("count(DISTINCT {argument})")),
                other => panic!("{other:?} is not generated"),
            };
        }
        ControlFlow::Continue(())
    }
}

const KEYS: [&str; 3] = ["store", "lower(city)", "date_bin(INTERVAL '1 hour', at)"];

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned),
        prop::sample::select(vec![
            "count(*)",
            "sum(fare)",
            "min(fare + tip)",
            "count(DISTINCT rider)"
        ])
        .prop_map(str::to_owned),
        Just("17".to_owned()),
        Just("'paid'".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} + {right})")),
            inner.clone().prop_map(|one| format!("abs({one})")),
            (inner.clone(), inner).prop_map(|(one, other)| {
                format!("CASE WHEN {one} > 3 THEN {other} ELSE now() END")
            }),
        ]
    })
}

proptest! {
    /// Splitting loses and adds nothing: with keys and aggregates put back, the columns are as written.
    #[test]
    fn what_was_split_can_be_put_together_again(
        columns in prop::collection::vec(expression(), 1..5),
    ) {
        let named = columns.iter().enumerate().map(|(index, column)| format!("{column} AS c{index}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let text = format!(
            "CREATE VIEW v AS SELECT {named} FROM STREAM rides WHERE fare > 0 GROUP BY {}",
            KEYS.join(", ")
        );
        let definition = split(&text).expect("every part of it is known");
        for (column, written) in definition.columns.iter().zip(&columns) {
            let mut value = column.value.clone();
            let _ = VisitMut::visit(&mut value, &mut Putter(&definition));
            let written = parsed(&written.to_lowercase());
            prop_assert_eq!(value.to_string(), written.to_string());
        }
        let again = split(&text);
        prop_assert_eq!(again.as_ref(), Ok(&definition));
    }

    #[test]
    fn any_text_is_a_definition_or_refused(text in ".{0,200}") {
        let _ = split(&text);
        let _ = split(&whole(&format!("SELECT {text}")));
    }

    #[test]
    fn any_words_of_sql_are_a_definition_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "SELECT", "FROM", "STREAM", "s", "t", "a", "b", ",", "(", ")", "*", "GROUP BY", "count(*)",
            "sum(a)", "WHERE", "HAVING", "ORDER BY", "LIMIT", "1", "AS", "OVER ()", "JOIN", "now()", "+", "=",
            "'x'", "DISTINCT", "UNION ALL", "WITH", "s.a",
        ]), 0..25),
    ) {
        let _ = split(&format!("CREATE VIEW v AS SELECT {}", words.join(" ")));
    }
}

#[test]
fn a_long_definition_is_refused_and_one_within_the_limits_is_walked() {
    let sum = |terms: usize| {
        let terms = vec!["x"; terms].join(" + ");
        split(&format!(
            "CREATE VIEW v AS SELECT sum({terms}) AS s FROM STREAM a"
        ))
    };
    assert!(sum(200).is_ok());
    let standing = |refused: Result<Definition, _>| {
        let refused: Refusal = refused.expect_err("it is too long");
        refused.standing
    };
    assert_eq!(standing(sum(203)), Standing::Invalid);
    let nested = format!("{}x{}", "(".repeat(200), ")".repeat(200));
    let nested = format!("CREATE VIEW v AS SELECT sum({nested}) AS s FROM STREAM a");
    assert_eq!(standing(split(&nested)), Standing::Invalid);
    let columns: Vec<String> = (0..400)
        .map(|index| format!("sum(x{index}) AS s{index}"))
        .collect();
    let wide = |count: usize| {
        let columns = columns[..count].join(", ");
        split(&format!("CREATE VIEW v AS SELECT {columns} FROM STREAM a"))
    };
    assert!(wide(280).is_ok());
    assert_eq!(standing(wide(400)), Standing::Invalid);
}
