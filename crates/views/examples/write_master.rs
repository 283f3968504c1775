//! Writes the flights of `data/` as a master dataset, for the tests that read it with other programs.
//!
//! What is in the folder then is what weeks of running leave: epochs, a compaction whose replaced files
//! are still there, checkpoints, epochs behind them, and records that are not of the schema.
//!
//! ```sh
//! cargo run --example write_master -- FOLDER data/nyc-flights-2013-01.csv
//! ```

use std::path::Path;
use std::sync::Arc;

use tidemill_log::FileDisk;
use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};
use tidemill_views::master::{Aim, Sealed, Subject, Table};
use tidemill_views::positions::Span;
use tidemill_views::schema::{Column, Format};
use tidemill_views::{DiskStore, Schema};

type Failure = Box<dyn std::error::Error>;

const EPOCH_RECORDS: usize = 500;
const CHECKPOINT_COMMITS: u64 = 20;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, flights] = arguments.as_slice() else {
        return Err("usage: write_master FOLDER CSV".into());
    };
    let flights = std::fs::read_to_string(flights)?;
    let lines: Vec<&str> = flights.lines().skip(1).collect();
    let disk = FileDisk::open_buffered(Path::new(folder))?;
    let store = Arc::new(DiskStore::new(Arc::new(disk)));
    let subject = Subject {
        stream: "arn:aws:kinesis:us-east-1:000000000000:stream/flights".parse()?,
        incarnation: 1,
    };
    let mut now = Timestamp::from_secs(1_357_000_000);
    let mut table = Table::open(store, "master/flights", &subject, &schema()?, now)?;
    for (index, lines) in lines.chunks(EPOCH_RECORDS).enumerate() {
        let epoch = sealed(&table, lines, now)?;
        table.append(epoch, now)?;
        table.checkpoint(CHECKPOINT_COMMITS)?;
        // Early enough that files are added behind the compaction, a checkpoint covers it, and commits
        // follow the checkpoint.
        if index == 30 {
            table.compact(Aim::default(), now)?;
        }
        now = Timestamp::from_millis(now.as_millis() + 60_000);
    }
    let snapshot = table.snapshot();
    println!(
        "version {}, {} files",
        snapshot.version,
        snapshot.files.len()
    );
    Ok(())
}

fn schema() -> Result<Schema, Failure> {
    let columns = [
        ("origin", Format::Text),
        ("carrier", Format::Text),
        ("arr_delay", Format::Integer),
        ("distance", Format::Decimal { scale: 1 }),
        ("air_hours", Format::Float),
        ("hour", Format::TimeText),
    ];
    let columns = columns.map(|(name, format)| Column {
        name: name.to_owned(),
        format,
        path: vec![name.to_owned()],
    });
    Ok(Schema::new(columns.into())?)
}

/// The flights as records of one shard for each airport.
fn sealed(table: &Table, lines: &[&str], now: Timestamp) -> Result<Vec<Sealed>, Failure> {
    let mut shards = Vec::new();
    for (shard, airport) in ["EWR", "JFK", "LGA"].into_iter().enumerate() {
        let shard = ShardId(u32::try_from(shard)?);
        let from = table.snapshot().position(shard);
        let mut records = Vec::new();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            if fields[12] == airport {
                let position = from + records.len() as u64;
                records.push(record(shard, position, &fields, now)?);
            }
        }
        let to = from + records.len() as u64;
        if to > from {
            let span = Span { shard, from, to };
            shards.push(Sealed { span, records });
        }
    }
    Ok(shards)
}

/// A flight that did not arrive has an empty text for its delay, as its source has it.
fn record(
    shard: ShardId,
    position: u64,
    fields: &[&str],
    now: Timestamp,
) -> Result<Record, Failure> {
    let number = |text: &str| match text.parse::<i64>() {
        Ok(number) => serde_json::json!(number),
        Err(_) => serde_json::json!(text),
    };
    let minutes = fields[14].parse::<i64>().ok();
    let payload = serde_json::json!({
        "origin": fields[12],
        "carrier": fields[9],
        "arr_delay": number(fields[8]),
        "distance": number(fields[15]),
        "air_hours": minutes.map(|minutes| minutes as f64 / 60.0),
        "hour": fields[18],
    });
    Ok(Record {
        position,
        sequence_number: SequenceNumber::of_record(shard, 1_357_000_000, position, now.as_secs()),
        arrival: now,
        partition_key: fields[11].to_owned(),
        data: serde_json::to_vec(&payload)?.into(),
    })
}
