//! Records, tables and their rows, as the tests of the master dataset need them.
#![allow(dead_code, reason = "each test uses its part of it")]

pub mod groups;
pub mod postgres;
pub mod sales;
pub mod source;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};

use tidemill_log::Disk;
use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};
use tidemill_testkit::SimDisk;
use tidemill_views::master::{Sealed, Subject, Table, TableError};
use tidemill_views::positions::Span;
use tidemill_views::schema::{Column, Format};
use tidemill_views::{DiskStore, Schema};

pub const FOLDER: &str = "master/flights";

pub fn subject() -> Subject {
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/flights";
    Subject {
        stream: stream.parse().expect("it is an ARN"),
        incarnation: 1,
    }
}

pub fn schema() -> Schema {
    let column = |name: &str, format| Column {
        name: name.into(),
        format,
        path: vec![name.into()],
    };
    let columns = vec![
        column("origin", Format::Text),
        column("delay", Format::Integer),
        column("fare", Format::Decimal { scale: 2 }),
        column("distance", Format::Float),
        column("departed", Format::TimeMillis),
        column("cancelled", Format::Boolean),
    ];
    Schema::new(columns).expect("the columns are different")
}

/// What stands at a position; every tenth payload is not of the schema.
pub fn record(shard: u32, position: u64) -> Record {
    let data = if position % 10 == 9 {
        format!("{{\"delay\":\"late\",\"n\":{position}}}")
    } else {
        format!(
            "{{\"origin\":\"A{}\",\"delay\":{},\"fare\":{}.25,\"distance\":{}.5,\"departed\":{}}}",
            position % 7,
            position as i64 - 20,
            position,
            position * 3,
            980_000_000_000_u64 + position,
        )
    };
    Record {
        position,
        sequence_number: SequenceNumber::of_record(ShardId(shard), 1_000, position, 2_000),
        arrival: Timestamp::from_millis(1_000_000 + position),
        partition_key: format!("key-{}", position % 5),
        data: data.into(),
    }
}

pub fn span(shard: u32, from: u64, to: u64) -> Span {
    let shard = ShardId(shard);
    Span { shard, from, to }
}

pub fn sealed(shard: u32, from: u64, to: u64) -> Sealed {
    Sealed {
        span: span(shard, from, to),
        records: (from..to).map(|position| record(shard, position)).collect(),
    }
}

pub fn gone(shard: u32, from: u64, to: u64) -> Sealed {
    Sealed {
        span: span(shard, from, to),
        records: Vec::new(),
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

pub fn open(disk: &SimDisk) -> Result<Table, TableError> {
    open_as(disk, &subject(), &schema())
}

pub fn open_as(disk: &SimDisk, subject: &Subject, schema: &Schema) -> Result<Table, TableError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Table::open(
        Arc::new(DiskStore::new(disk)),
        FOLDER,
        subject,
        schema,
        now(),
    )
}

/// Shard and position of every row, as they stand in the files, and their payloads.
pub fn rows(table: &Table) -> Result<Vec<(u32, u64, Vec<u8>)>, TableError> {
    let mut found = Vec::new();
    for file in &table.snapshot().files {
        let rows = table.rows(file)?;
        let shards = rows.column(0).as_primitive::<Int32Type>();
        let positions = rows.column(1).as_primitive::<Int64Type>();
        let payloads = rows
            .column_by_name("_payload")
            .expect("it is there")
            .as_binary::<i32>();
        let in_file = (0..rows.num_rows()).map(|row| {
            let payload = payloads.value(row).to_vec();
            (
                shards.value(row) as u32,
                positions.value(row) as u64,
                payload,
            )
        });
        let in_file: Vec<_> = in_file.collect();
        assert!(in_file.is_sorted_by_key(|(shard, position, _)| (*shard, *position)));
        found.extend(in_file);
    }
    found.sort();
    Ok(found)
}

/// What [`rows`] gives for these spans.
pub fn expected_rows(spans: &[Span]) -> Vec<(u32, u64, Vec<u8>)> {
    let rows = spans.iter().flat_map(|span| {
        (span.from..span.to).map(|position| {
            let record = record(span.shard.0, position);
            (span.shard.0, position, record.data.to_vec())
        })
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}
