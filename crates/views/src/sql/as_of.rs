//! `AS OF POSITION '0:1500,1:700'` in a query: [`without_as_of`] takes it out before the engine reads it.
//!
//! What must hold: a query is answered at one vector, so the clause may stand behind every view of it and
//! says the same behind each. A text in quotes is never taken for it.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::positions::{Positions, of_vector};

use super::query_error::{Kind, QueryError};

/// `text` without the clause, and the vector that it names; none when there is no clause.
pub fn without_as_of(text: &str) -> Result<(String, Option<Positions>), QueryError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .with_unescape(false)
        .tokenize();
    let tokens = tokens.map_err(|error| QueryError::new(Kind::Syntax, error.to_string()))?;
    let mut kept = String::new();
    let mut found: Option<Positions> = None;
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        let Some((vector, behind)) = clause(rest)? else {
            kept.push_str(&token.to_string());
            rest = behind;
            continue;
        };
        if found.as_ref().is_some_and(|found| *found != vector) {
            let what = "a query is answered at one vector, and this one names two";
            return Err(QueryError::new(Kind::NotSupported, what).hint("a query for each"));
        }
        found = Some(vector);
        kept.push(' ');
        rest = behind;
    }
    match found {
        None => Ok((text.to_owned(), None)),
        found => Ok((kept, found)),
    }
}

/// The vector of the clause that `tokens` begin with, and what stands behind it.
fn clause(tokens: &[Token]) -> Result<Option<(Positions, &[Token])>, QueryError> {
    let mut rest = tokens;
    for word in ["as", "of", "position"] {
        match next(rest) {
            Some((Token::Word(found), behind))
                if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word) =>
            {
                rest = behind;
            }
            _ => return Ok(None),
        }
    }
    let vector = match next(rest) {
        Some((Token::SingleQuotedString(text), behind)) => {
            of_vector(text).map(|vector| (vector, behind))
        }
        _ => None,
    };
    vector.map(Some).ok_or_else(|| {
        let what = "AS OF POSITION takes a vector as an answer says it";
        QueryError::new(Kind::Invalid, what).hint("AS OF POSITION '0:1500,1:700'")
    })
}

/// The first of `tokens` that is no blank, and what stands behind it.
fn next(tokens: &[Token]) -> Option<(&Token, &[Token])> {
    let is_blank = |token: &Token| matches!(token, Token::Whitespace(_));
    let blanks = tokens.iter().take_while(|token| is_blank(token)).count();
    tokens[blanks..].split_first()
}

#[cfg(test)]
mod tests {
    use tidemill_model::ShardId;

    use super::*;

    #[test]
    fn the_clause_is_taken_out_wherever_it_stands() {
        let vector = || Some(Positions::from([(ShardId(0), 1500), (ShardId(1), 700)]));
        let cases = [
            (
                "SELECT 'it''s' FROM v AS OF POSITION '0:1500,1:700' WHERE x = 1",
                "SELECT 'it''s' FROM v  WHERE x = 1",
                vector(),
            ),
            (
                "SELECT * FROM a as  of\nposition '0:1500,1:700' JOIN b s AS OF POSITION '0:1500,1:700' ON 1",
                "SELECT * FROM a  JOIN b s  ON 1",
                vector(),
            ),
            ("SELECT x AS of FROM v", "SELECT x AS of FROM v", None),
            (
                "SELECT ' AS OF POSITION ''0:1'' ', \"as of\"",
                "SELECT ' AS OF POSITION ''0:1'' ', \"as of\"",
                None,
            ),
        ];
        for (text, expected, vector) in cases {
            let found = without_as_of(text).expect("read");
            assert_eq!(found, (expected.to_owned(), vector), "{text}");
        }
    }

    #[test]
    fn two_vectors_and_what_is_none_are_refused() {
        let cases = [
            ("SELECT 1 FROM v AS OF POSITION 5", Kind::Invalid),
            ("SELECT 1 FROM v AS OF POSITION '5'", Kind::Invalid),
            ("SELECT 1 FROM v AS OF POSITION", Kind::Invalid),
            (
                "SELECT 1 FROM v AS OF POSITION '0:1', w AS OF POSITION '0:2'",
                Kind::NotSupported,
            ),
        ];
        for (text, kind) in cases {
            assert_eq!(
                without_as_of(text).expect_err("refused").kind,
                kind,
                "{text}"
            );
        }
    }
}
