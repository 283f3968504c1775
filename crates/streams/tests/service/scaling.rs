//! On-demand streams under real puts, scaled by the driver as it runs in the server.

use std::time::Duration;

use tidemill_shapes::kinesis::*;
use tidemill_streams::{Eagerness, Limits, Scaler, Settings};

use crate::call;
use crate::fixture::*;

/// A second in which a shard takes more records than leave it cool.
async fn busy_second(f: &Fixture, name: &str) {
    for count in [500, 20] {
        let entry = PutRecordsRequestEntry {
            partition_key: Some("k".into()),
            explicit_hash_key: Some("0".into()),
            data: "x".into(),
        };
        let input = PutRecordsInput {
            stream_name: Some(name.into()),
            records: packed(&vec![entry; count]),
            ..PutRecordsInput::default()
        };
        call!(f, put_records, input).expect("put");
    }
}

/// Lets the others run until the stream has so many open shards.
async fn until_open(f: &Fixture, name: &str, open: usize) {
    for _ in 0..10_000 {
        let latest = ShardFilter {
            r#type: ShardFilterType::AtLatest,
            shard_id: None,
            timestamp: None,
        };
        if f.shard_ids(name, Some(latest)).await.len() == open {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("stream {name} has not come to {open} shards");
}

#[tokio::test]
async fn a_hot_shard_of_an_on_demand_stream_is_split_and_nothing_is_lost() {
    let f = Fixture::with(Settings {
        limits: Limits::None,
        eagerness: Eagerness {
            hot_before_split: Duration::ZERO,
            cold_before_merge: Duration::from_secs(120),
        },
        ..Settings::default()
    })
    .await;
    let on_demand = CreateStreamInput {
        shard_count: None,
        ..new_stream("s", 1)
    };
    call!(f, create_stream, on_demand).expect("created");
    f.create("p", 1).await;
    let scaling = tokio::spawn(Scaler::new(f.streams.clone()).run());
    tokio::task::yield_now().await;
    for _ in 0..60 {
        busy_second(&f, "s").await;
        busy_second(&f, "p").await;
        f.advance_secs(1);
    }
    until_open(&f, "s", 5).await;
    assert_eq!(f.describe("s").await.stream_status, StreamStatus::Active);
    assert_eq!(
        f.describe("p").await.shards.len(),
        1,
        "nobody asked for more"
    );
    let child = f.put_at("s", "0", "after").await;
    assert_eq!(child.shard_id, shard(4));

    let mut iterator = Some(
        f.iterator("s", &shard(0), ShardIteratorType::TrimHorizon)
            .await,
    );
    let (mut records, mut children) = (0, Vec::new());
    while let Some(from) = iterator.take() {
        let output = f.read(&from).await;
        records += output.records.len();
        children.extend(output.child_shards.unwrap_or_default());
        iterator = output.next_shard_iterator;
    }
    assert_eq!(records, 60 * 520);
    let ids: Vec<&str> = children
        .iter()
        .map(|child| child.shard_id.as_str())
        .collect();
    assert_eq!(ids, [shard(4), shard(5)]);

    // The split counts as a peak does: for thirty days.
    f.advance_secs(31 * 24 * 3600);
    for _ in 0..4 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        f.advance_secs(60);
    }
    until_open(&f, "s", 4).await;
    scaling.abort();
}
