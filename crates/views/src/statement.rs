//! The statements of views that are no queries: [`read`].
//!
//! ```text
//! CREATE VIEW name [WITH (…)] AS SELECT …                           [`crate::definition`] reads the rest
//! DROP VIEW name
//! CREATE SCHEMA FOR STREAM name (column TYPE [FROM 'field.field'], …)
//! ```
//!
//! The types of columns are SQL's, with four for how a time stands in JSON: `TIMESTAMP` is a text in RFC
//! 3339, `TIMESTAMP_SECONDS`, `TIMESTAMP_MILLIS` and `TIMESTAMP_MICROS` count since the epoch.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::definition::{Refusal, Standing};
use crate::schema::{Column, Format, Schema};

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A view is to be made of the whole text.
    CreateView,
    /// The view of this name is to go.
    DropView {
        /// Its name.
        name: String,
    },
    /// The columns of a stream's payloads are declared.
    CreateSchema {
        /// The name of the stream.
        stream: String,
        /// The columns.
        schema: Schema,
    },
    /// None of these.
    Other,
}

/// What may stand between CREATE and VIEW, somewhere.
const MODIFIERS: [&str; 8] = [
    "or",
    "replace",
    "alter",
    "materialized",
    "temporary",
    "temp",
    "secure",
    "recursive",
];
/// Bytes of a statement, at most.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Says which statement `text` is. What begins like one and goes on otherwise is refused.
pub fn read(text: &str) -> Result<Statement, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid("the statement", "it is longer than 256 KiB"));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize();
    let tokens = tokens.map_err(|error| invalid("the statement", &error.to_string()))?;
    let tokens = tokens
        .into_iter()
        .filter(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon));
    let mut reader = Reader {
        tokens: tokens.collect(),
        at: 0,
    };
    if reader.words(&["create", "schema", "for", "stream"]) {
        let stream = reader.name("the name of a stream")?;
        let schema = reader.columns()?;
        reader.end()?;
        return Ok(Statement::CreateSchema { stream, schema });
    }
    if reader.words(&["drop", "view"]) {
        let name = reader.name("the name of a view")?;
        reader.end()?;
        return Ok(Statement::DropView { name });
    }
    if reader.words(&["create"]) {
        let rest = reader.tokens[1..].iter();
        let mut words = rest.map_while(|token| match token {
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        });
        // `CREATE OR REPLACE VIEW` and the like are for the definition to refuse, by name.
        if words.find(|word| !MODIFIERS.contains(&word.as_str())) == Some("view".to_owned()) {
            return Ok(Statement::CreateView);
        }
    }
    Ok(Statement::Other)
}

fn invalid(what: impl std::fmt::Display, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    /// Steps over `words` when they come next.
    fn words(&mut self, words: &[&str]) -> bool {
        let found = self.tokens.iter().skip(self.at).take(words.len());
        let is_next = found.len() == words.len()
            && found.zip(words).all(|(token, word)| is_word(token, word));
        if is_next {
            self.at += words.len();
        }
        is_next
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// A name, small unless it is quoted; names of streams may have hyphens and dots.
    fn name(&mut self, what: &str) -> Result<String, Refusal> {
        match self.take() {
            Some(Token::Word(word)) => Ok(name_of(&word)),
            Some(Token::SingleQuotedString(text)) => Ok(text),
            other => Err(invalid(shown(other), &format!("{what} belongs here"))),
        }
    }

    fn columns(&mut self) -> Result<Schema, Refusal> {
        let mut columns = Vec::new();
        if !self.takes(&Token::LParen) {
            return Err(invalid(shown(self.take()), "columns stand in (…)"));
        }
        loop {
            columns.push(self.column()?);
            match self.take() {
                Some(Token::Comma) => {}
                Some(Token::RParen) => break,
                other => return Err(invalid(shown(other), "a comma or ) belongs here")),
            }
        }
        Schema::new(columns).map_err(|error| invalid("the schema", &error.to_string()))
    }

    fn column(&mut self) -> Result<Column, Refusal> {
        let Some(Token::Word(word)) = self.take() else {
            self.at -= 1;
            return Err(invalid(
                shown(self.take()),
                "the name of a column belongs here",
            ));
        };
        let name = name_of(&word);
        let format = self.format()?;
        let path = match self.words(&["from"]) {
            false => vec![word.value],
            true => match self.take() {
                Some(Token::SingleQuotedString(path)) => {
                    path.split('.').map(str::to_owned).collect()
                }
                other => {
                    return Err(invalid(
                        shown(other),
                        "fields stand in quotes: 'outer.inner'",
                    ));
                }
            },
        };
        Ok(Column { name, format, path })
    }

    fn format(&mut self) -> Result<Format, Refusal> {
        let Some(Token::Word(word)) = self.take() else {
            self.at -= 1;
            return Err(invalid(
                shown(self.take()),
                "the type of a column belongs here",
            ));
        };
        Ok(match word.value.to_lowercase().as_str() {
            "boolean" | "bool" => Format::Boolean,
            "bigint" | "integer" | "int" | "int8" | "int4" | "smallint" => Format::Integer,
            "double" => {
                self.words(&["precision"]);
                Format::Float
            }
            "float" | "float8" | "real" => Format::Float,
            "text" | "varchar" | "string" => Format::Text,
            "decimal" | "numeric" => Format::Decimal {
                scale: self.scale()?,
            },
            "timestamp" | "timestamptz" => Format::TimeText,
            "timestamp_seconds" => Format::TimeSeconds,
            "timestamp_millis" => Format::TimeMillis,
            "timestamp_micros" => Format::TimeMicros,
            _ => {
                let why = "it is no type of a column";
                let nearest = "BOOLEAN, BIGINT, DECIMAL(38, scale), DOUBLE, TEXT, TIMESTAMP, \
                               TIMESTAMP_SECONDS, TIMESTAMP_MILLIS or TIMESTAMP_MICROS";
                return Err(invalid(word, why).nearest(nearest));
            }
        })
    }

    /// `(digits, scale)`; the digits are 38, whatever is said.
    fn scale(&mut self) -> Result<u8, Refusal> {
        let why = "a decimal says its digits: DECIMAL(38, 2)";
        let number = |token: Option<Token>| match token {
            Some(Token::Number(digits, _)) => digits.parse().ok().filter(|number| *number <= 38),
            _ => None,
        };
        let is_open = self.takes(&Token::LParen);
        let (digits, comma) = (number(self.take()), self.takes(&Token::Comma));
        let (scale, is_closed) = (number(self.take()), self.takes(&Token::RParen));
        match (digits, scale) {
            (Some(_), Some(scale)) if is_open && comma && is_closed => Ok(scale),
            _ => Err(invalid("decimal", why)),
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        match self.take() {
            None => Ok(()),
            other => Err(invalid(shown(other), "the statement ends before it")),
        }
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn name_of(word: &Word) -> String {
    match word.quote_style {
        None => word.value.to_lowercase(),
        Some(_) => word.value.clone(),
    }
}

fn shown(token: Option<Token>) -> String {
    token.map_or_else(|| "the end".to_owned(), |token| token.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_says_columns_types_and_where_they_stand() {
        let text = "create schema for stream orders (store TEXT, \"Amount\" DOUBLE PRECISION,
            price DECIMAL(38, 2) FROM 'price.net', at TIMESTAMP_MILLIS, EventTime timestamp);";
        let Ok(Statement::CreateSchema { stream, schema }) = read(text) else {
            panic!("a schema");
        };
        assert_eq!(stream, "orders");
        let columns = schema.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| (column.name.as_str(), column.format, column.path.join("/")))
            .collect();
        let expected = [
            ("store", Format::Text, "store".to_owned()),
            ("Amount", Format::Float, "Amount".to_owned()),
            (
                "price",
                Format::Decimal { scale: 2 },
                "price/net".to_owned(),
            ),
            ("at", Format::TimeMillis, "at".to_owned()),
            ("eventtime", Format::TimeText, "EventTime".to_owned()),
        ];
        assert_eq!(columns, expected);
    }

    #[test]
    fn what_is_no_query_is_recognised() {
        let name = || "sales".to_owned();
        assert_eq!(
            read("DROP VIEW Sales"),
            Ok(Statement::DropView { name: name() })
        );
        assert_eq!(
            read("CREATE VIEW sales AS SELECT 1"),
            Ok(Statement::CreateView)
        );
        assert_eq!(
            read("CREATE OR REPLACE VIEW x AS SELECT 1"),
            Ok(Statement::CreateView)
        );
        assert_eq!(read("SELECT 1"), Ok(Statement::Other));
        assert_eq!(read("CREATE TABLE view (x INT)"), Ok(Statement::Other));
        assert_eq!(read(""), Ok(Statement::Other));
    }

    #[test]
    fn a_statement_that_goes_on_otherwise_is_refused_with_what_belongs_there() {
        let cases = [
            (
                "DROP VIEW",
                "invalid: the end: the name of a view belongs here",
            ),
            ("DROP VIEW a, b", "invalid: ,: the statement ends before it"),
            (
                "CREATE SCHEMA FOR STREAM s",
                "invalid: the end: columns stand in (…)",
            ),
            (
                "CREATE SCHEMA FOR STREAM s ()",
                "invalid: ): the name of a column belongs here",
            ),
            (
                "CREATE SCHEMA FOR STREAM s (a)",
                "invalid: ): the type of a column belongs here",
            ),
            (
                "CREATE SCHEMA FOR STREAM s (a DECIMAL)",
                "invalid: decimal: a decimal says its digits: DECIMAL(38, 2)",
            ),
            (
                "CREATE SCHEMA FOR STREAM s (a INT, A TEXT)",
                "invalid: the schema: there are two columns `a`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                read(text).expect_err("refused").to_string(),
                expected,
                "{text}"
            );
        }
        let unknown = read("CREATE SCHEMA FOR STREAM s (a BLOB)").expect_err("refused");
        assert!(unknown.nearest.contains("DECIMAL(38, scale)"));
    }
}
