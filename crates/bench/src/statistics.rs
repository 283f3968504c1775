//! Medians, spreads and percentiles. Pure.
//!
//! What must hold: a figure is the median of its rounds and never appears without their spread, so
//! that a reader sees how far to trust it.

use serde::Serialize;

/// The median of some rounds and how far they lie apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Median over the rounds.
    pub median: f64,
    /// Smallest round.
    pub min: f64,
    /// Greatest round.
    pub max: f64,
    /// `(max - min) / median` in percent; 0 when the median is 0.
    pub spread_percent: f64,
}

impl Figure {
    /// Sums up `rounds`; none when there are none.
    pub fn of(rounds: &[f64]) -> Option<Figure> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        let spread_percent = if median == 0.0 {
            0.0
        } else {
            (max - min) / median * 100.0
        };
        Some(Figure {
            median,
            min,
            max,
            spread_percent,
        })
    }
}

/// The value that `percent` of `sorted` do not exceed (nearest rank); none when there are none.
pub fn percentile(sorted: &[u64], percent: u32) -> Option<u64> {
    let rank = (sorted.len() * percent as usize).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_with_its_spread() {
        let cases: [(&[f64], f64, f64); 4] = [
            (&[5.0], 5.0, 0.0),
            (&[4.0, 2.0], 3.0, 66.666),
            (&[9.0, 1.0, 5.0, 4.0, 6.0], 5.0, 160.0),
            (&[0.0, 0.0], 0.0, 0.0),
        ];
        for (rounds, median, spread) in cases {
            let figure = Figure::of(rounds).expect("has rounds");
            assert_eq!(figure.median, median, "{rounds:?}");
            assert!((figure.spread_percent - spread).abs() < 0.01, "{rounds:?}");
        }
        assert_eq!(Figure::of(&[]), None);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        let cases: [(&[u64], u32, Option<u64>); 6] = [
            (&hundred, 50, Some(50)),
            (&hundred, 99, Some(99)),
            (&[1, 2, 3], 50, Some(2)),
            (&[1, 2, 3], 99, Some(3)),
            (&[7], 50, Some(7)),
            (&[], 50, None),
        ];
        for (sorted, percent, expected) in cases {
            assert_eq!(
                percentile(sorted, percent),
                expected,
                "p{percent} of {}",
                sorted.len()
            );
        }
    }
}
