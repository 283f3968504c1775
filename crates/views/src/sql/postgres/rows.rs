//! Rows of an answer as a client wants them: [`response`].
//!
//! A decimal goes out as text where the client takes text, because the binary form knows 28 digits only and
//! ours have up to 38; what does not fit is an error and never rounded.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use arrow_schema::{DataType, Field, Schema};
use datafusion::arrow::compute::cast;
use futures_util::stream;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse, Response};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::types::format::FormatOptions;

use super::super::queries::Answered;

/// The rows of `answered`, in `format`.
pub fn response(
    answered: &Answered,
    format: &Format,
    options: Arc<FormatOptions>,
) -> PgWireResult<Response> {
    let fields = arrow_schema_to_pg_fields(&answered.columns, format, Some(options))?;
    let fields = Arc::new(fields);
    let mut batches = Vec::with_capacity(answered.rows.len());
    for batch in &answered.rows {
        batches
            .push(with_texts(batch, &fields).map_err(|error| PgWireError::ApiError(error.into()))?);
    }
    let told = Arc::clone(&fields);
    let rows = batches.into_iter();
    let rows = rows.flat_map(move |batch| encode_recordbatch(Arc::clone(&told), batch));
    Ok(Response::Query(QueryResponse::new(
        fields,
        stream::iter(rows),
    )))
}

/// One row of one text.
pub fn one_text(name: &str, value: &str) -> PgWireResult<Response> {
    let fields = Arc::new(vec![text_field(name)]);
    let mut row = DataRowEncoder::new(Arc::clone(&fields));
    row.encode_field(&value)?;
    let rows = stream::iter([Ok(row.take_row())]);
    Ok(Response::Query(QueryResponse::new(fields, rows)))
}

/// A column of texts.
pub fn text_field(name: &str) -> FieldInfo {
    FieldInfo::new(name.to_owned(), None, None, Type::TEXT, FieldFormat::Text)
}

fn with_texts(
    batch: &RecordBatch,
    fields: &[FieldInfo],
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let schema = batch.schema();
    let is_decimal =
        |of: &DataType| matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..));
    if !schema
        .fields()
        .iter()
        .any(|field| is_decimal(field.data_type()))
    {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().zip(batch.columns()).zip(fields);
    let columns = columns.map(|((field, column), wanted)| {
        if is_decimal(field.data_type()) && wanted.format() == FieldFormat::Text {
            let column: ArrayRef = cast(column, &DataType::Utf8)?;
            return Ok((Field::new(field.name(), DataType::Utf8, true), column));
        }
        Ok((field.as_ref().clone(), Arc::clone(column)))
    });
    let columns: Vec<(Field, ArrayRef)> =
        columns.collect::<Result<_, arrow_schema::ArrowError>>()?;
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
