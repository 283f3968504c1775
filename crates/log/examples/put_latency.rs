//! How long a put of 1 KiB takes, beside bare durable writes to the same disk.
//!
//! `cargo run --release -p tidemill-log --example put_latency -- [--busy] [--short-slice-callers]
//! [--puts N] [--directory D]`.
//!
//! Rounds of the floor and of each subject take turns, so that a noisy machine disturbs all alike. The
//! floor runs under the best class of scheduling that is granted: it is what the disk can do. With
//! `--busy`, as many threads as there are processors spin beside it. The callers are tasks of two threads
//! of the usual class, or with a short slice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use tidemill_log::scheduling::prefer_this_thread;
use tidemill_log::{
    Batch, Disk, FileDisk, FileDiskError, LocalLog, LocalOptions, Log, PartitionId, Scheduling,
    ServiceTag,
};
use tidemill_model::{BoxFuture, Clock, Timestamp};
use tidemill_testkit::SimEntropy;

const ROUNDS: usize = 5;
const PAYLOAD_BYTES: usize = 1024;
const FRAME_BYTES: usize = 4096;
const IN_FLIGHT: [usize; 4] = [1, 16, 128, 512];

type Failed = Box<dyn std::error::Error>;

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

struct Arguments {
    is_busy: bool,
    callers: Scheduling,
    puts: usize,
    directory: PathBuf,
}

fn arguments() -> Result<Arguments, Failed> {
    let mut arguments = Arguments {
        is_busy: false,
        callers: Scheduling::Usual,
        puts: 2000,
        directory: "target/put-latency".into(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--busy" => arguments.is_busy = true,
            "--short-slice-callers" => arguments.callers = Scheduling::ShortSlice,
            "--puts" => arguments.puts = words.next().ok_or("--puts needs a number")?.parse()?,
            "--directory" => {
                arguments.directory = words.next().ok_or("--directory needs a path")?.into();
            }
            other => return Err(format!("{other} is not known").into()),
        }
    }
    Ok(arguments)
}

/// What is measured over all rounds.
struct Subject {
    name: String,
    log: Arc<LocalLog>,
    taken: Vec<(usize, Vec<Duration>, Duration)>,
}

type Open = fn(&Path) -> Result<FileDisk, FileDiskError>;

const SUBJECTS: [(&str, Open, Scheduling); 4] = [
    ("direct, real time", FileDisk::open, Scheduling::RealTime),
    (
        "buffered, real time",
        FileDisk::open_buffered,
        Scheduling::RealTime,
    ),
    (
        "direct, short slice",
        FileDisk::open,
        Scheduling::ShortSlice,
    ),
    ("direct, usual", FileDisk::open, Scheduling::Usual),
];

fn subject(
    directory: &Path,
    name: &str,
    open: Open,
    scheduling: Scheduling,
) -> Result<Subject, Failed> {
    let disk = Arc::new(open(&directory.join(name))?);
    let options = LocalOptions {
        scheduling,
        ..LocalOptions::default()
    };
    let log = LocalLog::open(
        disk,
        Arc::new(MachineClock),
        Arc::new(SimEntropy::new(1)),
        options,
    )?;
    let taken = IN_FLIGHT
        .iter()
        .map(|at_once| (*at_once, Vec::new(), Duration::ZERO))
        .collect();
    Ok(Subject {
        name: format!("{name}: {}", log.description()),
        log: Arc::new(log),
        taken,
    })
}

fn main() -> Result<(), Failed> {
    let Arguments {
        is_busy,
        callers,
        puts,
        directory,
    } = arguments()?;
    std::fs::create_dir_all(&directory)?;
    println!("load average at the start: {}", load_average());
    let stop = Arc::new(AtomicBool::new(false));
    let spinning = if is_busy { spin(&stop)? } else { Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || {
            prefer_this_thread(callers);
        })
        .build()?;
    let mut subjects = Vec::new();
    for (name, open, scheduling) in SUBJECTS {
        subjects.push(subject(&directory, name, open, scheduling)?);
    }
    let (mut floor, mut inline) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        floor.extend(floor_round(&directory, round, puts)?);
        inline.extend(inline_round(&runtime, &directory, round, puts)?);
        for subject in &mut subjects {
            for (at_once, taken, elapsed) in &mut subject.taken {
                let begin = started();
                let each = puts.div_ceil(at_once.isqrt());
                let log = Arc::clone(&subject.log);
                taken.extend(runtime.block_on(put_together(log, *at_once, each)));
                *elapsed += begin.elapsed();
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for thread in spinning {
        thread.join().map_err(|_| "a spinning thread panicked")?;
    }
    report(&mut floor, &mut inline, &mut subjects);
    println!("load average at the end: {}", load_average());
    drop(subjects);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}

fn spin(stop: &Arc<AtomicBool>) -> Result<Vec<std::thread::JoinHandle<()>>, Failed> {
    let count = std::thread::available_parallelism()?.get();
    let mut threads = Vec::new();
    for _ in 0..count {
        let stop = Arc::clone(stop);
        let spin = move || while !stop.load(Ordering::Relaxed) {};
        threads.push(std::thread::Builder::new().spawn(spin)?);
    }
    Ok(threads)
}

/// Bare durable writes of 4 KiB over zeros, the best way the disk has.
fn bare_writes(directory: &Path, round: usize, puts: usize) -> std::io::Result<Vec<Duration>> {
    let disk = FileDisk::open(&directory.join("floor")).map_err(std::io::Error::other)?;
    let path = format!("bare-{round}");
    let file = disk.create_written_through(&path)?;
    file.write_at(0, &vec![0; puts * FRAME_BYTES])?;
    file.sync()?;
    let block = vec![7; FRAME_BYTES];
    let mut taken = Vec::with_capacity(puts);
    for index in 0..puts {
        let begin = started();
        file.write_at((index * FRAME_BYTES) as u64, &block)?;
        if !file.is_written_through() {
            file.sync()?;
        }
        taken.push(begin.elapsed());
    }
    disk.remove(&path)?;
    Ok(taken)
}

/// On a thread that is scheduled as well as the best subject.
fn floor_round(directory: &Path, round: usize, puts: usize) -> Result<Vec<Duration>, Failed> {
    let directory = directory.to_owned();
    let measure = move || {
        prefer_this_thread(Scheduling::RealTime);
        bare_writes(&directory, round, puts)
    };
    let thread = std::thread::Builder::new().spawn(measure)?;
    Ok(thread.join().map_err(|_| "the floor panicked")??)
}

/// In a task, as a caller that would write by itself.
fn inline_round(
    runtime: &tokio::runtime::Runtime,
    directory: &Path,
    round: usize,
    puts: usize,
) -> Result<Vec<Duration>, Failed> {
    let directory = directory.to_owned();
    let task = runtime.spawn(async move { bare_writes(&directory, round, puts) });
    Ok(runtime.block_on(task)??)
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

async fn put_together(log: Arc<LocalLog>, at_once: usize, each: usize) -> Vec<Duration> {
    let tasks: Vec<_> = (0..at_once)
        .map(|_| tokio::spawn(put_one_by_one(Arc::clone(&log), each)))
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.expect("putting does not panic"));
    }
    taken
}

fn at(taken: &mut [Duration], share: usize) -> Duration {
    taken.sort_unstable();
    taken[(taken.len() - 1) * share / 100]
}

fn report(floor: &mut [Duration], inline: &mut [Duration], subjects: &mut [Subject]) {
    let floors = [50, 99].map(|share| at(floor, share));
    println!(
        "floor: 4 KiB made durable          p50 {:>9.1?} p99 {:>9.1?} n {}",
        floors[0],
        floors[1],
        floor.len()
    );
    let [median, high] = [50, 99].map(|share| at(inline, share));
    println!("the same in a task                 p50 {median:>9.1?} p99 {high:>9.1?}");
    for subject in subjects {
        println!("{}", subject.name);
        for (at_once, taken, elapsed) in &mut subject.taken {
            let [median, high] = [50, 99].map(|share| at(taken, share));
            println!(
                "  put of 1 KiB, {at_once:>3} in flight      p50 {median:>9.1?} p99 {high:>9.1?}  \
                 {:>5.2} and {:>5.2} times the floor, {:>7.0} puts/s, n {}",
                median.as_secs_f64() / floors[0].as_secs_f64(),
                high.as_secs_f64() / floors[1].as_secs_f64(),
                taken.len() as f64 / elapsed.as_secs_f64(),
                taken.len()
            );
        }
    }
}
