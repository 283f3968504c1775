//! The forms that commands and snapshots are kept in, and what must hold after any commands.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use tidemill_model::{AccountId, ConsumerArn, HashKey, Region};

use crate::monitoring::ShardLevelMetric;

use super::*;
use crate::command::{ConsumerChange, ConsumerQuotas, NewShardCount, ResourceChange, Setting};
use crate::distribution::Distribution;
use crate::resource::Resource;

const SECOND: u64 = 1_767_225_600;

fn arn(name: &str) -> StreamArn {
    let account: AccountId = "000000000000".parse().expect("an account");
    StreamArn {
        region: Region::new("us-east-1"),
        account,
        name: name.into(),
    }
}

fn create(name: &str, shard_count: u32) -> Command {
    let new = NewStream {
        arn: arn(name),
        mode: Mode::Provisioned,
        shard_count,
        record_kib_max: 1024,
        distribution: Distribution::UserPartitionKey,
        tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        warm_mibps: None,
    };
    Command::CreateStream {
        new,
        quotas: Quotas::default(),
        delay: Duration::ZERO,
    }
}

fn split(name: &str, shard: u32, key: &str) -> Command {
    let change = Change::Split {
        shard: ShardId(shard),
        new_starting_hash_key: key.to_owned(),
    };
    let (stream, quotas) = (arn(name), Quotas::default());
    Command::BeginReshard {
        stream,
        change,
        quotas,
        delay: Duration::ZERO,
    }
}

fn merge(name: &str, lower: u32, upper: u32) -> Command {
    let change = Change::Merge {
        lower: ShardId(lower),
        upper: ShardId(upper),
    };
    let (stream, quotas) = (arn(name), Quotas::default());
    Command::BeginReshard {
        stream,
        change,
        quotas,
        delay: Duration::ZERO,
    }
}

/// The command that finishes what has begun with stream `name`, if anything has.
fn finish(catalog: &Catalog, name: &str, end: u64) -> Option<Command> {
    let stream = catalog.streams.get(&arn(name))?;
    let parents = stream.parents().map(|shard| SealedParent {
        shard,
        end,
        last_arrival: None,
    });
    let (parents, incarnation): (Vec<_>, _) = (parents.collect(), stream.incarnation);
    if parents.is_empty() {
        return None;
    }
    Some(Command::FinishReshard {
        stream: arn(name),
        incarnation,
        parents,
    })
}

fn apply(catalog: &mut Catalog, second: u64, command: Command) -> Result<(), Refused> {
    catalog
        .apply(Timestamp::from_secs(second), 0, command)
        .map(drop)
}

fn delete(name: &str) -> Command {
    Command::DeleteStream {
        stream: arn(name),
        enforce_consumer_deletion: false,
        delay: Duration::ZERO,
    }
}

const STREAM: &str = r#"{"region":"us-east-1","account":"000000000000","name":"s"}"#;
const ZERO: &str = r#"{"secs":0,"nanos":0}"#;

fn assert_golden(cases: impl IntoIterator<Item = (Command, String)>) {
    for (command, golden) in cases {
        assert_eq!(serde_json::to_string(&command).expect("JSON"), golden);
        assert_eq!(
            serde_json::from_str::<Command>(&golden).expect("reads back"),
            command
        );
    }
}

#[test]
fn the_form_of_the_commands_on_shards_is_golden() {
    let quotas = r#"{"shards":null,"on_demand_streams":null,"creating_streams":null}"#;
    let parent = SealedParent {
        shard: ShardId(1),
        end: 5,
        last_arrival: Some(Timestamp::from_millis(9)),
    };
    let cases = [
        (
            create("s", 2),
            format!(
                r#"{{"CreateStream":{{"new":{{"arn":{STREAM},"mode":"Provisioned","shard_count":2,"record_kib_max":1024,"tags":{{"k":"v"}}}},"quotas":{quotas},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            split("s", 0, "77"),
            format!(
                r#"{{"BeginReshard":{{"stream":{STREAM},"change":{{"Split":{{"shard":0,"new_starting_hash_key":"77"}}}},"quotas":{quotas},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            merge("s", 0, 1),
            format!(
                r#"{{"BeginReshard":{{"stream":{STREAM},"change":{{"Merge":{{"lower":0,"upper":1}}}},"quotas":{quotas},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            Command::FinishReshard {
                stream: arn("s"),
                incarnation: 3,
                parents: vec![parent],
            },
            format!(
                r#"{{"FinishReshard":{{"stream":{STREAM},"incarnation":3,"parents":[{{"shard":1,"end":5,"last_arrival":9}}]}}}}"#
            ),
        ),
    ];
    assert_golden(cases);
}

#[test]
fn the_form_of_the_other_commands_is_golden() {
    let key = vec!["7"; 32].join(",");
    let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let cases = [
        (
            Command::AdoptTokenKey {
                key: TokenKey::new([7; 32]),
            },
            format!(r#"{{"AdoptTokenKey":{{"key":[{key}]}}}}"#),
        ),
        (
            delete("s"),
            format!(
                r#"{{"DeleteStream":{{"stream":{STREAM},"enforce_consumer_deletion":false,"delay":{ZERO}}}}}"#
            ),
        ),
        (
            Command::SetRetention {
                stream: arn("s"),
                hours: 48,
                direction: Direction::Increase,
                delay: Duration::ZERO,
            },
            format!(
                r#"{{"SetRetention":{{"stream":{STREAM},"hours":48,"direction":"Increase","delay":{ZERO}}}}}"#
            ),
        ),
        (
            Command::AddTags {
                stream: arn("s"),
                tags,
            },
            format!(r#"{{"AddTags":{{"stream":{STREAM},"tags":{{"a":"b"}}}}}}"#),
        ),
        (
            Command::RemoveTags {
                stream: arn("s"),
                keys: vec!["a".to_owned()],
            },
            format!(r#"{{"RemoveTags":{{"stream":{STREAM},"keys":["a"]}}}}"#),
        ),
        (Command::Sweep, r#""Sweep""#.to_owned()),
    ];
    assert_golden(cases);
}

fn scale(name: &str, target: u32) -> Command {
    Command::UpdateShardCount {
        stream: arn(name),
        count: NewShardCount {
            target,
            shards_max: None,
            updates_max: Some(10),
        },
        quotas: Quotas::default(),
        delay: Duration::ZERO,
    }
}

#[test]
fn the_form_of_settings_and_commitments_is_golden() {
    let cases = [
        (
            set(Setting::RecordKibMax(2048)),
            format!(
                r#"{{"Set":{{"stream":{STREAM},"setting":{{"RecordKibMax":2048}},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            set(Setting::StartEncryption {
                key_id: "alias/a".to_owned(),
                calls_max: Some(25),
            }),
            format!(
                r#"{{"Set":{{"stream":{STREAM},"setting":{{"StartEncryption":{{"key_id":"alias/a","calls_max":25}}}},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            set(Setting::StopEncryption { calls_max: None }),
            format!(
                r#"{{"Set":{{"stream":{STREAM},"setting":{{"StopEncryption":{{"calls_max":null}}}},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            set(Setting::Distribution(Distribution::Auto)),
            format!(
                r#"{{"Set":{{"stream":{STREAM},"setting":{{"Distribution":"Auto"}},"delay":{ZERO}}}}}"#
            ),
        ),
        (
            commit(true),
            format!(r#"{{"Commit":{{"stream":{STREAM},"committed":true}}}}"#),
        ),
    ];
    assert_golden(cases);
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, commit(true)).expect("committed");
    let golden = concat!(
        r#"{"token_key":null,"next_partition":0,"next_incarnation":0,"last_at":1767225600000,"#,
        r#""streams":[],"commitments":[[["000000000000","us-east-1"],"#,
        r#"{"started_at":1767225600000,"ends_at":null}]]}"#,
    );
    assert_eq!(String::from_utf8_lossy(&catalog.snapshot()), golden);
    assert_eq!(Catalog::restore(golden.as_bytes()), Ok(catalog));
}

fn set(setting: Setting) -> Command {
    let (stream, delay) = (arn("s"), Duration::ZERO);
    Command::Set {
        stream,
        setting,
        delay,
    }
}

fn commit(committed: bool) -> Command {
    let stream = arn("s");
    Command::Commit { stream, committed }
}

#[test]
fn the_form_of_changes_to_resources_is_golden() {
    let stream = || Resource::Stream(arn("s"));
    let consumer = Resource::Consumer(ConsumerArn {
        stream: arn("s"),
        name: "c".to_owned(),
        created_secs: SECOND,
    });
    let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let cases = [
        (
            consumer,
            ResourceChange::AddTags { tags },
            format!(
                r#"{{"Consumer":{{"stream":{STREAM},"name":"c","created_secs":1767225600}}}},"change":{{"AddTags":{{"tags":{{"a":"b"}}}}}}"#
            ),
        ),
        (
            stream(),
            ResourceChange::RemoveTags {
                keys: vec!["a".to_owned()],
            },
            format!(r#"{{"Stream":{STREAM}}},"change":{{"RemoveTags":{{"keys":["a"]}}}}"#),
        ),
        (
            stream(),
            ResourceChange::PutPolicy {
                policy: "{}".to_owned(),
            },
            format!(r#"{{"Stream":{STREAM}}},"change":{{"PutPolicy":{{"policy":"{{}}"}}}}"#),
        ),
        (
            stream(),
            ResourceChange::DeletePolicy,
            format!(r#"{{"Stream":{STREAM}}},"change":"DeletePolicy""#),
        ),
    ];
    assert_golden(cases.map(|(resource, change, golden)| {
        let golden = format!(r#"{{"Resource":{{"resource":{golden}}}}}"#);
        (Command::Resource { resource, change }, golden)
    }));
}

#[test]
fn the_form_of_a_new_shard_count_is_golden() {
    let quotas = r#"{"shards":null,"on_demand_streams":null,"creating_streams":null}"#;
    assert_golden([(
        scale("s", 2),
        format!(
            r#"{{"UpdateShardCount":{{"stream":{STREAM},"count":{{"target":2,"shards_max":null,"updates_max":10}},"quotas":{quotas},"delay":{ZERO}}}}}"#
        ),
    )]);
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, create("s", 1)).expect("created");
    apply(&mut catalog, SECOND, scale("s", 2)).expect("begun");
    let scaling = concat!(
        r#""scaling":{"target":2,"round":[{"parents":[0],"children":["#,
        r#"{"start":"0","end":"170141183460469231731687303715884105727"},"#,
        r#"{"start":"170141183460469231731687303715884105728","#,
        r#""end":"340282366920938463463374607431768211455"}]}]},"#,
        r#""shard_count_updates":[1767225600000],"#,
    );
    let snapshot = catalog.snapshot();
    assert!(String::from_utf8_lossy(&snapshot).contains(scaling));
    assert_eq!(Catalog::restore(&snapshot), Ok(catalog));
}

fn consumer(change: ConsumerChange) -> Command {
    Command::Consumer {
        stream: arn("s"),
        name: "c".to_owned(),
        change,
    }
}

fn register(seconds: u64) -> Command {
    consumer(ConsumerChange::Register {
        tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        quotas: ConsumerQuotas::default(),
        delay: Duration::from_secs(seconds),
    })
}

#[test]
fn the_form_of_the_commands_on_consumers_is_golden() {
    let cases = [
        (
            register(0),
            format!(
                r#"{{"Consumer":{{"stream":{STREAM},"name":"c","change":{{"Register":{{"tags":{{"a":"b"}},"quotas":{{"registered":null,"creating":null}},"delay":{ZERO}}}}}}}}}"#
            ),
        ),
        (
            consumer(ConsumerChange::Deregister {
                created_secs: Some(SECOND),
                delay: Duration::ZERO,
            }),
            format!(
                r#"{{"Consumer":{{"stream":{STREAM},"name":"c","change":{{"Deregister":{{"created_secs":1767225600,"delay":{ZERO}}}}}}}}}"#
            ),
        ),
    ];
    assert_golden(cases);
}

#[test]
fn a_command_of_the_first_version_is_read() {
    let old = format!(r#"{{"DeleteStream":{{"stream":{STREAM},"delay":{ZERO}}}}}"#);
    assert_eq!(
        serde_json::from_str::<Command>(&old).expect("reads"),
        delete("s")
    );
}

#[test]
fn the_form_of_the_commands_on_capacity_is_golden() {
    let quotas = r#"{"shards":null,"on_demand_streams":null,"creating_streams":null}"#;
    let cases = [
        (
            Command::SwitchMode {
                stream: arn("s"),
                mode: Mode::OnDemand,
                quotas: Quotas::default(),
                switches_max: Some(2),
                warm_mibps: None,
                delay: Duration::ZERO,
            },
            format!(
                r#"{{"SwitchMode":{{"stream":{STREAM},"mode":"OnDemand","quotas":{quotas},"switches_max":2,"delay":{ZERO}}}}}"#
            ),
        ),
        (
            Command::RecordDemand {
                stream: arn("s"),
                incarnation: 3,
                shards: 8,
            },
            format!(r#"{{"RecordDemand":{{"stream":{STREAM},"incarnation":3,"shards":8}}}}"#),
        ),
        (
            Command::Scale {
                stream: arn("s"),
                incarnation: 3,
                change: Change::Merge {
                    lower: ShardId(0),
                    upper: ShardId(1),
                },
            },
            format!(
                r#"{{"Scale":{{"stream":{STREAM},"incarnation":3,"change":{{"Merge":{{"lower":0,"upper":1}}}}}}}}"#
            ),
        ),
        (
            Command::SetWarmThroughput {
                stream: arn("s"),
                mibps: 9,
                needed: 4,
                delay: Duration::ZERO,
            },
            format!(
                r#"{{"SetWarmThroughput":{{"stream":{STREAM},"mibps":9,"needed":4,"delay":{ZERO}}}}}"#
            ),
        ),
        (
            Command::SetMonitoring {
                stream: arn("s"),
                monitoring: Monitoring::Enable,
                metrics: Monitored::from([ShardLevelMetric::OutgoingBytes]),
                delay: Duration::ZERO,
            },
            format!(
                r#"{{"SetMonitoring":{{"stream":{STREAM},"monitoring":"Enable","metrics":["OutgoingBytes"],"delay":{ZERO}}}}}"#
            ),
        ),
    ];
    assert_golden(cases);
}

#[test]
fn what_a_capacity_mode_remembers_is_kept_in_a_golden_form() {
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, create("s", 5)).expect("created");
    let switch = Command::SwitchMode {
        stream: arn("s"),
        mode: Mode::OnDemand,
        quotas: Quotas::default(),
        switches_max: None,
        warm_mibps: None,
        delay: Duration::ZERO,
    };
    apply(&mut catalog, SECOND, switch).expect("switched");
    let monitor = Command::SetMonitoring {
        stream: arn("s"),
        monitoring: Monitoring::Enable,
        metrics: Monitored::from([ShardLevelMetric::IncomingBytes]),
        delay: Duration::ZERO,
    };
    apply(&mut catalog, SECOND, monitor).expect("on");
    let kept = catalog.snapshot();
    let golden = r#""capacity":{"switches":[1767225600000],"demand":{"20454":5}},"monitored":["IncomingBytes"],"#;
    assert!(String::from_utf8_lossy(&kept).contains(golden));
    assert_eq!(Catalog::restore(&kept), Ok(catalog));
}

#[test]
fn the_form_of_the_snapshot_is_golden() {
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, create("s", 1)).expect("created");
    apply(&mut catalog, SECOND + 4, register(9)).expect("registered");
    apply(&mut catalog, SECOND + 5, split("s", 0, "77")).expect("begun");
    let finish = finish(&catalog, "s", 4).expect("begun");
    apply(&mut catalog, SECOND + 5, finish).expect("finished");
    let golden = concat!(
        r#"{"token_key":null,"next_partition":3,"next_incarnation":2,"last_at":1767225605000,"#,
        r#""streams":[{"arn":{"region":"us-east-1","account":"000000000000","name":"s"},"#,
        r#""incarnation":0,"created_at":1767225600000,"mode":"Provisioned","#,
        r#""phase":{"Updating":1767225605000},"reshard":null,"retention_hours":24,"floor":0,"#,
        r#""record_kib_max":1024,"tags":{"k":"v"},"consumers":{"c":{"incarnation":1,"created_at":1767225604000,"#,
        r#""stage":{"Creating":1767225613000},"tags":{"a":"b"}}},"next_shard":3,"shards":{"#,
        r#""0":{"range":{"start":"0","end":"340282366920938463463374607431768211455"},"#,
        r#""parents":[],"created_secs":1767225600,"created_at":1767225600000,"partition":0,"#,
        r#""closed":{"end":4,"at":1767225605000,"children":[1,2]}},"#,
        r#""1":{"range":{"start":"0","end":"76"},"parents":[0],"created_secs":1767225606,"#,
        r#""created_at":1767225605000,"partition":1,"closed":null},"#,
        r#""2":{"range":{"start":"77","end":"340282366920938463463374607431768211455"},"#,
        r#""parents":[0],"created_secs":1767225606,"created_at":1767225605000,"partition":2,"#,
        r#""closed":null}}}]}"#,
    );
    assert_eq!(String::from_utf8_lossy(&catalog.snapshot()), golden);
    assert_eq!(Catalog::restore(golden.as_bytes()), Ok(catalog));
}

#[test]
fn a_snapshot_of_the_first_version_is_read() {
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, create("s", 1)).expect("created");
    apply(&mut catalog, SECOND + 5, split("s", 0, "77")).expect("begun");
    let finish = finish(&catalog, "s", 4).expect("begun");
    apply(&mut catalog, SECOND + 5, finish).expect("finished");
    let golden = concat!(
        r#"{"token_key":null,"next_partition":3,"next_incarnation":1,"last_at":1767225605000,"#,
        r#""streams":[{"arn":{"region":"us-east-1","account":"000000000000","name":"s"},"#,
        r#""incarnation":0,"created_at":1767225600000,"mode":"Provisioned","#,
        r#""phase":{"Updating":1767225605000},"reshard":null,"retention_hours":24,"floor":0,"#,
        r#""record_kib_max":1024,"tags":{"k":"v"},"next_shard":3,"shards":{"#,
        r#""0":{"range":{"start":"0","end":"340282366920938463463374607431768211455"},"#,
        r#""parents":[],"created_secs":1767225600,"created_at":1767225600000,"partition":0,"#,
        r#""closed":{"end":4,"at":1767225605000,"children":[1,2]}},"#,
        r#""1":{"range":{"start":"0","end":"76"},"parents":[0],"created_secs":1767225606,"#,
        r#""created_at":1767225605000,"partition":1,"closed":null},"#,
        r#""2":{"range":{"start":"77","end":"340282366920938463463374607431768211455"},"#,
        r#""parents":[0],"created_secs":1767225606,"created_at":1767225605000,"partition":2,"#,
        r#""closed":null}}}]}"#,
    );
    assert_eq!(Catalog::restore(golden.as_bytes()), Ok(catalog));
}

#[test]
fn the_first_key_of_tokens_stays() {
    let mut catalog = Catalog::default();
    for byte in [1, 2] {
        let key = TokenKey::new([byte; 32]);
        apply(&mut catalog, SECOND, Command::AdoptTokenKey { key }).expect("adopted");
    }
    assert_eq!(catalog.token_key(), Some(TokenKey::new([1; 32])));
}

#[test]
fn a_reshard_is_finished_once_and_only_in_its_own_stream() {
    let mut catalog = Catalog::default();
    apply(&mut catalog, SECOND, create("s", 1)).expect("created");
    apply(&mut catalog, SECOND, split("s", 0, "77")).expect("begun");
    let first = finish(&catalog, "s", 4).expect("begun");
    for _ in 0..2 {
        apply(&mut catalog, SECOND, first.clone()).expect("no matter");
        assert_eq!(catalog.streams[&arn("s")].shards.len(), 3);
    }
    apply(&mut catalog, SECOND, split("s", 1, "7")).expect("begun");
    let before = catalog.clone();
    apply(&mut catalog, SECOND, first.clone()).expect("no matter");
    assert_eq!(
        catalog, before,
        "an old finish does not finish a new reshard"
    );
    let stale = finish(&catalog, "s", 4).expect("begun");
    let second = finish(&catalog, "s", 9).expect("begun");
    apply(&mut catalog, SECOND, second).expect("finished");
    apply(&mut catalog, SECOND, delete("s")).expect("deleted");
    apply(&mut catalog, SECOND, create("s", 2)).expect("created");
    apply(
        &mut catalog,
        SECOND,
        split("s", 1, &(u128::MAX - 9).to_string()),
    )
    .expect("begun");
    apply(&mut catalog, SECOND, stale).expect("no matter");
    assert_eq!(
        catalog.streams[&arn("s")].shards.len(),
        2,
        "another stream of the name"
    );
}

/// Any command on one of two streams, with the second it is stamped with.
fn any_command() -> impl Strategy<Value = (u64, u8, bool, u32, u128)> {
    (0..200_u64, 0..9_u8, any::<bool>(), 0..12_u32, any::<u128>())
}

fn command(catalog: &Catalog, kind: u8, name: &str, number: u32, key: u128) -> Option<Command> {
    let (stream, delay) = (arn(name), Duration::ZERO);
    Some(match kind {
        0 => create(name, number % 4 + 1),
        1 => delete(name),
        2 | 3 => split(name, number, &key.to_string()),
        4 => merge(name, number, number + 1),
        5 => return finish(catalog, name, u64::from(number)),
        6 => Command::Sweep,
        7 => scale(name, number + 1),
        _ => {
            let (hours, direction) = match number % 2 {
                0 => (24, Direction::Decrease),
                _ => (48, Direction::Increase),
            };
            Command::SetRetention {
                stream,
                hours,
                direction,
                delay,
            }
        }
    })
}

/// What must hold of `stream`; `partitions` collects the partitions of all.
fn check(stream: &Stream, partitions: &mut BTreeSet<u64>) -> Result<(), TestCaseError> {
    let mut open: Vec<HashKeyRange> = Vec::new();
    for (id, shard) in &stream.shards {
        prop_assert!(
            partitions.insert(shard.partition),
            "a partition has two shards"
        );
        prop_assert!(id.0 < stream.next_shard);
        match &shard.closed {
            None => open.push(shard.range),
            Some(closing) => prop_assert!(closing.at > shard.created_at),
        }
        for parent in shard
            .parents
            .iter()
            .filter_map(|parent| Some((parent, stream.shards.get(parent)?)))
        {
            let (parent_id, parent) = parent;
            let ending = parent
                .ending_number(*parent_id)
                .expect("a parent is closed");
            prop_assert!(ending < shard.starting_number(*id));
            prop_assert_eq!(
                parent.closed.as_ref().map(|closing| closing.at),
                Some(shard.created_at)
            );
        }
    }
    open.sort_by_key(|range| range.start);
    prop_assert_eq!(open.first().map(|range| range.start), Some(HashKey(0)));
    prop_assert_eq!(open.last().map(|range| range.end), Some(HashKey::MAX));
    prop_assert!(
        open.windows(2)
            .all(|pair| pair[0].end.0 + 1 == pair[1].start.0)
    );
    for range in &open {
        for key in [range.start, range.end] {
            prop_assert!(stream.shards[&stream.route(key)].range == *range);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn after_any_commands_shards_tile_and_nothing_is_used_twice(
        commands in proptest::collection::vec(any_command(), 1..80),
    ) {
        let mut catalog = Catalog::default();
        let mut given_out = 0;
        // The stamps go back and forth, and now and then a day ahead.
        for (step, (jitter, kind, first, number, key)) in commands.into_iter().enumerate() {
            let name = if first { "a" } else { "b" };
            let second = SECOND + jitter + step as u64 / 20 * 90_000;
            let Some(command) = command(&catalog, kind, name, number, key) else { continue };
            let before = catalog.last_at;
            // A refusal is as good an outcome as any.
            let _ = apply(&mut catalog, second, command);
            prop_assert!(catalog.last_at >= before && catalog.next_partition >= given_out);
            given_out = catalog.next_partition;
            let mut partitions = BTreeSet::new();
            for stream in catalog.streams.values() {
                check(stream, &mut partitions)?;
            }
            prop_assert!(partitions.iter().all(|partition| *partition < given_out));
            prop_assert!(Catalog::restore(&catalog.snapshot()).as_ref() == Ok(&catalog));
        }
    }
}
