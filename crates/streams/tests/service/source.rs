//! The port through which mappings read.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tidemill_model::source::{ReadLimit, SourceError, StartingPoint};
use tidemill_model::{ShardId, Source};
use tokio::task::JoinHandle;

use tidemill_shapes::kinesis::*;

use tidemill_streams::{ArchiveSource, Settings};

use crate::call;
use crate::fixture::*;

const PAGE: ReadLimit = ReadLimit {
    records: 100,
    bytes: 1024 * 1024,
};
const FIRST: ShardId = ShardId(0);

fn delete(name: &str) -> DeleteStreamInput {
    DeleteStreamInput {
        stream_name: Some(name.into()),
        ..DeleteStreamInput::default()
    }
}

/// Starts a wait for position `from` of the first shard, and lets it come to rest.
async fn waiting(f: &Fixture, from: u64) -> JoinHandle<()> {
    let (streams, arn) = (f.streams.clone(), f.arn("s"));
    let task = tokio::spawn(async move { streams.wait(&arn, FIRST, from).await });
    settle().await;
    task
}

/// Starts a wait of mapping `reader` for the rates of the first shard, and lets it come to rest.
async fn held_back(f: &Fixture, source: Arc<dyn Source>, reader: &'static str) -> JoinHandle<()> {
    let arn = f.arn("s");
    let task = tokio::spawn(async move { source.wait_for_rate(&arn, FIRST, reader).await });
    settle().await;
    task
}

/// How many of `count` GetRecords calls are answered.
async fn answered(f: &Fixture, count: usize) -> usize {
    let kind = ShardIteratorType::Latest;
    let iterator = f.iterator("s", &shard(0), kind).await;
    let mut answered = 0;
    for _ in 0..count {
        let answer = call!(f, get_records, from(&iterator));
        answered += usize::from(answer.is_ok());
    }
    answered
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reader_gets_records_with_their_positions() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let put = f.put_at("s", "0", "a").await;
    f.put_at("s", "0", "b").await;
    let fetched = f
        .streams
        .read(&f.arn("s"), FIRST, 0, PAGE)
        .await
        .expect("read");
    let record = &fetched.records[0];
    assert_eq!(
        (record.position, record.sequence_number.to_string()),
        (0, put.sequence_number)
    );
    assert_eq!(
        (record.arrival, record.partition_key.as_str()),
        (f.now(), "k")
    );
    assert_eq!(
        (fetched.first_readable, fetched.end, fetched.closed),
        (0, 2, false)
    );
    let one = ReadLimit {
        records: 0,
        bytes: 0,
    };
    let fetched = f
        .streams
        .read(&f.arn("s"), FIRST, 1, one)
        .await
        .expect("read");
    assert_eq!(fetched.records.len(), 1);
    let fetched = f
        .streams
        .read(&f.arn("s"), FIRST, 2, PAGE)
        .await
        .expect("read");
    assert!(fetched.records.is_empty());
}

#[tokio::test]
async fn a_reader_is_told_what_has_expired() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(1);
    f.put_at("s", "0", "b").await;
    f.advance_secs(24 * 3600);
    let arn = f.arn("s");
    for _ in 0..2 {
        let fetched = f.streams.read(&arn, FIRST, 0, PAGE).await.expect("read");
        assert_eq!(
            (fetched.first_readable, fetched.records[0].position),
            (1, 1)
        );
        assert_eq!(
            f.streams
                .locate(&arn, FIRST, StartingPoint::TrimHorizon)
                .await,
            Ok(1)
        );
        f.streams.sweep().await.expect("swept");
    }
    assert_eq!(f.streams.shards(&arn).expect("there")[0].first_readable, 1);
}

#[tokio::test]
async fn a_reader_begins_where_it_asks_to() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.advance_secs(10);
    f.put_at("s", "0", "b").await;
    let arn = f.arn("s");
    let cases = [
        (StartingPoint::TrimHorizon, 0),
        (StartingPoint::Latest, 2),
        (StartingPoint::AtTimestamp(f.now()), 1),
        (
            StartingPoint::AtTimestamp(f.now().plus(Duration::from_secs(60))),
            2,
        ),
    ];
    for (start, position) in cases {
        assert_eq!(
            f.streams.locate(&arn, FIRST, start).await,
            Ok(position),
            "{start:?}"
        );
    }
}

#[tokio::test]
async fn closed_shards_and_their_children_are_seen() {
    let f = Fixture::unlimited().await;
    f.create("s", 1).await;
    f.put_at("s", "0", "a").await;
    f.split("s", &shard(0), HALF).await;
    let shards = f.streams.shards(&f.arn("s")).expect("there");
    assert_eq!((shards[0].closed, shards[0].end), (true, 1));
    assert_eq!(
        (shards[2].parents.as_slice(), shards[2].end),
        ([FIRST].as_slice(), 0)
    );
    let end = f
        .streams
        .read(&f.arn("s"), FIRST, 1, PAGE)
        .await
        .expect("read");
    assert!(end.closed && end.records.is_empty());
    f.advance_secs(24 * 3600 + 1);
    let shards = f.streams.shards(&f.arn("s")).expect("there");
    assert_eq!(shards.len(), 2);
    assert!(shards[0].parents.is_empty(), "the parent has expired");
    let gone = f.streams.read(&f.arn("s"), FIRST, 1, PAGE).await;
    assert_eq!(
        gone,
        Err(SourceError::NoShard {
            stream: f.arn("s"),
            shard: FIRST
        })
    );
}

#[tokio::test]
async fn a_stream_created_anew_is_another_one() {
    let f = Fixture::new().await;
    let missing = Err(SourceError::NoStream { stream: f.arn("s") });
    assert_eq!(f.streams.incarnation(&f.arn("s")), missing);
    f.create("s", 1).await;
    let first = f.streams.incarnation(&f.arn("s"));
    call!(f, delete_stream, delete("s")).expect("deleted");
    assert_eq!(f.streams.incarnation(&f.arn("s")), missing);
    f.create("s", 1).await;
    assert_ne!(f.streams.incarnation(&f.arn("s")), first);
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_a_record() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let wait = waiting(&f, 1).await;
    f.put_at("s", "0", "a").await;
    settle().await;
    assert!(!wait.is_finished(), "it waits for the second");
    f.put_at("s", "0", "b").await;
    wait.await.expect("woken");
    waiting(&f, 1).await.await.expect("at once");
}

#[tokio::test]
async fn a_waiting_reader_is_woken_when_the_shard_is_closed_and_not_while_it_is_half_closed() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let wait = waiting(&f, 0).await;
    f.log.set(Trouble::CommandsAfterSeal);
    f.split("s", &shard(0), HALF).await;
    settle().await;
    assert!(!wait.is_finished(), "the shard is sealed and still open");
    f.log.set(None);
    f.streams.sweep().await.expect("finishes the split");
    wait.await.expect("woken");
}

#[tokio::test]
async fn a_waiting_reader_is_woken_when_the_stream_is_gone() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let wait = waiting(&f, 0).await;
    call!(f, delete_stream, delete("s")).expect("deleted");
    wait.await.expect("woken");
    waiting(&f, 0).await.await.expect("at once");
}

#[tokio::test]
async fn a_waiting_reader_is_woken_when_a_delayed_deletion_is_done() {
    let settings = Settings {
        state_delay: Duration::from_secs(30),
        ..Settings::default()
    };
    let f = Fixture::with(settings).await;
    f.create("s", 1).await;
    f.advance_secs(30);
    let wait = waiting(&f, 0).await;
    call!(f, delete_stream, delete("s")).expect("begun");
    settle().await;
    assert!(!wait.is_finished());
    f.advance_secs(30);
    wait.await.expect("woken");
}

#[tokio::test]
async fn a_mapping_takes_a_call_and_what_it_reads_from_all_who_read_the_shard() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let source: Arc<dyn Source> = Arc::new(f.streams.clone());
    for _ in 0..10 {
        assert!(held_back(&f, source.clone(), "m").await.is_finished());
    }
    assert_eq!(answered(&f, 6).await, 4);
    f.advance_secs(1);
    let large = vec![b'x'; 1024 * 1024 - 1].leak();
    for _ in 0..4 {
        call!(f, put_record, record("s", "k", large)).expect("put");
        f.advance_secs(1);
    }
    assert!(held_back(&f, source.clone(), "m").await.is_finished());
    let page = ReadLimit {
        bytes: 10 * 1024 * 1024,
        ..PAGE
    };
    let fetched = f.streams.read(&f.arn("s"), FIRST, 0, page).await;
    assert_eq!(
        fetched.expect("read").records.len(),
        1,
        "half a second's worth"
    );
    let position = 1;
    let fetched = f.streams.read(&f.arn("s"), FIRST, position, page).await;
    assert_eq!(fetched.expect("read").records.len(), 1);
    assert_eq!(answered(&f, 1).await, 0);
    let task = held_back(&f, source, "m").await;
    assert!(!task.is_finished());
    f.clock.advance(Duration::from_millis(500));
    task.await.expect("it may read");
    assert_eq!(answered(&f, 6).await, 5, "its call lasts a second");
}

#[tokio::test]
async fn mappings_wait_for_a_call_and_each_gets_one() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let source: Arc<dyn Source> = Arc::new(f.streams.clone());
    assert_eq!(answered(&f, 5).await, 5);
    let mut tasks = Vec::new();
    for reader in ["a", "b"] {
        tasks.push(held_back(&f, source.clone(), reader).await);
    }
    for served in 0..=2 {
        let finished = tasks.iter().filter(|task| task.is_finished());
        assert_eq!(finished.count(), served);
        f.clock.advance(Duration::from_millis(200));
        settle().await;
    }
}

#[tokio::test]
async fn a_mapping_that_waits_for_a_shard_that_goes_is_let_go() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    assert_eq!(answered(&f, 5).await, 5);
    let task = held_back(&f, Arc::new(f.streams.clone()), "m").await;
    assert!(!task.is_finished());
    call!(f, delete_stream, delete("s")).expect("deleted");
    f.advance_secs(1);
    task.await.expect("the read says that it is gone");
}

#[tokio::test]
async fn views_and_whoever_has_no_limits_read_beside_the_rates() {
    for f in [Fixture::new().await, Fixture::unlimited().await] {
        f.create("s", 1).await;
        let limited = answered(&f, 6).await == 5;
        let views = Arc::new(ArchiveSource {
            streams: f.streams.clone(),
        });
        assert!(held_back(&f, views, "v").await.is_finished());
        let mapping = held_back(&f, Arc::new(f.streams.clone()), "m").await;
        assert_eq!(mapping.is_finished(), !limited);
    }
}

#[tokio::test]
async fn a_reader_can_wait_for_a_new_shard() {
    let f = Fixture::new().await;
    f.create("s", 1).await;
    let (streams, arn) = (f.streams.clone(), f.arn("s"));
    let wait = tokio::spawn(async move { streams.wait_for_shard(&arn, ShardId(1)).await });
    settle().await;
    assert!(!wait.is_finished());
    f.split("s", &shard(0), HALF).await;
    wait.await.expect("woken");
}

/// Polls `call` up to `polls` times, other tasks running in between, and drops it.
async fn cut_off<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
        if let Poll::Ready(output) = polled.await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_split_whose_caller_hangs_up_anywhere_is_finished_and_its_readers_are_woken() {
    for polls in 1.. {
        let f = Fixture::new().await;
        f.create("s", 1).await;
        let wait = waiting(&f, 0).await;
        let input = split("s", &shard(0), HALF);
        let call = tidemill_streams::ops::split_shard(&f.streams, &f.caller, input);
        let answered = cut_off(polls, call).await.is_some();
        settle().await;
        f.streams.sweep().await.expect("finishes the split");
        assert_eq!(f.shard_ids("s", None).await.len(), 3, "{polls} polls");
        settle().await;
        assert!(wait.is_finished(), "{polls} polls");
        if answered {
            break;
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_caller_hangs_up_anywhere_is_finished_and_its_readers_are_woken() {
    for polls in 1.. {
        let f = Fixture::new().await;
        f.create("s", 1).await;
        f.put_at("s", "0", "a").await;
        let wait = waiting(&f, 1).await;
        let call = tidemill_streams::ops::delete_stream(&f.streams, &f.caller, delete("s"));
        let answered = cut_off(polls, call).await.is_some();
        settle().await;
        assert!(wait.is_finished(), "{polls} polls");
        f.streams.sweep().await.expect("frees the rest");
        assert_eq!(f.log_partitions(), 0, "{polls} polls");
        f.create("s", 1).await;
        if answered {
            break;
        }
    }
}
