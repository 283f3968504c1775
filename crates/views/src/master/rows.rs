//! Records as rows of a Parquet file: [`encode`], [`decode`].
//!
//! Every table has these columns, and behind them those of its schema, all of them nullable:
//!
//! ```text
//! _shard           int        number of the shard
//! _position        long       dense place in the shard
//! _sequence_number string     the 56 digits of Kinesis
//! _arrival         timestamp  when the record became durable, UTC
//! _partition_key   string     the producer's
//! _payload         binary     the producer's bytes, always
//! _bad             string     why the columns of the schema are null: the payload is not of it
//! ```
//!
//! Rows are sorted by shard and position. The *digest* of rows is the sum, modulo 2^128, of a hash of
//! each one's shard, position, arrival, key and payload: it does not depend on order or on files, so a
//! rewrite of the same rows has the same digest, and one that lost, doubled or changed a row does not.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema as ArrowSchema, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use sha2::{Digest, Sha256};

use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};

use crate::columns;
use crate::parquet_file::write;
use crate::payload;
use crate::schema::Schema;
use crate::value::Type;

/// Rows of a row group: bounds what a reader has to hold, and is what it can skip.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// How many columns every table has; `_bad` is the last of them.
const SYSTEM_COLUMNS: usize = 7;

/// A Parquet file and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them have a payload that is not of the schema.
    pub bad: u64,
    /// The digest of the rows.
    pub digest: u128,
}

/// The Arrow schema of tables with the columns of `schema`.
pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    let needed = [
        ("_shard", DataType::Int32),
        ("_position", DataType::Int64),
        ("_sequence_number", DataType::Utf8),
        ("_arrival", columns::arrow_type(Type::Timestamp)),
        ("_partition_key", DataType::Utf8),
        ("_payload", DataType::Binary),
    ];
    let needed = needed.map(|(name, of)| Field::new(name, of, false));
    let bad = Field::new("_bad", DataType::Utf8, true);
    let declared = schema.columns().iter().map(|column| {
        let of = columns::arrow_type(column.format.holds());
        Field::new(&column.name, of, true)
    });
    let fields: Vec<Field> = needed.into_iter().chain([bad]).chain(declared).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// The rows of `records`, which are sorted by shard and position.
pub fn batch(schema: &Schema, records: &[(ShardId, &Record)]) -> Result<RecordBatch, ArrowError> {
    let mut columns = vec![Vec::with_capacity(records.len()); schema.columns().len()];
    let mut bad = Vec::with_capacity(records.len());
    for (_, record) in records {
        let (values, what) = match payload::read(schema, &record.data) {
            Ok(values) => (values, None),
            Err(what) => (vec![None; columns.len()], Some(what)),
        };
        bad.push(what);
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let of = |record: &Record| record.arrival.as_millis() as i64 * 1000;
    let rows = || records.iter().map(|(_, record)| *record);
    let shards = records.iter().map(|(shard, _)| shard.0 as i32);
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(shards)),
        Arc::new(Int64Array::from_iter_values(
            rows().map(|row| row.position as i64),
        )),
        Arc::new(StringArray::from_iter_values(
            rows().map(|row| row.sequence_number.to_string()),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows().map(of)).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(
            rows().map(|row| &row.partition_key),
        )),
        Arc::new(BinaryArray::from_iter_values(rows().map(|row| &row.data))),
        Arc::new(StringArray::from_iter(bad)),
    ];
    for (column, values) in schema.columns().iter().zip(columns) {
        arrays.push(columns::column(column.format.holds(), values)?);
    }
    RecordBatch::try_new(arrow_schema(schema), arrays)
}

/// The records that `rows`, as [`batch`] makes them, were made of.
pub fn records(rows: &RecordBatch) -> Vec<(ShardId, Record)> {
    let shards = rows.column(0).as_primitive::<Int32Type>().values();
    let positions = rows.column(1).as_primitive::<Int64Type>().values();
    let numbers = rows.column(2).as_string::<i32>();
    let arrivals = rows
        .column(3)
        .as_primitive::<TimestampMicrosecondType>()
        .values();
    let keys = rows.column(4).as_string::<i32>();
    let payloads = rows.column(5).as_binary::<i32>();
    let records = (0..rows.num_rows()).map(|row| {
        let number: Result<SequenceNumber, _> = numbers.value(row).parse();
        let record = Record {
            position: positions[row] as u64,
            sequence_number: number.expect("a table has the numbers that were put into it"),
            arrival: Timestamp::from_millis((arrivals[row] / 1000) as u64),
            partition_key: keys.value(row).to_owned(),
            data: payloads.value(row).to_vec().into(),
        };
        (ShardId(shards[row] as u32), record)
    });
    records.collect()
}

/// `rows` as a Parquet file.
pub fn encode(rows: &RecordBatch) -> Result<Encoded, ParquetError> {
    Ok(Encoded {
        bytes: write(rows, ROW_GROUP_ROWS)?,
        rows: rows.num_rows() as u64,
        bad: (rows.num_rows() - rows.column(SYSTEM_COLUMNS - 1).null_count()) as u64,
        digest: digest(rows),
    })
}

/// The rows of a Parquet file with the columns of `schema`. A file may have been written before the last
/// of them were added: these are null.
pub fn decode(schema: &Schema, bytes: Bytes) -> Result<RecordBatch, ParquetError> {
    let expected = arrow_schema(schema);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let found = reader.schema().fields();
    let is_same = |(found, expected): (&Arc<Field>, &Arc<Field>)| {
        found.name() == expected.name() && found.data_type() == expected.data_type()
    };
    let is_enough = (SYSTEM_COLUMNS..=expected.fields().len()).contains(&found.len());
    if !is_enough || !found.iter().zip(expected.fields()).all(is_same) {
        let what = "other columns than the table's".to_owned();
        return Err(ParquetError::General(what));
    }
    let batches = reader.build()?.map(|batch| {
        let batch = batch?;
        let added = &expected.fields()[batch.num_columns()..];
        let nulls = added
            .iter()
            .map(|field| new_null_array(field.data_type(), batch.num_rows()));
        let columns = batch.columns().iter().cloned().chain(nulls);
        RecordBatch::try_new(Arc::clone(&expected), columns.collect())
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&expected, &batches)?)
}

/// The digest of rows.
pub fn digest(rows: &RecordBatch) -> u128 {
    let shards = rows.column(0).as_primitive::<Int32Type>().values();
    let positions = rows.column(1).as_primitive::<Int64Type>().values();
    let arrivals = rows
        .column(3)
        .as_primitive::<TimestampMicrosecondType>()
        .values();
    let keys = rows.column(4).as_string::<i32>();
    let payloads = rows.column(5).as_binary::<i32>();
    let mut sum = 0_u128;
    for row in 0..rows.num_rows() {
        let mut hash = Sha256::new();
        hash.update(shards[row].to_le_bytes());
        hash.update(positions[row].to_le_bytes());
        hash.update(arrivals[row].to_le_bytes());
        hash.update((keys.value(row).len() as u64).to_le_bytes());
        hash.update(keys.value(row));
        hash.update(payloads.value(row));
        let hash: [u8; 32] = hash.finalize().into();
        let (half, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
        sum = sum.wrapping_add(u128::from_le_bytes(*half));
    }
    sum
}
