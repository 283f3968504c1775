//! Access to JSON in SQL: the functions behind `->` and `->>`, and their like.
//!
//! ```text
//! json_get(x, step…)       x -> step     the value as JSON
//! json_as_text(x, step…)   x ->> step    a text without its quotes, anything else as JSON; null for null
//! json_get_str(x, step…)   a text; null for anything else, and so on for the three others
//! json_get_int(x, step…)   json_get_float(x, step…)   json_get_bool(x, step…)
//! ```
//!
//! A step is the name of a field or the number of a member. What leads nowhere is null; an x that is no
//! JSON fails, so that a record that cannot be read is counted and not grouped with those that have no
//! such field.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::json_path::{Step, find};

/// What a function makes of the value it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    Json,
    AsText,
    Text,
    Integer,
    Float,
    Boolean,
}

/// All functions that read JSON; the first stands behind `->`, the second behind `->>`.
pub fn functions() -> Vec<ScalarUDF> {
    let named = [
        ("json_get", Wanted::Json),
        ("json_as_text", Wanted::AsText),
        ("json_get_str", Wanted::Text),
        ("json_get_int", Wanted::Integer),
        ("json_get_float", Wanted::Float),
        ("json_get_bool", Wanted::Boolean),
    ];
    let functions = named.map(|(name, wanted)| {
        ScalarUDF::from(Access {
            name,
            wanted,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    });
    functions.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Access {
    name: &'static str,
    wanted: Wanted,
    signature: Signature,
}

impl ScalarUDFImpl for Access {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let name = self.name;
        let [json, steps @ ..] = arguments else {
            return plan_err!("{name} has a JSON text and the names that lead to the value");
        };
        if steps.is_empty() {
            return plan_err!("{name} has a JSON text and the names that lead to the value");
        }
        if !is_text(json) && !is_bytes(json) {
            return plan_err!("{name} reads JSON out of a text or the payload, not out of {json}");
        }
        if let Some(step) = steps
            .iter()
            .find(|step| !is_text(step) && !step.is_integer())
        {
            return plan_err!("a step into JSON is a name or a whole number, not {step}");
        }
        Ok(match self.wanted {
            Wanted::Json | Wanted::AsText | Wanted::Text => DataType::Utf8,
            Wanted::Integer => DataType::Int64,
            Wanted::Float => DataType::Float64,
            Wanted::Boolean => DataType::Boolean,
        })
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = given.number_rows;
        let mut arguments = given.args.into_iter();
        let json = arguments.next().map(|json| json.into_array(rows));
        let json = json.unwrap_or_else(|| plan_err!("{} has no argument", self.name))?;
        let json = cast(&json, &DataType::Binary)?;
        let steps = arguments.map(|step| Steps::of(&step.into_array(rows)?));
        let steps: Vec<Steps> = steps.collect::<Result<_>>()?;
        let texts = json.as_binary::<i32>();
        let found = (0..rows).map(|row| {
            if texts.is_null(row) {
                return Ok(None);
            }
            walk(texts.value(row), &steps, row)
        });
        Ok(ColumnarValue::Array(self.wanted.array(found)?))
    }
}

fn is_text(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_bytes(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// One step of each row.
enum Steps {
    Fields(ArrayRef),
    Indexes(ArrayRef),
}

impl Steps {
    fn of(steps: &ArrayRef) -> Result<Steps> {
        Ok(if steps.data_type().is_integer() {
            Steps::Indexes(cast(steps, &DataType::Int64)?)
        } else {
            Steps::Fields(cast(steps, &DataType::Utf8)?)
        })
    }

    fn at(&self, row: usize) -> Option<Step<'_>> {
        match self {
            Steps::Fields(names) => names
                .is_valid(row)
                .then(|| Step::Field(names.as_string::<i32>().value(row))),
            Steps::Indexes(indexes) => indexes
                .is_valid(row)
                .then(|| Step::Index(indexes.as_primitive::<Int64Type>().value(row))),
        }
    }
}

fn walk<'a>(json: &'a [u8], steps: &[Steps], row: usize) -> Result<Option<&'a str>> {
    let mut at = json;
    let mut found = None;
    for step in steps {
        let Some(step) = step.at(row) else {
            return Ok(None);
        };
        found = find(at, step).map_err(|error| no_json(&error))?;
        match found {
            Some(inner) => at = inner.as_bytes(),
            None => return Ok(None),
        }
    }
    Ok(found)
}

fn no_json(error: &serde_json::Error) -> DataFusionError {
    exec_datafusion_err!("it is no JSON: {error}")
}

impl Wanted {
    /// The values that `found`, texts of JSON, are.
    fn array<'a>(self, found: impl Iterator<Item = Result<Option<&'a str>>>) -> Result<ArrayRef> {
        let array: ArrayRef = match self {
            Wanted::Json => Arc::new(found.collect::<Result<StringArray>>()?),
            Wanted::AsText => {
                let texts = found.map(|json| json?.map_or(Ok(None), as_text));
                Arc::new(texts.collect::<Result<StringArray>>()?)
            }
            Wanted::Text => {
                let texts = found.map(|json| json?.filter(is_quoted).map_or(Ok(None), as_text));
                Arc::new(texts.collect::<Result<StringArray>>()?)
            }
            Wanted::Integer => {
                let numbers = found.map(|json| Ok(json?.and_then(|json| json.parse().ok())));
                Arc::new(numbers.collect::<Result<Int64Array>>()?)
            }
            Wanted::Float => {
                let numbers = found.map(|json| Ok(json?.and_then(as_float)));
                Arc::new(numbers.collect::<Result<Float64Array>>()?)
            }
            Wanted::Boolean => {
                let truths = found.map(|json| Ok(json?.and_then(|json| json.parse().ok())));
                Arc::new(truths.collect::<Result<BooleanArray>>()?)
            }
        };
        Ok(array)
    }
}

fn is_quoted(json: &&str) -> bool {
    json.starts_with('"')
}

fn as_text(json: &str) -> Result<Option<String>> {
    match json {
        "null" => Ok(None),
        json if is_quoted(&json) => {
            let text = serde_json::from_str(json).map_err(|error| no_json(&error))?;
            Ok(Some(text))
        }
        json => Ok(Some(json.to_owned())),
    }
}

/// JSON writes numbers as Rust reads them, and has no infinity, which Rust would make of a large one.
fn as_float(json: &str) -> Option<f64> {
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let number: Option<f64> = json.parse().ok().filter(|_| is_number);
    number.filter(|number| number.is_finite())
}
