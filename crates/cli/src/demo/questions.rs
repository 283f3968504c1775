//! What the demo asks its view, and whether an answer is right. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::demo::landings::{Bucket, hour_of};
use crate::demo::oracle::Sums;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Every bucket.
    All,
    /// The buckets of an airport on a day, `2001-01-01`.
    Day(String, String),
    /// The buckets of an hour, `2001-01-01T05`.
    Hour(String),
}

impl Question {
    /// As SQL over `view`.
    pub fn sql(&self, view: &str) -> String {
        let select = format!("SELECT origin, hour, flights, delay FROM {view}");
        match self {
            Question::All => select,
            Question::Day(origin, day) => format!(
                "{select} WHERE origin = '{origin}' AND hour >= TIMESTAMP '{day}T00:00:00Z' AND \
                 hour <= TIMESTAMP '{day}T23:00:00Z'"
            ),
            Question::Hour(hour) => format!("{select} WHERE hour = TIMESTAMP '{hour}:00:00Z'"),
        }
    }

    /// The buckets of `sums` that it is about.
    pub fn expected(&self, sums: &BTreeMap<Bucket, Sums>) -> BTreeMap<Bucket, Sums> {
        let (beginning, airport) = match self {
            Question::All => return sums.clone(),
            Question::Day(origin, day) => (day, Some(origin)),
            Question::Hour(hour) => (hour, None),
        };
        let from: Bucket = (beginning.clone(), "".into());
        let about = sums.range(from..);
        let about = about.take_while(|((hour, _), _)| hour.starts_with(beginning));
        let about = about.filter(|((_, origin), _)| airport.is_none_or(|one| **one == **origin));
        about
            .map(|(bucket, sums)| (bucket.clone(), *sums))
            .collect()
    }
}

/// An answer: the rows, and the vector they are as of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// One past the last position of each shard.
    pub vector: BTreeMap<String, u64>,
    /// How often the batch view had been swapped.
    pub epoch: u64,
    /// The buckets.
    pub buckets: BTreeMap<Bucket, Sums>,
}

impl Answer {
    /// Reads the answer to `question`.
    pub fn read(question: Question, answer: &Value) -> Result<Answer> {
        let as_of = &answer["meta"]["as_of"][0];
        let positions = as_of["positions"]
            .as_object()
            .context("an answer without positions")?;
        let positions = positions.iter().map(|(shard, position)| {
            let position = position.as_u64().context("a position that is no number")?;
            Ok((shard.clone(), position))
        });
        let mut buckets = BTreeMap::new();
        for row in answer["rows"]
            .as_array()
            .context("an answer without rows")?
        {
            let (hour, origin) = (row["hour"].as_str(), row["origin"].as_str());
            let sums = (row["flights"].as_i64(), row["delay"].as_i64());
            let (Some(hour), Some(origin), (Some(flights), Some(delay))) = (hour, origin, sums)
            else {
                anyhow::bail!("a row that is no bucket: {row}");
            };
            let before = buckets.insert((hour_of(hour), origin.into()), (flights, delay));
            anyhow::ensure!(before.is_none(), "a bucket came twice: {row}");
        }
        Ok(Answer {
            question,
            vector: positions.collect::<Result<_>>()?,
            epoch: as_of["epoch"].as_u64().context("an answer without epoch")?,
            buckets,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_read_with_its_vector() {
        let answer = json!({
            "rows": [{ "origin": "ATL", "hour": "2001-01-01T05:00:00Z", "flights": 2, "delay": -3 }],
            "meta": { "as_of": [{ "positions": { "shardId-000000000000": 7 }, "epoch": 4 }] },
        });
        let read = Answer::read(Question::All, &answer).expect("an answer");
        let bucket: Bucket = ("2001-01-01T05".to_owned(), "ATL".into());
        assert_eq!(read.buckets, BTreeMap::from([(bucket.clone(), (2, -3))]));
        assert_eq!((read.epoch, read.vector["shardId-000000000000"]), (4, 7));
        assert!(Answer::read(Question::All, &json!({ "rows": [] })).is_err());
    }

    #[test]
    fn a_question_is_about_its_buckets_only() {
        let bucket = |hour: &str, origin: &str| (hour.to_owned(), origin.into());
        let sums: BTreeMap<Bucket, Sums> = [
            (bucket("2001-01-01T05", "ATL"), (1, 1)),
            (bucket("2001-01-01T05", "ORD"), (2, 2)),
            (bucket("2001-01-01T06", "ATL"), (3, 3)),
            (bucket("2001-01-02T05", "ATL"), (4, 4)),
        ]
        .into();
        let flights = |question: Question| -> Vec<i64> {
            let expected = question.expected(&sums);
            expected.values().map(|(flights, _)| *flights).collect()
        };
        assert_eq!(flights(Question::All), [1, 2, 3, 4]);
        assert_eq!(flights(Question::Hour("2001-01-01T05".into())), [1, 2]);
        let day = Question::Day("ATL".into(), "2001-01-01".into());
        assert_eq!(flights(day), [1, 3]);
    }
}
