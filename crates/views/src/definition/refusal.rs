//! Why a definition cannot be split: [`Refusal`].

use std::fmt;

/// What becomes of a definition that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not a definition of a view at all.
    Invalid,
    /// It could be split, and is not supported yet.
    Unsupported,
    /// Its parts would add up to something near the answer, and differ from run to run.
    Approximate,
    /// It can be computed only over all records at once.
    BatchOnly,
}

/// What stands in the way of a definition, and what could be said instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What becomes of the definition.
    pub standing: Standing,
    /// The part of it that stands in the way.
    pub what: String,
    /// Why it does.
    pub why: String,
    /// The nearest form that can be split; empty when there is none.
    pub nearest: String,
}

impl Refusal {
    /// A refusal of `what`.
    pub fn new(standing: Standing, what: impl fmt::Display, why: &str) -> Refusal {
        Refusal {
            standing,
            what: what.to_string().trim().to_owned(),
            why: why.to_owned(),
            nearest: String::new(),
        }
    }

    /// Says what could stand there instead.
    pub fn nearest(self, nearest: impl fmt::Display) -> Refusal {
        Refusal {
            nearest: nearest.to_string(),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = match self.standing {
            Standing::Invalid => "invalid",
            Standing::Unsupported => "not supported",
            Standing::Approximate => "approximate",
            Standing::BatchOnly => "batch-only",
        };
        write!(formatter, "{standing}: {}: {}", self.what, self.why)?;
        if !self.nearest.is_empty() {
            write!(formatter, "; instead: {}", self.nearest)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
