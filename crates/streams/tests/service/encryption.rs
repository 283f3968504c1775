//! StartStreamEncryption and StopStreamEncryption: what answers say of it.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Limits, Settings};

use crate::fixture::*;
use crate::{assert_refused, call};

fn start(name: &str, key: &str) -> StartStreamEncryptionInput {
    StartStreamEncryptionInput {
        encryption_type: EncryptionType::Kms,
        key_id: key.into(),
        stream_arn: None,
        stream_id: None,
        stream_name: Some(name.into()),
    }
}

fn stop(name: &str) -> StopStreamEncryptionInput {
    StopStreamEncryptionInput {
        encryption_type: EncryptionType::Kms,
        key_id: "alias/aws/kinesis".into(),
        stream_arn: None,
        stream_id: None,
        stream_name: Some(name.into()),
    }
}

/// What the records of a shard say, in order.
async fn said(f: &Fixture) -> Vec<Option<EncryptionType>> {
    let start = f
        .iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
        .await;
    let records = f.read(&start).await.records.into_iter();
    records.map(|record| record.encryption_type).collect()
}

#[tokio::test]
async fn answers_say_kms_from_the_start_to_the_stop_and_records_for_good() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    assert_eq!(f.put_at("s", "0", "plain").await.encryption_type, None);
    call!(f, start_stream_encryption, start("s", "alias/mine")).expect("started");
    f.restart().await;
    let described = f.describe("s").await;
    assert_eq!(described.encryption_type, Some(EncryptionType::Kms));
    assert_eq!(described.key_id.as_deref(), Some("alias/mine"));
    let put = f.put_at("s", "0", "said to be encrypted").await;
    assert_eq!(put.encryption_type, Some(EncryptionType::Kms));
    call!(f, start_stream_encryption, start("s", "alias/other")).expect("another key");
    assert_eq!(f.describe("s").await.key_id.as_deref(), Some("alias/other"));
    call!(f, stop_stream_encryption, stop("s")).expect("stopped");
    let described = f.describe("s").await;
    assert_eq!(described.encryption_type, Some(EncryptionType::None));
    assert_eq!(described.key_id, None);
    assert_eq!(
        f.put_at("s", "0", "plain again").await.encryption_type,
        None
    );
    assert_eq!(said(&f).await, [None, Some(EncryptionType::Kms), None]);
    assert_eq!(f.all("s", &shard(0)).await[1], "said to be encrypted");
}

#[tokio::test]
async fn only_kms_is_started_and_only_what_was_started_is_stopped() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let none = StartStreamEncryptionInput {
        encryption_type: EncryptionType::None,
        ..start("s", "k")
    };
    let text = "EncryptionType must be KMS.";
    let refused = call!(f, start_stream_encryption, none);
    assert_refused!(refused, "InvalidArgumentException", text);
    let none = StopStreamEncryptionInput {
        encryption_type: EncryptionType::None,
        ..stop("s")
    };
    let refused = call!(f, stop_stream_encryption, none);
    assert_refused!(refused, "InvalidArgumentException", text);
    assert_refused!(
        call!(f, stop_stream_encryption, stop("s")),
        "InvalidArgumentException",
        "Stream s under account 000000000000 is not encrypted."
    );
}

#[tokio::test]
async fn the_stream_is_updating_for_a_while_and_takes_records_meanwhile() {
    let f = Fixture::with(Settings {
        limits: Limits::None,
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    })
    .await;
    f.create("s", 1).await;
    let busy = |status: &str| {
        format!("Stream s under account 000000000000 not ACTIVE, instead in state {status}")
    };
    let refused = call!(f, start_stream_encryption, start("s", "k"));
    assert_refused!(refused, "ResourceInUseException", busy("CREATING"));
    f.advance_secs(30);
    call!(f, start_stream_encryption, start("s", "k")).expect("started");
    let refused = call!(f, stop_stream_encryption, stop("s"));
    assert_refused!(refused, "ResourceInUseException", busy("UPDATING"));
    f.put_at("s", "0", "meanwhile").await;
    f.advance_secs(30);
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    assert_refused!(
        call!(f, stop_stream_encryption, stop("t")),
        "ResourceNotFoundException",
        "Stream t under account 000000000000 not found."
    );
}

#[tokio::test]
async fn encryption_is_started_and_stopped_twenty_five_times_a_day() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    for _ in 0..25 {
        f.advance_secs(1);
        call!(f, start_stream_encryption, start("s", "k")).expect("started");
        call!(f, stop_stream_encryption, stop("s")).expect("stopped");
    }
    f.advance_secs(1);
    let text = "The encryption of stream s under account 000000000000 was changed 25 times within \
                24 hours.";
    let refused = call!(f, start_stream_encryption, start("s", "k"));
    assert_refused!(refused, "LimitExceededException", text);
    f.advance_secs(24 * 3600 - 25);
    call!(f, start_stream_encryption, start("s", "k")).expect("the first is a day old");
}
