//! The service over in-memory streams, functions and destinations, and simulated time.

#[path = "support/doubles.rs"]
mod doubles;

use std::sync::Arc;
use std::time::Duration;

use doubles::{QUEUE, STREAM, Service};
use futures_util::FutureExt;
use tidemill_ledger::{Counts, MappingReport};
use tidemill_mapping::ops;
use tidemill_mapping::{Pace, Settings};
use tidemill_model::{Clock, Timestamp};
use tidemill_shapes::lambda::{
    CreateEventSourceMappingError, CreateEventSourceMappingInput, DeleteEventSourceMappingInput,
    DestinationConfig, EventSourceMappingConfiguration, EventSourcePosition,
    GetEventSourceMappingError, GetEventSourceMappingInput, ListEventSourceMappingsInput,
    OnFailure, UpdateEventSourceMappingError, UpdateEventSourceMappingInput,
};

fn input(position: EventSourcePosition) -> CreateEventSourceMappingInput {
    CreateEventSourceMappingInput {
        event_source_arn: Some(STREAM.to_owned()),
        function_name: "f".to_owned(),
        starting_position: Some(position),
        ..CreateEventSourceMappingInput::default()
    }
}

async fn create(
    service: &Service,
    input: CreateEventSourceMappingInput,
) -> Result<EventSourceMappingConfiguration, CreateEventSourceMappingError> {
    ops::create_event_source_mapping(&service.mappings, &service.caller(), input).await
}

async fn created(service: &Service, input: CreateEventSourceMappingInput) -> String {
    create(service, input)
        .await
        .expect("it can be created")
        .uuid
        .expect("it has an id")
}

async fn get(
    service: &Service,
    uuid: &str,
) -> Result<EventSourceMappingConfiguration, GetEventSourceMappingError> {
    let input = GetEventSourceMappingInput {
        uuid: uuid.to_owned(),
    };
    ops::get_event_source_mapping(&service.mappings, &service.caller(), input).await
}

async fn state(service: &Service, uuid: &str) -> Option<String> {
    get(service, uuid)
        .await
        .ok()
        .and_then(|configuration| configuration.state)
}

async fn last_result(service: &Service, uuid: &str) -> String {
    let shown = get(service, uuid).await.expect("it exists");
    shown.last_processing_result.expect("it is always shown")
}

async fn update(
    service: &Service,
    uuid: &str,
    change: impl FnOnce(&mut UpdateEventSourceMappingInput),
) -> Result<EventSourceMappingConfiguration, UpdateEventSourceMappingError> {
    let uuid = uuid.to_owned();
    let mut input = UpdateEventSourceMappingInput {
        uuid,
        ..Default::default()
    };
    change(&mut input);
    ops::update_event_source_mapping(&service.mappings, &service.caller(), input).await
}

async fn delete(service: &Service, uuid: &str) -> Option<String> {
    let input = DeleteEventSourceMappingInput {
        uuid: uuid.to_owned(),
    };
    let deleted =
        ops::delete_event_source_mapping(&service.mappings, &service.caller(), input).await;
    deleted.expect("it can be deleted").state
}

fn report(service: &Service) -> MappingReport {
    let report = service.mappings.report();
    let mapping = report
        .mappings
        .into_iter()
        .next()
        .expect("there is a mapping");
    assert_eq!(mapping.totals.unaccounted(), 0);
    mapping
}

fn totals(service: &Service) -> Counts {
    report(service).totals
}

fn put(service: &Service, keys: &[&str]) {
    keys.iter().for_each(|key| service.streams.put(0, key));
}

fn failing_to_queue(input: CreateEventSourceMappingInput) -> CreateEventSourceMappingInput {
    let on_failure = Some(OnFailure {
        destination: Some(QUEUE.to_owned()),
    });
    CreateEventSourceMappingInput {
        maximum_retry_attempts: Some(1),
        bisect_batch_on_function_error: Some(true),
        destination_config: Some(DestinationConfig {
            on_failure,
            on_success: None,
        }),
        ..input
    }
}

#[tokio::test]
async fn a_created_mapping_is_shown_with_aws_s_fields_and_no_others() {
    let service = Service::fast().await;
    let shown = create(&service, input(EventSourcePosition::Latest))
        .await
        .expect("created");
    let shown = serde_json::to_value(&shown).expect("JSON");
    let uuid = shown["UUID"].as_str().expect("an id").to_owned();
    let expected = serde_json::json!({
        "UUID": uuid,
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "EventSourceArn": STREAM,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "EventSourceMappingArn":
            format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}"),
        "LastModified": shown["LastModified"],
        "LastProcessingResult": "No records processed",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "DestinationConfig": {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": false,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    });
    assert_eq!(shown, expected);
    assert!(shown["LastModified"].is_number());
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Enabled"));
}

#[tokio::test]
async fn what_cannot_be_created_is_refused_as_aws_refuses_it() {
    let service = Service::fast().await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    let arn = |name: &str| Some(STREAM.replace("stream/s", &format!("stream/{name}")));
    let latest = || input(EventSourcePosition::Latest);
    let at_timestamp = || input(EventSourcePosition::AtTimestamp);
    let conflict = format!(
        "The event source arn (\" {STREAM} \") and function (\" f \") provided mapping already \
         exists. Please update or delete the existing mapping with UUID {uuid}"
    );
    let null = "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
                constraint: Member must not be null.";
    let later = Timestamp::from_secs(service.clock.now().as_secs() + 10);
    let cases = [
        (latest(), conflict.as_str()),
        (
            CreateEventSourceMappingInput {
                event_source_arn: None,
                ..latest()
            },
            "Unrecognized event source.",
        ),
        (
            CreateEventSourceMappingInput {
                function_name: "missing".to_owned(),
                ..latest()
            },
            "Function does not exist",
        ),
        (
            CreateEventSourceMappingInput {
                starting_position: None,
                ..latest()
            },
            null,
        ),
        (
            CreateEventSourceMappingInput {
                event_source_arn: arn("absent"),
                ..latest()
            },
            "Stream not found: arn:aws:kinesis:us-east-1:000000000000:stream/absent",
        ),
        (
            CreateEventSourceMappingInput {
                starting_position_timestamp: Some(later),
                ..at_timestamp()
            },
            "StartingPositionTimestamp must not be in the future.",
        ),
    ];
    for (input, expected) in cases {
        let refused = create(&service, input).await.expect_err(expected);
        let message = match refused {
            CreateEventSourceMappingError::InvalidParameterValueException(inner) => inner.message,
            CreateEventSourceMappingError::ResourceConflictException(inner) => inner.message,
            other => panic!("{other:?}"),
        };
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn records_reach_the_function_in_order_and_are_accounted_for() {
    let service = Service::fast().await;
    put(&service, &["a", "b", "c"]);
    let uuid = created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("three are processed", |it| totals(it).processed == 3)
        .await;
    put(&service, &["d"]);
    service
        .until("the fourth is processed", |it| totals(it).processed == 4)
        .await;
    assert_eq!(service.functions.taken(), ["a", "b", "c", "d"]);
    let record = &service.functions.events()[0]["Records"][0];
    assert_eq!(
        record["invokeIdentityArn"],
        "arn:aws:iam::000000000000:role/r"
    );
    let shown = get(&service, &uuid).await.expect("it exists");
    assert_eq!(shown.last_processing_result.as_deref(), Some("OK"));
    let expected = Counts {
        acked: 4,
        processed: 4,
        ..Counts::default()
    };
    assert_eq!(totals(&service), expected);
}

#[tokio::test]
async fn with_latest_everything_put_after_the_answer_is_read_and_nothing_before_it() {
    let service = Service::fast().await;
    put(&service, &["before"]);
    created(&service, input(EventSourcePosition::Latest)).await;
    put(&service, &["after"]);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    assert_eq!(service.functions.taken(), ["after"]);
    assert_eq!(totals(&service).acked, 1);
}

#[tokio::test]
async fn with_a_timestamp_reading_begins_at_the_first_record_from_then_on() {
    let service = Service::fast().await;
    put(&service, &["early"]);
    service.clock.advance(Duration::from_secs(10));
    let starting_position_timestamp = Some(service.clock.now());
    put(&service, &["late"]);
    let at_timestamp = input(EventSourcePosition::AtTimestamp);
    let input = CreateEventSourceMappingInput {
        starting_position_timestamp,
        ..at_timestamp
    };
    created(&service, input).await;
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    assert_eq!(service.functions.taken(), ["late"]);
}

#[tokio::test]
async fn a_poison_record_ends_in_the_queue_and_the_others_are_processed() {
    let service = Service::fast().await;
    put(&service, &["a", "b", "bad", "c", "d"]);
    created(
        &service,
        failing_to_queue(input(EventSourcePosition::TrimHorizon)),
    )
    .await;
    service
        .until("all is closed", |it| totals(it).pending == 0)
        .await;
    assert_eq!(service.functions.taken(), ["a", "b", "c", "d"]);
    let counts = totals(&service);
    assert_eq!((counts.processed, counts.dead_lettered), (4, 1));
    let messages = service.queue.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].batch_size, messages[0].approximate_invoke_count),
        (1, 2)
    );
}

#[tokio::test]
async fn a_mapping_that_stands_still_says_behind_what_and_since_when() {
    let service = Service::fast().await;
    put(&service, &["bad", "a"]);
    let uuid = created(&service, input(EventSourcePosition::TrimHorizon)).await;
    let blocked = |it: &Service| report(it).shards[0].blocked.clone();
    service
        .until("it has failed twice", |it| {
            blocked(it).is_some_and(|b| b.attempts > 1)
        })
        .await;
    let shown = blocked(&service).expect("it is blocked");
    assert_eq!(shown.records, 2);
    assert_eq!(totals(&service).pending, 2);
    let shown = get(&service, &uuid)
        .await
        .expect("it exists")
        .last_processing_result;
    assert_eq!(shown.as_deref(), Some("PROBLEM: Function call failed"));
}

#[tokio::test]
async fn a_restart_goes_on_where_the_checkpoint_is() {
    let mut service = Service::fast().await;
    put(&service, &["a", "b"]);
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    put(&service, &["c"]);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    service.mappings.shutdown().await;
    put(&service, &["d"]);
    service.restart().await;
    service
        .until("both are processed", |it| totals(it).processed == 2)
        .await;
    assert_eq!(service.functions.taken(), ["c", "d"]);
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Enabled"));
}

#[tokio::test]
async fn an_invocation_that_outlasts_the_shutdown_is_abandoned_and_its_batch_delivered_again() {
    let mut service = Service::fast().await;
    service.functions.set_hanging(true);
    put(&service, &["a"]);
    created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service.settle().await;
    let mappings = service.mappings.clone();
    let shutdown = tokio::spawn(async move { mappings.shutdown().await });
    service
        .until("the shutdown is done", |_| shutdown.is_finished())
        .await;
    service.functions.set_hanging(false);
    service.restart().await;
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
}

#[tokio::test]
async fn an_operation_is_carried_out_whole_when_its_caller_goes_away() {
    let service = Service::fast().await;
    let answer = create(&service, input(EventSourcePosition::Latest)).now_or_never();
    assert!(answer.is_none(), "it takes longer than the caller waits");
    service.settle().await;
    put(&service, &["a"]);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    let uuid = report(&service).uuid;
    assert!(delete(&service, &uuid).now_or_never().is_none());
    service.settle().await;
    put(&service, &["b"]);
    service.settle().await;
    assert_eq!(service.functions.taken(), ["a"]);
    let is_forgotten = |it: &Service| {
        it.mappings
            .parts()
            .checkpoints
            .read(|checkpoints| checkpoints.uuids().count())
            == 0
    };
    service
        .until("its account is forgotten", is_forgotten)
        .await;
}

#[tokio::test]
async fn what_is_created_after_the_shutdown_starts_with_the_next_start() {
    let mut service = Service::fast().await;
    service.mappings.shutdown().await;
    created(&service, input(EventSourcePosition::Latest)).await;
    put(&service, &["a"]);
    service.settle().await;
    assert_eq!(service.functions.taken(), [""; 0]);
    service.restart().await;
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
}

#[tokio::test]
async fn a_shutdown_ends_the_task_that_a_change_has_not_replaced_yet() {
    let service = Service::fast().await;
    let holders = Arc::strong_count(&service.functions);
    service.functions.set_hanging(true);
    put(&service, &["a"]);
    let uuid = created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service.settle().await;
    let changed = update(&service, &uuid, |input| input.batch_size = Some(7)).await;
    assert!(changed.is_ok());
    let mappings = service.mappings.clone();
    let shutdown = tokio::spawn(async move { mappings.shutdown().await });
    service
        .until("the shutdown is done", |_| shutdown.is_finished())
        .await;
    service.settle().await;
    assert_eq!(Arc::strong_count(&service.functions), holders);
}

#[tokio::test]
async fn a_mapping_that_is_disabled_resumes_where_it_was() {
    let service = Service::fast().await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    put(&service, &["a"]);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    let shown = update(&service, &uuid, |input| input.enabled = Some(false)).await;
    assert_eq!(shown.expect("updated").state.as_deref(), Some("Disabling"));
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Disabled"));
    service.settle().await;
    put(&service, &["b", "c"]);
    service.settle().await;
    assert_eq!(service.functions.taken(), ["a"]);
    assert_eq!(totals(&service).pending, 2);
    let shown = update(&service, &uuid, |input| input.enabled = Some(true)).await;
    assert_eq!(shown.expect("updated").state.as_deref(), Some("Enabling"));
    service
        .until("all is processed", |it| totals(it).processed == 3)
        .await;
    assert_eq!(service.functions.taken(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_change_of_settings_sets_a_mapping_free_that_stands_still() {
    let service = Service::fast().await;
    put(&service, &["bad", "a"]);
    let uuid = created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("it is blocked", |it| report(it).shards[0].blocked.is_some())
        .await;
    let shown = update(&service, &uuid, |input| {
        input.maximum_retry_attempts = Some(0);
        input.bisect_batch_on_function_error = Some(true);
    });
    let shown = shown.await.expect("updated");
    assert_eq!(
        (shown.state.as_deref(), shown.batch_size),
        (Some("Updating"), Some(100))
    );
    service
        .until("all is closed", |it| totals(it).pending == 0)
        .await;
    assert_eq!(
        (totals(&service).processed, totals(&service).discarded),
        (1, 1)
    );
}

#[tokio::test]
async fn a_deleted_mapping_is_gone_with_its_account() {
    let mut service = Service::fast().await;
    put(&service, &["a"]);
    let uuid = created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    assert_eq!(delete(&service, &uuid).await.as_deref(), Some("Deleting"));
    let missing = get(&service, &uuid).await.expect_err("it is gone");
    let GetEventSourceMappingError::ResourceNotFoundException(missing) = missing else {
        panic!("{missing:?}");
    };
    assert_eq!(
        missing.message,
        "The resource you requested does not exist."
    );
    assert_eq!(service.mappings.report().mappings, []);
    service.settle().await;
    service.restart().await;
    let uuids = |it: &Service| {
        it.mappings
            .parts()
            .checkpoints
            .read(|checkpoints| checkpoints.uuids().count())
    };
    assert_eq!(uuids(&service), 0);
    // Its stream and function can be mapped again, from the start.
    created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("it is processed again", |it| totals(it).processed == 1)
        .await;
}

#[tokio::test]
async fn a_child_is_read_after_its_parent_is_done_and_from_its_first_record() {
    let service = Service::fast().await;
    created(
        &service,
        failing_to_queue(input(EventSourcePosition::Latest)),
    )
    .await;
    service.functions.set_gone(true);
    put(&service, &["parent 1", "bad", "parent 2"]);
    service.streams.reshard(0, 1);
    service.streams.put(1, "child 1");
    service.streams.put(1, "child 2");
    service.settle().await;
    assert_eq!(totals(&service).pending, 5);
    service.functions.set_gone(false);
    service
        .until("all is closed", |it| totals(it).pending == 0)
        .await;
    assert_eq!(
        service.functions.taken(),
        ["parent 1", "parent 2", "child 1", "child 2"]
    );
    assert_eq!(report(&service).shards.len(), 2);
}

#[tokio::test]
async fn what_retention_takes_from_a_disabled_mapping_is_counted_as_expired() {
    let service = Service::fast().await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    let disabled = update(&service, &uuid, |input| input.enabled = Some(false)).await;
    assert!(disabled.is_ok());
    put(&service, &["a", "b", "c"]);
    service.streams.expire_before(0, 2);
    let enabled = update(&service, &uuid, |input| input.enabled = Some(true)).await;
    assert!(enabled.is_ok());
    service
        .until("all is closed", |it| totals(it).pending == 0)
        .await;
    assert_eq!(service.functions.taken(), ["c"]);
    assert_eq!(
        (totals(&service).processed, totals(&service).expired),
        (1, 2)
    );
}

#[tokio::test]
async fn a_shard_that_is_removed_while_it_is_blocked_has_expired_and_its_child_is_read() {
    let service = Service::fast().await;
    put(&service, &["bad", "a"]);
    created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("it is blocked", |it| report(it).shards[0].blocked.is_some())
        .await;
    service.streams.reshard(0, 1);
    service.streams.put(1, "child");
    service.streams.remove(0);
    service
        .until("all is closed", |it| {
            totals(it).expired + totals(it).processed == 3
        })
        .await;
    assert_eq!(service.functions.taken(), ["child"]);
    assert_eq!(totals(&service).expired, 2);
}

#[tokio::test]
async fn a_stream_that_is_created_anew_is_read_from_its_first_record() {
    let service = Service::fast().await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    put(&service, &["old 1", "old 2"]);
    service
        .until("both are processed", |it| totals(it).processed == 2)
        .await;
    service.streams.delete();
    service.settle().await;
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Enabled"));
    assert_eq!(
        last_result(&service, &uuid).await,
        "PROBLEM: Stream not found"
    );
    service.streams.create(2, 1);
    put(&service, &["new"]);
    service
        .until("it is processed", |it| {
            it.functions.taken().contains(&"new".into())
        })
        .await;
    service
        .until("it is counted", |it| totals(it).processed == 1)
        .await;
    assert_eq!(totals(&service).acked, 1);
}

#[tokio::test]
async fn a_mapping_outlives_its_function_and_waits_for_it() {
    let service = Service::fast().await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    service.functions.set_gone(true);
    put(&service, &["a"]);
    service
        .until("it is blocked", |it| report(it).shards[0].blocked.is_some())
        .await;
    let shown = get(&service, &uuid).await.expect("it exists");
    assert_eq!(shown.state.as_deref(), Some("Enabled"));
    assert_eq!(
        last_result(&service, &uuid).await,
        "PROBLEM: function arn:aws:lambda:us-east-1:000000000000:function:f does not exist"
    );
    service.functions.set_gone(false);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    assert_eq!(totals(&service).duplicates, 0);
}

#[tokio::test]
async fn at_aws_s_pace_an_idle_shard_is_read_once_in_a_second() {
    let service = Service::start(Settings::with_pace(Pace::Aws)).await;
    created(&service, input(EventSourcePosition::Latest)).await;
    service.settle().await;
    let before = service.streams.reads();
    put(&service, &["a"]);
    service.settle().await;
    assert_eq!(service.streams.reads(), before);
    service.clock.advance(Duration::from_secs(1));
    service.settle().await;
    assert_eq!(service.functions.taken(), ["a"]);
}

#[tokio::test]
async fn a_mapping_waits_for_the_rates_of_its_shard_and_leaves_nothing_out() {
    let service = Service::fast().await;
    service.streams.set_shut(true);
    put(&service, &["a"]);
    created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service.settle().await;
    put(&service, &["b"]);
    service.clock.advance(Duration::from_secs(60));
    service.settle().await;
    assert_eq!((service.streams.reads(), totals(&service).pending), (0, 2));
    service.streams.set_shut(false);
    service
        .until("all is processed", |it| totals(it).processed == 2)
        .await;
    assert_eq!(service.functions.taken(), ["a", "b"]);
}

#[tokio::test]
async fn a_batch_that_failed_is_tried_again_whatever_the_rates_say() {
    let service = Service::fast().await;
    put(&service, &["bad"]);
    created(&service, input(EventSourcePosition::TrimHorizon)).await;
    service
        .until("it is blocked", |it| report(it).shards[0].blocked.is_some())
        .await;
    service.streams.set_shut(true);
    let (events, reads) = (service.functions.events().len(), service.streams.reads());
    service
        .until("it is tried again", |it| {
            it.functions.events().len() > events
        })
        .await;
    assert_eq!(service.streams.reads(), reads, "it has the batch");
}

#[tokio::test]
async fn with_a_state_delay_a_mapping_is_creating_before_it_is_enabled() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::with_pace(Pace::Fast)
    };
    let service = Service::start(settings).await;
    let uuid = created(&service, input(EventSourcePosition::Latest)).await;
    // As on AWS, what is put before the position is taken is skipped.
    put(&service, &["skipped"]);
    service.settle().await;
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Creating"));
    let refused = update(&service, &uuid, |input| input.batch_size = Some(1)).await;
    assert!(matches!(
        refused,
        Err(UpdateEventSourceMappingError::ResourceInUseException(_))
    ));
    service.clock.advance(Duration::from_secs(30));
    service.settle().await;
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Enabled"));
    put(&service, &["read"]);
    service
        .until("it is processed", |it| totals(it).processed == 1)
        .await;
    assert_eq!(service.functions.taken(), ["read"]);
    delete(&service, &uuid).await;
    assert_eq!(state(&service, &uuid).await.as_deref(), Some("Deleting"));
    service.clock.advance(Duration::from_secs(30));
    assert_eq!(state(&service, &uuid).await, None);
}

#[tokio::test]
async fn mappings_are_listed_page_by_page() {
    let service = Service::fast().await;
    for qualifier in ["f", "g", "h"] {
        let latest = input(EventSourcePosition::Latest);
        let function_name = qualifier.to_owned();
        created(
            &service,
            CreateEventSourceMappingInput {
                function_name,
                ..latest
            },
        )
        .await;
    }
    let list = |input| {
        let (mappings, caller) = (service.mappings.clone(), service.caller());
        async move {
            let listed = ops::list_event_source_mappings(&mappings, &caller, input).await;
            let listed = listed.expect("they can be listed");
            (
                listed.event_source_mappings.expect("a page"),
                listed.next_marker,
            )
        }
    };
    let max_items = Some(2);
    let first = ListEventSourceMappingsInput {
        max_items,
        ..Default::default()
    };
    let (page, marker) = list(first.clone()).await;
    assert_eq!((page.len(), marker.is_some()), (2, true));
    let (page, marker) = list(ListEventSourceMappingsInput { marker, ..first }).await;
    assert_eq!((page.len(), marker), (1, None));
    let function_name = Some("g".to_owned());
    let (page, _) = list(ListEventSourceMappingsInput {
        function_name,
        ..Default::default()
    })
    .await;
    assert_eq!(page.len(), 1);
    let event_source_arn = Some("arn:aws:kinesis:us-east-1:000000000000:stream/t".to_owned());
    let (page, _) = list(ListEventSourceMappingsInput {
        event_source_arn,
        ..Default::default()
    })
    .await;
    assert_eq!(page, []);
}
