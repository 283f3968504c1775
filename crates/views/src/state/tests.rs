//! The bytes of states, as they are for ever.

use tidemill_model::ShardId;

use crate::value::Type;

use super::*;

const GOLDEN: &str = include_str!("golden_states.txt");

const DECIMAL: Type = Type::Decimal { scale: 2 };

fn values(of: Type) -> Vec<Option<Value>> {
    let text = |text: &str| Value::Text(text.to_owned());
    match of {
        Type::Integer => [Some(7), None, Some(-300), Some(7)]
            .map(|value| value.map(Value::Integer))
            .into(),
        DECIMAL => [10_i128.pow(37), -125]
            .map(|units| Some(Value::Decimal(units)))
            .into(),
        Type::Float => [0.1, 0.2, -1e300]
            .map(|value| Some(Value::float(value)))
            .into(),
        Type::Text => ["b", "", "zürich"].map(|value| Some(text(value))).into(),
        Type::Timestamp => [5, 981_173_106_000_000]
            .map(|micros| Some(Value::Timestamp(micros)))
            .into(),
        _ => [true, false]
            .map(|value| Some(Value::Boolean(value)))
            .into(),
    }
}

fn aggregates() -> Vec<(String, Aggregate, Vec<Option<Value>>)> {
    let quantile = Function::Quantile {
        per_million: 900_000,
    };
    let some = [
        (Function::CountRecords, None),
        (Function::Count, Some(Type::Integer)),
        (Function::Sum, Some(Type::Integer)),
        (Function::Average, Some(DECIMAL)),
        (Function::Sum, Some(Type::Float)),
        (Function::Min, Some(Type::Text)),
        (Function::Max, Some(Type::Timestamp)),
        (Function::All, Some(Type::Boolean)),
        (Function::CountDistinct, Some(Type::Float)),
        (Function::CountDistinct, Some(Type::Text)),
        (Function::ApproximateCountDistinct, Some(Type::Text)),
        (quantile, Some(Type::Float)),
        (Function::First, Some(Type::Text)),
        (Function::MaxBy, Some(DECIMAL)),
    ];
    let aggregates = some.map(|(function, argument)| {
        let aggregate = Aggregate::new(function, argument).expect("it is defined");
        let name = format!("{} {argument:?}", aggregate.name());
        (name, aggregate, values(argument.unwrap_or(Type::Boolean)))
    });
    aggregates.into()
}

fn state(aggregate: Aggregate, values: &[Option<Value>]) -> State {
    let mut state = State::new(aggregate);
    for (position, value) in values.iter().enumerate() {
        let place = Place {
            shard: ShardId(3),
            position: position as u64,
        };
        let order = Value::Integer(position as i64);
        let row = Row {
            value: value.as_ref(),
            order: Some(&order),
            place,
        };
        state.add(row).expect("the value fits");
    }
    state
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn states_have_the_bytes_they_always_had() {
    let mut found = String::new();
    for (name, aggregate, values) in aggregates() {
        let bytes = state(aggregate, &values).encode();
        found.push_str(&format!("{name}: {}\n", hexadecimal(&bytes)));
    }
    assert_eq!(
        found, GOLDEN,
        "a change needs a new version and old states still read"
    );
}

#[test]
fn bytes_of_other_aggregates_and_versions_are_refused() {
    for (name, aggregate, values) in aggregates() {
        let bytes = state(aggregate, &values).encode();
        let (mut other, mut newer) = (bytes.clone(), bytes.clone());
        other[0] = 200;
        newer[1] = 2;
        assert!(
            matches!(
                State::decode(aggregate, &other),
                Err(Damaged::Family { .. })
            ),
            "{name}"
        );
        assert_eq!(
            State::decode(aggregate, &newer),
            Err(Damaged::Version { found: 2 }),
            "{name}"
        );
        for cut in 0..bytes.len() {
            assert!(
                State::decode(aggregate, &bytes[..cut]).is_err(),
                "{name} cut at {cut}"
            );
        }
    }
}

#[test]
fn a_value_of_another_type_is_refused() {
    let aggregate = Aggregate::new(Function::Min, Some(Type::Text)).expect("it is defined");
    let mut minimum = State::new(aggregate);
    let place = Place {
        shard: ShardId(0),
        position: 0,
    };
    let number = Value::Integer(1);
    let row = Row {
        value: Some(&number),
        order: None,
        place,
    };
    let expected = Type::Text;
    assert_eq!(minimum.add(row), Err(StateError::WrongType { expected }));
    let of_numbers = Aggregate::new(Function::Min, Some(Type::Integer)).expect("it is defined");
    let bytes = state(of_numbers, &[Some(number)]).encode();
    assert!(State::decode(aggregate, &bytes).is_err());
}

#[test]
fn only_what_is_defined_is_an_aggregate() {
    let wrong = [
        (Function::Sum, Some(Type::Text)),
        (Function::CountRecords, Some(Type::Text)),
        (Function::Count, None),
        (Function::All, Some(Type::Integer)),
        (
            Function::Quantile {
                per_million: 1_000_001,
            },
            Some(Type::Float),
        ),
        (Function::Average, Some(Type::Decimal { scale: 35 })),
        (Function::Min, Some(Type::Decimal { scale: 39 })),
    ];
    for (function, argument) in wrong {
        let refused = Err(Unsupported { function, argument });
        assert_eq!(Aggregate::new(function, argument), refused);
    }
}
