//! Parameters of a prepared statement: which types they have, [`types`], and their values, [`bound`].

use std::collections::BTreeMap;

use arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use arrow_pg::datatypes::into_pg_type;
use arrow_schema::DataType;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use pgwire::api::Type;
use pgwire::api::portal::Portal;
use pgwire::error::{PgWireError, PgWireResult};

/// The types of the parameters of `plan`, `$1` first; a text where nothing says more.
pub fn types(plan: &LogicalPlan) -> PgWireResult<Vec<Type>> {
    let inferred = inferred(plan).map_err(engine)?;
    let types = inferred.iter().map(|of| match of {
        Some(of) => into_pg_type(of),
        None => Ok(Type::TEXT),
    });
    types.collect()
}

/// `plan` with the values of `portal` in the place of its parameters.
pub fn bound<S: Clone>(plan: &LogicalPlan, portal: &Portal<S>) -> PgWireResult<LogicalPlan> {
    if portal.parameter_len() == 0 {
        return Ok(plan.clone());
    }
    let inferred = inferred(plan).map_err(engine)?;
    let inferred: Vec<Option<&DataType>> = inferred.iter().map(Option::as_ref).collect();
    let types = types(plan)?;
    let types: Vec<Option<&Type>> = types.iter().map(Some).collect();
    let values = deserialize_parameters_with_server_types(portal, &inferred, &types)?;
    plan.clone()
        .replace_params_with_values(&values)
        .map_err(engine)
}

fn engine(error: DataFusionError) -> PgWireError {
    PgWireError::ApiError(Box::new(error))
}

/// What each parameter is compared with or cast to, `$1` first.
fn inferred(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>, DataFusionError> {
    let mut found: BTreeMap<usize, Option<DataType>> = BTreeMap::new();
    for (name, of) in plan.get_parameter_types()? {
        if let Some(number) = number(&name) {
            found.insert(number, of);
        }
    }
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::Cast(cast) = part
                    && let Expr::Placeholder(placeholder) = cast.expr.as_ref()
                    && let Some(number) = number(&placeholder.id)
                {
                    let of = cast.field.data_type().clone();
                    found.entry(number).or_default().get_or_insert(of);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let count = found.keys().last().copied().unwrap_or_default();
    Ok((1..=count)
        .map(|number| found.remove(&number).flatten())
        .collect())
}

fn number(name: &str) -> Option<usize> {
    // Each costs a place in a list, and a message has room for 65,535.
    let number = name.strip_prefix('$')?.parse().ok()?;
    (1..=65_535).contains(&number).then_some(number)
}
