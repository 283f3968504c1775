//! Whether the numbers add up: [`judge`]. Pure.
//!
//! What must hold: every number compared here was counted in the file or came over the wire; none is a
//! constant. Each comparison has a stable name, so that a number that is off is named. Where answers
//! were lost, a row may be stored twice; everything behind the stream is held against what the stream
//! really holds, so this is the only place that allows for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use tidemill_ledger::{Counts, MappingReport};

use crate::demo::stored::{Poison, Told, Totals};
use crate::output::grouped;

/// All that the demo has seen.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Rows of the file.
    pub rows: u64,
    /// The rows that lack a delay.
    pub incomplete: BTreeSet<usize>,
    /// How many acknowledgements came, and for how many different rows.
    pub acknowledged: Acknowledgements,
    /// What the stream holds.
    pub stored: Totals,
    /// The ledger of the mapping with AWS's defaults.
    pub defaults: MappingReport,
    /// The ledger of the mapping with bisect, few retries and a queue.
    pub careful: MappingReport,
    /// What the messages in the queue stand for.
    pub told: Told,
    /// The first incomplete row of each shard.
    pub poison: BTreeMap<String, Poison>,
}

/// What the producer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgements {
    /// Acknowledgements.
    pub count: u64,
    /// Different rows among them.
    pub rows: u64,
    /// Entries of calls whose answer was lost: each may be stored once more than acknowledged.
    pub doubtful: u64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name.
    pub name: &'static str,
    /// What should be so.
    pub claim: &'static str,
    /// Whether it is.
    pub holds: bool,
    /// The numbers, when it does not.
    pub finding: Option<String>,
}

/// A comparison that `holds` or not.
pub fn check(
    name: &'static str,
    claim: &'static str,
    holds: bool,
    numbers: impl Fn() -> String,
) -> Check {
    Check {
        name,
        claim,
        holds,
        finding: (!holds).then(numbers),
    }
}

fn equal(name: &'static str, claim: &'static str, one: (&str, u64), other: (&str, u64)) -> Check {
    check(name, claim, one.1 == other.1, || {
        format!(
            "{} {}, {} {}",
            grouped(one.1),
            one.0,
            grouped(other.1),
            other.0
        )
    })
}

/// Between `least` and as many more as answers were lost.
fn within(
    name: &'static str,
    claim: &'static str,
    (what, value): (&str, u64),
    (least_what, least): (&str, u64),
    doubtful: u64,
) -> Check {
    check(
        name,
        claim,
        (least..=least + doubtful).contains(&value),
        || {
            let allowed = match doubtful {
                0 => String::new(),
                _ => format!(" and at most {} more", grouped(doubtful)),
            };
            format!(
                "{} {what}, {} {least_what}{allowed}",
                grouped(value),
                grouped(least)
            )
        },
    )
}

/// All comparisons, in the order of the story.
pub fn judge(collected: &Collected) -> Vec<Check> {
    let Collected {
        acknowledged,
        stored,
        defaults,
        careful,
        ..
    } = collected;
    let mut checks = vec![
        equal(
            "every_row_acknowledged",
            "every row of the file was acknowledged, once",
            ("acknowledgements", acknowledged.count),
            ("rows in the file", collected.rows),
        ),
        equal(
            "no_row_left_out",
            "no row was acknowledged in place of another",
            ("different rows acknowledged", acknowledged.rows),
            ("rows in the file", collected.rows),
        ),
        equal(
            "nothing_missing",
            "each acknowledged flight is in the stream, where the acknowledgement says",
            ("missing", stored.missing),
            ("expected", 0),
        ),
        within(
            "stored_once",
            "the stream holds nothing but what was acknowledged or lost its answer",
            ("records in the stream", stored.records),
            ("acknowledged", acknowledged.count),
            acknowledged.doubtful,
        ),
        equal(
            "nothing_foreign",
            "the stream holds flights of the file only",
            ("others", stored.strangers),
            ("expected", 0),
        ),
        equal(
            "stored_is_acked",
            "the ledger has every record of the stream to account for",
            ("acked in the ledger", careful.totals.acked),
            ("records in the stream", stored.records),
        ),
        equal(
            "same_stream",
            "both mappings have the same records to account for",
            ("acked with AWS's defaults", defaults.totals.acked),
            ("acked with bisect and a queue", careful.totals.acked),
        ),
        equation("equation_defaults", defaults),
        equation("equation_careful", careful),
    ];
    checks.extend(judge_careful(collected));
    checks.extend(judge_queue(collected));
    checks.extend(judge_defaults(collected));
    checks
}

/// Nothing is unaccounted for, in no shard, and the totals are the sums of the shards.
fn equation(name: &'static str, mapping: &MappingReport) -> Check {
    let sums: Counts = mapping.shards.iter().map(|shard| shard.counts).sum();
    let shards_hold = mapping
        .shards
        .iter()
        .all(|shard| shard.counts.unaccounted() == 0);
    let holds = shards_hold && mapping.totals.unaccounted() == 0 && sums == mapping.totals;
    let claim = "acked = processed + filtered + dead-lettered + discarded + expired + pending";
    check(name, claim, holds, || {
        let off: Vec<String> = mapping
            .shards
            .iter()
            .filter(|shard| shard.counts.unaccounted() != 0)
            .map(|shard| {
                format!(
                    "{} in {}",
                    grouped(shard.counts.unaccounted()),
                    shard.shard_id
                )
            })
            .collect();
        let total = grouped(mapping.totals.unaccounted());
        match off.is_empty() && mapping.totals.unaccounted() == 0 {
            true => "the totals are not the sums of the shards".to_owned(),
            false => format!("{total} unaccounted for in all; {}", off.join(", ")),
        }
    })
}

fn judge_careful(collected: &Collected) -> Vec<Check> {
    let Collected {
        careful, stored, ..
    } = collected;
    let totals = careful.totals;
    let lost = totals.filtered + totals.discarded + totals.expired;
    vec![
        equal(
            "all_done",
            "the mapping has come to the end",
            ("pending", totals.pending),
            ("expected", 0),
        ),
        equal(
            "none_lost",
            "no record was filtered, discarded or expired",
            ("filtered, discarded or expired", lost),
            ("expected", 0),
        ),
        equal(
            "complete_processed",
            "every flight with both delays was processed",
            ("processed", totals.processed),
            ("such records in the stream", stored.complete),
        ),
        equal(
            "incomplete_dead_lettered",
            "every flight that lacks a delay was dead-lettered",
            ("dead-lettered", totals.dead_lettered),
            ("such records in the stream", stored.incomplete),
        ),
    ]
}

/// What the queue gave, held against the ledger, the stream and the file.
fn judge_queue(collected: &Collected) -> Vec<Check> {
    let Collected {
        told,
        stored,
        careful,
        incomplete,
        ..
    } = collected;
    vec![
        equal(
            "queue_matches_ledger",
            "the messages in the queue add up to the ledger's dead-lettered",
            ("records in the messages", told.records),
            ("dead-lettered", careful.totals.dead_lettered),
        ),
        equal(
            "each_incomplete_told",
            "each record of a flight that lacks a delay is in a message",
            ("of these records in messages", told.incomplete),
            ("in the stream", stored.incomplete),
        ),
        equal(
            "only_incomplete_told",
            "no other record is in a message, and none twice",
            ("others", told.wrong),
            ("expected", 0),
        ),
        equal(
            "queue_matches_file",
            "the messages name each flight of the file that lacks a delay",
            ("different flights in messages", told.rows),
            ("in the file", incomplete.len() as u64),
        ),
    ]
}

fn judge_defaults(collected: &Collected) -> Vec<Check> {
    let Collected {
        defaults, poison, ..
    } = collected;
    let totals = defaults.totals;
    let given_up = totals.filtered + totals.dead_lettered + totals.discarded + totals.expired;
    let shard = |id: &str| defaults.shards.iter().find(|shard| shard.shard_id == id);
    let free: Vec<&str> = poison
        .keys()
        .filter(|id| {
            shard(id).is_none_or(|shard| shard.blocked.is_none() || shard.counts.pending == 0)
        })
        .map(String::as_str)
        .collect();
    let past: Vec<String> = poison
        .iter()
        .filter_map(|(id, poison)| Some((id, shard(id)?.counts.processed, poison.records_before)))
        .filter(|(_, processed, before)| processed > before)
        .map(|(id, processed, before)| {
            format!("{processed} processed in {id}, {before} stand before")
        })
        .collect();
    let elsewhere: Vec<&str> = poison
        .iter()
        .filter(|(id, poison)| {
            let blocked = shard(id).and_then(|shard| Some((shard, shard.blocked.as_ref()?)));
            blocked.is_some_and(|(shard, blocked)| {
                let reached = shard.counts.processed + blocked.records;
                blocked.first_sequence_number > poison.sequence_number
                    || reached <= poison.records_before
            })
        })
        .map(|(id, _)| id.as_str())
        .collect();
    vec![
        equal(
            "defaults_give_nothing_up",
            "AWS's defaults give no record up",
            ("given up", given_up),
            ("expected", 0),
        ),
        check(
            "defaults_stand_still",
            "with AWS's defaults each shard stands still behind a flight that lacks a delay",
            free.is_empty() && !poison.is_empty(),
            || match poison.is_empty() {
                true => "no shard has such a flight".to_owned(),
                false => format!("not blocked: {}", free.join(", ")),
            },
        ),
        check(
            "defaults_blocked_by_poison",
            "the batch that a shard stands still behind holds such a flight",
            elsewhere.is_empty(),
            || format!("another batch in {}", elsewhere.join(", ")),
        ),
        check(
            "defaults_stop_before_poison",
            "with AWS's defaults nothing behind that flight was processed",
            past.is_empty(),
            || past.join("; "),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use tidemill_ledger::{Blocked, ShardReport};

    use super::*;

    fn mapping(shards: Vec<ShardReport>) -> MappingReport {
        MappingReport {
            uuid: "u".to_owned(),
            stream: "flights".to_owned(),
            function: "f".to_owned(),
            stream_arn: "sa".to_owned(),
            function_arn: "fa".to_owned(),
            totals: shards.iter().map(|shard| shard.counts).sum(),
            shards,
        }
    }

    fn shard(id: &str, counts: Counts, blocked: bool) -> ShardReport {
        let blocked = blocked.then(|| Blocked {
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            first_sequence_number: "1".to_owned(),
            records: 100,
            attempts: 3,
            last_error: "TypeError".to_owned(),
        });
        ShardReport {
            shard_id: id.to_owned(),
            counts,
            blocked,
        }
    }

    /// Ten rows, of which rows 2 and 7 lack a delay; rows 0 to 4 went to s0, the rest to s1.
    fn sound() -> Collected {
        let done = |processed, dead_lettered| Counts {
            acked: 5,
            processed,
            dead_lettered,
            ..Counts::default()
        };
        let standing = |processed| Counts {
            acked: 5,
            processed,
            pending: 5 - processed,
            ..Counts::default()
        };
        let poison = |records_before| Poison {
            sequence_number: "1".to_owned(),
            records_before,
        };
        Collected {
            rows: 10,
            incomplete: BTreeSet::from([2, 7]),
            acknowledged: Acknowledgements {
                count: 10,
                rows: 10,
                doubtful: 0,
            },
            defaults: mapping(vec![
                shard("s0", standing(0), true),
                shard("s1", standing(2), true),
            ]),
            careful: mapping(vec![
                shard("s0", done(4, 1), false),
                shard("s1", done(4, 1), false),
            ]),
            stored: Totals {
                records: 10,
                complete: 8,
                incomplete: 2,
                strangers: 0,
                missing: 0,
            },
            told: Told {
                messages: 2,
                records: 2,
                incomplete: 2,
                rows: 2,
                wrong: 0,
            },
            poison: BTreeMap::from([("s0".to_owned(), poison(2)), ("s1".to_owned(), poison(2))]),
        }
    }

    fn findings(collected: &Collected) -> Vec<&'static str> {
        judge(collected)
            .into_iter()
            .filter(|check| !check.holds)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn a_sound_run_has_no_finding() {
        assert_eq!(findings(&sound()), Vec::<&str>::new());
    }

    #[test]
    fn each_number_that_is_off_by_one_is_named() {
        type Change = fn(&mut Collected);
        let retotal = |mapping: &mut MappingReport| {
            mapping.totals = mapping.shards.iter().map(|shard| shard.counts).sum();
        };
        let cases: [(&str, Change); 17] = [
            ("every_row_acknowledged", |seen| seen.acknowledged.count = 9),
            ("no_row_left_out", |seen| seen.acknowledged.rows = 9),
            ("nothing_missing", |seen| seen.stored.missing = 1),
            ("stored_once", |seen| seen.stored.records = 11),
            ("stored_once", |seen| seen.stored.records = 9),
            ("nothing_foreign", |seen| seen.stored.strangers = 1),
            ("stored_is_acked", |seen| {
                seen.careful.shards[0].counts.acked = 4
            }),
            ("same_stream", |seen| {
                seen.defaults.shards[0].counts.acked = 6
            }),
            ("equation_defaults", |seen| {
                seen.defaults.shards[1].counts.pending = 4
            }),
            ("equation_careful", |seen| {
                seen.careful.shards[1].counts.processed = 3
            }),
            ("all_done", |seen| seen.careful.shards[0].counts.pending = 1),
            ("none_lost", |seen| {
                seen.careful.shards[0].counts.discarded = 1
            }),
            ("complete_processed", |seen| {
                seen.careful.shards[0].counts.processed = 5
            }),
            ("queue_matches_ledger", |seen| seen.told.records = 3),
            ("each_incomplete_told", |seen| seen.told.incomplete = 1),
            ("only_incomplete_told", |seen| seen.told.wrong = 1),
            ("queue_matches_file", |seen| seen.told.rows = 1),
        ];
        for (name, change) in cases {
            let mut collected = sound();
            change(&mut collected);
            retotal(&mut collected.careful);
            retotal(&mut collected.defaults);
            assert!(
                findings(&collected).contains(&name),
                "{name}: {:?}",
                findings(&collected)
            );
        }
    }

    #[test]
    fn a_shard_that_does_not_stand_still_is_named() {
        let mut moving = sound();
        moving.defaults.shards[1].blocked = None;
        assert_eq!(findings(&moving), ["defaults_stand_still"]);
        let finding = judge(&moving).into_iter().find_map(|check| check.finding);
        assert_eq!(finding.as_deref(), Some("not blocked: s1"));

        let mut clean = sound();
        clean.poison.clear();
        assert_eq!(findings(&clean), ["defaults_stand_still"]);

        let mut elsewhere = sound();
        if let Some(blocked) = &mut elsewhere.defaults.shards[0].blocked {
            blocked.records = 2;
        }
        assert_eq!(findings(&elsewhere), ["defaults_blocked_by_poison"]);

        let mut past = sound();
        past.defaults.shards[0].counts.processed = 3;
        past.defaults.shards[0].counts.pending = 2;
        past.defaults.totals = past.defaults.shards.iter().map(|shard| shard.counts).sum();
        assert_eq!(findings(&past), ["defaults_stop_before_poison"]);
    }

    #[test]
    fn totals_that_are_not_the_sums_of_the_shards_are_a_finding() {
        let mut collected = sound();
        collected.careful.totals.duplicates += 1;
        assert_eq!(findings(&collected), ["equation_careful"]);
    }

    #[test]
    fn rows_of_a_lost_answer_may_be_there_twice_and_no_more() {
        let mut collected = sound();
        collected.acknowledged.doubtful = 2;
        collected.stored.records += 2;
        collected.stored.complete += 1;
        collected.stored.incomplete += 1;
        for mapping in [&mut collected.careful, &mut collected.defaults] {
            mapping.shards[0].counts.acked += 2;
        }
        collected.careful.shards[0].counts.processed += 1;
        collected.careful.shards[0].counts.dead_lettered += 1;
        collected.defaults.shards[0].counts.pending += 2;
        for mapping in [&mut collected.careful, &mut collected.defaults] {
            mapping.totals = mapping.shards.iter().map(|shard| shard.counts).sum();
        }
        collected.told.records = 3;
        collected.told.incomplete = 3;
        assert_eq!(findings(&collected), Vec::<&str>::new());

        collected.acknowledged.doubtful = 1;
        assert_eq!(findings(&collected), ["stored_once"]);

        // A lost record cannot hide behind one that is there twice.
        collected.acknowledged.doubtful = 2;
        collected.stored.missing = 1;
        assert_eq!(findings(&collected), ["nothing_missing"]);
    }

    #[test]
    fn a_finding_says_the_numbers() {
        let mut collected = sound();
        collected.told.records = 1;
        let finding = judge(&collected)
            .into_iter()
            .find_map(|check| check.finding);
        assert_eq!(
            finding.as_deref(),
            Some("1 records in the messages, 2 dead-lettered")
        );
    }
}
