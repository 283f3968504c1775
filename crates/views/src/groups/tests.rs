//! Groups against an oracle that knows neither states nor columns: a map of plain numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};

use tidemill_model::{Entropy, ShardId};
use tidemill_testkit::SimEntropy;

use crate::record_map::MapError;
use crate::state::Aggregate;
use crate::value::Type;

use super::*;

/// Of a view that groups by a text and an integer.
struct Map {
    aggregates: Vec<Aggregate>,
}

impl Map {
    fn new() -> Map {
        let of = |function, argument| Aggregate::new(function, argument).expect("it is defined");
        let integer = Some(Type::Integer);
        Map {
            aggregates: vec![
                of(Function::CountRecords, None),
                of(Function::Sum, integer),
                of(Function::Average, integer),
                of(Function::Min, Some(Type::Text)),
                of(Function::Count, Some(Type::Text)),
                of(Function::MaxBy, integer),
            ],
        }
    }
}

impl RecordMap for Map {
    fn keys(&self) -> &[Type] {
        &[Type::Text, Type::Integer]
    }

    fn aggregates(&self) -> &[Aggregate] {
        &self.aggregates
    }

    fn map(&self, _: &RecordBatch) -> Result<Mapped, MapError> {
        unreachable!("the test makes what a map would give")
    }
}

#[derive(Clone)]
struct Datum {
    store: Option<String>,
    hour: Option<i64>,
    amount: Option<i64>,
    name: Option<String>,
    counts: bool,
    place: Place,
}

fn datum(chance: &SimEntropy, position: u64) -> Datum {
    let some = || chance.below(8) > 0;
    Datum {
        store: some().then(|| format!("s{}", chance.below(5))),
        hour: some().then(|| chance.below(6) as i64 - 3),
        amount: some().then(|| chance.below(2_000) as i64 - 1_000),
        name: some().then(|| format!("n{}", chance.below(50))),
        counts: chance.below(3) > 0,
        place: Place {
            shard: ShardId(chance.below(3) as u32),
            position,
        },
    }
}

fn mapped(data: &[Datum]) -> Mapped {
    let amounts: ArrayRef = Arc::new(
        data.iter()
            .map(|datum| datum.amount)
            .collect::<Int64Array>(),
    );
    let names: ArrayRef = Arc::new(
        data.iter()
            .map(|datum| datum.name.clone())
            .collect::<StringArray>(),
    );
    let stores = data.iter().map(|datum| datum.store.clone());
    let hours = data.iter().map(|datum| datum.hour);
    let counts = BooleanArray::from_iter(data.iter().map(|datum| Some(datum.counts)));
    let call = |argument: Option<&ArrayRef>| MappedCall {
        argument: argument.cloned(),
        order: None,
        counts: None,
    };
    let mut by = call(Some(&amounts));
    by.order = Some(Arc::clone(&amounts));
    let mut filtered = call(Some(&amounts));
    filtered.counts = Some(counts);
    Mapped {
        records: data.len() as u64,
        places: data.iter().map(|datum| datum.place).collect(),
        keys: vec![
            Arc::new(stores.collect::<StringArray>()),
            Arc::new(hours.collect::<Int64Array>()),
        ],
        calls: vec![
            call(None),
            filtered,
            call(Some(&amounts)),
            call(Some(&names)),
            call(Some(&names)),
            by,
        ],
        filtered: 0,
        poisoned: 0,
        excluded: 0,
    }
}

type StoreAndHour = (Option<String>, Option<i64>);

/// What is expected of one group.
type Answer = (
    i64,
    Option<i64>,
    Option<f64>,
    Option<String>,
    i64,
    Option<i64>,
);

fn expected(data: &[&Datum]) -> Answer {
    let amounts = || data.iter().filter_map(|datum| datum.amount);
    let counted = data.iter().filter(|datum| datum.counts);
    let counted: Vec<i64> = counted.filter_map(|datum| datum.amount).collect();
    let names = || data.iter().filter_map(|datum| datum.name.clone());
    let count = amounts().count();
    (
        data.len() as i64,
        (!counted.is_empty()).then(|| counted.iter().sum()),
        (count > 0).then(|| amounts().sum::<i64>() as f64 / count as f64),
        names().min(),
        names().count() as i64,
        amounts().max(),
    )
}

fn answers(finals: &RecordBatch) -> Vec<(StoreAndHour, Answer)> {
    let text = |column: usize, row| {
        let column = finals.column(column).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let whole = |column: usize, row| {
        let column = finals.column(column).as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    let answer = |row| {
        let averages = finals.column(4).as_primitive::<Float64Type>();
        let average = averages.is_valid(row).then(|| averages.value(row));
        let count = |column| whole(column, row).expect("a count is never null");
        let answer = (
            count(2),
            whole(3, row),
            average,
            text(5, row),
            count(6),
            whole(7, row),
        );
        ((text(0, row), whole(1, row)), answer)
    };
    (0..finals.num_rows()).map(answer).collect()
}

#[test]
fn after_every_batch_the_answer_is_what_a_recompute_over_all_records_gives() {
    let mut compared = 0;
    for seed in 0..40 {
        let chance = SimEntropy::new(seed);
        let (map, mut groups, mut all) = (Map::new(), Groups::default(), Vec::new());
        for _ in 0..15 {
            let from = all.len() as u64;
            let batch: Vec<Datum> = (from..from + chance.below(60))
                .map(|position| datum(&chance, position))
                .collect();
            groups
                .add(&map, &mapped(&batch))
                .expect("nothing overflows");
            all.extend(batch);
            let mut by_key: BTreeMap<StoreAndHour, Vec<&Datum>> = BTreeMap::new();
            for datum in &all {
                let key = (datum.store.clone(), datum.hour);
                by_key.entry(key).or_default().push(datum);
            }
            let oracle = by_key.into_iter().map(|(key, data)| (key, expected(&data)));
            let finals = groups.finals(&map, &[]).expect("nothing overflows");
            let found = answers(&finals);
            compared += found.len();
            assert!(found == oracle.collect::<Vec<_>>(), "seed {seed}");
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn more_groups_than_may_be_held_are_an_error_that_says_so() {
    let chance = SimEntropy::new(1);
    let data: Vec<Datum> = (0..200).map(|position| datum(&chance, position)).collect();
    let (map, mapped) = (Map::new(), mapped(&data));
    let mut groups = Groups::default();
    let error = groups
        .add_within(&map, &mapped, 3)
        .expect_err("there are more");
    let expected = "the view has more than 3 groups: group by something coarser, or filter";
    assert_eq!(error.to_string(), expected);
    let mut groups = Groups::default();
    let there = 42;
    groups
        .add_within(&map, &mapped, there)
        .expect("that many are there");
}
