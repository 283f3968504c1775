//! [`Report`]: the ledger as it is published at `/_tidemill/ledger`.
//!
//! What must hold: the names and the order of the fields are fixed for other tools; a field may be
//! added, none renamed. Totals are the sums of the shards.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;

/// The ledger of all mappings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each mapping, in the order of the ids.
    pub mappings: Vec<MappingReport>,
}

/// The ledger of one mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingReport {
    /// The mapping's id.
    pub uuid: String,
    /// The stream's name.
    pub stream: String,
    /// The function's name, with `:` and the qualifier when the mapping names one.
    pub function: String,
    /// The stream's ARN.
    pub stream_arn: String,
    /// The function's ARN.
    pub function_arn: String,
    /// The sums over the shards.
    pub totals: Counts,
    /// Each shard, in the order of the ids.
    pub shards: Vec<ShardReport>,
}

/// The ledger of one mapping on one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardReport {
    /// The shard's id, `shardId-` and 12 digits.
    pub shard_id: String,
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// What the shard stands still behind, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

/// A batch that has failed at least once and is not closed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// When it failed first, RFC 3339.
    pub since: String,
    /// The number of its first record.
    pub first_sequence_number: String,
    /// How many records it holds.
    pub records: u64,
    /// How often it has failed.
    pub attempts: u64,
    /// What the last failure said.
    pub last_error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_form_is_fixed() {
        let counts = Counts {
            acked: 3,
            processed: 2,
            pending: 1,
            ..Counts::default()
        };
        let blocked = Blocked {
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            first_sequence_number: "495".to_owned(),
            records: 1,
            attempts: 7,
            last_error: "boom".to_owned(),
        };
        let shard = ShardReport {
            shard_id: "shardId-000000000000".to_owned(),
            counts,
            blocked: None,
        };
        let standing = ShardReport {
            blocked: Some(blocked),
            ..shard.clone()
        };
        let report = Report {
            mappings: vec![MappingReport {
                uuid: "u".to_owned(),
                stream: "s".to_owned(),
                function: "f".to_owned(),
                stream_arn: "sa".to_owned(),
                function_arn: "fa".to_owned(),
                totals: [counts, counts].into_iter().sum(),
                shards: vec![shard, standing],
            }],
        };
        let zeros = r#""filtered":0,"dead_lettered":0,"discarded":0,"expired":0"#;
        let expected = format!(
            concat!(
                r#"{{"mappings":[{{"uuid":"u","stream":"s","function":"f","#,
                r#""stream_arn":"sa","function_arn":"fa","#,
                r#""totals":{{"acked":6,"processed":4,{zeros},"pending":2,"duplicates":0}},"#,
                r#""shards":[{{"shard_id":"shardId-000000000000","#,
                r#""acked":3,"processed":2,{zeros},"pending":1,"duplicates":0}},"#,
                r#"{{"shard_id":"shardId-000000000000","#,
                r#""acked":3,"processed":2,{zeros},"pending":1,"duplicates":0,"#,
                r#""blocked":{{"since":"2026-01-01T00:00:00.000Z","first_sequence_number":"495","#,
                r#""records":1,"attempts":7,"last_error":"boom"}}}}]}}]}}"#,
            ),
            zeros = zeros
        );
        let text = serde_json::to_string(&report).expect("a report has string keys only");
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<Report>(&text).expect("its own form"),
            report
        );
    }
}
