//! What the catalog decides, command by command.

use super::*;

const DELAY_MS: u64 = 2000;

fn arn(name: &str) -> FunctionArn {
    format!("arn:aws:lambda:us-east-1:123456789012:function:{name}")
        .parse()
        .expect("a function ARN")
}

fn ids(name: &str) -> RevisionIds {
    RevisionIds {
        settling: format!("{name}-settling"),
        settled: format!("{name}-settled"),
    }
}

fn create(name: &str, settles_after_ms: u64) -> Command {
    let configuration = Configuration {
        arn: arn(name),
        runtime: Runtime::Python("python3.12".into()),
        handler: "a.b".into(),
        role: "arn:aws:iam::123456789012:role/r".into(),
        code: Code {
            blob: "ab".repeat(32),
            size: 1,
        },
        description: String::new(),
        timeout_seconds: 3,
        memory_mb: 128,
        ephemeral_storage_mb: 512,
        architecture: "x86_64".into(),
        variables: None,
        log_group: None,
    };
    Command::Create {
        configuration: Box::new(configuration),
        tags: BTreeMap::new(),
        revision_ids: ids("create"),
        settles_after_ms,
    }
}

fn update(name: &str, guard: Option<&str>, settles_after_ms: u64) -> Command {
    Command::Update {
        function: arn(name),
        changes: Box::new(Changes {
            timeout_seconds: Some(9),
            ..Changes::default()
        }),
        guard: guard.map(str::to_owned),
        revision_ids: ids("update"),
        settles_after_ms,
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn without_a_delay_a_function_serves_as_soon_as_it_exists() {
    let mut catalog = Catalog::default();
    let created = catalog
        .apply(at(5), 1, create("f", 0))
        .expect("the name is free");
    assert_eq!(created.revision_id(at(0)), "create-settled");
    assert_eq!(
        catalog
            .serving(&arn("f"), at(0))
            .expect("it serves")
            .revision,
        1
    );
    catalog
        .apply(at(6), 2, update("f", Some("create-settled"), 0))
        .expect("the guard is right");
    let serving = catalog.serving(&arn("f"), at(6)).expect("it serves");
    assert_eq!(
        (serving.revision, serving.configuration.timeout_seconds),
        (2, 9)
    );
}

#[test]
fn while_a_change_settles_the_old_serves_and_nothing_else_changes() {
    let mut catalog = Catalog::default();
    catalog
        .apply(at(0), 1, create("f", DELAY_MS))
        .expect("the name is free");
    assert_eq!(
        catalog.serving(&arn("f"), at(1999)),
        Err(NotServing::Pending)
    );
    assert_eq!(
        catalog.apply(at(1999), 2, update("f", None, 0)),
        Err(Refused::Pending)
    );
    catalog
        .apply(at(2000), 3, update("f", None, DELAY_MS))
        .expect("settled by now");
    assert_eq!(
        catalog
            .serving(&arn("f"), at(3999))
            .expect("the old one")
            .revision,
        1
    );
    let again = catalog.apply(at(3999), 4, update("f", None, 0));
    assert_eq!(again, Err(Refused::UpdateInProgress { function: arn("f") }));
    assert_eq!(
        catalog
            .serving(&arn("f"), at(4000))
            .expect("the new one")
            .revision,
        3
    );
}

#[test]
fn a_guard_that_has_moved_on_stops_an_update() {
    let mut catalog = Catalog::default();
    catalog
        .apply(at(0), 1, create("f", 0))
        .expect("the name is free");
    let stale = catalog.apply(at(1), 2, update("f", Some("create-settling"), 0));
    assert_eq!(stale, Err(Refused::GuardDiffers));
    assert_eq!(
        catalog
            .serving(&arn("f"), at(1))
            .expect("unchanged")
            .revision,
        1
    );
}

#[test]
fn a_name_is_taken_once_and_free_again_after_its_deletion() {
    let mut catalog = Catalog::default();
    catalog
        .apply(at(0), 1, create("f", 0))
        .expect("the name is free");
    let again = catalog.apply(at(0), 2, create("f", 0));
    assert_eq!(again, Err(Refused::Exists { name: "f".into() }));
    let delete = || Command::Delete { function: arn("f") };
    catalog.apply(at(0), 3, delete()).expect("it exists");
    assert_eq!(
        catalog.apply(at(0), 4, delete()),
        Err(Refused::NotFound { function: arn("f") })
    );
    assert_eq!(
        catalog
            .apply(at(0), 5, create("f", 0))
            .expect("free again")
            .latest
            .revision,
        5
    );
}

#[test]
fn a_list_is_cut_into_pages_and_shows_one_region_and_account() {
    let mut catalog = Catalog::default();
    for (position, name) in ["b", "a", "d", "c"].into_iter().enumerate() {
        catalog
            .apply(at(0), position as u64, create(name, 0))
            .expect("the name is free");
    }
    let names = |after: Option<&str>, count| {
        let (page, more) = catalog.list(&arn("x").account, &Region::new("us-east-1"), after, count);
        let names: Vec<String> = page
            .iter()
            .map(|function| function.latest.configuration.arn.name.clone())
            .collect();
        (names.join(""), more)
    };
    assert_eq!(names(None, 2), ("ab".into(), true));
    assert_eq!(names(Some("b"), 2), ("cd".into(), false));
    let (elsewhere, _) = catalog.list(&arn("x").account, &Region::new("eu-west-1"), None, 9);
    assert!(elsewhere.is_empty());
}

#[test]
fn a_snapshot_gives_the_same_catalog() {
    let mut catalog = Catalog::default();
    catalog
        .apply(at(0), 1, create("f", 0))
        .expect("the name is free");
    catalog
        .apply(at(1), 2, update("f", None, DELAY_MS))
        .expect("no guard");
    assert_eq!(Catalog::restore(&catalog.snapshot()), Ok(catalog));
}

#[test]
fn the_hash_of_the_code_is_spelled_in_base64() {
    let mut catalog = Catalog::default();
    let created = catalog
        .apply(at(0), 1, create("f", 0))
        .expect("the name is free");
    let expected = base64_simd::STANDARD.encode_to_string([0xab; 32]);
    assert_eq!(created.latest.configuration.code_sha256(), expected);
}

#[test]
fn the_persisted_layout_is_what_it_was() {
    let commands = [
        create("f", 5),
        update("f", Some("g"), 0),
        Command::Delete { function: arn("f") },
    ];
    let text: Vec<String> = commands
        .iter()
        .map(|command| serde_json::to_string(command).expect("plain values"))
        .collect();
    assert_eq!(
        text,
        [
            concat!(
                r#"{"Create":{"configuration":{"arn":{"region":"us-east-1","account":"123456789012","#,
                r#""name":"f","qualifier":null},"runtime":{"Python":"python3.12"},"handler":"a.b","#,
                r#""role":"arn:aws:iam::123456789012:role/r","code":{"blob":"#,
                r#""abababababababababababababababababababababababababababababababab","size":1},"#,
                r#""description":"","timeout_seconds":3,"memory_mb":128,"ephemeral_storage_mb":512,"#,
                r#""architecture":"x86_64","variables":null,"log_group":null},"tags":{},"#,
                r#""revision_ids":{"settling":"create-settling","settled":"create-settled"},"#,
                r#""settles_after_ms":5}}"#,
            ),
            concat!(
                r#"{"Update":{"function":{"region":"us-east-1","account":"123456789012","name":"f","#,
                r#""qualifier":null},"changes":{"runtime":null,"handler":null,"role":null,"#,
                r#""description":null,"timeout_seconds":9,"memory_mb":null,"#,
                r#""ephemeral_storage_mb":null,"variables":null,"log_group":null,"code":null,"#,
                r#""architecture":null},"guard":"g","#,
                r#""revision_ids":{"settling":"update-settling","settled":"update-settled"},"#,
                r#""settles_after_ms":0}}"#,
            ),
            concat!(
                r#"{"Delete":{"function":{"region":"us-east-1","account":"123456789012","name":"f","#,
                r#""qualifier":null}}}"#,
            ),
        ]
    );
}
