//! Sums of whole numbers in queries, that never wrap: [`whole_sum`].
//!
//! The engine's own sum goes round when it does not fit into 64 bits. This one adds up in 128, which no
//! number of rows fills, and fails when the result does not fit. Sums of anything else are the engine's.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::arrow::compute::cast;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature,
};

/// How sums are kept between parts of a query.
const STATE: DataType = DataType::Decimal128(38, 0);

/// `sum`, the engine's, with sums of whole numbers that never wrap.
pub fn whole_sum(sum: Arc<AggregateUDF>) -> AggregateUDF {
    AggregateUDF::from(WholeSum { sum })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WholeSum {
    sum: Arc<AggregateUDF>,
}

/// Each value once is the engine's to find.
fn is_ours(of: &DataType, is_distinct: bool) -> bool {
    *of == DataType::Int64 && !is_distinct
}

impl AggregateUDFImpl for WholeSum {
    fn name(&self) -> &str {
        self.sum.name()
    }

    fn signature(&self) -> &Signature {
        self.sum.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.sum.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.sum.coerce_types(arguments)
    }

    fn state_fields(&self, given: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if is_ours(given.return_field.data_type(), given.is_distinct) {
            return Ok(vec![Arc::new(Field::new("sum", STATE, true))]);
        }
        self.sum.state_fields(given)
    }

    fn accumulator(&self, given: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_ours(given.return_field.data_type(), given.is_distinct) {
            return Ok(Box::new(Whole::default()));
        }
        self.sum.accumulator(given)
    }

    fn create_sliding_accumulator(
        &self,
        given: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if is_ours(given.return_field.data_type(), given.is_distinct) {
            return Ok(Box::new(Whole::default()));
        }
        self.sum.create_sliding_accumulator(given)
    }

    fn groups_accumulator_supported(&self, given: AccumulatorArgs<'_>) -> bool {
        !is_ours(given.return_field.data_type(), given.is_distinct)
            && self.sum.groups_accumulator_supported(given)
    }

    fn create_groups_accumulator(
        &self,
        given: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.sum.create_groups_accumulator(given)
    }
}

/// A sum so far, and of how many numbers.
#[derive(Debug, Default)]
struct Whole {
    total: i128,
    count: i64,
}

impl Whole {
    fn change(&mut self, values: &[ArrayRef], times: i128) -> Result<()> {
        let values = cast(&values[0], &DataType::Int64)?;
        let values = values.as_primitive::<Int64Type>();
        let sum: i128 = values.iter().flatten().map(i128::from).sum();
        self.total += times * sum;
        let there = (values.len() - values.null_count()) as i64;
        self.count += times as i64 * there;
        Ok(())
    }
}

impl Accumulator for Whole {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.change(values, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.change(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::Int64(None));
        }
        let total = i64::try_from(self.total).map_err(|_| {
            exec_datafusion_err!(
                "the sum {} does not fit into 64 bits; CAST(… AS DECIMAL(38, 0)) inside it does",
                self.total
            )
        })?;
        Ok(ScalarValue::Int64(Some(total)))
    }

    fn size(&self) -> usize {
        size_of::<Whole>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let total = (self.count != 0).then_some(self.total);
        Ok(vec![ScalarValue::Decimal128(total, 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let totals = states[0].as_primitive::<Decimal128Type>();
        for total in totals.iter().flatten() {
            self.total += total;
            self.count += 1;
        }
        Ok(())
    }
}
