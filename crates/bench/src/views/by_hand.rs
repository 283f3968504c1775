//! The floor of views: what one thread does with the same records by hand, [`measure`].
//!
//! What must hold: it reads the same bytes, and the sums that it comes to are those that the view has to
//! come to. It keeps nothing, answers nothing and may lose everything; so it is what no view can be
//! faster than on a core.

use std::collections::BTreeMap;

use crate::statistics::Figure;
use crate::stopwatch::Stopwatch;
use crate::views::records::{Parsed, Records, Totals};
use crate::views::report::IngestFloors;
use crate::views::subject::{ViewsBenchError, wrong};

/// The five aggregates of a group.
#[derive(Clone, Copy, Debug)]
struct Sums {
    n: i64,
    delay: i64,
    distance: i64,
    least: f64,
    most: f64,
}

/// Reads and adds up `count` records, `rounds` times.
pub fn measure(
    records: Records,
    count: u64,
    rounds: usize,
) -> Result<IngestFloors, ViewsBenchError> {
    let payloads: Vec<String> = (0..count).map(|number| records.payload(number)).collect();
    let totals = records.totals(0..count);
    let (mut parsing, mut adding) = (Vec::new(), Vec::new());
    let rate = |watch: Stopwatch| count as f64 / watch.elapsed().as_secs_f64().max(1e-9);
    for _ in 0..rounds {
        let watch = Stopwatch::start();
        let parsed = parsed(&payloads)?;
        parsing.push(rate(watch));
        let watch = Stopwatch::start();
        let added = added(&payloads)?;
        adding.push(rate(watch));
        if parsed != totals.delay || added != totals {
            return Err(wrong(format!("by hand it is {added:?} and not {totals:?}")));
        }
    }
    let figure = |rounds: &[f64]| Figure::of(rounds).ok_or_else(|| wrong("there is no round"));
    Ok(IngestFloors {
        parsing: figure(&parsing)?,
        adding: figure(&adding)?,
    })
}

fn read(payload: &str) -> Result<Parsed, ViewsBenchError> {
    serde_json::from_str(payload).map_err(|error| wrong(format!("a record that is none: {error}")))
}

/// Reads each, and adds up one field so that none can be left out.
fn parsed(payloads: &[String]) -> Result<i64, ViewsBenchError> {
    let mut sum = 0;
    for payload in payloads {
        sum += read(payload)?.delay;
    }
    Ok(sum)
}

fn added(payloads: &[String]) -> Result<Totals, ViewsBenchError> {
    let mut groups: BTreeMap<(String, i64), Sums> = BTreeMap::new();
    for payload in payloads {
        let record = read(payload)?;
        let sums = groups.entry((record.origin, record.slot)).or_insert(Sums {
            n: 0,
            delay: 0,
            distance: 0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
        });
        sums.n += 1;
        sums.delay += record.delay;
        sums.distance += record.distance;
        sums.least = sums.least.min(record.fare);
        sums.most = sums.most.max(record.fare);
    }
    // Every aggregate is looked at, so that none can be left out.
    let is_whole = |sums: &Sums| sums.least <= sums.most && sums.distance > 0;
    if !groups.values().all(is_whole) {
        return Err(wrong("a group by hand has no distance or no fare"));
    }
    let add = |totals: Totals, sums: &Sums| Totals {
        n: totals.n + sums.n,
        delay: totals.delay + sums.delay,
    };
    Ok(groups.values().fold(Totals::default(), add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_by_hand_are_those_of_the_records() {
        let floors = measure(Records::over(1400), 3000, 1).expect("they are the same");
        assert!(floors.parsing.median > 0.0 && floors.adding.median > 0.0);
    }
}
