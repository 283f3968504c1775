//! The Rust SDK of AWS, unmodified, against a real server: streams, functions and a mapping between.
//!
//! Each test starts a server of its own that keeps nothing, on a free port.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::config::{Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    ConsumerStatus, PutRecordsRequestEntry, ShardIteratorType, StartingPosition,
    SubscribeToShardEventStream,
};
use aws_sdk_lambda::types::{
    EventSourcePosition, FunctionCode, InvocationType, Runtime as FunctionRuntime,
};

use tidemill_bench::client::{Client, Credentials as ClientCredentials};
use tidemill_model::Clock;
use tidemill_server::clock::SystemClock;
use tidemill_server::{Config, Running, Storage, start};

const REGION: &str = "eu-west-1";

async fn server() -> Running {
    let config = Config {
        storage: Storage::Ephemeral,
        port: 0,
        ..Config::default()
    };
    start(config).await.expect("a server starts")
}

fn kinesis(server: &Running) -> aws_sdk_kinesis::Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version_latest()
        .http_client(http)
        .endpoint_url(server.endpoint())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .build();
    aws_sdk_kinesis::Client::from_conf(config)
}

fn lambda(server: &Running) -> aws_sdk_lambda::Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version_latest()
        .http_client(http)
        .endpoint_url(server.endpoint())
        .region(aws_sdk_lambda::config::Region::new(REGION))
        .credentials_provider(aws_sdk_lambda::config::Credentials::new(
            "test", "test", None, None, "test",
        ))
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

fn zipped(name: &str, text: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file(name, zip::write::SimpleFileOptions::default())
        .expect("a file in a zip");
    archive.write_all(text.as_bytes()).expect("memory takes it");
    archive.finish().expect("a zip").into_inner()
}

async fn function(client: &aws_sdk_lambda::Client, name: &str, code: &str) {
    client
        .create_function()
        .function_name(name)
        .runtime(FunctionRuntime::Python312)
        .handler("app.handler")
        .role("arn:aws:iam::000000000000:role/f")
        .timeout(10)
        .code(
            FunctionCode::builder()
                .zip_file(Blob::new(zipped("app.py", code)))
                .build(),
        )
        .send()
        .await
        .expect("a function is created");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_read_back_in_order() {
    let server = server().await;
    let client = kinesis(&server);
    client
        .create_stream()
        .stream_name("s")
        .shard_count(2)
        .send()
        .await
        .expect("created");
    let first = client
        .put_record()
        .stream_name("s")
        .partition_key("k")
        .data(Blob::new("zero"))
        .send()
        .await
        .expect("put");
    let entries = (1..50).map(|index| {
        let data = Blob::new(format!("{index}"));
        PutRecordsRequestEntry::builder()
            .partition_key("k")
            .data(data)
            .build()
            .expect("an entry")
    });
    let put = client
        .put_records()
        .stream_name("s")
        .set_records(Some(entries.collect()))
        .send()
        .await
        .expect("put");
    assert_eq!(put.failed_record_count(), Some(0));
    let iterator = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(first.shard_id())
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .expect("an iterator");
    let read = client
        .get_records()
        .set_shard_iterator(iterator.shard_iterator)
        .send()
        .await
        .expect("records");
    let texts: Vec<String> = read
        .records()
        .iter()
        .map(|record| String::from_utf8_lossy(record.data().as_ref()).into_owned())
        .collect();
    let expected: Vec<String> = std::iter::once("zero".to_owned())
        .chain((1..50).map(|index| index.to_string()))
        .collect();
    assert_eq!(texts, expected);
    assert_eq!(read.millis_behind_latest(), Some(0));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_pushed_to_a_consumer_until_its_shard_ends() {
    let server = server().await;
    let client = kinesis(&server);
    let create = client.create_stream().stream_name("s").shard_count(1);
    create.send().await.expect("created");
    for number in 0..10 {
        put(&client, number).await;
    }
    let mut pushed = client
        .subscribe_to_shard()
        .consumer_arn(consumer(&client).await)
        .shard_id("shardId-000000000000")
        .starting_position(
            StartingPosition::builder()
                .r#type(ShardIteratorType::TrimHorizon)
                .build()
                .expect("a position"),
        )
        .send()
        .await
        .expect("subscribed");
    let mut found = Vec::new();
    let mut children = 0;
    while let Some(event) = pushed.event_stream.recv().await.expect("an event") {
        let SubscribeToShardEventStream::SubscribeToShardEvent(event) = event else {
            panic!("an event of another kind: {event:?}");
        };
        children = event.child_shards().len();
        for record in event.records() {
            found.push(String::from_utf8_lossy(record.data().as_ref()).into_owned());
            match found.len() {
                10 => put(&client, 10).await,
                11 => split(&client).await,
                _ => {}
            }
        }
    }
    let expected: Vec<String> = (0..=10).map(|number| number.to_string()).collect();
    assert_eq!(found, expected);
    assert_eq!(children, 2);
    server.shutdown().await;
}

async fn put(client: &aws_sdk_kinesis::Client, number: u32) {
    let put = client.put_record().stream_name("s").partition_key("k");
    let data = Blob::new(number.to_string());
    put.data(data).send().await.expect("put");
}

async fn split(client: &aws_sdk_kinesis::Client) {
    let split = client
        .split_shard()
        .stream_name("s")
        .shard_to_split("shardId-000000000000")
        .new_starting_hash_key("12345");
    split.send().await.expect("split");
}

/// A new consumer of the stream, active; fails after a bound.
async fn consumer(client: &aws_sdk_kinesis::Client) -> String {
    let summary = client.describe_stream_summary().stream_name("s");
    let summary = summary.send().await.expect("described");
    let summary = summary.stream_description_summary().expect("a summary");
    let register = client
        .register_stream_consumer()
        .stream_arn(summary.stream_arn())
        .consumer_name("reader");
    let registered = register.send().await.expect("registered");
    let arn = registered.consumer().expect("a consumer").consumer_arn();
    let clock = SystemClock;
    for _ in 0..600 {
        let described = client.describe_stream_consumer().consumer_arn(arn);
        let described = described.send().await.expect("described");
        let consumer = described.consumer_description().expect("a description");
        if *consumer.consumer_status() == ConsumerStatus::Active {
            return arn.to_owned();
        }
        clock
            .sleep_until(clock.now().plus(Duration::from_millis(50)))
            .await;
    }
    panic!("the consumer was not active within 30 seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_arrives_as_its_own_type() {
    let server = server().await;
    let missing = kinesis(&server)
        .describe_stream_summary()
        .stream_name("none")
        .send()
        .await;
    let error = missing
        .expect_err("there is no such stream")
        .into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let missing = lambda(&server)
        .get_function()
        .function_name("none")
        .send()
        .await;
    let error = missing
        .expect_err("there is no such function")
        .into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_answers_and_fails_as_on_aws() {
    let server = server().await;
    let client = lambda(&server);
    function(
        &client,
        "f",
        "def handler(event, context):\n    return {'twice': 2 * event['n']}\n",
    )
    .await;
    let reply = client
        .invoke()
        .function_name("f")
        .payload(Blob::new(r#"{"n":21}"#))
        .send()
        .await
        .expect("ok");
    let payload: Option<&[u8]> = reply.payload().map(AsRef::as_ref);
    assert_eq!(payload, Some(&br#"{"twice": 42}"#[..]));
    assert_eq!((reply.status_code(), reply.function_error()), (200, None));
    let failed = client
        .invoke()
        .function_name("f")
        .payload(Blob::new("{}"))
        .send()
        .await
        .expect("ok");
    assert_eq!(failed.function_error(), Some("Unhandled"));
    let dry = client
        .invoke()
        .function_name("f")
        .invocation_type(InvocationType::DryRun)
        .send()
        .await
        .expect("ok");
    assert_eq!(dry.status_code(), 204);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_feeds_a_function_and_its_ledger_adds_up() {
    let server = server().await;
    let (streams, functions) = (kinesis(&server), lambda(&server));
    streams
        .create_stream()
        .stream_name("s")
        .shard_count(1)
        .send()
        .await
        .expect("created");
    let arn = streams
        .describe_stream_summary()
        .stream_name("s")
        .send()
        .await
        .expect("described");
    let arn = arn
        .stream_description_summary()
        .expect("a summary")
        .stream_arn()
        .to_owned();
    function(
        &functions,
        "f",
        "def handler(event, context):\n    return None\n",
    )
    .await;
    let mapping = functions
        .create_event_source_mapping()
        .event_source_arn(&arn)
        .function_name("f")
        .starting_position(EventSourcePosition::TrimHorizon)
        .send()
        .await
        .expect("mapped");
    for index in 0..20 {
        let data = Blob::new(format!("{index}"));
        let put = streams
            .put_record()
            .stream_name("s")
            .partition_key("k")
            .data(data)
            .send()
            .await;
        put.expect("put");
    }
    let totals = processed(&server, mapping.uuid().expect("an id"), 20).await;
    assert_eq!(totals["acked"], 20, "{totals}");
    assert_eq!(totals["pending"], 0, "{totals}");
    server.shutdown().await;
}

/// The totals of the mapping once `count` records are processed; fails after a bound.
async fn processed(server: &Running, uuid: &str, count: u64) -> serde_json::Value {
    let clock = Arc::new(SystemClock);
    let endpoint = server.endpoint().parse().expect("an endpoint");
    let client = Client::new(endpoint, ClientCredentials::default(), clock.clone());
    for _ in 0..600 {
        let ledger = client.own("/_tidemill/ledger").await.expect("a ledger");
        let mappings = ledger["mappings"].as_array().cloned().unwrap_or_default();
        let ours = mappings.into_iter().find(|mapping| mapping["uuid"] == uuid);
        if let Some(mapping) = ours.filter(|mapping| mapping["totals"]["processed"] == count) {
            return mapping["totals"].clone();
        }
        clock
            .sleep_until(clock.now().plus(Duration::from_millis(50)))
            .await;
    }
    panic!("the mapping did not process {count} records within 30 seconds");
}
