//! The benchmark of the log alone: [`run`], through its port, beside the disk under it.
//!
//! What must hold: puts and floors take turns within each round; the floor of a put is a bare durable
//! write of the size that the frames of the same turn had. Blocks: it has threads of its own.

pub mod counted_disk;
pub mod report;
pub mod subject;
pub mod device;
pub mod held;
pub mod options;
pub mod puts;
pub mod read_back;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};

use crate::log::report::{Held, LogReport};
use crate::log::subject::{BEST, LogBenchError};
use crate::machine::Machine;

pub use options::{Options, Part};

/// Threads whose tasks put: as many as the machine of the figures in the decisions has cores.
const CALLER_THREADS: usize = 2;

/// Runs everything; `on_step` is told what comes next.
pub fn run(options: &Options, mut on_step: impl FnMut(&str)) -> Result<LogReport, LogBenchError> {
    let scratch = tempfile::Builder::new()
        .prefix("tidemill-bench-log-")
        .tempdir_in(&options.directory)?;
    let machine = Machine::observe(scratch.path());
    let mut report = LogReport {
        version: env!("CARGO_PKG_VERSION"),
        rounds: options.rounds,
        turn_millis: u64::try_from(options.turn.as_millis()).unwrap_or(u64::MAX),
        busy: options.busy,
        warnings: machine.warnings(),
        machine: Some(machine),
        ..LogReport::default()
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(CALLER_THREADS)
        .enable_all()
        .build()?;
    let spinning = if options.busy {
        spin()?
    } else {
        Spinning::default()
    };
    measure(options, scratch.path(), &runtime, &mut report, &mut on_step)?;
    spinning.stop();
    Ok(report)
}

fn measure(
    options: &Options,
    scratch: &Path,
    runtime: &Runtime,
    report: &mut LogReport,
    on_step: &mut impl FnMut(&str),
) -> Result<(), LogBenchError> {
    for way in options.ways() {
        if options.has(Part::Put) {
            on_step("puts of one record");
            let directory = scratch.join(way.name);
            let puts = puts::measure(options, runtime, &directory, way, &options.in_flight, 1)?;
            report.puts.extend(puts);
        }
    }
    if options.has(Part::Batch) {
        on_step("puts over many partitions");
        let entries = options.batch_entries;
        let directory = scratch.join("batch");
        let puts = puts::measure(options, runtime, &directory, &BEST, &[1], entries)?;
        report.puts.extend(puts);
    }
    if options.has(Part::Read) {
        on_step("reading from memory");
        let directory = scratch.join("read");
        report.tail_read = Some(read_back::tail(options, runtime, &directory)?);
    }
    let is_held = options.has(Part::Memory) || options.has(Part::Restart);
    if is_held && options.holder.is_empty() {
        let warning = "memory and start were not measured: no program was named to hold a log";
        report.warnings.push(warning.to_owned());
    } else if is_held {
        let mut held = Held {
            memory: None,
            restart: None,
        };
        if options.has(Part::Memory) {
            on_step("memory of idle partitions");
            held.memory = Some(read_back::memory(options, &scratch.join("memory"))?);
        }
        if options.has(Part::Restart) {
            on_step("the start after a kill");
            held.restart = Some(read_back::restart(
                options,
                runtime,
                &scratch.join("restart"),
            )?);
        }
        report.held = Some(held);
    }
    Ok(())
}

/// Threads that keep all cores busy.
#[derive(Default)]
struct Spinning {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Spinning {
    fn stop(self) {
        drop(self);
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It does nothing that panics.
            let _ = thread.join();
        }
    }
}

fn spin() -> std::io::Result<Spinning> {
    let mut spinning = Spinning::default();
    for _ in 0..std::thread::available_parallelism()?.get() {
        let stop = Arc::clone(&spinning.stop);
        let spin = move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        let thread = std::thread::Builder::new()
            .name("spin".to_owned())
            .spawn(spin)?;
        spinning.threads.push(thread);
    }
    Ok(spinning)
}
