//! From the acknowledgement of a record to the first answer that has it: [`measure`].
//!
//! What must hold: time begins when the client has the acknowledgement and ends when it has an answer whose
//! vector lies behind the record. All ways take turns in each round.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use tidemill_model::SequenceNumber;

use crate::stopwatch::Stopwatch;
use crate::views::options::Options;
use crate::views::records::Records;
use crate::views::report::FreshnessMeasured;
use crate::views::subject::{Start, Subject, ViewsBenchError, pause, wrong};
use crate::views::trickle::Trickle;

const GROUPS: u64 = 1400;
const STREAM: &str = "fresh";
const VIEW: &str = "freshness";
/// Records that the view has before.
const BEFORE: u64 = 20_000;
/// Number of the first record that is looked for, and of the first that comes in beside.
const PROBED: u64 = 1_000_000;
const BESIDE: u64 = 10_000_000;
/// Between two probes.
const PAUSE: Duration = Duration::from_millis(5);

/// How an answer is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// With the sequence number that it has to have.
    Demanded,
    /// Again and again.
    Polled,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Demanded => "demanded",
            Way::Polled => "polled",
        }
    }
}

/// Measures.
pub async fn measure(
    options: &Options,
    directory: &Path,
) -> Result<Vec<FreshnessMeasured>, ViewsBenchError> {
    let subject = Subject::start(&Start {
        program: options.program.clone(),
        directory: directory.to_owned(),
        epoch: Duration::from_secs(1),
    })
    .await?;
    let records = Records::over(GROUPS);
    subject.create_stream(STREAM).await?;
    subject.create_view(VIEW, STREAM, "1 second").await?;
    subject.fill(records, STREAM, 0..BEFORE).await?;
    subject.wait_for(VIEW, BEFORE).await?;

    let mut probed = PROBED;
    let mut beside = BESIDE;
    let mut all: Vec<(Way, u64, Vec<Vec<f64>>)> = Vec::new();
    for put_rate in [0, options.put_rate] {
        for way in [Way::Demanded, Way::Polled] {
            all.push((way, put_rate, Vec::new()));
        }
    }
    for _ in 0..options.rounds {
        for (way, put_rate, rounds) in &mut all {
            let client = &subject.client;
            let trickle =
                (*put_rate > 0).then(|| Trickle::start(client, records, STREAM, beside, *put_rate));
            beside += BESIDE;
            let mut latencies = Vec::new();
            for _ in 0..options.probes {
                latencies.push(probe(&subject, records, probed, *way).await?);
                probed += 1;
                pause(PAUSE).await;
            }
            if let Some(trickle) = trickle {
                trickle.end().await?;
            }
            latencies.sort_by(f64::total_cmp);
            rounds.push(latencies);
        }
    }
    subject.kill().await?;
    let measured = all.into_iter().map(|(way, put_rate, rounds)| {
        FreshnessMeasured::of(way.name(), put_rate, &rounds)
            .ok_or_else(|| wrong("there is no round"))
    });
    measured.collect()
}

/// Puts record `number`; gives the microseconds until it is in an answer.
async fn probe(
    subject: &Subject,
    records: Records,
    number: u64,
    way: Way,
) -> Result<f64, ViewsBenchError> {
    let data = base64_simd::STANDARD.encode_to_string(records.payload(number));
    let input = json!({ "StreamName": STREAM, "Data": data, "PartitionKey": number.to_string() });
    let put = subject.client.kinesis("PutRecord", &input).await?;
    let watch = Stopwatch::start();
    let text = put["SequenceNumber"].as_str().unwrap_or_default();
    let sequence: SequenceNumber = text
        .parse()
        .map_err(|_| wrong(format!("{text:?} is no sequence number")))?;
    let shard = put["ShardId"].as_str().unwrap_or_default();
    let (origin, slot) = records.key(number);
    let rows = format!("/_tidemill/views/{VIEW}/rows?origin={origin}&slot={slot}");
    let has_it = |answer: &Value| {
        let position = answer["meta"]["as_of"][0]["positions"][shard].as_u64();
        position.is_some_and(|position| position > sequence.position_at())
    };
    let path = match way {
        Way::Demanded => format!("{rows}&min_position={text}"),
        Way::Polled => rows,
    };
    loop {
        let answer = subject.client.own(&path).await?;
        let us = watch.elapsed().as_secs_f64() * 1e6;
        if has_it(&answer) {
            return Ok(us);
        }
        if way == Way::Demanded {
            return Err(wrong("an answer has not the record that it has to have"));
        }
    }
}
