//! What a request demands of an answer: the records that have to be in it, the vector it is to be as of.

use serde_json::Value;

use tidemill_model::SequenceNumber;
use tidemill_protocol::request::Request;
use tidemill_views::positions::{Positions, of_vector};
use tidemill_views::service::Views;
use tidemill_views::view_reader::{MinPosition, QueryOptions};

/// Parameters that are no conditions.
pub const RESERVED: [&str; 4] = ["as_of", "min_position", "region", "sql"];

/// The demands in the query of `request`; `stream` is the one whose records are meant where none is named.
pub fn of_query(
    views: &Views,
    request: &Request<'_>,
    stream: Option<&str>,
) -> Result<QueryOptions, String> {
    let numbers = request.query().filter(|(name, _)| name == "min_position");
    let numbers: Vec<String> = numbers.map(|(_, number)| number.into_owned()).collect();
    let as_of = request.query_value("as_of");
    options(views, &numbers, as_of.as_deref(), stream)
}

/// The demands in a body of JSON.
pub fn of_body(views: &Views, body: &Value) -> Result<QueryOptions, String> {
    let numbers = match &body["min_position"] {
        Value::Null => Vec::new(),
        Value::String(number) => vec![number.clone()],
        Value::Array(numbers) => {
            let numbers = numbers
                .iter()
                .map(|number| number.as_str().map(str::to_owned));
            let numbers: Option<Vec<String>> = numbers.collect();
            numbers.ok_or("min_position is sequence numbers as PutRecord gives them, texts")?
        }
        _ => {
            return Err(
                "min_position is a sequence number as PutRecord gives it, a text".to_owned(),
            );
        }
    };
    options(views, &numbers, body["as_of"].as_str(), None)
}

fn options(
    views: &Views,
    numbers: &[String],
    as_of: Option<&str>,
    stream: Option<&str>,
) -> Result<QueryOptions, String> {
    let min_positions = numbers
        .iter()
        .map(|number| min_position(views, number, stream));
    Ok(QueryOptions {
        min_positions: min_positions.collect::<Result<_, _>>()?,
        as_of: as_of.map(vector).transpose()?,
    })
}

fn vector(text: &str) -> Result<Positions, String> {
    of_vector(text).ok_or_else(|| {
        format!("{text:?} is no vector of positions, as an answer says it: 0:1500,1:700")
    })
}

fn min_position(views: &Views, text: &str, stream: Option<&str>) -> Result<MinPosition, String> {
    let (named, number) = match text.split_once('/') {
        Some((stream, number)) => (Some(stream.to_owned()), number),
        None => (stream.map(str::to_owned), text),
    };
    let number: SequenceNumber = number.parse().map_err(|_| {
        format!("{number:?} is no sequence number as PutRecord gives it; it has 56 digits")
    })?;
    Ok(MinPosition {
        stream: named.map_or_else(|| only_stream(views), Ok)?,
        shard: number.shard(),
        position: number.position_at(),
    })
}

/// The stream that is meant when none is named.
fn only_stream(views: &Views) -> Result<String, String> {
    let mut streams: Vec<String> = views
        .list()
        .into_iter()
        .map(|status| status.view.stream.name)
        .collect();
    streams.dedup();
    match streams.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err("min_position needs the name of its stream in front: orders/4965…".to_owned()),
    }
}
