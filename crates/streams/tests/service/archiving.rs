//! Archived streams: what is not archived is not freed, and readers see none of that.

use std::collections::BTreeMap;

use tidemill_model::source::ReadLimit;
use tidemill_model::{ShardId, Source};
use tidemill_shapes::kinesis::*;
use tidemill_streams::{ArchiveSource, Held};

use crate::fixture::*;
use crate::{assert_refused, call};

const DAY: u64 = 24 * 3600;
const FIRST: ShardId = ShardId(0);

fn source(f: &Fixture) -> ArchiveSource {
    ArchiveSource {
        streams: f.streams.clone(),
    }
}

/// Positions of the first shard that an archiver is given.
async fn kept(f: &Fixture) -> Vec<u64> {
    let limit = ReadLimit {
        records: 100,
        bytes: 1024,
    };
    let source = source(f);
    let fetched = source
        .read(&f.arn("s"), FIRST, 0, limit)
        .await
        .expect("read");
    fetched
        .records
        .iter()
        .map(|record| record.position)
        .collect()
}

async fn archive(f: &Fixture) -> u64 {
    f.streams.archive(&f.arn("s")).await.expect("archived")
}

fn release(f: &Fixture, incarnation: u64, before: u64) {
    f.streams
        .release(incarnation, &BTreeMap::from([(FIRST, before)]));
}

async fn sweep(f: &Fixture) {
    f.streams.sweep().await.expect("swept");
}

#[tokio::test]
async fn what_has_expired_is_kept_until_the_archiver_has_it_and_no_reader_sees_it() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let incarnation = archive(&f).await;
    f.put_at("s", "0", "a").await;
    let arrived = f.now();
    f.advance_secs(1);
    f.put_at("s", "0", "b").await;
    f.advance_secs(DAY);
    f.put_at("s", "0", "c").await;
    sweep(&f).await;
    assert_eq!(f.all("s", &shard(0)).await, ["b", "c"]);
    assert_eq!(kept(&f).await, [0, 1, 2]);
    let held = Held {
        records: 1,
        oldest: Some(arrived),
    };
    assert_eq!(f.streams.archived()[0].held, held);
    release(&f, incarnation, 3);
    sweep(&f).await;
    assert_eq!(
        kept(&f).await,
        [1, 2],
        "what has not expired stays for readers"
    );
    assert_eq!(f.streams.archived()[0].held, Held::default());
}

#[tokio::test]
async fn after_a_start_nothing_is_freed_before_the_archiver_says_so_again() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let incarnation = archive(&f).await;
    f.put_at("s", "0", "a").await;
    f.put_at("s", "0", "b").await;
    release(&f, incarnation, 1);
    f.restart().await;
    f.advance_secs(DAY + 1);
    sweep(&f).await;
    assert_eq!(kept(&f).await, [0, 1]);
    release(&f, incarnation, 1);
    sweep(&f).await;
    assert_eq!(kept(&f).await, [1]);
    release(&f, incarnation + 1, 2);
    sweep(&f).await;
    assert_eq!(kept(&f).await, [1], "another stream was meant");
}

#[tokio::test]
async fn a_closed_shard_is_forgotten_when_it_has_expired_and_the_archiver_has_all_of_it() {
    let mut f = Fixture::unlimited().await;
    f.create("s", 1).await;
    let incarnation = archive(&f).await;
    f.put_at("s", "0", "old").await;
    f.split("s", &shard(0), HALF).await;
    f.advance_secs(DAY + 1);
    for _ in 0..2 {
        sweep(&f).await;
        assert_eq!(f.shard_ids("s", None).await, [shard(1), shard(2)]);
        let shards = source(&f).shards(&f.arn("s")).expect("there");
        assert_eq!((shards.len(), shards[0].end), (3, 1));
        assert_eq!(shards[1].parents, [FIRST]);
        assert_eq!(kept(&f).await, [0]);
        f.restart().await;
    }
    release(&f, incarnation, 1);
    sweep(&f).await;
    assert_eq!(source(&f).shards(&f.arn("s")).expect("there").len(), 2);
    f.restart().await;
    assert_eq!(source(&f).shards(&f.arn("s")).expect("there").len(), 2);
    assert_eq!(f.log_partitions(), 0);
}

#[tokio::test]
async fn a_stream_whose_archiving_ended_is_freed_by_retention_alone() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    archive(&f).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(DAY + 1);
    sweep(&f).await;
    assert_eq!(kept(&f).await, [0]);
    f.streams.end_archiving(&f.arn("s")).await.expect("ended");
    sweep(&f).await;
    assert_eq!(kept(&f).await, [0; 0]);
    assert_eq!(f.streams.archived(), []);
}

#[tokio::test]
async fn an_archived_stream_is_not_deleted() {
    let mut f = Fixture::new().await;
    f.create("s", 1).await;
    archive(&f).await;
    f.restart().await;
    let delete = || DeleteStreamInput {
        stream_name: Some("s".into()),
        enforce_consumer_deletion: Some(true),
        ..DeleteStreamInput::default()
    };
    assert_refused!(
        call!(f, delete_stream, delete()),
        "ResourceInUseException",
        "Stream s under account 000000000000 is archived for views: drop its views and end its \
         archiving first, with DELETE /_tidemill/views/archives/s."
    );
    f.streams.end_archiving(&f.arn("s")).await.expect("ended");
    call!(f, delete_stream, delete()).expect("deleted");
    f.streams
        .archive(&f.arn("s"))
        .await
        .expect_err("it is gone");
}

#[tokio::test]
async fn what_is_held_back_is_measured() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    archive(&f).await;
    f.put_at("s", "0", "a").await;
    f.put_at("s", "0", "b").await;
    let arrived = f.now();
    f.advance_secs(DAY + 1);
    sweep(&f).await;
    let value = |name: &str| {
        let families = f.streams.metrics();
        let family = families.iter().find(|family| family.name == name);
        family.expect("shown").rows[0].value
    };
    assert_eq!(value("tidemill_streams_held_records"), 2.0);
    let oldest = value("tidemill_streams_oldest_held_timestamp_seconds");
    assert_eq!(oldest, arrived.as_secs_f64());
}
