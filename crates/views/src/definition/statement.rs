//! From text to `CREATE VIEW`: [`read`].
//!
//! `FROM STREAM name` is ours and no parser's, so the word is taken out of the tokens and remembered.
//! Names without quotes are brought to lower case there too, so that trees are equal when they mean the
//! same. A text has a length, a number of tokens and of operators at most, because trees are walked
//! recursively and each operator may make one deeper.

use std::collections::BTreeSet;

use sqlparser::ast::{
    CreateTableOptions, CreateView, Expr, ObjectName, ObjectNamePart, Query, SqlOption, Statement,
    Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use super::refusal::{Refusal, Standing};

/// Tokens of a definition, at most.
const TOKENS_MAX: usize = 2_000;
/// Operators of a definition, at most: a tree so deep fits on a thread's stack of 2 MiB.
const OPERATORS_MAX: usize = 200;
/// Bytes of a definition, at most.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A view as it was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// What stands behind `WITH`, names and values.
    pub options: Vec<(String, String)>,
    /// What stands behind `AS`.
    pub query: Query,
    /// The names behind the word `STREAM`.
    pub streams: BTreeSet<String>,
}

fn invalid(what: impl std::fmt::Display, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

/// Reads one `CREATE VIEW … AS SELECT …`.
pub fn read(text: &str) -> Result<Written, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid("the definition", "it is longer than 64 KiB"));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize();
    let tokens = tokens.map_err(|error| invalid("the definition", &error.to_string()))?;
    let is_blank = |token: &Token| matches!(token, Token::Whitespace(_));
    let tokens: Vec<Token> = tokens
        .into_iter()
        .filter(|token| !is_blank(token))
        .collect();
    if tokens.len() > TOKENS_MAX {
        return Err(invalid(
            "the definition",
            "it has more than 2,000 words and signs",
        ));
    }
    if tokens.iter().filter(|token| is_operator(token)).count() > OPERATORS_MAX {
        return Err(invalid("the definition", "it has more than 200 operators"));
    }
    let (tokens, streams) = without_stream_words(tokens.into_iter().map(lower).collect());
    let statements = Parser::new(&dialect).with_tokens(tokens).parse_statements();
    let statements = statements.map_err(|error| invalid("the definition", &error.to_string()))?;
    let mut statements = statements.into_iter();
    let (Some(Statement::CreateView(view)), None) = (statements.next(), statements.next()) else {
        let why = "it is not one CREATE VIEW … AS SELECT …";
        return Err(invalid("the definition", why));
    };
    let options = options(&view)?;
    let name = one_word(&view.name);
    check_extras(&view)?;
    Ok(Written {
        name: name.ok_or_else(|| invalid(&view.name, "the name of a view is one word"))?,
        options,
        query: *view.query,
        streams,
    })
}

/// The word that a name consists of; none when it has several.
pub fn one_word(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(word)] => Some(word.value.clone()),
        _ => None,
    }
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::COLLATE
                | Keyword::AT
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Period => false,
        _ => true,
    }
}

fn lower(token: Token) -> Token {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Token::Word(Word {
            value: word.value.to_lowercase(),
            ..word
        }),
        other => other,
    }
}

/// The tokens without the word in `FROM STREAM name`, and the names behind it.
fn without_stream_words(tokens: Vec<Token>) -> (Vec<Token>, BTreeSet<String>) {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut streams = BTreeSet::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_word = matches!(&token, Token::Word(word) if word.quote_style.is_none() && word.value == "stream");
        let opens = |before: &Token| match before {
            Token::Word(word) => matches!(word.keyword, Keyword::FROM | Keyword::JOIN),
            _ => false,
        };
        match tokens.peek() {
            Some(Token::Word(name)) if is_word && kept.last().is_some_and(opens) => {
                streams.insert(name.value.clone());
            }
            _ => kept.push(token),
        }
    }
    (kept, streams)
}

fn options(view: &CreateView) -> Result<Vec<(String, String)>, Refusal> {
    let given = match &view.options {
        CreateTableOptions::None => return Ok(Vec::new()),
        CreateTableOptions::With(given) => given,
        other => return Err(invalid(other, "options stand in WITH (…)")),
    };
    let read = given.iter().map(|option| match option {
        SqlOption::KeyValue {
            key,
            value: Expr::Value(value),
        } => match &value.value {
            Value::SingleQuotedString(text) => Ok((key.value.clone(), text.clone())),
            _ => Err(invalid(option, "a value is a text in single quotes")),
        },
        other => Err(invalid(other, "an option is a name, = and a text")),
    });
    read.collect()
}

/// Refuses what else a parser takes between `CREATE` and `AS`.
fn check_extras(view: &CreateView) -> Result<(), Refusal> {
    let extras = [
        (view.or_replace || view.or_alter, "OR REPLACE"),
        (view.materialized, "MATERIALIZED"),
        (view.secure, "SECURE"),
        (view.temporary, "TEMPORARY"),
        (view.if_not_exists, "IF NOT EXISTS"),
        (!view.columns.is_empty(), "a list of columns"),
        (!view.cluster_by.is_empty(), "CLUSTER BY"),
        (view.comment.is_some(), "COMMENT"),
        (view.with_no_schema_binding, "WITH NO SCHEMA BINDING"),
        (view.copy_grants, "COPY GRANTS"),
        (view.to.is_some(), "TO"),
        (view.params.is_some(), "parameters"),
    ];
    match extras.into_iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Refusal::new(
            Standing::Unsupported,
            what,
            "a view is made by CREATE VIEW name [WITH (…)] AS SELECT …",
        )),
        None => Ok(()),
    }
}
