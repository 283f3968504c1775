//! The catalogue of Postgres, as its clients look at it: [`add_catalog`].
//!
//! Its tables and functions are those of `datafusion-pg-catalog`. What is ours: views are listed as
//! materialised views, because that is what they are, and functions that clients call without much caring
//! for the answer.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field};
use async_trait::async_trait;
use datafusion::arrow::compute::cast;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility, lit, when,
};
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::setup_pg_catalog;

use crate::view_reader::ViewSource;

use super::settings::{SERVER_VERSION, SETTINGS, setting};

/// The schema of the catalogue.
const PG_CATALOG: &str = "pg_catalog";

/// Adds the catalogue of Postgres to the catalogue `database` of `context`.
pub fn add_catalog(context: &SessionContext, database: &str, source: Arc<dyn ViewSource>) {
    let added = setup_pg_catalog(context, database, EmptyContextProvider);
    added.expect("the catalogue can be added to a session that was just made");
    let catalog = context
        .catalog(database)
        .expect("the catalogue was registered before");
    let tables = catalog.schema(PG_CATALOG).expect("it was added just now");
    let ours = Catalog { tables, source };
    let before = catalog.register_schema(PG_CATALOG, Arc::new(ours));
    before.expect("a catalogue in memory takes schemas");
    for (name, answer) in FUNCTIONS {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(any, Volatility::Stable);
        context.register_udf(ScalarUDF::from(Told {
            name,
            answer,
            signature,
        }));
    }
}

/// The tables of the catalogue.
struct Catalog {
    tables: Arc<dyn SchemaProvider>,
    source: Arc<dyn ViewSource>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(PG_CATALOG)
    }
}

#[async_trait]
impl SchemaProvider for Catalog {
    fn table_names(&self) -> Vec<String> {
        self.tables.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.tables.table(name).await? else {
            return Ok(None);
        };
        Ok(Some(match name.to_ascii_lowercase().as_str() {
            "pg_class" => with_materialised_views(table)?,
            "pg_index" => with_lists(table)?,
            "pg_database" => with_this_database_only(table)?,
            "pg_matviews" => self.materialised_views(&table)?,
            "pg_settings" => settings(&table)?,
            _ => table,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name)
    }
}

/// `table`, in which views are materialised ones.
fn with_materialised_views(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let columns = table.schema();
    let plan = LogicalPlanBuilder::scan("pg_class", provider_as_source(table), None)?;
    let kinds = columns.fields().iter().map(|field| {
        let column = Expr::Column(Column::new_unqualified(field.name()));
        if field.name() != "relkind" {
            return Ok(column);
        }
        let kind = when(column.clone().eq(lit("v")), lit("m")).otherwise(column)?;
        Ok(kind.alias("relkind"))
    });
    let plan = plan.project(kinds.collect::<Result<Vec<_>>>()?)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// `table`, of indexes, with lists where lists of columns stand: nothing here has an index, and drivers take
/// members out of them all the same.
fn with_lists(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let columns = table.schema();
    let plan = LogicalPlanBuilder::scan("pg_index", provider_as_source(table), None)?;
    let none = ScalarValue::try_from(&DataType::new_list(DataType::Int64, true))?;
    let lists = columns
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "indkey" | "indoption" | "indclass" | "indcollation" => {
                lit(none.clone()).alias(field.name())
            }
            name => Expr::Column(Column::new_unqualified(name)),
        });
    let plan = plan.project(lists.collect::<Vec<_>>())?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// `table` without the database that every server of Postgres has besides.
fn with_this_database_only(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let plan = LogicalPlanBuilder::scan("pg_database", provider_as_source(table), None)?;
    let name = Expr::Column(Column::new_unqualified("datname"));
    let plan = plan.filter(name.not_eq(lit("postgres")))?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

impl Catalog {
    /// A row for each view, in the columns of `table`.
    fn materialised_views(&self, table: &Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let views = self.source.views();
        rows(table, views.len(), &|column, view| {
            Some(match column {
                "schemaname" => "public".to_owned(),
                "matviewname" => views[view].definition().name.clone(),
                "matviewowner" => "postgres".to_owned(),
                "definition" => views[view].definition().to_string(),
                "ispopulated" => "true".to_owned(),
                _ => return None,
            })
        })
    }
}

/// A row for each setting, in the columns of `table`; the values are those at first.
fn settings(table: &Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    rows(table, SETTINGS.len(), &|column, setting| {
        Some(match column {
            "name" => SETTINGS[setting].name.to_owned(),
            "setting" | "boot_val" | "reset_val" => SETTINGS[setting].default.to_owned(),
            "vartype" => "string".to_owned(),
            _ => return None,
        })
    })
}

/// `count` rows in the columns of `table`, with what `value` says; what it does not say is null, or false or
/// empty where there are no nulls.
fn rows(
    table: &Arc<dyn TableProvider>,
    count: usize,
    value: &dyn Fn(&str, usize) -> Option<String>,
) -> Result<Arc<dyn TableProvider>> {
    let columns = table.schema();
    let arrays = columns.fields().iter().map(|field| -> Result<ArrayRef> {
        let texts = (0..count).map(|row| {
            let other = match field.data_type() {
                DataType::Utf8 if !field.is_nullable() => Some(String::new()),
                DataType::Boolean => Some("false".to_owned()),
                _ => None,
            };
            value(field.name(), row).or(other)
        });
        let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
        Ok(cast(&texts, field.data_type())?)
    });
    let rows = RecordBatch::try_new(columns.clone(), arrays.collect::<Result<Vec<_>>>()?)?;
    let table = MemTable::try_new(columns, vec![vec![rows]])?;
    Ok(Arc::new(table))
}

/// What a function of the catalogue answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// Null: there are no comments, indexes and the like.
    Null,
    /// Which server this is.
    Version,
    /// The first value of a setting.
    Setting,
    /// A number that is the same for all.
    Number(i64),
    /// A text for what is not known here.
    Unknown,
    /// Yes.
    True,
    /// No members of an array: nothing here has one.
    NoMember,
}

const FUNCTIONS: [(&str, Answer); 20] = [
    ("version", Answer::Version),
    ("current_setting", Answer::Setting),
    ("obj_description", Answer::Null),
    ("shobj_description", Answer::Null),
    ("col_description", Answer::Null),
    ("pg_get_viewdef", Answer::Null),
    ("pg_get_indexdef", Answer::Null),
    ("pg_get_ruledef", Answer::Null),
    ("pg_get_triggerdef", Answer::Null),
    ("pg_get_function_result", Answer::Null),
    ("pg_get_serial_sequence", Answer::Null),
    ("pg_is_in_recovery", Answer::Null),
    ("pg_table_size", Answer::Number(0)),
    ("pg_indexes_size", Answer::Number(0)),
    ("pg_size_pretty", Answer::Unknown),
    ("txid_current", Answer::Number(1)),
    ("pg_function_is_visible", Answer::True),
    ("has_column_privilege", Answer::True),
    ("has_function_privilege", Answer::True),
    ("_pg_expandarray", Answer::NoMember),
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct Told {
    name: &'static str,
    answer: Answer,
    signature: Signature,
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.answer {
            Answer::Null | Answer::Version | Answer::Setting | Answer::Unknown => DataType::Utf8,
            Answer::Number(_) => DataType::Int64,
            Answer::True => DataType::Boolean,
            Answer::NoMember => member(),
        })
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = |text: Option<String>| ColumnarValue::Scalar(ScalarValue::Utf8(text));
        Ok(match self.answer {
            Answer::Null => text(None),
            Answer::Version => text(Some(version())),
            Answer::Unknown => text(Some("unknown".to_owned())),
            Answer::Number(number) => ColumnarValue::Scalar(ScalarValue::Int64(Some(number))),
            Answer::True => ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))),
            Answer::NoMember => ColumnarValue::Scalar(ScalarValue::try_from(&member())?),
            Answer::Setting => {
                let Some(names) = given.args.first() else {
                    return Ok(text(None));
                };
                let names = names.clone().into_array(given.number_rows)?;
                let names = cast(&names, &DataType::Utf8)?;
                let values = names.as_string::<i32>().iter().map(|name| {
                    let found = name.and_then(|name| setting(&name.to_lowercase()));
                    found.map(|setting| setting.default)
                });
                ColumnarValue::Array(Arc::new(values.collect::<StringArray>()))
            }
        })
    }
}

/// A member of an array, and which it is.
fn member() -> DataType {
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    DataType::Struct(vec![number("x"), number("n")].into())
}

/// Which server this is: the version of Postgres that its clients look for, and who it is.
fn version() -> String {
    let ours = env!("CARGO_PKG_VERSION");
    format!("PostgreSQL {SERVER_VERSION} (tidemill {ours})")
}
