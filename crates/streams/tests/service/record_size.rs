//! UpdateMaxRecordSize: what can be put and read before and after.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

const LARGEST: usize = 10 * 1024 * 1024;

fn kib(f: &Fixture, name: &str, kib: i32) -> UpdateMaxRecordSizeInput {
    UpdateMaxRecordSizeInput {
        stream_arn: Some(f.arn(name).to_string()),
        max_record_size_in_kib: kib,
        stream_id: None,
    }
}

fn of(bytes: usize) -> PutRecordInput {
    PutRecordInput {
        data: vec![7; bytes - 1].into(),
        ..record("s", "k", b"")
    }
}

#[tokio::test]
async fn the_largest_record_is_as_large_as_its_stream_says() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let small = 1024 * 1024;
    call!(f, put_record, of(small)).expect("put");
    let text = |bytes: usize| {
        format!(
            "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must \
             have length less than or equal to {bytes}."
        )
    };
    let refused = call!(f, put_record, of(small + 1));
    assert_refused!(refused, "ValidationException", text(small));
    call!(f, update_max_record_size, kib(&f, "s", 10_240)).expect("updated");
    call!(f, put_record, of(LARGEST)).expect("put");
    let refused = call!(f, put_record, of(LARGEST + 1));
    assert_refused!(refused, "ValidationException", text(LARGEST));
    call!(f, update_max_record_size, kib(&f, "s", 1024)).expect("updated");
    let refused = call!(f, put_record, of(small + 1));
    assert_refused!(refused, "ValidationException", text(small));
    let start = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let page = f.read(&start).await;
    assert_eq!(page.records.len(), 1, "a page is 10 MiB at most");
    let page = f.read(&page.next_shard_iterator.expect("open")).await;
    assert_eq!(
        page.records[0].data.len(),
        LARGEST - 1,
        "and one record is always given"
    );
}

#[tokio::test]
async fn the_size_is_changed_on_an_active_stream_that_is_named_by_its_arn() {
    let f = Fixture::with(Settings {
        limits: Limits::None,
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await;
    assert_refused!(
        call!(f, update_max_record_size, kib(&f, "s", 2048)),
        "ResourceNotFoundException",
        "Stream s under account 000000000000 not found."
    );
    f.create("s", 1).await;
    assert_refused!(
        call!(f, update_max_record_size, kib(&f, "s", 2048)),
        "ResourceInUseException",
        "Stream s under account 000000000000 not ACTIVE, instead in state CREATING"
    );
    f.advance_secs(30);
    let nameless = UpdateMaxRecordSizeInput {
        stream_arn: None,
        ..kib(&f, "s", 2048)
    };
    assert_refused!(
        call!(f, update_max_record_size, nameless),
        "InvalidArgumentException",
        "Either StreamName or StreamARN should be provided."
    );
    call!(f, update_max_record_size, kib(&f, "s", 2048)).expect("updated");
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Updating);
    call!(f, put_record, of(2 * 1024 * 1024)).expect("writes go on");
    f.advance_secs(30);
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
}
