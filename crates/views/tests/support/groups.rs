//! Groups of a view, added up by the book: a map of keys and states, without layers, files or parts.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema as ArrowSchema};
use std::sync::Arc;

use tidemill_views::columns::arrow_type;
use tidemill_views::record_map::{Mapped, RecordMap};
use tidemill_views::state::Row;
use tidemill_views::{State, Type, Value};

/// Keys, and the states of their groups.
pub type Groups = BTreeMap<Vec<Option<Value>>, Vec<State>>;

/// Adds what `mapped` has to `groups`.
pub fn add(groups: &mut Groups, map: &dyn RecordMap, mapped: &Mapped) {
    for (row, place) in mapped.places.iter().enumerate() {
        let key = mapped.keys.iter().map(|key| value(key, row)).collect();
        let fresh = || map.aggregates().iter().copied().map(State::new).collect();
        let states: &mut Vec<State> = groups.entry(key).or_insert_with(fresh);
        for (state, call) in states.iter_mut().zip(&mapped.calls) {
            if call
                .counts
                .as_ref()
                .is_some_and(|counts| !counts.value(row))
            {
                continue;
            }
            let of = |array: &Option<ArrayRef>| array.as_ref().and_then(|array| value(array, row));
            let (argument, order) = (of(&call.argument), of(&call.order));
            let added = state.add(Row {
                value: argument.as_ref(),
                order: order.as_ref(),
                place: *place,
            });
            added.expect("a map gives values of the right types");
        }
    }
}

/// Adds the groups of `more`.
pub fn merge(groups: &mut Groups, more: &Groups) {
    for (key, states) in more {
        match groups.get_mut(key) {
            None => {
                groups.insert(key.clone(), states.clone());
            }
            Some(held) => {
                for (held, state) in held.iter_mut().zip(states) {
                    held.merge(state).expect("they are of one view");
                }
            }
        }
    }
}

/// `_k0`, …, `_a0`, … of the groups, with the finals of their states.
pub fn finals(groups: &Groups, map: &dyn RecordMap) -> RecordBatch {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (index, of) in map.keys().iter().enumerate() {
        fields.push(Field::new(format!("_k{index}"), arrow_type(*of), true));
        let keys = groups.keys().map(|key| key[index].clone());
        columns.push(array(*of, keys.collect()));
    }
    for (index, aggregate) in map.aggregates().iter().enumerate() {
        let of = aggregate.answer();
        fields.push(Field::new(format!("_a{index}"), arrow_type(of), true));
        let finals = groups.values().map(|states| {
            let finished = states[index].finish();
            finished.expect("the finals of these tests fit")
        });
        columns.push(array(of, finals.collect()));
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).expect("they are one table")
}

/// A value of a column that is of one of our types.
pub fn value(array: &ArrayRef, row: usize) -> Option<Value> {
    use arrow_schema::DataType;
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Int32 => Value::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(..) => {
            Value::Decimal(array.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Float64 => Value::float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Timestamp(..) => {
            Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => panic!("{other} is none of ours"),
    })
}

fn array(of: Type, values: Vec<Option<Value>>) -> ArrayRef {
    let values = values.into_iter();
    match of {
        Type::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value? {
            Value::Boolean(value) => Some(value),
            other => panic!("{other:?}"),
        }))),
        Type::Integer => Arc::new(values.map(whole).collect::<Int64Array>()),
        Type::Timestamp => {
            let times = values.map(whole).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        }
        Type::Float => Arc::new(Float64Array::from_iter(values.map(|value| match value? {
            Value::Float(value) => Some(value.get()),
            other => panic!("{other:?}"),
        }))),
        Type::Text => Arc::new(StringArray::from_iter(values.map(|value| match value? {
            Value::Text(value) => Some(value),
            other => panic!("{other:?}"),
        }))),
        Type::Decimal { scale } => {
            let units = values.map(|value| match value? {
                Value::Decimal(units) => Some(units),
                other => panic!("{other:?}"),
            });
            let units = units.collect::<Decimal128Array>();
            let units = units.with_precision_and_scale(38, scale as i8);
            Arc::new(units.expect("38 digits are the most"))
        }
    }
}

fn whole(value: Option<Value>) -> Option<i64> {
    match value? {
        Value::Integer(value) | Value::Timestamp(value) => Some(value),
        other => panic!("{other:?}"),
    }
}
