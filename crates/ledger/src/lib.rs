//! The account of every acknowledged record: ranges, outcomes, the equation.
