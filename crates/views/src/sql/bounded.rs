//! Functions that make long texts out of short ones, with a limit: [`bounded`].
//!
//! What must hold: a short statement cannot ask for memory without end. The engine accounts for what its
//! operators hold and not for what one function makes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Letters of a text, or times that one is repeated, at most.
const LENGTH_MAX: i64 = 65_536;

/// Functions whose second argument says how long a text is to be.
pub const NAMES: [&str; 3] = ["lpad", "rpad", "repeat"];
/// Functions that make lists of any length, and that nobody needs here.
pub const REMOVED: [&str; 4] = ["array_repeat", "array_resize", "range", "generate_series"];

/// `function`, which refuses to make a text that is too long.
pub fn bounded(function: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::from(Bounded { function })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    function: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.function.return_type(arguments)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(lengths) = given.args.get(1) {
            let lengths = lengths.clone().into_array(given.number_rows)?;
            let lengths = cast(&lengths, &DataType::Int64)?;
            let lengths = lengths.as_primitive::<Int64Type>();
            if let Some(long) = lengths.iter().flatten().find(|length| *length > LENGTH_MAX) {
                let name = self.name();
                return exec_err!("{name} makes texts of at most {LENGTH_MAX} letters, not {long}");
            }
        }
        self.function.inner().invoke_with_args(given)
    }
}
