//! The forms in which mappings are stored. A change here is a change of what older data says: raise
//! the version of the machine, and read both.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_ledger::{Closed, Outcome};
use tidemill_log::StateMachine;
use tidemill_mapping::catalog::{Catalog, Change, Command, Mapping, StartingPosition};
use tidemill_mapping::checkpoint::{Blocked, Checkpoint, GivingUp};
use tidemill_mapping::checkpoints::{self, Checkpoints};
use tidemill_mapping::parameters::{Changes, Parameters};
use tidemill_model::given_up::{Condition, GivenUp, LastAnswer};
use tidemill_model::{FunctionArn, Region, SequenceNumber, ShardId, StreamArn, Timestamp};

fn stream() -> StreamArn {
    "arn:aws:kinesis:r:000000000000:stream/s"
        .parse()
        .expect("an ARN")
}

fn function() -> FunctionArn {
    "arn:aws:lambda:r:000000000000:function:f:live"
        .parse()
        .expect("an ARN")
}

fn mapping() -> Mapping {
    Mapping {
        uuid: "u".to_owned(),
        account: "000000000000".parse().expect("an account"),
        region: Region::new("r"),
        stream: stream(),
        function: function(),
        role: "role".to_owned(),
        starting_position: StartingPosition::AtTimestamp(Timestamp::from_millis(5)),
        enabled: true,
        parameters: Parameters::default(),
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        change: Change::Creating,
        last_modified: Timestamp::from_millis(6),
        settled_at: Timestamp::from_millis(7),
    }
}

fn checkpoint() -> Checkpoint {
    let number = |position| SequenceNumber::of_record(ShardId(1), 1, position, 2);
    let message = GivenUp {
        message_id: "m".to_owned(),
        request_id: "r".to_owned(),
        function: function(),
        condition: Condition::RecordAgeExceeded,
        approximate_invoke_count: 3,
        last_answer: Some(LastAnswer {
            status_code: 200,
            executed_version: "$LATEST".to_owned(),
            function_error: Some("Unhandled".to_owned()),
        }),
        at: Timestamp::from_millis(8),
        stream: stream(),
        shard: ShardId(1),
        first: number(2),
        last: number(2),
        first_arrival: Timestamp::from_millis(9),
        last_arrival: Timestamp::from_millis(9),
        batch_size: 1,
    };
    let blocked = Blocked {
        since: Timestamp::from_millis(10),
        first: number(2),
        records: 1,
        attempts: 4,
        last_error: "boom".to_owned(),
    };
    Checkpoint {
        closed: vec![Closed {
            from: 0,
            to: 2,
            outcome: Outcome::DeadLettered,
        }],
        delivered_to: 3,
        duplicates: 1,
        blocked: Some(blocked),
        giving_up: Some(GivingUp {
            from: 2,
            to: 3,
            message,
        }),
    }
}

fn assert_forms(forms: &[(String, &str)]) {
    let stored: Vec<&str> = forms.iter().map(|(stored, _)| stored.as_str()).collect();
    let frozen: Vec<&str> = forms.iter().map(|(_, frozen)| frozen.trim_end()).collect();
    assert_eq!(stored, frozen, "{stored:#?}");
}

fn json(command: &impl serde::Serialize) -> String {
    serde_json::to_string(command).expect("JSON")
}

fn text(snapshot: &[u8]) -> String {
    String::from_utf8(snapshot.to_vec()).expect("JSON")
}

#[test]
fn the_forms_of_the_catalog_are_frozen() {
    let delay = Duration::from_millis(1500);
    let uuid = || "u".to_owned();
    let changes = Changes {
        function: Some((function(), "role".to_owned())),
        enabled: Some(false),
        batch_size: Some(1),
        batching_window_secs: Some(2),
        record_age_secs_max: Some(60),
        retries_max: Some(-1),
        bisect: Some(true),
        report_item_failures: Some(true),
        destination: Some(String::new()),
    };
    let create = || Command::Create {
        mapping: Box::new(mapping()),
        delay,
    };
    let mut catalog = Catalog::default();
    let created = catalog.apply(Timestamp::from_millis(6), 0, create());
    assert!(created.is_ok());
    assert_forms(&[
        (json(&create()), CREATE),
        (
            json(&Command::Update {
                uuid: uuid(),
                changes: Box::new(changes),
                delay,
            }),
            UPDATE,
        ),
        (
            json(&Command::Delete {
                uuid: uuid(),
                delay,
            }),
            DELETE,
        ),
        (json(&Command::Remove { uuid: uuid() }), REMOVE),
        (text(&catalog.snapshot()), CATALOG),
    ]);
}

#[test]
fn the_forms_of_the_checkpoints_are_frozen() {
    let uuid = || "u".to_owned();
    let begin = || checkpoints::Command::Begin {
        uuid: uuid(),
        incarnation: 9,
        shards: vec![(ShardId(1), 0)],
    };
    let save = || checkpoints::Command::Save {
        uuid: uuid(),
        incarnation: 9,
        shard: ShardId(1),
        checkpoint: Box::new(checkpoint()),
    };
    let mut machine = Checkpoints::default();
    for command in [begin(), save()] {
        assert_eq!(machine.apply(Timestamp::EPOCH, 0, command), Ok(()));
    }
    assert_forms(&[
        (json(&begin()), BEGIN),
        (json(&save()), SAVE),
        (json(&checkpoints::Command::Forget { uuid: uuid() }), FORGET),
        (text(&machine.snapshot()), CHECKPOINTS),
    ]);
}

const CREATE: &str = include_str!("forms/create.json");
const UPDATE: &str = include_str!("forms/update.json");
const DELETE: &str = include_str!("forms/delete.json");
const REMOVE: &str = include_str!("forms/remove.json");
const CATALOG: &str = include_str!("forms/catalog.json");
const BEGIN: &str = include_str!("forms/begin.json");
const SAVE: &str = include_str!("forms/save.json");
const FORGET: &str = include_str!("forms/forget.json");
const CHECKPOINTS: &str = include_str!("forms/checkpoints.json");
