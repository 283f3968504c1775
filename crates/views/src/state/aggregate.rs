//! Which aggregates there are, over which types, and how exact they are: [`Aggregate`].

use thiserror::Error;

use crate::value::Type;

use super::sum::AVERAGE_DIGITS;

/// What is computed over the records of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// How many records there are, `count(*)`.
    CountRecords,
    /// How many are not null.
    Count,
    /// The sum of those that are not null.
    Sum,
    /// Their average.
    Average,
    /// The smallest.
    Min,
    /// The greatest.
    Max,
    /// Whether all are true, `bool_and`.
    All,
    /// Whether any is true, `bool_or`.
    Any,
    /// How many different ones there are.
    CountDistinct,
    /// About how many different ones there are.
    ApproximateCountDistinct,
    /// About the value below which a part of them lies.
    Quantile {
        /// Which part, in millionths: 500,000 is the median.
        per_million: u32,
    },
    /// The value of the record with the first place.
    First,
    /// The value of the record with the last place.
    Last,
    /// The value where another one is smallest, and the first of these.
    MinBy,
    /// The value where another one is greatest, and the last of these.
    MaxBy,
}

impl Function {
    /// How exact the answer is, whatever the type of the values.
    pub fn class(self) -> Class {
        match self {
            Function::ApproximateCountDistinct => Class::ExactApproximate { error: 1.04 / 64.0 },
            Function::Quantile { .. } => Class::ExactApproximate {
                error: super::quantiles::ERROR,
            },
            _ => Class::Exact,
        }
    }
}

/// What an answer is worth, compared with a recompute over the same records and with the truth.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Class {
    /// It is the recompute's, and true.
    Exact,
    /// It is the recompute's, and within a bound of the truth.
    ExactApproximate {
        /// The relative error: at most, or for a count of distinct values its standard deviation.
        error: f64,
    },
}

/// An aggregate over a type that has none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no {function:?} of {argument:?}")]
pub struct Unsupported {
    /// The aggregate.
    pub function: Function,
    /// The type.
    pub argument: Option<Type>,
}

/// A function over a type it is defined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aggregate {
    function: Function,
    argument: Option<Type>,
}

impl Aggregate {
    /// `function` over `argument`; only `count(*)` has none.
    pub fn new(function: Function, argument: Option<Type>) -> Result<Aggregate, Unsupported> {
        let is_number = matches!(
            argument,
            Some(Type::Integer | Type::Decimal { .. } | Type::Float)
        );
        let digits = match argument {
            Some(Type::Decimal { scale }) => scale,
            _ => 0,
        };
        let is_defined = match function {
            Function::CountRecords => argument.is_none(),
            Function::Count
            | Function::Min
            | Function::Max
            | Function::CountDistinct
            | Function::ApproximateCountDistinct
            | Function::First
            | Function::Last
            | Function::MinBy
            | Function::MaxBy => argument.is_some(),
            Function::Sum => is_number,
            Function::Average => is_number && digits <= 38 - AVERAGE_DIGITS,
            Function::Quantile { per_million } => is_number && per_million <= 1_000_000,
            Function::All | Function::Any => argument == Some(Type::Boolean),
        };
        if is_defined && digits <= 38 {
            Ok(Aggregate { function, argument })
        } else {
            Err(Unsupported { function, argument })
        }
    }

    /// What is computed.
    pub fn function(self) -> Function {
        self.function
    }

    /// Over which type; none for `count(*)`.
    pub fn argument(self) -> Option<Type> {
        self.argument
    }

    /// The type of the answer.
    pub fn answer(self) -> Type {
        match (self.function, self.argument) {
            (Function::All | Function::Any, _) => Type::Boolean,
            (Function::Average, Some(Type::Decimal { scale })) => Type::Decimal {
                scale: scale + AVERAGE_DIGITS,
            },
            (Function::Average | Function::Quantile { .. }, _) => Type::Float,
            (
                Function::Sum
                | Function::Min
                | Function::Max
                | Function::First
                | Function::Last
                | Function::MinBy
                | Function::MaxBy,
                Some(argument),
            ) => argument,
            _ => Type::Integer,
        }
    }

    /// How exact the answer is.
    pub fn class(self) -> Class {
        self.function.class()
    }

    /// Whether a record can be taken back.
    pub fn is_retractable(self) -> bool {
        matches!(
            self.function,
            Function::CountRecords | Function::Count | Function::Sum | Function::Average
        )
    }

    /// What SQL calls it.
    pub fn name(self) -> &'static str {
        match self.function {
            Function::CountRecords | Function::Count => "count",
            Function::Sum => "sum",
            Function::Average => "avg",
            Function::Min => "min",
            Function::Max => "max",
            Function::All => "bool_and",
            Function::Any => "bool_or",
            Function::CountDistinct => "count(distinct)",
            Function::ApproximateCountDistinct => "approx_distinct",
            Function::Quantile { .. } => "approx_quantile",
            Function::First => "first_value",
            Function::Last => "last_value",
            Function::MinBy => "min_by",
            Function::MaxBy => "max_by",
        }
    }

    /// The first byte of its states; never given to another. A sum and an average have the same states.
    pub(super) fn family(self) -> u8 {
        match (self.function, self.argument) {
            (Function::CountRecords | Function::Count, _) => 1,
            (Function::Sum | Function::Average, Some(Type::Decimal { .. })) => 3,
            (Function::Sum | Function::Average, Some(Type::Float)) => 4,
            (Function::Sum | Function::Average, _) => 2,
            (Function::Min, _) => 5,
            (Function::Max, _) => 6,
            (Function::All | Function::Any, _) => 7,
            (Function::CountDistinct, _) => 8,
            (Function::ApproximateCountDistinct, _) => 9,
            (Function::Quantile { .. }, _) => 10,
            (Function::First | Function::MinBy, _) => 11,
            (Function::Last | Function::MaxBy, _) => 12,
        }
    }
}
