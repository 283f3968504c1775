//! Checkpoints of a Delta log: many actions in one Parquet file, [`encode`] and [`decode`].
//!
//! A row holds one action, in the column of its kind; the others are null there. Names and types are
//! those of the Delta protocol. A checkpoint only shortens the replay: one that cannot be read is left
//! aside, and the commits are read instead.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, Field, Fields, Schema as ArrowSchema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::parquet_file::write;

use super::action::{Action, Add, FileFormat, Metadata, Protocol, Remove, Texts, Txn};

/// Rows of a row group: a checkpoint is read whole, so this is as many as the writer takes by itself.
const ROW_GROUP_ROWS: usize = 1024 * 1024;

/// The file of `actions`.
pub fn encode(actions: &[Action]) -> Result<Vec<u8>, ParquetError> {
    let columns = [
        ("txn", txns(actions)?),
        ("add", adds(actions)?),
        ("remove", removes(actions)?),
        ("metaData", metadata(actions)?),
        ("protocol", protocols(actions)?),
    ];
    let fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array);
    let batch = RecordBatch::try_new(schema, arrays.collect())?;
    write(&batch, ROW_GROUP_ROWS)
}

/// The actions of one kind, at the rows where they stand.
struct Kind<'a, T> {
    rows: Vec<Option<&'a T>>,
}

impl<'a, T> Kind<'a, T> {
    fn of(actions: &'a [Action], pick: impl Fn(&'a Action) -> Option<&'a T>) -> Kind<'a, T> {
        Kind {
            rows: actions.iter().map(pick).collect(),
        }
    }

    fn texts(&self, of: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
        let texts = self.rows.iter().map(|row| row.and_then(&of));
        Arc::new(texts.collect::<StringArray>())
    }

    fn longs(&self, of: impl Fn(&'a T) -> Option<i64>) -> ArrayRef {
        let longs = self.rows.iter().map(|row| row.and_then(&of));
        Arc::new(longs.collect::<Int64Array>())
    }

    fn ints(&self, of: impl Fn(&'a T) -> u32) -> ArrayRef {
        let ints = self.rows.iter().map(|row| row.map(|row| of(row) as i32));
        Arc::new(ints.collect::<Int32Array>())
    }

    fn flags(&self, of: impl Fn(&'a T) -> Option<bool>) -> ArrayRef {
        let flags = self.rows.iter().map(|row| row.and_then(&of));
        Arc::new(flags.collect::<BooleanArray>())
    }

    fn maps(&self, of: impl Fn(&'a T) -> Option<&'a Texts>) -> Result<ArrayRef, ArrowError> {
        let names = MapFieldNames {
            entry: "key_value".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        };
        let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for row in &self.rows {
            let map = row.and_then(&of);
            for (name, text) in map.into_iter().flatten() {
                builder.keys().append_value(name);
                builder.values().append_value(text);
            }
            builder.append(map.is_some())?;
        }
        Ok(Arc::new(builder.finish()))
    }

    fn lists(&self, of: impl Fn(&'a T) -> &'a Vec<String>) -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new(
            "element",
            arrow_schema::DataType::Utf8,
            true,
        ));
        for row in &self.rows {
            for text in row.iter().flat_map(|row| of(row)) {
                builder.values().append_value(text);
            }
            builder.append(row.is_some());
        }
        Arc::new(builder.finish())
    }

    fn structure(&self, columns: Vec<(&str, ArrayRef)>) -> Result<ArrayRef, ArrowError> {
        let fields: Fields = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let validity = NullBuffer::from_iter(self.rows.iter().map(Option::is_some));
        Ok(Arc::new(StructArray::try_new(
            fields,
            arrays,
            Some(validity),
        )?))
    }
}

fn txns(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind = Kind::of(actions, |action| match action {
        Action::Txn(txn) => Some(txn),
        _ => None,
    });
    kind.structure(vec![
        ("appId", kind.texts(|txn| Some(&txn.app_id))),
        ("version", kind.longs(|txn| Some(txn.version))),
        ("lastUpdated", kind.longs(|txn| txn.last_updated)),
    ])
}

fn adds(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Add> = Kind::of(actions, |action| match action {
        Action::Add(add) => Some(&**add),
        _ => None,
    });
    kind.structure(vec![
        ("path", kind.texts(|add| Some(&add.path))),
        (
            "partitionValues",
            kind.maps(|add| Some(&add.partition_values))?,
        ),
        ("size", kind.longs(|add| Some(add.size))),
        (
            "modificationTime",
            kind.longs(|add| Some(add.modification_time)),
        ),
        ("dataChange", kind.flags(|add| Some(add.data_change))),
        ("stats", kind.texts(|add| add.stats.as_deref())),
        ("tags", kind.maps(|add| add.tags.as_ref())?),
    ])
}

fn removes(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Remove> = Kind::of(actions, |action| match action {
        Action::Remove(remove) => Some(&**remove),
        _ => None,
    });
    kind.structure(vec![
        ("path", kind.texts(|remove| Some(&remove.path))),
        (
            "deletionTimestamp",
            kind.longs(|remove| remove.deletion_timestamp),
        ),
        ("dataChange", kind.flags(|remove| Some(remove.data_change))),
        (
            "extendedFileMetadata",
            kind.flags(|remove| remove.extended_file_metadata),
        ),
        (
            "partitionValues",
            kind.maps(|remove| remove.partition_values.as_ref())?,
        ),
        ("size", kind.longs(|remove| remove.size)),
    ])
}

fn metadata(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind: Kind<'_, Metadata> = Kind::of(actions, |action| match action {
        Action::MetaData(metadata) => Some(&**metadata),
        _ => None,
    });
    let format = kind.structure(vec![
        (
            "provider",
            kind.texts(|metadata| Some(&metadata.format.provider)),
        ),
        (
            "options",
            kind.maps(|metadata| Some(&metadata.format.options))?,
        ),
    ])?;
    kind.structure(vec![
        ("id", kind.texts(|metadata| Some(&metadata.id))),
        ("name", kind.texts(|metadata| metadata.name.as_deref())),
        ("format", format),
        (
            "schemaString",
            kind.texts(|metadata| Some(&metadata.schema_string)),
        ),
        (
            "partitionColumns",
            kind.lists(|metadata| &metadata.partition_columns),
        ),
        ("createdTime", kind.longs(|metadata| metadata.created_time)),
        (
            "configuration",
            kind.maps(|metadata| Some(&metadata.configuration))?,
        ),
    ])
}

fn protocols(actions: &[Action]) -> Result<ArrayRef, ArrowError> {
    let kind = Kind::of(actions, |action| match action {
        Action::Protocol(protocol) => Some(protocol),
        _ => None,
    });
    kind.structure(vec![
        (
            "minReaderVersion",
            kind.ints(|protocol| protocol.min_reader_version),
        ),
        (
            "minWriterVersion",
            kind.ints(|protocol| protocol.min_writer_version),
        ),
    ])
}

/// The actions of a file that [`encode`] made.
pub fn decode(bytes: Bytes) -> Result<Vec<Action>, ParquetError> {
    let mut actions = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .and_then(|column| column.as_struct_opt())
        };
        for row in 0..batch.num_rows() {
            let kinds = ["txn", "add", "remove", "metaData", "protocol"];
            let found = kinds.into_iter().find_map(|kind| {
                let structure = column(kind)?;
                structure
                    .is_valid(row)
                    .then_some((kind, Fielded { structure, row }))
            });
            let action = found.and_then(|(kind, fields)| fields.action(kind));
            actions.push(action.ok_or_else(|| {
                ParquetError::General(format!("row {row} of the checkpoint is no action"))
            })?);
        }
    }
    Ok(actions)
}

/// The fields of one row of a structure.
#[derive(Clone, Copy)]
struct Fielded<'a> {
    structure: &'a StructArray,
    row: usize,
}

impl Fielded<'_> {
    fn action(self, kind: &str) -> Option<Action> {
        Some(match kind {
            "txn" => Action::Txn(Txn {
                app_id: self.text("appId")?,
                version: self.long("version")?,
                last_updated: self.long("lastUpdated"),
            }),
            "add" => Action::Add(Box::new(Add {
                path: self.text("path")?,
                partition_values: self.map("partitionValues")?,
                size: self.long("size")?,
                modification_time: self.long("modificationTime")?,
                data_change: self.flag("dataChange")?,
                stats: self.text("stats"),
                tags: self.map("tags"),
            })),
            "remove" => Action::Remove(Box::new(Remove {
                path: self.text("path")?,
                deletion_timestamp: self.long("deletionTimestamp"),
                data_change: self.flag("dataChange")?,
                extended_file_metadata: self.flag("extendedFileMetadata"),
                partition_values: self.map("partitionValues"),
                size: self.long("size"),
            })),
            "metaData" => Action::MetaData(Box::new(self.metadata()?)),
            "protocol" => Action::Protocol(Protocol {
                min_reader_version: self.int("minReaderVersion")?,
                min_writer_version: self.int("minWriterVersion")?,
            }),
            _ => return None,
        })
    }

    fn metadata(self) -> Option<Metadata> {
        let format = Fielded {
            structure: self.field("format")?.as_struct_opt()?,
            row: self.row,
        };
        let columns = self
            .field("partitionColumns")?
            .as_list_opt::<i32>()?
            .value(self.row);
        let columns = columns.as_string_opt::<i32>()?.iter();
        Some(Metadata {
            id: self.text("id")?,
            name: self.text("name"),
            format: FileFormat {
                provider: format.text("provider")?,
                options: format.map("options")?,
            },
            schema_string: self.text("schemaString")?,
            partition_columns: columns
                .map(|column| column.map(str::to_owned))
                .collect::<Option<_>>()?,
            created_time: self.long("createdTime"),
            configuration: self.map("configuration")?,
        })
    }

    /// The column of a field, when the row has a value there.
    fn field(&self, name: &str) -> Option<&ArrayRef> {
        let column = self.structure.column_by_name(name)?;
        column.is_valid(self.row).then_some(column)
    }

    fn text(&self, name: &str) -> Option<String> {
        let texts = self.field(name)?.as_string_opt::<i32>()?;
        Some(texts.value(self.row).to_owned())
    }

    fn long(&self, name: &str) -> Option<i64> {
        let longs = self.field(name)?.as_primitive_opt::<Int64Type>()?;
        Some(longs.value(self.row))
    }

    fn int(&self, name: &str) -> Option<u32> {
        let ints = self.field(name)?.as_primitive_opt::<Int32Type>()?;
        u32::try_from(ints.value(self.row)).ok()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.field(name)?.as_boolean_opt()?.value(self.row))
    }

    fn map(&self, name: &str) -> Option<Texts> {
        let entries = self.field(name)?.as_map_opt()?.value(self.row);
        let keys = entries.column(0).as_string_opt::<i32>()?;
        let values = entries.column(1).as_string_opt::<i32>()?;
        let pairs = keys
            .iter()
            .zip(values.iter())
            .map(|(key, value)| Some((key?.to_owned(), value?.to_owned())));
        pairs.collect()
    }
}
