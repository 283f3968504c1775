//! How a service shows what it has measured: [`Family`], one metric with a row for each thing it was
//! measured of.
//!
//! What must hold: names and labels are letters, digits and underscores, as Prometheus wants them; a
//! family stands once in what a service shows, and the number of its rows has a bound. Whoever shows
//! families writes them out; whoever measures knows nothing of the form.

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows for as long as the process runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// The sum of samples and how many they were; the rows say which by their suffix.
    Summary,
}

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What it means, with its unit, in one line.
    pub meaning: String,
    /// What kind of number it is.
    pub kind: Kind,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// One number of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What follows the name: `_sum` and `_count` in a summary, else nothing.
    pub suffix: &'static str,
    /// What it was measured of.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

impl Family {
    /// A metric without rows.
    pub fn new(name: impl Into<String>, kind: Kind, meaning: impl Into<String>) -> Family {
        Family {
            name: name.into(),
            meaning: meaning.into(),
            kind,
            rows: Vec::new(),
        }
    }

    /// Adds a row of a counter or a gauge.
    pub fn push(&mut self, labels: &[(&'static str, String)], value: f64) {
        self.push_part("", labels, value);
    }

    /// Adds the two rows of a summary.
    pub fn push_summary(&mut self, labels: &[(&'static str, String)], sum: f64, count: f64) {
        self.push_part("_sum", labels, sum);
        self.push_part("_count", labels, count);
    }

    fn push_part(&mut self, suffix: &'static str, labels: &[(&'static str, String)], value: f64) {
        let labels = labels.to_vec();
        self.rows.push(Row {
            suffix,
            labels,
            value,
        });
    }
}
