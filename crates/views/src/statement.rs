//! The statements of views that are no queries: [`read`].
//!
//! ```text
//! CREATE VIEW name [WITH (…)] AS SELECT …                           [`crate::definition`] reads the rest
//! ALTER VIEW name [WITH (…)] AS SELECT …                            the same, for its next version
//! DIFF VIEW name
//! AUDIT VIEW name
//! PROMOTE VIEW name
//! ROLLBACK VIEW name
//! DROP VIEW name [NEXT | PREVIOUS]
//! EXCLUDE FROM STREAM name SHARD number [first, end) REASON 'why'
//! UNDO EXCLUSION number REASON 'why'
//! SHOW EXCLUSIONS
//! CREATE SCHEMA FOR STREAM name (column TYPE [FROM 'field.field'], …)
//! ```
//!
//! Records are named by their positions, or by their sequence numbers; the end is one past the last.
//! The types of columns are SQL's, with four for how a time stands in JSON: `TIMESTAMP` is a text in RFC
//! 3339, `TIMESTAMP_SECONDS`, `TIMESTAMP_MILLIS` and `TIMESTAMP_MICROS` count since the epoch.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer, Word};

use tidemill_model::{SequenceNumber, ShardId};

use crate::catalog::Beside;
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
    /// A view is to have a next version.
    AlterView {
        /// What makes it, as a `CREATE VIEW`.
        statement: String,
    },
    /// The served version of a view is to be compared with the one beside it.
    DiffView {
        /// The name of the view.
        name: String,
    },
    /// What the batch view of a view has is to be computed again and compared.
    AuditView {
        /// The name of the view.
        name: String,
    },
    /// The next version of a view is to be served.
    PromoteView {
        /// The name of the view.
        name: String,
    },
    /// The previous version of a view is to be served.
    RollBackView {
        /// The name of the view.
        name: String,
    },
    /// A version that is not served is to go.
    DropVersion {
        /// The name of the view.
        name: String,
        /// Which version.
        place: Beside,
    },
    /// Records of a stream are not to be counted.
    Exclude {
        /// The name of the stream.
        stream: String,
        /// Their shard.
        shard: ShardId,
        /// The position of the first.
        from: u64,
        /// One past the position of the last.
        to: u64,
        /// Why.
        reason: String,
    },
    /// They are to be counted again.
    UndoExclusion {
        /// The number of the exclusion.
        id: u64,
        /// Why.
        reason: String,
    },
    /// What is excluded is to be told.
    ShowExclusions,
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
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| invalid("the statement", &error.to_string()))?;
    let tokens = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::SemiColon));
    let (tokens, places) = tokens
        .map(|token| (token.token, token.span.end))
        .unzip::<_, _, Vec<Token>, Vec<Location>>();
    let mut reader = Reader { tokens, at: 0 };
    if reader.words(&["create", "schema", "for", "stream"]) {
        let stream = reader.name("the name of a stream")?;
        let schema = reader.columns()?;
        reader.end()?;
        return Ok(Statement::CreateSchema { stream, schema });
    }
    if reader.words(&["alter", "view"]) {
        let rest = behind(text, places[0]);
        let statement = format!("CREATE{rest}");
        return Ok(Statement::AlterView { statement });
    }
    if let Some(statement) = reader.of_versions()? {
        return Ok(statement);
    }
    if let Some(statement) = reader.of_records()? {
        return Ok(statement);
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

/// What stands behind `place` in `text`.
fn behind(text: &str, place: Location) -> &str {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(place.line as usize - 1).map(str::len).sum();
    let line = &text[before..];
    let letters = line.char_indices().nth(place.column as usize - 1);
    letters.map_or("", |(at, _)| &line[at..])
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

    /// A statement about a view that is there, if that is what comes.
    fn of_versions(&mut self) -> Result<Option<Statement>, Refusal> {
        const VERBS: [&str; 5] = ["drop", "diff", "audit", "promote", "rollback"];
        let Some(verb) = VERBS.iter().find(|verb| self.words(&[verb, "view"])) else {
            return Ok(None);
        };
        let name = self.name("the name of a view")?;
        let place = match *verb {
            "drop" if self.words(&["next"]) => Some(Beside::Next),
            "drop" if self.words(&["previous"]) => Some(Beside::Previous),
            _ => None,
        };
        self.end()?;
        Ok(Some(match (*verb, place) {
            ("diff", _) => Statement::DiffView { name },
            ("audit", _) => Statement::AuditView { name },
            ("promote", _) => Statement::PromoteView { name },
            ("rollback", _) => Statement::RollBackView { name },
            (_, Some(place)) => Statement::DropVersion { name, place },
            (_, None) => Statement::DropView { name },
        }))
    }

    /// A statement about records that are not to be counted, if that is what comes.
    fn of_records(&mut self) -> Result<Option<Statement>, Refusal> {
        if self.words(&["undo", "exclusion"]) {
            let id = self.number("the number of an exclusion")?;
            let reason = self.reason()?;
            return Ok(Some(Statement::UndoExclusion { id, reason }));
        }
        if self.words(&["show", "exclusions"]) {
            self.end()?;
            return Ok(Some(Statement::ShowExclusions));
        }
        if !self.words(&["exclude", "from", "stream"]) {
            return Ok(None);
        }
        let stream = self.name("the name of a stream")?;
        let shard = self.shard()?;
        let opens = self.takes(&Token::LBracket);
        let from = self.position(shard)?;
        let comma = self.takes(&Token::Comma);
        let to = self.position(shard)?;
        if !(opens && comma && self.takes(&Token::RParen)) {
            let why = "records are [first, end), the end one past the last";
            return Err(invalid("the records", why).nearest("SHARD 3 [1200, 1350)"));
        }
        let reason = self.reason()?;
        Ok(Some(Statement::Exclude {
            stream,
            shard,
            from,
            to,
            reason,
        }))
    }

    fn shard(&mut self) -> Result<ShardId, Refusal> {
        let is_named = self.words(&["shard"]);
        let shard = match self.take() {
            Some(Token::Number(text, _) | Token::SingleQuotedString(text)) => text.parse().ok(),
            _ => None,
        };
        let shard = shard.filter(|_| is_named);
        shard.ok_or_else(|| invalid("the shard", "it is SHARD and its number: SHARD 3"))
    }

    /// A position, or the sequence number of a record of `shard`.
    fn position(&mut self, shard: ShardId) -> Result<u64, Refusal> {
        let token = self.take();
        if let Some(Token::Number(text, _) | Token::SingleQuotedString(text)) = &token {
            if let Ok(position) = text.parse() {
                return Ok(position);
            }
            if let Ok(number) = text.parse::<SequenceNumber>() {
                let is_of_it = number.shard() == shard;
                let why = format!("it is of {}, not of {shard}", number.shard());
                return is_of_it
                    .then(|| number.position_at())
                    .ok_or_else(|| invalid(text, &why));
            }
        }
        let why = "a position or a sequence number belongs here";
        Err(invalid(shown(token), why).nearest("SHARD 3 [1200, 1350)"))
    }

    fn number(&mut self, what: &str) -> Result<u64, Refusal> {
        let token = self.take();
        let number = match &token {
            Some(Token::Number(text, _)) => text.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| invalid(shown(token), &format!("{what} belongs here")))
    }

    /// `REASON 'why'`, and the end.
    fn reason(&mut self) -> Result<String, Refusal> {
        let is_named = self.words(&["reason"]);
        match self.take() {
            Some(Token::SingleQuotedString(reason)) if is_named => {
                self.end()?;
                Ok(reason)
            }
            other => Err(invalid(shown(other), "REASON 'why' belongs here")),
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
mod tests;
