//! From a definition to a program: [`compile()`] finds columns, checks types and refuses what cannot be
//! computed, before a view is made.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::Expr as LogicalExpr;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::SessionConfig;
use sqlparser::ast::{Expr, ExprWithAlias};

use crate::definition::{Call, Definition, Refusal, Standing};
use crate::master::rows::arrow_schema;
use crate::schema::Schema;
use crate::state::{Aggregate, Function};
use crate::value::Type;

use super::answer::{Answering, groups_schema};
use super::computed::Computed;
use super::engine::{said, state};
use super::joined::{Lookup, Tables, check_count};
use super::prepare::{Names, only_where};
use super::program::{ComputedCall, Program};
use super::types::{held, named, nearest};

/// What `definition` does with each record of a stream with the columns of `schema`, with its `tables` in the
/// order of its joins.
pub fn compile(
    definition: &Definition,
    schema: &Schema,
    tables: &Tables,
) -> Result<Program, Refusal> {
    check_count(definition, tables)?;
    let columns = arrow_schema(schema);
    let width = columns.fields().len();
    let all = with_tables(&columns, definition, tables);
    let prepared = Prepared::of(definition, &all)?;
    let used: Vec<usize> = prepared
        .used
        .iter()
        .copied()
        .filter(|at| *at < width)
        .collect();
    let own = columns.project(&used);
    let own = own.expect("the columns that are used are columns");
    let lookups = lookups(&prepared, definition, tables, &own, width)?;
    let seen = all.project(&prepared.used);
    let seen = Arc::new(seen.expect("the columns that are used are columns"));
    let compiler = Compiler::over(Arc::clone(&seen));
    let filter = prepared.filter.as_ref();
    let filter = filter
        .map(|filter| compiler.condition(filter))
        .transpose()?;
    let keys = prepared.keys.iter().map(|key| compiler.column(key));
    let keys: Vec<Computed> = keys.collect::<Result<_, _>>()?;
    let mut calls = Vec::new();
    let mut aggregates = Vec::new();
    for (call, parts) in definition.calls.iter().zip(&prepared.calls) {
        let computed = compiler.call(parts)?;
        let argument = computed.argument.as_ref().map(|argument| argument.of);
        aggregates.push(aggregate(call, argument)?);
        calls.push(computed);
    }
    let key_types: Vec<Type> = keys.iter().map(|key| key.of).collect();
    let answering = Answering::new(definition, &key_types, &aggregates)?;
    let program = Program {
        answer: Arc::clone(answering.columns()),
        key_types,
        used,
        lookups,
        seen,
        columns,
        filter,
        keys,
        hop: definition.hop,
        calls,
        aggregates,
    };
    compiler.try_out(&program, definition)?;
    Ok(program)
}

/// The columns of a record and, behind them, those of the tables that are looked up for it.
fn with_tables(columns: &ArrowSchema, definition: &Definition, tables: &Tables) -> ArrowSchema {
    let mut fields: Vec<Field> = columns
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    for (join, table) in definition.joins.iter().zip(tables) {
        let schema = table.rows.schema();
        let named = schema.fields().iter().map(|field| {
            let name = join.name_of(field.name());
            field.as_ref().clone().with_name(name)
        });
        fields.extend(named);
    }
    ArrowSchema::new(fields)
}

/// What looks up the columns of tables that `prepared` names; a table of which none is named too, where it
/// decides which records count. The first `width` columns are the stream's, of which `own` are used.
fn lookups(
    prepared: &Prepared,
    definition: &Definition,
    tables: &Tables,
    own: &ArrowSchema,
    width: usize,
) -> Result<Vec<Lookup>, Refusal> {
    let compiler = Compiler::over(Arc::new(own.clone()));
    let mut lookups = Vec::new();
    let mut first = width;
    let joins = definition.joins.iter().zip(&prepared.joins).zip(tables);
    for ((join, on), table) in joins {
        let behind = first + table.rows.num_columns();
        let used = prepared
            .used
            .iter()
            .filter(|at| (first..behind).contains(*at));
        let used = used.map(|at| at - first).collect();
        lookups.push(Lookup::of(join, compiler.column(on)?, table, used)?);
        first = behind;
    }
    Ok(lookups)
}

/// An expression as it was written and as the engine is to have it.
pub struct Written {
    text: String,
    prepared: Expr,
}

impl Written {
    /// Of an expression whose names are columns already.
    pub fn of(expression: &Expr) -> Written {
        Written {
            text: expression.to_string(),
            prepared: expression.clone(),
        }
    }
}

/// The parts of a call.
pub struct Parts {
    /// Over what.
    pub argument: Option<Written>,
    /// By what.
    pub order: Option<Written>,
    /// Which records count.
    pub filter: Option<Written>,
}

/// A definition whose names are columns.
pub struct Prepared {
    /// Which columns are named.
    pub used: Vec<usize>,
    /// What is looked up in tables.
    pub joins: Vec<Written>,
    /// Which records count.
    pub filter: Option<Written>,
    /// What is grouped by.
    pub keys: Vec<Written>,
    /// What adds up.
    pub calls: Vec<Parts>,
}

impl Prepared {
    /// Of `definition` over `columns`.
    pub fn of(definition: &Definition, columns: &ArrowSchema) -> Result<Prepared, Refusal> {
        let columns = columns.fields().iter().map(|field| field.name().as_str());
        let mut names = Names::of(columns.collect());
        let mut written = |expression: &Expr| {
            Ok(Written {
                text: expression.to_string(),
                prepared: names.prepare(expression)?,
            })
        };
        let joins = definition.joins.iter().map(|join| written(&join.on));
        let joins = joins.collect::<Result<_, _>>()?;
        let filter = definition.filter.as_ref().map(&mut written).transpose()?;
        let keys = definition.keys.iter().map(&mut written);
        let keys = keys.collect::<Result<_, _>>()?;
        let calls = definition.calls.iter().map(|call| {
            let mut part = |part: &Option<Expr>| part.as_ref().map(&mut written).transpose();
            Ok(Parts {
                argument: part(&call.argument)?,
                order: part(&call.order)?,
                filter: part(&call.filter)?,
            })
        });
        let calls = calls.collect::<Result<_, Refusal>>()?;
        Ok(Prepared {
            used: names.used(),
            joins,
            filter,
            keys,
            calls,
        })
    }
}

/// `call` over values of `argument`, when there is such an aggregate.
fn aggregate(call: &Call, argument: Option<Type>) -> Result<Aggregate, Refusal> {
    Aggregate::new(call.function, argument).map_err(|_| {
        let what = called(call);
        let of = argument.map_or("nothing", said_of);
        let (why, nearest) = match (call.function, argument) {
            (Function::All | Function::Any, _) => ("a condition", "a comparison inside it"),
            (_, Some(Type::Decimal { .. })) => {
                let nearest = "CAST(… AS DECIMAL(38, 20)) inside it";
                ("a decimal with fewer digits behind the point", nearest)
            }
            _ => ("a number", "CAST(… AS DOUBLE), or count(x)"),
        };
        invalid(
            &what,
            &format!("it is {of}, and what is added up has to be {why}"),
        )
        .nearest(nearest)
    })
}

fn called(call: &Call) -> String {
    let argument = call.argument.as_ref();
    argument.map_or(String::new(), ToString::to_string)
}

/// What a type is called in a text for people.
pub fn said_of(of: Type) -> &'static str {
    match of {
        Type::Boolean => "a condition",
        Type::Integer => "a whole number",
        Type::Decimal { .. } => "a decimal",
        Type::Float => "a double",
        Type::Text => "a text",
        Type::Timestamp => "a time",
    }
}

fn invalid(what: &str, why: &str) -> Refusal {
    Refusal::new(Standing::Invalid, what, why)
}

/// What the engine refuses about `text`.
fn refused(text: &str, error: &DataFusionError) -> Refusal {
    let standing = match error.find_root() {
        DataFusionError::NotImplemented(_) => Standing::Unsupported,
        _ => Standing::Invalid,
    };
    Refusal::new(standing, text, &said(error))
}

/// Makes expressions over some columns.
pub struct Compiler {
    state: SessionState,
    seen: SchemaRef,
    names: DFSchema,
}

impl Compiler {
    fn over(seen: SchemaRef) -> Compiler {
        let names = DFSchema::try_from(Arc::clone(&seen));
        Compiler {
            state: state(SessionConfig::new()),
            seen,
            names: names.expect("no two columns of a table have one name"),
        }
    }

    /// Over the records that `program` is for.
    pub fn of_records(program: &Program) -> Compiler {
        Compiler::over(Arc::clone(&program.seen))
    }

    /// Over the groups that `program` gives.
    pub fn of_groups(program: &Program) -> Compiler {
        let groups = groups_schema(&program.key_types, &program.aggregates);
        Compiler::over(groups)
    }

    /// The columns.
    pub fn names(&self) -> &DFSchema {
        &self.names
    }

    /// `written` as the engine reads it, before it brings types together.
    pub fn logical(&self, written: &Written) -> Result<LogicalExpr, Refusal> {
        let expression = ExprWithAlias {
            expr: written.prepared.clone(),
            alias: None,
        };
        let made = self
            .state
            .create_logical_expr_from_sql_expr(expression, &self.names);
        made.map_err(|error| refused(&written.text, &error))
    }

    fn expression(&self, written: &Written) -> Result<(Arc<dyn PhysicalExpr>, DataType), Refusal> {
        let made = self
            .rewritten(self.logical(written)?)
            .and_then(|logical| self.state.create_physical_expr(logical, &self.names))
            .and_then(|physical| {
                let of = physical.data_type(&self.seen)?;
                Ok((physical, of))
            });
        made.map_err(|error| refused(&written.text, &error))
    }

    /// `logical` as the session rewrites it. It does so itself only after it has brought types together,
    /// and how these are brought together is what some of the rewriting is about.
    fn rewritten(&self, logical: LogicalExpr) -> Result<LogicalExpr, DataFusionError> {
        let rewrites = self.state.analyzer().function_rewrites();
        let config = self.state.config_options();
        rewrites.iter().try_fold(logical, |logical, rewrite| {
            let rewritten =
                logical.transform_up(|part| rewrite.rewrite(part, &self.names, config))?;
            Ok(rewritten.data)
        })
    }

    fn condition(&self, written: &Written) -> Result<Arc<dyn PhysicalExpr>, Refusal> {
        let (expression, of) = self.expression(written)?;
        if of == DataType::Boolean {
            return Ok(expression);
        }
        let of = held(&of).map_or_else(|| named(&of), |of| said_of(of).to_owned());
        let why = format!("it is {of}, and has to be a condition");
        Err(invalid(&written.text, &why).nearest("a comparison, such as = or >"))
    }

    fn column(&self, written: &Written) -> Result<Computed, Refusal> {
        let (expression, of) = self.expression(written)?;
        match held(&of) {
            Some(of) => Ok(Computed { expression, of }),
            None => {
                let why = format!("it is {}, which views do not keep", named(&of));
                Err(invalid(&written.text, &why).nearest(nearest(&of)))
            }
        }
    }

    /// What counts is computed of the records only that count.
    fn call(&self, parts: &Parts) -> Result<ComputedCall, Refusal> {
        let filter = parts.filter.as_ref();
        let column = |part: &Option<Written>| {
            let Some(written) = part else {
                return Ok(None);
            };
            let prepared = match filter {
                Some(filter) => only_where(filter.prepared.clone(), written.prepared.clone()),
                None => written.prepared.clone(),
            };
            let text = written.text.clone();
            self.column(&Written { text, prepared }).map(Some)
        };
        Ok(ComputedCall {
            argument: column(&parts.argument)?,
            order: column(&parts.order)?,
            filter: filter.map(|filter| self.condition(filter)).transpose()?,
        })
    }

    /// Refuses a program that fails with no records at all.
    fn try_out(&self, program: &Program, definition: &Definition) -> Result<(), Refusal> {
        let own = program.columns.project(&program.used);
        let own = own.expect("the columns that are used are columns");
        let none = RecordBatch::new_empty(Arc::new(own));
        let tried = program.compute(&none, &[]);
        tried.map_err(|error| refused(&definition.name, &error))?;
        Ok(())
    }
}
