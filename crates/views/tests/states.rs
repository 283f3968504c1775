//! What lets parts of a view be added up: in any split, order and tree of merges, through bytes or not,
//! every aggregate over every type gives what one pass gives.

use proptest::prelude::*;

use tidemill_model::ShardId;
use tidemill_views::state::{Row, StateError};
use tidemill_views::value::{DECIMAL_MAX, Place};
use tidemill_views::{Aggregate, Function, State, Type, Value};

const TYPES: [Type; 7] = [
    Type::Boolean,
    Type::Integer,
    Type::Decimal { scale: 0 },
    Type::Decimal { scale: 6 },
    Type::Float,
    Type::Text,
    Type::Timestamp,
];

const FUNCTIONS: [Function; 16] = [
    Function::CountRecords,
    Function::Count,
    Function::Sum,
    Function::Average,
    Function::Min,
    Function::Max,
    Function::All,
    Function::Any,
    Function::CountDistinct,
    Function::ApproximateCountDistinct,
    Function::Quantile { per_million: 0 },
    Function::Quantile {
        per_million: 950_000,
    },
    Function::First,
    Function::Last,
    Function::MinBy,
    Function::MaxBy,
];

/// Every aggregate that there is over these types.
fn aggregates() -> Vec<Aggregate> {
    let arguments = TYPES.into_iter().map(Some).chain([None]);
    let pairs = arguments.flat_map(|argument| FUNCTIONS.map(|function| (function, argument)));
    pairs
        .filter_map(|(function, argument)| Aggregate::new(function, argument).ok())
        .collect()
}

#[derive(Clone, Debug)]
struct OwnedRow {
    value: Option<Value>,
    order: Option<Value>,
    place: Place,
}

impl OwnedRow {
    fn row(&self) -> Row<'_> {
        Row {
            value: self.value.as_ref(),
            order: self.order.as_ref(),
            place: self.place,
        }
    }
}

fn value(of: Type) -> BoxedStrategy<Value> {
    match of {
        Type::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Type::Integer => prop_oneof![
            (-5_i64..5).prop_map(Value::Integer),
            (i64::MIN / 64..i64::MAX / 64).prop_map(Value::Integer),
        ]
        .boxed(),
        Type::Decimal { .. } => prop_oneof![
            (-500_i128..500).prop_map(Value::Decimal),
            (-DECIMAL_MAX / 64..DECIMAL_MAX / 64).prop_map(Value::Decimal),
        ]
        .boxed(),
        Type::Float => prop_oneof![
            4 => (-1000_i64..1000).prop_map(|tenths| Value::float(tenths as f64 * 0.1)),
            4 => any::<f64>().prop_map(Value::float),
            1 => any::<u64>().prop_map(|bits| Value::float(f64::from_bits(bits))),
        ]
        .boxed(),
        Type::Text => prop_oneof![
            "[ab]{0,2}".prop_map(Value::Text),
            ".{0,12}".prop_map(Value::Text),
        ]
        .boxed(),
        Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
    }
}

/// Rows with nulls among them, each with a place of its own.
fn rows(argument: Type) -> impl Strategy<Value = Vec<OwnedRow>> {
    let order = prop::option::weighted(0.8, (0_i64..4).prop_map(Value::Integer));
    let row = (
        prop::option::weighted(0.9, value(argument)),
        order,
        0_u32..3,
    );
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let placed = rows
            .into_iter()
            .enumerate()
            .map(|(index, (value, order, shard))| OwnedRow {
                value,
                order,
                place: Place {
                    shard: ShardId(shard),
                    position: index as u64,
                },
            });
        placed.collect()
    })
}

/// What a case is made of.
type Case = (Aggregate, Vec<OwnedRow>, Vec<(usize, u32)>, Vec<bool>);

/// An aggregate, rows for it, and for each row a part and a rank that shuffle them.
fn cases() -> impl Strategy<Value = Case> {
    prop::sample::select(aggregates()).prop_flat_map(|aggregate| {
        let argument = aggregate.argument().unwrap_or(Type::Boolean);
        (
            Just(aggregate),
            rows(argument),
            prop::collection::vec((0_usize..6, any::<u32>()), 40),
            prop::collection::vec(any::<bool>(), 12),
        )
    })
}

fn one_pass<'a>(aggregate: Aggregate, rows: impl IntoIterator<Item = &'a OwnedRow>) -> State {
    let mut state = State::new(aggregate);
    for row in rows {
        state.add(row.row()).expect("counts are small");
    }
    state
}

/// Whether equal states have equal bytes. Those of a sketch depend on the order of its values.
fn has_one_form(aggregate: Aggregate) -> bool {
    aggregate.function() != Function::ApproximateCountDistinct
}

fn through_bytes(state: &State) -> State {
    let bytes = state.encode();
    let decoded = State::decode(state.aggregate(), &bytes).expect("it was written by this version");
    if has_one_form(state.aggregate()) {
        assert_eq!(decoded.encode(), bytes);
    }
    decoded
}

/// Merges neighbours, from the left or from the right as `choices` say, until one is left.
fn merged(mut states: Vec<State>, choices: &[bool], aggregate: Aggregate) -> State {
    let mut choices = choices.iter().cycle();
    while states.len() > 1 {
        let at = if *choices.next().expect("there are some") {
            0
        } else {
            states.len() - 2
        };
        let right = states.remove(at + 1);
        let into_right = *choices.next().expect("there are some");
        if into_right {
            let left = std::mem::replace(&mut states[at], right);
            states[at].merge(&left).expect("counts are small");
        } else {
            states[at].merge(&right).expect("counts are small");
        }
        if *choices.next().expect("there are some") {
            states[at] = through_bytes(&states[at]);
        }
    }
    states.pop().unwrap_or_else(|| State::new(aggregate))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_split_order_and_tree_gives_what_one_pass_gives(
        (aggregate, rows, shuffle, choices) in cases(),
    ) {
        let whole = one_pass(aggregate, &rows);
        let mut shuffled: Vec<_> = rows.iter().zip(&shuffle).collect();
        shuffled.sort_by_key(|(_, (_, rank))| *rank);
        let parts = (0..6).map(|part| {
            let of_part = shuffled.iter().filter(|(_, (chosen, _))| *chosen == part);
            one_pass(aggregate, of_part.map(|(row, _)| *row))
        });
        let together = merged(parts.collect(), &choices, aggregate);
        prop_assert_eq!(&together, &whole);
        prop_assert_eq!(together.finish(), whole.finish());
        if has_one_form(aggregate) {
            prop_assert_eq!(together.encode(), whole.encode());
        }
        prop_assert_eq!(&through_bytes(&whole), &whole);
    }

    #[test]
    fn what_was_taken_back_was_never_there(
        (aggregate, rows, shuffle, _) in cases(),
    ) {
        let kept = rows.iter().zip(&shuffle).filter(|(_, (part, _))| *part < 3);
        let expected = one_pass(aggregate, kept.map(|(row, _)| row));
        let mut corrections = State::new(aggregate);
        for (row, _) in rows.iter().zip(&shuffle).filter(|(_, (part, _))| *part >= 3) {
            let taken_back = corrections.retract(row.row());
            if !aggregate.is_retractable() {
                let what = aggregate.name();
                prop_assert_eq!(taken_back, Err(StateError::NotRetractable { what }));
                return Ok(());
            }
            prop_assert_eq!(taken_back, Ok(()));
        }
        // The corrections are a part of their own and come first.
        corrections.merge(&one_pass(aggregate, &rows)).expect("counts are small");
        prop_assert_eq!(corrections.encode(), expected.encode());
    }

    #[test]
    fn any_bytes_are_a_state_or_an_error(
        aggregate in prop::sample::select(aggregates()),
        rest in prop::collection::vec(any::<u8>(), 0..80),
        position in 0_usize..40,
        bit in 0_u8..8,
        rows in rows(Type::Boolean),
    ) {
        let mut bytes = one_pass(Aggregate::new(Function::CountRecords, None).expect("there is"), &rows).encode();
        bytes[0] = State::new(aggregate).encode()[0];
        bytes.truncate(2);
        bytes.extend(&rest);
        let _ = State::decode(aggregate, &bytes).map(|state| state.finish());
        let mut flipped = State::new(aggregate).encode();
        let position = position % flipped.len();
        flipped[position] ^= 1 << bit;
        let _ = State::decode(aggregate, &flipped).map(|state| state.finish());
    }
}

/// Many values, so that the sketch goes through all of its forms.
#[test]
fn an_approximate_count_of_many_values_is_that_of_one_pass_and_near_the_truth() {
    let aggregate = Aggregate::new(Function::ApproximateCountDistinct, Some(Type::Text));
    let aggregate = aggregate.expect("it is defined");
    let row = |index: u64| OwnedRow {
        value: Some(Value::Text(format!("visitor-{}", index % 60_000))),
        order: None,
        place: Place {
            shard: ShardId(0),
            position: index,
        },
    };
    let whole = one_pass(aggregate, &(0..90_000).map(row).collect::<Vec<_>>());
    for part_size in [7_u64, 1_000, 50_000] {
        let mut together = State::new(aggregate);
        let mut from = 90_000_u64;
        while from > 0 {
            let to = from;
            from = to.saturating_sub(part_size);
            let part = one_pass(aggregate, &(from..to).map(row).collect::<Vec<_>>());
            together.merge(&through_bytes(&part)).expect("it merges");
            if part_size == 7 && !from.is_multiple_of(9) {
                // Bytes are costly here: one in nine goes through them.
                continue;
            }
            together = through_bytes(&together);
        }
        assert_eq!(together, whole, "parts of {part_size}");
        assert_eq!(together.finish(), whole.finish());
    }
    let Ok(Some(Value::Integer(estimate))) = whole.finish() else {
        panic!("there is an estimate");
    };
    assert!((estimate - 60_000).abs() < 60_000 * 5 / 100, "{estimate}");
}
