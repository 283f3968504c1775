//! The flights of January 2013, as records for a stream. Pure.
//!
//! What must hold: a row becomes one JSON object with the columns as its keys; an empty field becomes
//! null; numbers stay numbers. A flight is complete when it has both delays, which is exactly when the
//! demo's function can work on it.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// The file, carried in the binary so that the demo needs no checkout.
pub const JANUARY_2013: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../data/nyc-flights-2013-01.csv"
));

/// Columns that hold text; all others hold whole numbers.
const TEXT_COLUMNS: [&str; 5] = ["carrier", "tailnum", "origin", "dest", "time_hour"];
const DELAY_COLUMNS: [&str; 2] = ["dep_delay", "arr_delay"];

/// One flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Flight {
    /// Carrier and flight number, the partition key.
    pub key: String,
    /// The row as JSON, the data.
    pub data: Bytes,
    /// Whether it has a departure delay and an arrival delay.
    pub complete: bool,
}

/// A row that is not what the header promises.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the flights: {detail}")]
pub struct Malformed {
    line: usize,
    detail: String,
}

/// Reads a file of comma-separated values without quotes, the first line of which names the columns.
pub fn read(csv: &str) -> Result<Vec<Flight>, Malformed> {
    let mut lines = csv
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text));
    let columns: Vec<&str> = lines
        .next()
        .map(|(_, header)| header.split(',').collect())
        .unwrap_or_default();
    for needed in DELAY_COLUMNS.iter().chain(&["carrier", "flight"]) {
        if !columns.contains(needed) {
            return Err(Malformed {
                line: 1,
                detail: format!("there is no column {needed}"),
            });
        }
    }
    lines
        .map(|(line, text)| flight(&columns, text).map_err(|detail| Malformed { line, detail }))
        .collect()
}

fn flight(columns: &[&str], text: &str) -> Result<Flight, String> {
    let fields: Vec<&str> = text.split(',').collect();
    if text.contains('"') {
        return Err("quotes are not understood".to_owned());
    }
    if fields.len() != columns.len() {
        return Err(format!(
            "{} fields for {} columns",
            fields.len(),
            columns.len()
        ));
    }
    let mut row = Map::new();
    for (column, field) in columns.iter().zip(fields) {
        row.insert((*column).to_owned(), value(column, field)?);
    }
    let (Value::String(carrier), Value::Number(number)) = (&row["carrier"], &row["flight"]) else {
        return Err("the carrier or the flight number is missing".to_owned());
    };
    let key = format!("{carrier}{number}");
    let complete = DELAY_COLUMNS.iter().all(|column| !row[*column].is_null());
    Ok(Flight {
        key,
        data: Value::Object(row).to_string().into(),
        complete,
    })
}

fn value(column: &str, field: &str) -> Result<Value, String> {
    if field.is_empty() {
        return Ok(Value::Null);
    }
    if TEXT_COLUMNS.contains(&column) {
        return Ok(Value::String(field.to_owned()));
    }
    let number: i64 = field
        .parse()
        .map_err(|_| format!("{column} is {field:?}, not a whole number"))?;
    Ok(Value::Number(Number::from(number)))
}

/// The rows (from 0) that lack a delay.
pub fn incomplete_rows(flights: &[Flight]) -> BTreeSet<usize> {
    flights
        .iter()
        .enumerate()
        .filter(|(_, flight)| !flight.complete)
        .map(|(row, _)| row)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "dep_delay,arr_delay,carrier,flight,tailnum\n";

    #[test]
    fn a_row_becomes_an_object_with_null_for_what_is_missing() {
        let flights = read(&format!(
            "{HEADER}2,-11,UA,1545,N14228\n,,9E,7,\n5,,AA,1,N1\n"
        ))
        .expect("is well formed");
        let parsed: Vec<Value> = flights
            .iter()
            .map(|flight| serde_json::from_slice(&flight.data).expect("is JSON"))
            .collect();
        let expected = serde_json::json!([
            { "dep_delay": 2, "arr_delay": -11, "carrier": "UA", "flight": 1545, "tailnum": "N14228" },
            { "dep_delay": null, "arr_delay": null, "carrier": "9E", "flight": 7, "tailnum": null },
            { "dep_delay": 5, "arr_delay": null, "carrier": "AA", "flight": 1, "tailnum": "N1" },
        ]);
        assert_eq!(Value::Array(parsed), expected);
        let keys: Vec<&str> = flights.iter().map(|flight| flight.key.as_str()).collect();
        assert_eq!(keys, ["UA1545", "9E7", "AA1"]);
        assert_eq!(incomplete_rows(&flights), BTreeSet::from([1, 2]));
    }

    #[test]
    fn what_is_not_as_promised_is_named_with_its_line() {
        let cases = [
            (
                "a,b\n",
                "line 1 of the flights: there is no column dep_delay",
            ),
            ("", "line 1 of the flights: there is no column dep_delay"),
            (
                "1,2,UA,1\n",
                "line 2 of the flights: 4 fields for 5 columns",
            ),
            (
                "1,2,UA,1,N\n1,2,,1,N\n",
                "line 3 of the flights: the carrier or the flight number is missing",
            ),
            (
                "x,2,UA,1,N\n",
                "line 2 of the flights: dep_delay is \"x\", not a whole number",
            ),
            (
                "1,2,\"UA\",1,N\n",
                "line 2 of the flights: quotes are not understood",
            ),
        ];
        for (rows, message) in cases {
            let file = if message.contains("no column") {
                rows.to_owned()
            } else {
                format!("{HEADER}{rows}")
            };
            assert_eq!(read(&file).expect_err("is refused").to_string(), message);
        }
    }

    #[test]
    fn the_file_holds_the_flights_its_provenance_note_counts() {
        let flights = read(JANUARY_2013).expect("the file is well formed");
        assert_eq!(
            (flights.len(), incomplete_rows(&flights).len()),
            (27_004, 606)
        );
        let distinct: BTreeSet<&Bytes> = flights.iter().map(|flight| &flight.data).collect();
        assert_eq!(
            distinct.len(),
            flights.len(),
            "a record can be told from every other"
        );
    }
}
