//! How long a put of 1 KiB takes, beside a bare write and sync of the same bytes to the same disk.
//!
//! `cargo run -p tidemill-log --example put_latency [DIRECTORY] [PUTS]`. The rounds alternate, so that
//! a noisy machine disturbs both alike. This shows gross mistakes; the benchmark proper is elsewhere.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use tidemill_log::{Batch, FileDisk, LocalLog, LocalOptions, Log, PartitionId, ServiceTag};
use tidemill_model::{BoxFuture, Clock, Timestamp};
use tidemill_testkit::SimEntropy;

const ROUNDS: usize = 5;
const PAYLOAD_BYTES: usize = 1024;
const FRAME_BYTES: usize = 4096;
const AT_ONCE: usize = 64;

struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the door to time of a benchmark"
        )]
        let now = SystemTime::now();
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(since.as_millis() as u64)
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        unreachable!("nothing sleeps here")
    }
}

fn started() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    Instant::now()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .unwrap_or_else(|| "target/put-latency".to_owned());
    let puts = arguments.next().map_or(Ok(400), |puts| puts.parse())?;
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    let disk = Arc::new(FileDisk::open(&directory.join("log"))?);
    let entropy = Arc::new(SimEntropy::new(1));
    let log = LocalLog::open(
        disk,
        Arc::new(MachineClock),
        entropy,
        LocalOptions::default(),
    )?;
    let log = Arc::new(log);
    let (mut bare, mut alone, mut together) = (Vec::new(), Vec::new(), Vec::new());
    let mut elapsed = Duration::ZERO;
    for _ in 0..ROUNDS {
        bare.extend(bare_writes(&directory.join("bare"), puts)?);
        alone.extend(runtime.block_on(put_one_by_one(log.clone(), puts)));
        let begin = started();
        together.extend(runtime.block_on(put_together(&log, puts)));
        elapsed += begin.elapsed();
    }
    report("bare write + fdatasync of 4 KiB", &mut bare);
    report("put of 1 KiB, 1 in flight", &mut alone);
    report("put of 1 KiB, 64 in flight", &mut together);
    let rate = together.len() as f64 / elapsed.as_secs_f64();
    println!("{rate:.0} puts/s with 64 in flight");
    drop(log);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn bare_writes(path: &Path, count: usize) -> std::io::Result<Vec<Duration>> {
    let file = File::create(path)?;
    let block = [7; FRAME_BYTES];
    let mut taken = Vec::with_capacity(count);
    for index in 0..count {
        let begin = started();
        file.write_all_at(&block, (index * FRAME_BYTES) as u64)?;
        file.sync_data()?;
        taken.push(begin.elapsed());
    }
    Ok(taken)
}

async fn put_one_by_one(log: Arc<LocalLog>, count: usize) -> Vec<Duration> {
    let payload = Bytes::from(vec![7; PAYLOAD_BYTES]);
    let partition = PartitionId::new(ServiceTag::Streams, 1);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = started();
        let entries = vec![(partition, payload.clone())];
        log.append(Batch { entries }).await.expect("the disk works");
        taken.push(begin.elapsed());
    }
    taken
}

async fn put_together(log: &Arc<LocalLog>, count: usize) -> Vec<Duration> {
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| tokio::spawn(put_one_by_one(Arc::clone(log), count)))
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.expect("putting does not panic"));
    }
    taken
}

fn report(what: &str, taken: &mut [Duration]) {
    taken.sort();
    let at = |share: usize| taken[(taken.len() - 1) * share / 100];
    println!(
        "{what:34} p50 {:>9.1?}  p99 {:>9.1?}  n {}",
        at(50),
        at(99),
        taken.len()
    );
}
