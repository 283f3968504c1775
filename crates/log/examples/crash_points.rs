//! A long seeded run of power cuts: `cargo run --release -p tidemill-log --example crash_points --
//! [--points N] [--seed S]`.
//!
//! Each seed draws a run of changes over a simulated disk, and the power is cut in the middle of each
//! of its I/Os; what is recovered must be the state before or after the change that was cut short. The
//! first difference ends it with the seed and the I/O. The same stories as the tests, only more.

#[path = "../tests/crash/story.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod story;

use std::time::Instant;

use story::{check_goes_on, check_recovered, cuts, open, runtime};

struct Arguments {
    points: u64,
    seed: u64,
}

fn arguments() -> Result<Arguments, Box<dyn std::error::Error>> {
    let mut arguments = Arguments {
        points: 100_000,
        seed: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, Box<dyn std::error::Error>> {
            let number = words
                .next()
                .ok_or_else(|| format!("{word} needs a number"))?;
            Ok(number.parse()?)
        };
        match word.as_str() {
            "--points" => arguments.points = number()?,
            "--seed" => arguments.seed = number()?,
            other => return Err(format!("{other} is not known").into()),
        }
    }
    Ok(arguments)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments {
        points,
        seed: first,
    } = arguments()?;
    #[expect(clippy::disallowed_methods, reason = "says how long it took")]
    let begin = Instant::now();
    let runtime = runtime();
    let (mut done, mut seed) = (0, first);
    while done < points {
        done += runtime.block_on(check_seed(seed, points - done));
        seed += 1;
    }
    println!(
        "{done} power cuts in the runs of the seeds from {first} to {}: nothing that was acknowledged \
         is lost; {:.1} s",
        seed - 1,
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Cuts the power at up to `points` I/Os of one run; gives at how many.
async fn check_seed(seed: u64, points: u64) -> u64 {
    let mut done = 0;
    for (io, (disk, mut run)) in (1_u64..=points).zip(cuts(seed).await) {
        let place = format!("seed {seed}, power cut at I/O {io}");
        disk.crash(seed << 32 | io);
        let log =
            open(&disk, &run.workload.clock, io).unwrap_or_else(|error| panic!("{place}: {error}"));
        check_recovered(&log, &mut run, &place).await;
        if io % 4 == 0 {
            check_goes_on(&disk, log, run, &place).await;
        }
        done += 1;
    }
    done
}
