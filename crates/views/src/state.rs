//! What a view knows of some of its records: [`State`], one for each [`Aggregate`] and group.
//!
//! What must hold, for every aggregate and type: records put into parts in any split, in any order, and
//! the parts merged in any tree, through bytes or not, give the answer that one pass over all of them
//! gives. That is what lets a batch view and a speed view be added up, and it is tested for all of them
//! in `tests/states.rs`. States belong to this crate and to no SQL engine, because an engine's own may
//! mean something else in its next version. Their bytes begin with a family and a version and are frozen
//! (`state/golden_states.txt`); a version that is not known is an error, and then the view is rebuilt.
//!
//! ```text
//! family u8 | version u8 | fields of the family
//! ```
//!
//! A record can be taken back from counts, sums and averages. From the rest it cannot: the group has to
//! be recomputed from the master dataset.

mod failure;
mod exact_sum;
mod count;
mod sum;
mod extreme;
mod truth;
mod distinct;
mod approximate_distinct;
mod quantiles;
mod pick;
mod aggregate;

pub use crate::encoding::Damaged;
pub use aggregate::{Aggregate, Class, Function, Unsupported};
pub use failure::StateError;

use crate::encoding::{Reader, Writer};
use crate::value::{Place, Value};

use approximate_distinct::ApproximateDistinct;
use count::Count;
use distinct::Distinct;
use extreme::{End, Extreme};
use pick::Pick;
use quantiles::Quantiles;
use sum::Sum;
use truth::Truth;

/// The version that every family writes.
pub const VERSION: u8 = 1;

/// What an aggregate looks at in one record of its group.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The argument; null with none.
    pub value: Option<&'a Value>,
    /// What `min_by` and `max_by` order by; none for the others.
    pub order: Option<&'a Value>,
    /// Where the record stands.
    pub place: Place,
}

/// What an aggregate knows of the records of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    aggregate: Aggregate,
    held: Held,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Count(Count),
    Sum(Sum),
    Extreme(Extreme),
    Truth(Truth),
    Distinct(Distinct),
    ApproximateDistinct(Box<ApproximateDistinct>),
    Quantiles(Quantiles),
    Pick(Pick),
}

impl State {
    /// Of no records.
    pub fn new(aggregate: Aggregate) -> State {
        let held = match aggregate.function() {
            Function::CountRecords | Function::Count => Held::Count(Count::default()),
            Function::Sum | Function::Average => Held::Sum(empty_sum(aggregate)),
            Function::Min => Held::Extreme(Extreme::new(End::Least)),
            Function::Max => Held::Extreme(Extreme::new(End::Greatest)),
            Function::All | Function::Any => Held::Truth(Truth::default()),
            Function::CountDistinct => Held::Distinct(Distinct::default()),
            Function::ApproximateCountDistinct => Held::ApproximateDistinct(Box::default()),
            Function::Quantile { .. } => Held::Quantiles(Quantiles::default()),
            Function::First | Function::MinBy => Held::Pick(Pick::new(End::Least)),
            Function::Last | Function::MaxBy => Held::Pick(Pick::new(End::Greatest)),
        };
        State { aggregate, held }
    }

    /// What it is a state of.
    pub fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    /// Takes in a record. After an error the state is not to be used.
    pub fn add(&mut self, row: Row<'_>) -> Result<(), StateError> {
        self.change(row, 1)
    }

    /// Takes a record back, where the aggregate can do that.
    pub fn retract(&mut self, row: Row<'_>) -> Result<(), StateError> {
        if !self.aggregate.is_retractable() {
            let what = self.aggregate.name();
            return Err(StateError::NotRetractable { what });
        }
        self.change(row, -1)
    }

    fn change(&mut self, row: Row<'_>, times: i64) -> Result<(), StateError> {
        let function = self.aggregate.function();
        let argument = self.aggregate.argument();
        if let (Some(value), Some(expected)) = (row.value, argument)
            && !value.is(expected)
        {
            return Err(StateError::WrongType { expected });
        }
        if let Held::Pick(pick) = &mut self.held {
            let is_ordered = matches!(function, Function::MinBy | Function::MaxBy);
            if !is_ordered || row.order.is_some() {
                let order = row.order.filter(|_| is_ordered);
                pick.add(order, row.place, row.value);
            }
            return Ok(());
        }
        if let (Function::CountRecords, Held::Count(count)) = (function, &mut self.held) {
            return count.add(times);
        }
        let Some(value) = row.value else {
            return Ok(());
        };
        match &mut self.held {
            Held::Count(count) => count.add(times)?,
            Held::Sum(sum) => sum.add(value, times)?,
            Held::Extreme(extreme) => extreme.add(value),
            Held::Truth(truth) => truth.add(*value == Value::Boolean(true)),
            Held::Distinct(distinct) => distinct.add(value),
            Held::ApproximateDistinct(distinct) => distinct.add(value),
            Held::Quantiles(quantiles) => match argument {
                Some(argument) => quantiles.add(argument, value)?,
                None => return Err(StateError::Unlike),
            },
            Held::Pick(_) => unreachable!("a pick is taken care of above"),
        }
        Ok(())
    }

    /// Takes in what `other` knows. After an error the state is not to be used.
    pub fn merge(&mut self, other: &State) -> Result<(), StateError> {
        if self.aggregate != other.aggregate {
            return Err(StateError::Unlike);
        }
        match (&mut self.held, &other.held) {
            (Held::Count(count), Held::Count(more)) => count.merge(more)?,
            (Held::Sum(sum), Held::Sum(more)) => sum.merge(more)?,
            (Held::Extreme(extreme), Held::Extreme(more)) => extreme.merge(more),
            (Held::Truth(truth), Held::Truth(more)) => truth.merge(*more),
            (Held::Distinct(distinct), Held::Distinct(more)) => distinct.merge(more),
            (Held::ApproximateDistinct(distinct), Held::ApproximateDistinct(more)) => {
                distinct.merge(more);
            }
            (Held::Quantiles(quantiles), Held::Quantiles(more)) => quantiles.merge(more)?,
            (Held::Pick(pick), Held::Pick(more)) => pick.merge(more),
            (held, more) => unreachable!("one aggregate has one state: {held:?}, {more:?}"),
        }
        Ok(())
    }

    /// The answer; null with none.
    pub fn finish(&self) -> Result<Option<Value>, StateError> {
        let function = self.aggregate.function();
        Ok(match &self.held {
            Held::Count(count) => count.finish()?,
            Held::Sum(sum) if function == Function::Average => sum.finish_average()?,
            Held::Sum(sum) => sum.finish()?,
            Held::Extreme(extreme) => extreme.finish(),
            Held::Truth(truth) if function == Function::All => truth.finish_and(),
            Held::Truth(truth) => truth.finish_or(),
            Held::Distinct(distinct) => distinct.finish(),
            Held::ApproximateDistinct(distinct) => distinct.finish(),
            Held::Quantiles(quantiles) => match function {
                Function::Quantile { per_million } => quantiles.finish(per_million),
                other => unreachable!("{other:?} has no quantiles"),
            },
            Held::Pick(pick) => pick.finish(),
        })
    }

    /// Its bytes. States that are equal have equal bytes, except approximate counts of distinct values.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(self.aggregate.family());
        writer.byte(VERSION);
        match &self.held {
            Held::Count(count) => count.encode(&mut writer),
            Held::Sum(sum) => sum.encode(&mut writer),
            Held::Extreme(extreme) => extreme.encode(&mut writer),
            Held::Truth(truth) => truth.encode(&mut writer),
            Held::Distinct(distinct) => distinct.encode(&mut writer),
            Held::ApproximateDistinct(distinct) => distinct.encode(&mut writer),
            Held::Quantiles(quantiles) => quantiles.encode(&mut writer),
            Held::Pick(pick) => pick.encode(&mut writer),
        }
        writer.finish()
    }

    /// The state of `aggregate` that has these bytes.
    pub fn decode(aggregate: Aggregate, bytes: &[u8]) -> Result<State, Damaged> {
        let mut reader = Reader::new(bytes);
        let (expected, found) = (aggregate.family(), reader.byte()?);
        if found != expected {
            return Err(Damaged::Family { expected, found });
        }
        match reader.byte()? {
            VERSION => {}
            found => return Err(Damaged::Version { found }),
        }
        let held = decode_held(aggregate, &mut reader)?;
        reader.finish()?;
        let state = State { aggregate, held };
        match aggregate.argument() {
            Some(argument) if !state.held_values().all(|value| value.is(argument)) => {
                Err(Damaged::Field {
                    what: "the type of a value",
                })
            }
            _ => Ok(state),
        }
    }

    fn held_values(&self) -> Box<dyn Iterator<Item = &Value> + '_> {
        match &self.held {
            Held::Extreme(extreme) => Box::new(extreme.held().into_iter()),
            Held::Pick(pick) => Box::new(pick.held().into_iter()),
            Held::Distinct(distinct) => Box::new(distinct.held()),
            Held::Count(_)
            | Held::Sum(_)
            | Held::Truth(_)
            | Held::ApproximateDistinct(_)
            | Held::Quantiles(_) => Box::new(std::iter::empty()),
        }
    }
}

fn empty_sum(aggregate: Aggregate) -> Sum {
    let argument = aggregate.argument();
    let sum = argument.and_then(Sum::new);
    sum.expect("an aggregate is made for types that can be added only")
}

fn decode_held(aggregate: Aggregate, reader: &mut Reader<'_>) -> Result<Held, Damaged> {
    Ok(match State::new(aggregate).held {
        Held::Count(_) => Held::Count(Count::decode(reader)?),
        Held::Sum(_) => match aggregate.argument() {
            Some(argument) => Held::Sum(Sum::decode(argument, reader)?),
            None => unreachable!("a sum has an argument"),
        },
        Held::Extreme(_) if aggregate.function() == Function::Min => {
            Held::Extreme(Extreme::decode(End::Least, reader)?)
        }
        Held::Extreme(_) => Held::Extreme(Extreme::decode(End::Greatest, reader)?),
        Held::Truth(_) => Held::Truth(Truth::decode(reader)?),
        Held::Distinct(_) => Held::Distinct(Distinct::decode(reader)?),
        Held::ApproximateDistinct(_) => {
            Held::ApproximateDistinct(Box::new(ApproximateDistinct::decode(reader)?))
        }
        Held::Quantiles(_) => Held::Quantiles(Quantiles::decode(reader)?),
        Held::Pick(_) => {
            let is_first = matches!(aggregate.function(), Function::First | Function::MinBy);
            let end = if is_first { End::Least } else { End::Greatest };
            Held::Pick(Pick::decode(end, reader)?)
        }
    })
}

#[cfg(test)]
mod tests;
