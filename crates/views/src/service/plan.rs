//! What a view computes, named: [`plan`].
//!
//! What must hold: two launches have the same plan only if what they compute of the same records is the
//! same. So everything that decides it goes in: the statement, the columns, the records that are left
//! out, the version of the states. It may differ without need; then something is computed anew.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::catalog::View;
use crate::encoding::hex;
use crate::positions::{Span, written};
use crate::schema::Schema;
use crate::state;
use crate::static_table::TableVersion;

/// What goes into a plan, in this order.
#[derive(Serialize)]
struct Parts<'a> {
    form: u32,
    states: u8,
    stream: String,
    incarnation: u64,
    statement: &'a str,
    schema: &'a Schema,
    excluded: String,
    /// Views without tables have the plan that they had before there were any.
    #[serde(skip_serializing_if = "<[TableVersion]>::is_empty")]
    tables: &'a [TableVersion],
}

/// The plan of `view` when the records in `excluded` are left out: 64 hexadecimal digits.
pub fn plan(view: &View, excluded: &[Span]) -> String {
    let parts = Parts {
        form: 1,
        states: state::VERSION,
        stream: view.stream.to_string(),
        incarnation: view.incarnation,
        statement: &view.statement,
        schema: &view.schema,
        excluded: written(excluded),
        tables: &view.tables,
    };
    let parts = serde_json::to_vec(&parts).expect("a plan can be written as JSON");
    hex(&Sha256::digest(parts))
}

#[cfg(test)]
mod tests {
    use tidemill_model::{ShardId, Timestamp};

    use super::*;

    #[test]
    fn a_plan_changes_with_whatever_decides_what_is_computed() {
        let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        let view = View {
            id: 1,
            name: "v".to_owned(),
            version: 1,
            stream: stream.parse().expect("an ARN"),
            incarnation: 1,
            statement: "CREATE VIEW v AS SELECT count(*) AS n FROM STREAM orders".to_owned(),
            schema: Schema::default(),
            tables: Vec::new(),
            created_at: Timestamp::from_millis(5),
        };
        let (shard, from, to) = (ShardId(0), 1, 2);
        let one = plan(&view, &[]);
        assert_eq!(one.len(), 64);
        let same = View {
            id: 2,
            created_at: Timestamp::from_millis(6),
            ..view.clone()
        };
        assert_eq!(plan(&same, &[]), one);
        assert_ne!(plan(&view, &[Span { shard, from, to }]), one);
        let other = View {
            incarnation: 2,
            ..view.clone()
        };
        assert_ne!(plan(&other, &[]), one);
        let table = TableVersion {
            name: "stores".to_owned(),
            number: 1,
            schema: Schema::default(),
            rows: 1,
            digest: "0".repeat(64),
        };
        let other = View {
            tables: vec![table],
            ..view.clone()
        };
        assert_ne!(plan(&other, &[]), one);
        let other = View {
            statement: view.statement.replace("count(*)", "count(1)"),
            ..view
        };
        assert_ne!(plan(&other, &[]), one);
    }
}
