//! Whether the numbers add up: [`judge`]. Pure.
//!
//! What must hold: every number compared here was counted in the file or came over the wire; none is a
//! constant. Each comparison has a stable name, so that a number that is off is named. Where answers
//! were lost, a row may be stored twice, and the comparisons allow exactly for that and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use tidemill_ledger::{Counts, MappingReport};

use crate::demo::drain::Told;
use crate::demo::letters::Poison;
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

fn check(
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
        within(
            "acknowledged_is_stored",
            "the stream holds what was acknowledged",
            ("records acked in the ledger", careful.totals.acked),
            ("acknowledged to the producer", acknowledged.count),
            acknowledged.doubtful,
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
        careful,
        acknowledged,
        incomplete,
        ..
    } = collected;
    let totals = careful.totals;
    let lost = totals.filtered + totals.discarded + totals.expired;
    let bad = incomplete.len() as u64;
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
        within(
            "complete_processed",
            "every flight with both delays was processed",
            ("processed", totals.processed),
            (
                "flights with both delays",
                collected.rows.saturating_sub(bad),
            ),
            acknowledged.doubtful,
        ),
        within(
            "incomplete_dead_lettered",
            "every flight that lacks a delay was dead-lettered",
            ("dead-lettered", totals.dead_lettered),
            ("flights that lack a delay", bad),
            acknowledged.doubtful,
        ),
    ]
}

/// What the queue gave, held against the ledger and the file.
fn judge_queue(collected: &Collected) -> Vec<Check> {
    let Collected {
        told,
        careful,
        incomplete,
        ..
    } = collected;
    let told_incomplete = told
        .rows
        .keys()
        .filter(|row| incomplete.contains(row))
        .count() as u64;
    let told_complete: u64 = told
        .rows
        .iter()
        .filter(|(row, _)| !incomplete.contains(row))
        .map(|(_, times)| times)
        .sum();
    vec![
        equal(
            "queue_matches_ledger",
            "the messages in the queue add up to the ledger's dead-lettered",
            ("records in the messages", told.records),
            ("dead-lettered", careful.totals.dead_lettered),
        ),
        equal(
            "each_incomplete_told",
            "each flight that lacks a delay is in a message",
            ("of these flights in messages", told_incomplete),
            ("flights that lack a delay", incomplete.len() as u64),
        ),
        equal(
            "only_incomplete_told",
            "no other flight is in a message",
            (
                "records of other flights or of none",
                told_complete + told.strangers,
            ),
            ("expected", 0),
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
        .filter_map(|(id, poison)| Some((id, shard(id)?.counts.processed, poison.rows_before)))
        // A row stored twice can only push the poison back, never forward.
        .filter(|(_, processed, before)| *processed > before + collected.acknowledged.doubtful)
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
                    || reached + collected.acknowledged.doubtful <= poison.rows_before
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
        let poison = |rows_before| Poison {
            sequence_number: "1".to_owned(),
            rows_before,
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
            told: Told {
                messages: 2,
                records: 2,
                rows: BTreeMap::from([(2, 1), (7, 1)]),
                strangers: 0,
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
        let cases: [(&str, Change); 13] = [
            ("every_row_acknowledged", |seen| seen.acknowledged.count = 9),
            ("no_row_left_out", |seen| seen.acknowledged.rows = 9),
            ("acknowledged_is_stored", |seen| {
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
            ("incomplete_dead_lettered", |seen| {
                seen.careful.shards[0].counts.dead_lettered = 2
            }),
            ("queue_matches_ledger", |seen| seen.told.records = 3),
            ("each_incomplete_told", |seen| {
                seen.told.rows = BTreeMap::from([(2, 1)])
            }),
            ("only_incomplete_told", |seen| {
                seen.told.rows.extend([(3, 1)])
            }),
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
        collected.told.rows = BTreeMap::from([(2, 2), (7, 1)]);
        assert_eq!(findings(&collected), Vec::<&str>::new());

        collected.acknowledged.doubtful = 1;
        assert_eq!(findings(&collected), ["acknowledged_is_stored"]);
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
