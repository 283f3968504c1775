//! Queries over both layers beside the same over the batch layer alone: [`measure`].
//!
//! What must hold: both views have the same records and are asked the same, in turn in each round. Where
//! nothing is to be used again, a record comes in before each answer, and both views are asked behind it.

use serde_json::json;

use crate::client::Prepared;
use crate::load::{self, Load};
use crate::log::report::Latency;
use crate::stopwatch::Stopwatch;
use crate::views::options::Options;
use crate::views::records::origin;
use crate::views::report::MergedMeasured;
use crate::views::standing::{BATCH, MERGED, Standing};
use crate::views::subject::{ViewsBenchError, whole, wrong};

/// Answers of a turn, at least.
const ANSWERS_MIN: usize = 5;

/// One query, asked of both views, and what it came to.
struct Case {
    query: String,
    is_after_a_record: bool,
    /// Of the batch view and of the merged one.
    asked: [Prepared; 2],
    rounds: [Vec<Vec<f64>>; 2],
}

/// Measures; records that come in are numbered from `next` on.
pub async fn measure(
    options: &Options,
    standing: &Standing,
) -> Result<Vec<MergedMeasured>, ViewsBenchError> {
    let of_one = |view: &str| format!("{} WHERE origin = '{}'", whole(view), origin(7));
    let queries: [&dyn Fn(&str) -> String; 2] = [&|view| whole(view), &of_one];
    let mut cases = Vec::new();
    for is_after_a_record in [false, true] {
        for query in queries {
            cases.push(Case {
                query: query("v"),
                is_after_a_record,
                asked: [BATCH, MERGED].map(|view| standing.subject.question(&query(view))),
                rounds: Default::default(),
            });
        }
    }
    let mut next = standing.size.records;
    // The first round is not counted: memory is there, what can be used again is.
    for round in 0..=options.rounds {
        for case in &mut cases {
            for (asked, rounds) in case.asked.iter().zip(&mut case.rounds) {
                let latencies = match case.is_after_a_record {
                    false => turn(options, standing, asked).await?,
                    true => turn_after_records(options, standing, asked, &mut next).await?,
                };
                if round > 0 {
                    rounds.push(latencies);
                }
            }
        }
    }
    let size = standing.size;
    let measured = cases.into_iter().map(|case| {
        let [batch, merged] = case.rounds;
        let latency = |rounds: Vec<Vec<f64>>| {
            Latency::of(&rounds).ok_or_else(|| wrong("a turn of queries had no answer"))
        };
        let measured = MergedMeasured {
            groups: size.groups,
            records: size.records,
            behind: size.behind(),
            query: case.query,
            is_after_a_record: case.is_after_a_record,
            batch: latency(batch)?,
            merged: latency(merged)?,
            over_batch: [0.0; 2],
            is_met: None,
        };
        Ok(measured.judged())
    });
    measured.collect()
}

async fn turn(
    options: &Options,
    standing: &Standing,
    asked: &Prepared,
) -> Result<Vec<f64>, ViewsBenchError> {
    let load = Load {
        requests: vec![asked.clone()].into(),
        entries: 1,
        connections: 1,
        duration: options.turn,
        requests_max: u64::MAX,
    };
    let sample = load::run(&standing.subject.client, &load).await?;
    let latencies = sample.latencies_us.iter();
    Ok(latencies.map(|us| *us as f64).collect())
}

/// Puts a record, waits until it is in the view that has both layers, and asks; again and again.
async fn turn_after_records(
    options: &Options,
    standing: &Standing,
    asked: &Prepared,
    next: &mut u64,
) -> Result<Vec<f64>, ViewsBenchError> {
    let Standing {
        subject, records, ..
    } = standing;
    let whole = Stopwatch::start();
    let mut latencies = Vec::new();
    while whole.elapsed() < options.turn || latencies.len() < ANSWERS_MIN {
        let data = base64_simd::STANDARD.encode_to_string(records.payload(*next));
        let key = format!("key-{next}");
        let input = json!({ "StreamName": MERGED, "Data": data, "PartitionKey": key });
        let put = subject.client.kinesis("PutRecord", &input).await?;
        let number = put["SequenceNumber"].as_str().unwrap_or_default();
        let (origin, slot) = records.key(*next);
        let path = format!(
            "/_tidemill/views/{MERGED}/rows?origin={origin}&slot={slot}&min_position={number}"
        );
        subject.client.own(&path).await?;
        *next += 1;
        let watch = Stopwatch::start();
        subject.client.send(asked).await?;
        latencies.push(watch.elapsed().as_secs_f64() * 1e6);
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}
