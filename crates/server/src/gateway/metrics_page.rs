//! `/_tidemill/metrics`: what every service shows of what it has measured, in Prometheus' text format,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! What must hold: a name stands once, with its help and its type, and all its rows follow; whatever
//! stands in a label cannot end it.

use std::fmt::Write;

use tidemill_model::metric::{Family, Kind, Row};
use tidemill_protocol::response::Response;

use crate::wiring::measures::families;
use crate::wiring::services::Services;

/// The page.
pub fn answer(services: &Services) -> Response {
    let mut text = String::new();
    for family in families(services) {
        write_family(&mut text, &family).expect("a string takes all that is written to it");
    }
    Response::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
}

fn write_family(text: &mut String, family: &Family) -> std::fmt::Result {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Summary => "summary",
    };
    let meaning = family.meaning.replace('\\', "\\\\").replace('\n', "\\n");
    writeln!(text, "# HELP {} {meaning}", family.name)?;
    writeln!(text, "# TYPE {} {kind}", family.name)?;
    for row in &family.rows {
        write_row(text, &family.name, row)?;
    }
    Ok(())
}

fn write_row(text: &mut String, name: &str, row: &Row) -> std::fmt::Result {
    write!(text, "{name}{}", row.suffix)?;
    let mut before = '{';
    for (label, value) in &row.labels {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        write!(text, "{before}{label}=\"{value}\"")?;
        before = ',';
    }
    let end = if row.labels.is_empty() { "" } else { "}" };
    writeln!(text, "{end} {}", row.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut family = Family::new("a_b", Kind::Summary, "first\nsecond");
        family.push_summary(&[("of", "x\"y\\z".to_owned())], 12.0, 3.0);
        let mut text = String::new();
        write_family(&mut text, &family).expect("written");
        let expected = "# HELP a_b first\\nsecond\n# TYPE a_b summary\n\
                        a_b_sum{of=\"x\\\"y\\\\z\"} 12\na_b_count{of=\"x\\\"y\\\\z\"} 3\n";
        assert_eq!(text, expected);
        let mut gauge = Family::new("g", Kind::Gauge, "m");
        gauge.push(&[], 0.5);
        let mut text = String::new();
        write_family(&mut text, &gauge).expect("written");
        assert_eq!(text, "# HELP g m\n# TYPE g gauge\ng 0.5\n");
    }
}
