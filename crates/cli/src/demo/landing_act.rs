//! The second act: flights in the order of landing, and a view of them that is asked all the while.
//!
//! What must hold: an answer is believed only when a recompute over the records before its vector, which
//! are read back from the stream, comes to the same; a count that goes back is a wrong answer.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use serde::Serialize;
use serde_json::json;

use tidemill_bench::client::Failure;
use tidemill_model::SequenceNumber;

use crate::demo::boundary::{self, Boundary};
use crate::demo::flights::Flight;
use crate::demo::landings::{self, Landing};
use crate::demo::oracle::Oracle;
use crate::demo::pipeline;
use crate::demo::producer;
use crate::demo::questions::{Answer, Question};
use crate::demo::readback;
use crate::demo::stored::Stored;
use crate::demo::verdict::{self, Check};
use crate::demo::wire::{Call, Wire};
use crate::output::grouped;
use crate::progress::Progress;

const COLUMNS: &str = "departed TIMESTAMP, delay BIGINT, distance BIGINT, origin TEXT, destination TEXT, \
                       landed TIMESTAMP";
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// Of so many questions one is about everything.
const ALL_IN: usize = 10;
/// How long the view may take to have everything that was put.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the second act came to.
#[derive(Clone, Debug, Serialize)]
pub struct LandingReport {
    /// The view.
    pub view: String,
    /// How exact it says it is.
    pub class: String,
    /// Flights in the file.
    pub flights: u64,
    /// Records that the stream holds.
    pub records: u64,
    /// Buckets of the last answer about everything.
    pub buckets: u64,
    /// Answers.
    pub answers: u64,
    /// Of these, answers given while flights were still coming.
    pub answers_meanwhile: u64,
    /// Of these, answers that a recompute did not come to.
    pub wrong: u64,
    /// What was wrong with the first of them.
    pub first_wrong: Option<String>,
    /// Different states of the batch view among them.
    pub epochs: u64,
    /// What a boundary in time would have got wrong on the same flights.
    pub time_boundary: Boundary,
}

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What ends every name, when it is not empty.
    pub suffix: &'a str,
    /// Shards of the stream.
    pub shards: u32,
    /// Answers at least, also when all flights have landed before.
    pub answers_min: usize,
}

/// The second act, or none where the server has no views.
pub async fn run(
    wire: &Wire,
    plan: Plan<'_>,
    landings: &[Landing],
) -> Result<Option<LandingReport>> {
    let list = wire
        .ask(&Call::Views(Method::GET, String::new(), None))
        .await;
    if matches!(
        list,
        Err(Failure::Refused {
            status: 404 | 501,
            ..
        })
    ) {
        return Ok(None);
    }
    list.context("the views could not be listed")?;
    let name = |base: &str, between: &str| match plan.suffix {
        "" => base.to_owned(),
        suffix => format!("{base}{between}{suffix}"),
    };
    let stream = name("landings", "-");
    let view = name("delays", "_").to_lowercase().replace('-', "_");
    let setup = Progress::begin("Making a view of landings", 0);
    let class = set_up(wire, &stream, plan.shards, &view).await?;
    setup.finish(&format!(
        "{view}, {class}: flights and delay by hour and airport"
    ));

    let flights: Arc<[Flight]> = landings.iter().map(Landing::record).collect();
    let mut inquiry = Inquiry {
        wire,
        view: &view,
        landings,
        answers: Vec::new(),
    };
    let mut progress = Progress::begin("Landing, and asking meanwhile", landings.len() as u64);
    let report = |landed| progress.reach(landed);
    tokio::select! {
        put = producer::put_all(wire, &stream, Arc::clone(&flights), report) => drop(put?),
        asked = inquiry.ask_on() => match asked? {},
    }
    let meanwhile = inquiry.answers.len();
    progress.finish(&format!("{} answers", grouped(meanwhile as u64)));

    let progress = Progress::begin("Comparing every answer", 0);
    let stored = readback::read_all(wire, &stream, &flights).await?;
    inquiry.ask_until(stored.len() as u64).await?;
    inquiry.ask_to(plan.answers_min).await?;
    let mut report = judge(landings, &stored, inquiry.answers)?;
    report.answers_meanwhile = meanwhile as u64;
    (report.view, report.class) = (view, class);
    progress.finish(&format!("{} wrong", grouped(report.wrong)));
    Ok(Some(report))
}

async fn set_up(wire: &Wire, stream: &str, shards: u32, view: &str) -> Result<String> {
    let created = pipeline::create_stream(wire, stream, shards).await;
    created.context("the stream could not be created")?;
    let declare = format!("CREATE SCHEMA FOR STREAM \"{stream}\" ({COLUMNS})");
    let declared = statement(wire, declare).await;
    declared.context("the columns could not be declared")?;
    let create = format!(
        "CREATE VIEW {view} WITH (absorb = '1 second') AS SELECT origin, date_bin(INTERVAL '1 hour', departed) AS hour, \
         count(*) AS flights, sum(delay) AS delay FROM STREAM \"{stream}\" GROUP BY origin, hour"
    );
    let made = statement(wire, create).await;
    made.context("the view could not be made")?;
    let made = wire
        .ask(&Call::Views(Method::GET, format!("/{view}"), None))
        .await?;
    let class = made["class"].as_str().context("a view without class")?;
    Ok(class.to_owned())
}

/// Carries out a statement; that it is done already is fine when an earlier answer was lost.
async fn statement(wire: &Wire, sql: String) -> Result<()> {
    let call = Call::Views(Method::POST, String::new(), Some(json!({ "sql": sql })));
    let called = wire.call(&call).await;
    match called.result {
        Err(Failure::Refused { status: 409, .. }) if called.lost_answers > 0 => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(_) => Ok(()),
    }
}

/// Asks the view.
struct Inquiry<'a> {
    wire: &'a Wire,
    view: &'a str,
    landings: &'a [Landing],
    answers: Vec<Answer>,
}

impl Inquiry<'_> {
    /// Asks whatever comes to mind until it is dropped.
    async fn ask_on(&mut self) -> Result<Infallible> {
        loop {
            let question = self.question();
            self.ask(question).await?;
            self.wire.pause(PAUSE).await;
        }
    }

    /// Asks for everything until that is `records` records.
    async fn ask_until(&mut self, records: u64) -> Result<()> {
        let deadline = self.wire.clock().now().plus(PATIENCE);
        loop {
            self.ask(Question::All).await?;
            let last = self.answers.last().context("it was asked")?;
            let counted: u64 = last.vector.values().sum();
            if counted >= records {
                return Ok(());
            }
            if self.wire.clock().now() >= deadline {
                bail!("the view has {counted} of {records} records after {PATIENCE:?}");
            }
            self.wire.pause(PAUSE).await;
        }
    }

    /// Asks until there are `answers`.
    async fn ask_to(&mut self, answers: usize) -> Result<()> {
        while self.answers.len() < answers {
            let question = self.question();
            self.ask(question).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, question: Question) -> Result<()> {
        let input = json!({ "sql": question.sql(self.view) });
        let call = Call::Views(Method::POST, "/query".to_owned(), Some(input));
        let answer = self
            .wire
            .ask(&call)
            .await
            .context("the view was not answered")?;
        self.answers.push(Answer::read(question, &answer)?);
        Ok(())
    }

    fn question(&self) -> Question {
        let below = |bound: usize| self.wire.entropy().below(bound as u64) as usize;
        let some = &self.landings[below(self.landings.len())];
        // Of three million flights everything is a great deal.
        match below(ALL_IN.max(self.landings.len() / 3000)) {
            0 => Question::All,
            odd if odd % 2 == 1 => {
                let day = some.departed.chars().take(10).collect();
                Question::Day(some.origin.to_string(), day)
            }
            _ => Question::Hour(landings::hour_of(&some.departed)),
        }
    }
}

/// Compares `answers`, which came in this order, with sums over what is stored.
fn judge(landings: &[Landing], stored: &Stored, answers: Vec<Answer>) -> Result<LandingReport> {
    let records = stored.records().map(|(shard, number, row)| {
        let number: SequenceNumber = number.parse().context("a number that is none")?;
        let row = row.context("a record that is no flight of the file")?;
        Ok((shard.to_owned(), number.position_at(), row))
    });
    let mut oracle = Oracle::new(landings, records.collect::<Result<Vec<_>>>()?)?;
    let mut whole = answers.iter().rev();
    let whole = whole.find(|answer| answer.question == Question::All);
    let mut report = LandingReport {
        view: String::new(),
        class: String::new(),
        flights: landings.len() as u64,
        records: stored.len() as u64,
        buckets: whole.map_or(0, |answer| answer.buckets.len() as u64),
        answers: answers.len() as u64,
        answers_meanwhile: 0,
        wrong: 0,
        first_wrong: None,
        epochs: answers
            .iter()
            .map(|answer| answer.epoch)
            .collect::<BTreeSet<_>>()
            .len() as u64,
        time_boundary: boundary::count(landings),
    };
    for answer in answers {
        let wrong = match oracle.at(&answer.vector) {
            Err(error) => Some(error.to_string()),
            Ok(sums) if answer.question.expected(sums) == answer.buckets => None,
            Ok(_) => Some(format!("{:?} at {:?}", answer.question, answer.vector)),
        };
        if let Some(wrong) = wrong {
            report.wrong += 1;
            report.first_wrong.get_or_insert(wrong);
        }
    }
    Ok(report)
}

impl LandingReport {
    /// The comparison, as the others of the demo.
    pub fn checks(&self) -> [Check; 2] {
        let wrong = self.first_wrong.clone().unwrap_or_default();
        [
            verdict::check(
                "views-answers-equal-recompute",
                "every answer of the view is what a recompute over the records before its vector gives",
                self.wrong == 0 && self.answers > 0,
                || {
                    format!(
                        "{} of {} are not, the first: {wrong}",
                        self.wrong, self.answers
                    )
                },
            ),
            verdict::check(
                "views-asked-meanwhile",
                "the view was asked while records were coming",
                self.answers_meanwhile > 0,
                || "it was not answered once before all were put".to_owned(),
            ),
        ]
    }

    /// The act for a reader.
    pub fn text(&self) -> String {
        let boundary = &self.time_boundary;
        format!(
            "{} flights of 2001 in the order of landing. When they were reported is derived; departures, \
             delays and distances are real.\n\
             The view {} ({}) has {} buckets of hour and airport. {} answers, {} of them while flights \
             landed, over {} states of its batch view: {} wrong.\n\
             A boundary in time, asked {} times, would have got {} of {} buckets wrong, for {} late flights.",
            grouped(self.flights),
            self.view,
            self.class,
            grouped(self.buckets),
            grouped(self.answers),
            grouped(self.answers_meanwhile),
            grouped(self.epochs),
            grouped(self.wrong),
            grouped(boundary.questions),
            grouped(boundary.wrong_buckets),
            grouped(boundary.buckets),
            grouped(boundary.missing),
        )
    }
}
