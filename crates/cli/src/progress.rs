//! How far a long command has got: a bar on a terminal, a few plain lines elsewhere. On standard error,
//! so that results stay clean.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Lines that one step prints on its way when there is no terminal.
const LINES: u64 = 4;

/// The progress of one step.
#[derive(Debug)]
pub struct Progress {
    label: String,
    total: u64,
    bar: Option<ProgressBar>,
    lines_printed: u64,
}

impl Progress {
    /// Begins a step of `total` parts.
    pub fn begin(label: impl Into<String>, total: u64) -> Progress {
        let label = label.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg:<34} [{bar:30}] {human_pos}/{human_len}");
            let style = style
                .expect("the template is well formed")
                .progress_chars("=> ");
            ProgressBar::new(total)
                .with_style(style)
                .with_message(label.clone())
        });
        if bar.is_none() {
            eprintln!("{label}");
        }
        Progress {
            label,
            total,
            bar,
            lines_printed: 0,
        }
    }

    /// So many parts are done.
    pub fn reach(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done.min(self.total)),
            None => {
                let line = lines_due(done, self.total);
                if line > self.lines_printed && line < LINES {
                    self.lines_printed = line;
                    eprintln!("{}: {done} of {}", self.label, self.total);
                }
            }
        }
    }

    /// The step is over, with `result` to tell.
    pub fn finish(self, result: &str) {
        match self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                eprintln!("{}: {result}", self.label);
            }
            None => eprintln!("{}: {result}", self.label),
        }
    }
}

/// How many of the lines are due after `done` of `total` parts.
fn lines_due(done: u64, total: u64) -> u64 {
    (done.min(total) * LINES)
        .checked_div(total)
        .unwrap_or(LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_at_each_quarter() {
        for (done, total, lines) in [
            (0, 8, 0),
            (1, 8, 0),
            (2, 8, 1),
            (7, 8, 3),
            (8, 8, 4),
            (9, 8, 4),
            (0, 0, 4),
        ] {
            assert_eq!(lines_due(done, total), lines, "{done} of {total}");
        }
    }
}
