//! Queries with parameters: [`Template`]. `{{name}}` stands for a text, `{{name:number}}` and
//! `{{name:time}}` for what they say.
//!
//! What must hold: a value becomes one literal of its kind, whatever stands in it, so nobody can write
//! SQL with it. A parameter inside quotes would be text of its own and is refused when the query gets its
//! name.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::limits::ENDPOINT_BYTES_MAX;
use crate::sql::{Kind, QueryError};

use super::conditions::{number, quoted, time};

/// A query whose parameters are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter { name: String, of: Of },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Text,
    Number,
    Time,
}

fn invalid(what: impl Into<String>) -> QueryError {
    QueryError::new(Kind::Invalid, what)
}

impl Template {
    /// Finds the parameters of `sql`.
    pub fn read(sql: &str) -> Result<Template, QueryError> {
        if sql.len() > ENDPOINT_BYTES_MAX {
            return Err(invalid("the query is longer than 64 KiB"));
        }
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
            .with_unescape(false)
            .tokenize();
        let tokens = tokens.map_err(|error| QueryError::new(Kind::Syntax, error.to_string()))?;
        let mut pieces = Vec::new();
        let mut rest = tokens.as_slice();
        while let Some((token, behind)) = rest.split_first() {
            if let Some((parameter, behind)) = parameter(rest)? {
                pieces.push(parameter);
                rest = behind;
                continue;
            }
            let text = token.to_string();
            if text.contains("{{") {
                return Err(invalid("a parameter stands outside of quotes").hint("= {{name}}"));
            }
            pieces.push(Piece::Text(text));
            rest = behind;
        }
        Ok(Template { pieces })
    }

    /// The names of the parameters, each once.
    pub fn parameters(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for piece in &self.pieces {
            if let Piece::Parameter { name, .. } = piece
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        }
        names
    }

    /// The query with `values` in place of its parameters.
    pub fn filled(&self, values: &[(String, String)]) -> Result<String, QueryError> {
        let known = self.parameters();
        if let Some((name, _)) = values
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            let hint = format!("the query has {}", known.join(", "));
            return Err(invalid(format!("there is no parameter `{name}`")).hint(hint));
        }
        let mut sql = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Parameter { name, of } => {
                    let found = values.iter().find(|(given, _)| given == name);
                    let (_, value) =
                        found.ok_or_else(|| invalid(format!("parameter `{name}` is missing")))?;
                    sql.push_str(&match of {
                        Of::Text => quoted(value),
                        Of::Number => number(name, value)?,
                        Of::Time => time(name, value)?,
                    });
                }
            }
        }
        Ok(sql)
    }
}

/// The parameter at the beginning of `tokens`, and what stands behind it.
fn parameter(tokens: &[Token]) -> Result<Option<(Piece, &[Token])>, QueryError> {
    let (name, of, rest) = match tokens {
        [
            Token::LBrace,
            Token::LBrace,
            Token::Word(name),
            Token::RBrace,
            Token::RBrace,
            rest @ ..,
        ] => (name, "text", rest),
        [
            Token::LBrace,
            Token::LBrace,
            Token::Word(name),
            Token::Colon,
            Token::Word(of),
            Token::RBrace,
            Token::RBrace,
            rest @ ..,
        ] => (name, of.value.as_str(), rest),
        [Token::LBrace, ..] => {
            let hint = "{{name}}, {{name:number}} or {{name:time}}";
            return Err(invalid("this is no parameter").hint(hint));
        }
        _ => return Ok(None),
    };
    let of = match of {
        "text" => Of::Text,
        "number" => Of::Number,
        "time" => Of::Time,
        other => {
            return Err(invalid(format!(
                "a parameter is text, number or time, not {other}"
            )));
        }
    };
    let name = name.value.clone();
    Ok(Some((Piece::Parameter { name, of }, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(sql: &str, values: &[(&str, &str)]) -> Result<String, QueryError> {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Template::read(sql)?.filled(&values.collect::<Vec<_>>())
    }

    #[test]
    fn a_value_is_one_literal_whatever_stands_in_it() {
        let sql = "SELECT 'it''s', \"a\" FROM v -- {x\nWHERE s = {{s}} AND n > {{n:number}} AND t < {{t:time}}";
        let values = [
            ("s", "x' OR ''='"),
            ("n", "-1.5e3"),
            ("t", "2026-01-01T00:00:00Z"),
        ];
        let expected = "SELECT 'it''s', \"a\" FROM v -- {x\nWHERE s = 'x'' OR ''''=''' AND n > -1.5e3 AND \
                        t < TIMESTAMP '2026-01-01T00:00:00Z'";
        assert_eq!(filled(sql, &values).expect("filled"), expected);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let wrong: [Case<'_>; 6] = [
            ("SELECT {{a}}", &[], "parameter `a` is missing"),
            ("SELECT 1", &[("a", "1")], "there is no parameter `a`"),
            (
                "SELECT {{a:number}}",
                &[("a", "1; DROP")],
                "`a` is no number: 1; DROP",
            ),
            (
                "SELECT {{a:time}}",
                &[("a", "now")],
                "`a` is no time in RFC 3339: now",
            ),
            (
                "SELECT '{{a}}'",
                &[("a", "1")],
                "a parameter stands outside of quotes",
            ),
            (
                "SELECT {{a:int}}",
                &[("a", "1")],
                "a parameter is text, number or time, not int",
            ),
        ];
        for (sql, values, expected) in wrong {
            assert_eq!(
                filled(sql, values).expect_err("refused").what,
                expected,
                "{sql}"
            );
        }
    }
}
