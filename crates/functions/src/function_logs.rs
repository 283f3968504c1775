//! What a function writes, and the lines the service writes around it: [`Tail`], [`Report`].
//!
//! What must hold: memory is bounded whatever a function prints. The tail keeps the last 4 KB of one
//! invocation; lines are handed on as they end, and a line without end is handed on in pieces.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{LOG_TAIL_BYTES_MAX, OUTPUT_LINE_BYTES_MAX};

/// The end of what one invocation wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    bytes: VecDeque<u8>,
}

impl Tail {
    /// Adds `written`; what lies further back than 4 KB is forgotten.
    pub fn push(&mut self, written: &[u8]) {
        let kept = &written[written.len().saturating_sub(LOG_TAIL_BYTES_MAX)..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(LOG_TAIL_BYTES_MAX);
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
    }

    /// The tail, in base64.
    pub fn to_base64(&self) -> String {
        let (front, back) = self.bytes.as_slices();
        base64_simd::STANDARD.encode_to_string([front, back].concat())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Cuts output into lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Hands each line that `written` ends to `line`, without its end.
    pub fn push(&mut self, written: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = written;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.unfinished.is_empty() {
                line(&rest[..end]);
            } else {
                self.unfinished.extend_from_slice(&rest[..end]);
                line(&self.unfinished);
                self.unfinished.clear();
            }
            rest = &rest[end + 1..];
        }
        self.unfinished.extend_from_slice(rest);
        if self.unfinished.len() > OUTPUT_LINE_BYTES_MAX {
            self.flush(line);
        }
    }

    /// Hands on what is left without a line end.
    pub fn flush(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.unfinished.is_empty() {
            line(&self.unfinished);
            self.unfinished.clear();
        }
    }
}

/// The line before an invocation's output.
pub fn start_line(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}\n")
}

/// The line after a start that failed and is tried again.
pub fn init_report_line(duration: Duration, status: Status<'_>) -> String {
    let duration = milliseconds(duration);
    format!(
        "INIT_REPORT Init Duration: {duration} ms\tPhase: init\t{}\n",
        status.suffix()
    )
}

/// How an invocation ended, for its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// With an answer or an error of the handler.
    Ended,
    /// The timeout passed.
    TimedOut,
    /// It broke, with this error type.
    Failed(&'a str),
}

impl Status<'_> {
    fn suffix(self) -> String {
        match self {
            Status::Ended => String::new(),
            Status::TimedOut => "Status: timeout".to_owned(),
            Status::Failed(kind) => format!("Status: error\tError Type: {kind}"),
        }
    }
}

/// The facts of the lines after an invocation's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The invocation.
    pub request_id: &'a str,
    /// How long it took.
    pub duration: Duration,
    /// How long the start before it took, when there was one.
    pub init_duration: Option<Duration>,
    /// The function's memory size in MB.
    pub memory_mb: u32,
    /// How it ended.
    pub status: Status<'a>,
}

fn milliseconds(duration: Duration) -> String {
    format!(
        "{}.{:02}",
        duration.as_millis(),
        duration.subsec_micros() % 1000 / 10
    )
}

impl Report<'_> {
    /// The lines `END` and `REPORT`. The memory used is not measured, so the line leaves it out.
    pub fn lines(&self) -> String {
        let Report {
            request_id,
            duration,
            memory_mb,
            ..
        } = self;
        let billed = duration.as_micros().div_ceil(1000).max(1);
        let mut text = format!(
            "END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {} ms\t\
             Billed Duration: {billed} ms\tMemory Size: {memory_mb} MB\t",
            milliseconds(*duration)
        );
        if let Some(init) = self.init_duration {
            text.push_str(&format!("Init Duration: {} ms\t", milliseconds(init)));
        }
        text.push_str(&self.status.suffix());
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_four_kilobytes() {
        let mut tail = Tail::default();
        tail.push(b"start\n");
        tail.push(&[b'x'; LOG_TAIL_BYTES_MAX - 3]);
        let bytes = base64_simd::STANDARD
            .decode_to_vec(tail.to_base64())
            .expect("own base64");
        assert_eq!(
            (bytes.len(), &bytes[..5]),
            (LOG_TAIL_BYTES_MAX, &b"rt\nxx"[..])
        );
        tail.push(&[b'y'; 3 * LOG_TAIL_BYTES_MAX]);
        let bytes = base64_simd::STANDARD
            .decode_to_vec(tail.to_base64())
            .expect("own base64");
        assert_eq!(bytes, [b'y'; LOG_TAIL_BYTES_MAX]);
    }

    #[test]
    fn output_is_cut_into_lines_wherever_it_was_cut_before() {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for piece in ["a", "b\nc\n", "\n", "d"] {
            lines.push(piece.as_bytes(), |line| {
                seen.push(String::from_utf8_lossy(line).into_owned())
            });
        }
        lines.flush(|line| seen.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(seen, ["ab", "c", "", "d"]);
    }

    #[test]
    fn a_line_without_end_is_handed_on_in_pieces() {
        let mut count = 0;
        let mut lines = Lines::default();
        for _ in 0..5 {
            lines.push(&vec![b'x'; OUTPUT_LINE_BYTES_MAX], |_| count += 1);
        }
        assert!(count >= 2);
        assert!(lines.unfinished.len() <= OUTPUT_LINE_BYTES_MAX);
    }

    #[test]
    fn the_report_has_tabs_and_says_how_it_ended() {
        let report = Report {
            request_id: "r",
            duration: Duration::from_micros(3010),
            init_duration: Some(Duration::from_micros(110_100)),
            memory_mb: 128,
            status: Status::Ended,
        };
        assert_eq!(
            report.lines(),
            "END RequestId: r\nREPORT RequestId: r\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory \
             Size: 128 MB\tInit Duration: 110.10 ms\t\n"
        );
        let failed = Report {
            init_duration: None,
            status: Status::Failed("Runtime.ExitError"),
            ..report
        };
        assert!(
            failed
                .lines()
                .ends_with("128 MB\tStatus: error\tError Type: Runtime.ExitError\n")
        );
    }
}
