//! Columns as the Delta protocol writes them: [`written`].

use arrow_schema::{DataType, Schema};
use serde_json::json;

/// The `schemaString` of a table with these columns.
pub fn written(schema: &Schema) -> String {
    let fields = schema.fields().iter().map(|field| {
        json!({
            "name": field.name(),
            "type": type_of(field.data_type()),
            "nullable": field.is_nullable(),
            "metadata": {},
        })
    });
    json!({ "type": "struct", "fields": fields.collect::<Vec<_>>() }).to_string()
}

fn type_of(of: &DataType) -> String {
    let name = match of {
        DataType::Boolean => "boolean",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::Timestamp(_, Some(_)) => "timestamp",
        DataType::Decimal128(digits, scale) => return format!("decimal({digits},{scale})"),
        other => unreachable!("no table has a column of {other}"),
    };
    name.to_owned()
}
