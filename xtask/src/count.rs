//! [`Count`]: how many tests passed, failed and were skipped, read from a runner's closing lines.
//!
//! What must hold: a test that did not run is never counted as passed, and a runner whose closing line
//! is missing has failed.

use std::fmt;
use std::iter::Sum;

/// What a runner says of its tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tests that ran and held.
    pub passed: usize,
    /// Tests that ran and did not hold, and runners that broke.
    pub failed: usize,
    /// Tests that did not run.
    pub skipped: usize,
}

impl Count {
    /// A runner that broke before it could count.
    pub const BROKEN: Count = Count {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    /// What `lines`, the output of a runner, say; `ended_well` is its exit status.
    ///
    /// A runner that ends badly without naming a failed test, or that says nothing, has failed once.
    pub fn of(runner: Runner, lines: &[String], ended_well: bool) -> Count {
        let counted: Vec<Count> = lines
            .iter()
            .filter_map(|line| runner.closing(line))
            .collect();
        let count: Count = match runner {
            Runner::CargoTest | Runner::Node => counted.into_iter().sum(),
            // A line of a test may look like a closing line; the last one is the runner's.
            Runner::Nextest | Runner::Pytest => counted.last().copied().unwrap_or_default(),
        };
        let silent = count == Count::default() && runner != Runner::CargoTest;
        if count.failed == 0 && (!ended_well || silent) {
            return Count { failed: 1, ..count };
        }
        count
    }
}

/// A test runner whose closing line we can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `cargo nextest run`
    Nextest,
    /// `cargo test`, which closes once for each binary
    CargoTest,
    /// `pytest`
    Pytest,
    /// `node --test`, which closes with a line for each kind
    Node,
}

impl Runner {
    /// What `line` counts, if it is a closing line of this runner.
    pub fn closing(self, line: &str) -> Option<Count> {
        let line = line.trim().trim_matches('=').trim();
        let numbers = match self {
            Runner::Nextest => line.strip_prefix("Summary [")?.split_once("run:")?.1,
            Runner::CargoTest => line.strip_prefix("test result:")?.split_once(". ")?.1,
            Runner::Pytest => {
                line.rsplit_once(" in ")
                    .filter(|(_, took)| is_time(took))?
                    .0
            }
            Runner::Node => return of_node(line),
        };
        let mut count = Count::default();
        for part in numbers.split([',', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word {
                "passed" | "xpassed" => count.passed += number,
                "failed" | "error" | "errors" | "exec" | "timed" => count.failed += number,
                "skipped" | "ignored" | "xfailed" => count.skipped += number,
                _ => {}
            }
        }
        Some(count)
    }
}

/// `ℹ pass 12`, one line for each kind; `tests` and `suites` count what the others add up to.
fn of_node(line: &str) -> Option<Count> {
    let (kind, number) = line.strip_prefix("ℹ ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    let mut count = Count::default();
    match kind {
        "pass" => count.passed = number,
        "fail" | "cancelled" => count.failed = number,
        "skipped" | "todo" => count.skipped = number,
        _ => return None,
    }
    Some(count)
}

/// `1.23s`, or `75.31s (0:01:15)` for longer runs.
fn is_time(text: &str) -> bool {
    let first = text
        .split_whitespace()
        .next()
        .and_then(|first| first.strip_suffix('s'));
    first.is_some_and(|seconds| seconds.parse::<f64>().is_ok())
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Count>>(counts: I) -> Count {
        counts.fold(Count::default(), |sum, count| Count {
            passed: sum.passed + count.passed,
            failed: sum.failed + count.failed,
            skipped: sum.skipped + count.skipped,
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            formatter,
            "{passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: usize, failed: usize, skipped: usize) -> Count {
        Count {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn every_runners_closing_line_is_read() {
        use Runner::{CargoTest, Nextest, Pytest};
        let cases = [
            (
                Nextest,
                "     Summary [   0.5s] 12 tests run: 12 passed, 0 skipped",
                Some(count(12, 0, 0)),
            ),
            (
                Nextest,
                "Summary [ 1.0s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped",
                Some(count(6, 3, 3)),
            ),
            (
                Nextest,
                "Summary [ 1.0s] 5/9 tests run: 4 passed, 1 failed, 0 skipped",
                Some(count(4, 1, 0)),
            ),
            (Nextest, "PASS [ 0.1s] a b", None),
            (
                CargoTest,
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
                Some(count(5, 0, 1)),
            ),
            (
                CargoTest,
                "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured",
                Some(count(5, 2, 0)),
            ),
            (
                Pytest,
                "==== 3 failed, 40 passed, 2 skipped, 1 warning in 75.31s (0:01:15) ====",
                Some(count(40, 3, 2)),
            ),
            (Pytest, "12 passed in 0.10s", Some(count(12, 0, 0))),
            (Pytest, "1 passed, 2 errors in 3.10s", Some(count(1, 2, 0))),
            (Pytest, "the put failed in flight", None),
        ];
        for (runner, line, expected) in cases {
            assert_eq!(runner.closing(line), expected, "{line}");
        }
    }

    #[test]
    fn cargo_test_is_added_up_over_its_binaries() {
        let lines = [
            "test result: ok. 5 passed; 0 failed; 0 ignored",
            "test result: ok. 2 passed; 0 failed; 1 ignored",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(Count::of(Runner::CargoTest, &lines, true), count(7, 0, 1));
    }

    #[test]
    fn node_is_added_up_over_its_kinds() {
        let lines = [
            "ℹ tests 9",
            "ℹ suites 2",
            "ℹ pass 5",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 2",
            "ℹ todo 0",
            "ℹ duration_ms 843.4",
            "✔ pass 7",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(Count::of(Runner::Node, &lines, false), count(5, 2, 2));
        assert_eq!(Count::of(Runner::Node, &[], true), Count::BROKEN);
    }

    #[test]
    fn a_runner_that_breaks_has_failed() {
        let lines = ["12 passed in 0.10s".to_owned()];
        assert_eq!(Count::of(Runner::Pytest, &lines, false), count(12, 1, 0));
        assert_eq!(Count::of(Runner::Pytest, &[], true), count(0, 1, 0));
        assert_eq!(Count::of(Runner::CargoTest, &[], false), Count::BROKEN);
        assert_eq!(Count::of(Runner::CargoTest, &[], true), count(0, 0, 0));
    }

    #[test]
    fn the_sum_has_exactly_its_form() {
        let sum: Count = [count(1, 2, 3), count(10, 0, 1)].into_iter().sum();
        assert_eq!(sum.to_string(), "11 passed, 2 failed, 4 skipped");
    }
}
