//! `tidemill bench`: what is measured, and where that is.

mod log;
mod streams;
mod views;

use crate::args::{Bench, BenchWhat};
use crate::output::{Ending, Failed};

/// Measures and reports.
pub async fn run(options: Bench) -> Result<Ending, Failed> {
    let (name, _) = options.name_and_json();
    match options.what {
        None => streams::run(name, options.streams).await,
        Some(BenchWhat::Streams(options)) => streams::run(name, options).await,
        Some(BenchWhat::Log(options)) => log::run(name, options).await,
        Some(BenchWhat::Views(options)) => views::run(name, options).await,
    }
}
