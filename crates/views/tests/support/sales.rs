//! Sales, and views over them that are held in memory and answer queries.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use tidemill_model::{Record, SequenceNumber, ShardId, Timestamp};
use tidemill_views::definition::{Definition, Refusal, split};
use tidemill_views::master::rows;
use tidemill_views::record_map::RecordMap;
use tidemill_views::schema::{Column, Format};
use tidemill_views::sql::{Program, compile};
use tidemill_views::static_table::StaticTable;
use tidemill_views::view_reader::{
    AsOf, Denied, Done, KeyFilter, QueryOptions, ReadError, Reading, ViewReader, ViewSource,
};
use tidemill_views::{Aggregate, Schema, Type};

use super::groups::{Groups, add, finals};

/// The sales of the stories: the last three are not as they should be.
pub const SALES: [&str; 12] = [
    r#"{"store":"BLR","status":"paid","amount":"10.50","n":1,"weight":0.1,"at":"2026-03-01T10:05:00Z","Tags":["a","b"]}"#,
    r#"{"store":"BLR","status":"paid","amount":"0.25","n":2,"weight":0.2,"at":"2026-03-01T10:59:59Z","Tags":[]}"#,
    r#"{"store":"ZRH","status":"open","amount":"3.00","n":0,"weight":0.3,"at":"2026-03-01T11:00:00Z"}"#,
    r#"{"store":"ZRH","status":"paid","amount":"7.75","n":5,"weight":-1e300,"at":"2026-03-02T00:00:00Z","Tags":["c"]}"#,
    r#"{"store":"BLR","status":"paid","amount":null,"n":9223372036854775807,"weight":1e300,"at":"2026-03-01T10:00:00Z"}"#,
    r#"{"store":null,"status":"paid","amount":"1","n":-3,"at":"2026-03-01T10:30:00Z","customer":{"id":7,"name":"Zoë"}}"#,
    r#"{"status":"paid","amount":"-1","n":4,"at":"2026-03-01T12:30:00Z","customer":{"id":"8"}}"#,
    r#"{"store":"ZRH","status":"open","amount":"99999999999999999999.99","n":7,"at":"2026-04-01T00:00:00Z"}"#,
    r#"{"store":"17","status":"paid","amount":"2.00","n":-9223372036854775808,"at":"2026-03-01T10:30:00Z"}"#,
    r#"{"store":"ZRH","status":"paid","amount":"many","n":1,"at":"2026-03-01T10:30:00Z"}"#,
    r#"["no","object"]"#,
    r#"{"store":"#,
];

/// The columns of the sales.
pub fn schema() -> Schema {
    let column = |name: &str, format| Column {
        name: name.into(),
        format,
        path: vec![name.into()],
    };
    let columns = vec![
        column("store", Format::Text),
        column("status", Format::Text),
        column("amount", Format::Decimal { scale: 2 }),
        column("n", Format::Integer),
        column("weight", Format::Float),
        column("at", Format::TimeText),
    ];
    Schema::new(columns).expect("the columns are different")
}

/// The sales as records: every other one is in shard 1.
pub fn sales() -> Vec<(ShardId, Record)> {
    let sales = SALES.iter().enumerate().map(|(index, payload)| {
        let shard = ShardId(index as u32 % 2);
        let position = index as u64 / 2;
        let record = Record {
            position,
            sequence_number: SequenceNumber::of_record(shard, 1_000, position, 2_000),
            arrival: Timestamp::from_millis(1_772_000_000_000 + index as u64),
            partition_key: format!("key-{index}"),
            data: payload.as_bytes().into(),
        };
        (shard, record)
    });
    let mut sales: Vec<_> = sales.collect();
    sales.sort_by_key(|(shard, record)| (*shard, record.position));
    sales
}

/// Records as rows.
pub fn batch(sales: &[(ShardId, Record)]) -> RecordBatch {
    let records: Vec<_> = sales
        .iter()
        .map(|(shard, record)| (*shard, record))
        .collect();
    rows::batch(&schema(), &records).expect("they are rows")
}

/// What is done with each sale by the view `v` of this SELECT.
pub fn compiled(select: &str) -> Result<(Definition, Program), Refusal> {
    let definition = split(&format!("CREATE VIEW v AS {select}"))?;
    let program = compile(&definition, &schema(), &tables(&definition))?;
    Ok((definition, program))
}

/// The stores; in `twins` one code stands twice.
const TABLES: [(&str, &str); 2] = [
    (
        "stores",
        r#"{"code":"BLR","region":"south","size":30,"open":true,"since":"2020-01-01T00:00:00Z"}
           {"code":"ZRH","region":"north","size":12,"open":true,"since":null}
           {"code":"GVA","region":"west","size":5,"open":false,"since":null}
           {"code":null,"region":"nowhere","size":0,"open":false,"since":null}"#,
    ),
    (
        "twins",
        r#"{"code":"BLR","n":1}
                 {"code":"BLR","n":2}"#,
    ),
];

/// The tables that `definition` joins, up to the first that there is not.
fn tables(definition: &Definition) -> Vec<Arc<StaticTable>> {
    let found = definition.joins.iter().map_while(|join| {
        let (name, rows) = TABLES.iter().find(|(name, _)| *name == join.table)?;
        let table = StaticTable::of(name, 1, rows.as_bytes());
        Some(Arc::new(table.expect("it is a table")))
    });
    found.collect()
}

/// A view over all sales.
pub struct Held {
    definition: Definition,
    program: Program,
    groups: RecordBatch,
    /// The filters of each reading.
    pub asked: Mutex<Vec<Vec<KeyFilter>>>,
}

impl Held {
    /// The view of this statement.
    pub fn view(text: &str) -> Arc<Held> {
        let definition = split(text).expect("it can be split");
        let program = compile(&definition, &schema(), &[]).expect("it can be compiled");
        Arc::new(Held::of(definition, program))
    }

    /// The view of `definition`.
    pub fn of(definition: Definition, program: Program) -> Held {
        let mapped = program.map(&batch(&sales())).expect("the engine works");
        let mut groups = Groups::new();
        add(&mut groups, &program, &mapped);
        Held {
            groups: finals(&groups, &program),
            definition,
            program,
            asked: Mutex::default(),
        }
    }
}

impl ViewReader for Held {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn keys(&self) -> &[Type] {
        self.program.keys()
    }

    fn aggregates(&self) -> &[Aggregate] {
        self.program.aggregates()
    }

    fn read<'a>(
        &'a self,
        filters: &'a [KeyFilter],
        options: &'a QueryOptions,
    ) -> BoxFuture<'a, Result<Reading, ReadError>> {
        self.asked
            .lock()
            .expect("no test panics here")
            .push(filters.to_vec());
        let view = self.definition.name.clone();
        let late = options.min_positions.iter().find(|min| min.position >= 6);
        let reading = match late {
            Some(late) => Err(ReadError::Demand {
                view,
                why: format!("position {} is not there yet", late.position),
            }),
            None => Ok(Reading {
                rows: vec![self.groups.clone()],
                as_of: AsOf {
                    view,
                    positions: [(ShardId(0), 6), (ShardId(1), 6)].into(),
                    epoch: 3,
                    lag: Duration::from_millis(42),
                    class: self.definition.class,
                },
            }),
        };
        async move { reading }.boxed()
    }
}

/// Some views; the only statement that they carry out is the one that drops a view.
#[derive(Default)]
pub struct Shelf {
    /// The views.
    pub views: Mutex<Vec<Arc<Held>>>,
}

impl ViewSource for Shelf {
    fn views(&self) -> Vec<Arc<dyn ViewReader>> {
        let views = self.views.lock().expect("no test panics here");
        let views = views
            .iter()
            .map(|view| Arc::clone(view) as Arc<dyn ViewReader>);
        views.collect()
    }

    fn carry_out<'a>(&'a self, statement: &'a str) -> BoxFuture<'a, Result<Done, Denied>> {
        let mut views = self.views.lock().expect("no test panics here");
        let done = if let Some(name) = statement.strip_prefix("DROP VIEW ") {
            views.retain(|view| view.definition.name != name.trim());
            Ok(Done {
                tag: "DROP VIEW".into(),
                notices: vec!["its files are removed when nobody reads them".into()],
            })
        } else if statement.starts_with("CREATE VIEW") {
            let made = split(statement).and_then(|definition| {
                let program = compile(&definition, &schema(), &[])?;
                Ok(Held::of(definition, program))
            });
            made.map(|view| {
                views.push(Arc::new(view));
                views.sort_by(|one, other| one.definition.name.cmp(&other.definition.name));
                Done {
                    tag: "CREATE VIEW".into(),
                    notices: vec!["class: exact".into()],
                }
            })
            .map_err(|refusal| Denied {
                why: refusal.to_string(),
                hint: "CREATE VIEW name AS SELECT … FROM STREAM stream GROUP BY …".into(),
            })
        } else {
            Err(Denied {
                why: format!("this is not done here: {statement}"),
                hint: String::new(),
            })
        };
        async move { done }.boxed()
    }
}

/// Three views over the sales.
pub fn shelf() -> Arc<Shelf> {
    let views = [
        "CREATE VIEW by_hour AS SELECT store, date_bin(INTERVAL '1 hour', at) AS hour, count(*) AS n, sum(amount) AS total, avg(weight) AS mean FROM STREAM sales GROUP BY store, hour",
        "CREATE VIEW everything AS SELECT count(*) AS n, max(n) AS most, sum(amount) / count(*) AS mean FROM STREAM sales",
        "CREATE VIEW top AS SELECT status, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS place FROM STREAM sales GROUP BY status HAVING count(*) > 1 ORDER BY n DESC LIMIT 2",
    ];
    Arc::new(Shelf {
        views: Mutex::new(views.into_iter().map(Held::view).collect()),
    })
}
