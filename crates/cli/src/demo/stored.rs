//! The stream as it was read back, held against what was acknowledged and what the queue told. Pure.
//!
//! What must hold: every record is known by its shard and sequence number and recognised by its data,
//! so neither an acknowledgement nor a message is believed without the record it speaks of. That is
//! what tells a row that is stored twice from one that took the place of a lost one.

use std::collections::{BTreeMap, BTreeSet};

use crate::demo::entries::Acknowledged;
use crate::demo::letters::Letter;

/// A record's place: its shard and its sequence number. Numbers have one length, so their order as
/// text is the order of the shard.
type Place = (String, String);

/// All records of the stream.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The row that each record holds; none for a record that is no row of the file.
    rows: BTreeMap<Place, Option<usize>>,
}

/// What is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Of these, flights with both delays.
    pub complete: u64,
    /// Of these, flights that lack a delay.
    pub incomplete: u64,
    /// Of these, no flights of the file.
    pub strangers: u64,
    /// Acknowledged rows that are not where the acknowledgement says.
    pub missing: u64,
}

/// What the messages in the queue stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Messages, each counted once.
    pub messages: u64,
    /// Records they say they stand for.
    pub records: u64,
    /// Different stored records of flights that lack a delay.
    pub incomplete: u64,
    /// Different rows of the file among these.
    pub rows: u64,
    /// Records of complete flights, told twice, or not in the stream.
    pub wrong: u64,
}

/// The first record of a shard that the function cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Its sequence number.
    pub sequence_number: String,
    /// Records before it in its shard.
    pub records_before: u64,
}

impl Stored {
    /// Adds the record at `sequence_number` of `shard`, which holds `row`.
    pub fn add(&mut self, shard: &str, sequence_number: &str, row: Option<usize>) {
        self.rows
            .insert((shard.to_owned(), sequence_number.to_owned()), row);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Stored) {
        self.rows.extend(other.rows);
    }

    /// Every record: its shard, its sequence number and the row that it holds.
    pub fn records(&self) -> impl Iterator<Item = (&str, &str, Option<usize>)> {
        let records = self.rows.iter();
        records.map(|((shard, number), row)| (shard.as_str(), number.as_str(), *row))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Counts what is stored, and what is missing of `acknowledged`.
    pub fn totals(&self, acknowledged: &[Acknowledged], incomplete: &BTreeSet<usize>) -> Totals {
        let mut totals = Totals::default();
        for row in self.rows.values() {
            totals.records += 1;
            match row {
                None => totals.strangers += 1,
                Some(row) if incomplete.contains(row) => totals.incomplete += 1,
                Some(_) => totals.complete += 1,
            }
        }
        let is_there = |one: &&Acknowledged| {
            let place = (one.shard.clone(), one.sequence_number.clone());
            self.rows.get(&place) == Some(&Some(one.row))
        };
        totals.missing = acknowledged.iter().filter(|one| !is_there(one)).count() as u64;
        totals
    }

    /// Counts what `letters` stand for.
    pub fn told<'a>(
        &self,
        letters: impl IntoIterator<Item = &'a Letter>,
        incomplete: &BTreeSet<usize>,
    ) -> Told {
        let mut told = Told::default();
        let (mut places, mut rows) = (BTreeSet::new(), BTreeSet::new());
        for letter in letters {
            told.messages += 1;
            told.records += letter.records;
            let mut right = 0;
            for (place, row) in self.range(letter) {
                match row {
                    Some(row) if incomplete.contains(row) && places.insert(place) => {
                        right += 1;
                        rows.insert(*row);
                    }
                    Some(_) | None => {}
                }
            }
            told.wrong += letter.records.abs_diff(right);
        }
        (told.incomplete, told.rows) = (places.len() as u64, rows.len() as u64);
        told
    }

    /// By shard, the first record of a row that is `incomplete`.
    pub fn first_poison(&self, incomplete: &BTreeSet<usize>) -> BTreeMap<String, Poison> {
        let mut before: BTreeMap<&str, u64> = BTreeMap::new();
        let mut found = BTreeMap::new();
        for ((shard, number), row) in &self.rows {
            let records_before = before.entry(shard).or_default();
            if row.is_some_and(|row| incomplete.contains(&row)) && !found.contains_key(shard) {
                let poison = Poison {
                    sequence_number: number.clone(),
                    records_before: *records_before,
                };
                found.insert(shard.clone(), poison);
            }
            *records_before += 1;
        }
        found
    }

    fn range(&self, letter: &Letter) -> impl Iterator<Item = (&Place, &Option<usize>)> {
        let place = |number: &String| (letter.shard.clone(), number.clone());
        // A range that ends before it begins holds nothing.
        let last = letter.last.clone().max(letter.first.clone());
        self.rows.range(place(&letter.first)..=place(&last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 3 and 9 lack a delay; row 3 is stored twice.
    fn incomplete() -> BTreeSet<usize> {
        BTreeSet::from([3, 9])
    }

    fn stored() -> Stored {
        let mut stored = Stored::default();
        stored.add("s0", "0005", Some(1));
        stored.add("s0", "0007", Some(3));
        stored.add("s0", "0009", Some(3));
        stored.add("s1", "0001", Some(9));
        stored.add("s1", "0006", Some(2));
        stored
    }

    fn acknowledged(shard: &str, number: &str, row: usize) -> Acknowledged {
        Acknowledged {
            row,
            shard: shard.to_owned(),
            sequence_number: number.to_owned(),
        }
    }

    fn letter(shard: &str, first: &str, last: &str, records: u64) -> Letter {
        Letter {
            shard: shard.to_owned(),
            first: first.to_owned(),
            last: last.to_owned(),
            records,
            condition: "RetryAttemptsExhausted".to_owned(),
        }
    }

    #[test]
    fn an_acknowledged_row_is_missing_unless_it_is_in_its_place() {
        let there = [acknowledged("s0", "0007", 3), acknowledged("s1", "0006", 2)];
        let totals = stored().totals(&there, &incomplete());
        let expected = Totals {
            records: 5,
            complete: 2,
            incomplete: 3,
            strangers: 0,
            missing: 0,
        };
        assert_eq!(totals, expected);
        let elsewhere = [("s0", "0005", 3), ("s0", "0006", 1), ("s1", "0005", 1)]
            .map(|(shard, number, row)| acknowledged(shard, number, row));
        assert_eq!(stored().totals(&elsewhere, &incomplete()).missing, 3);
        let mut strange = stored();
        strange.add("s1", "0008", None);
        assert_eq!(strange.totals(&[], &incomplete()).strangers, 1);
    }

    #[test]
    fn messages_stand_for_each_record_that_lacks_a_delay_once() {
        let told = |letters: &[Letter]| stored().told(letters, &incomplete());
        let all = [
            letter("s0", "0007", "0009", 2),
            letter("s1", "0001", "0001", 1),
        ];
        let expected = Told {
            messages: 2,
            records: 3,
            incomplete: 3,
            rows: 2,
            wrong: 0,
        };
        assert_eq!(told(&all), expected);
        let wrong = [
            (
                "a complete flight",
                vec![letter("s0", "0005", "0005", 1)],
                1,
            ),
            (
                "a complete flight among others",
                vec![letter("s0", "0005", "0007", 2)],
                1,
            ),
            (
                "a record told twice",
                vec![all[1].clone(), all[1].clone()],
                1,
            ),
            ("no record", vec![letter("s0", "0006", "0006", 1)], 1),
            ("another shard", vec![letter("s2", "0007", "0007", 1)], 1),
            (
                "a range that ends before it begins",
                vec![letter("s0", "0009", "0005", 3)],
                2,
            ),
            (
                "fewer than its range holds",
                vec![letter("s0", "0007", "0009", 1)],
                1,
            ),
        ];
        for (what, letters, count) in wrong {
            assert_eq!(told(&letters).wrong, count, "{what}");
        }
    }

    #[test]
    fn the_first_poison_of_each_shard_is_found_in_the_order_of_the_stream() {
        let poison = |number: &str, records_before| Poison {
            sequence_number: number.to_owned(),
            records_before,
        };
        let expected = [
            ("s0".to_owned(), poison("0007", 1)),
            ("s1".to_owned(), poison("0001", 0)),
        ];
        assert_eq!(
            stored().first_poison(&incomplete()),
            BTreeMap::from(expected)
        );
        assert!(stored().first_poison(&BTreeSet::new()).is_empty());
    }
}
