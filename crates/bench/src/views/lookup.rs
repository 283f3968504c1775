//! Looking up one group by its whole key: [`measure`].
//!
//! What must hold: groups are asked for in no order, over one connection; the floor is a bare HTTP server
//! that is asked the same in the same round.

use std::sync::Arc;

use http::Method;

use tidemill_server::clock::SystemClock;

use crate::client::{Client, Credentials, Prepared};
use crate::floors::HttpFloor;
use crate::load::{self, Load};
use crate::views::options::Options;
use crate::views::report::LookupMeasured;
use crate::views::standing::{MERGED, Standing};
use crate::views::subject::{ViewsBenchError, wrong};

/// Different groups that are asked for.
const GROUPS: u64 = 997;

/// Measures.
pub async fn measure(
    options: &Options,
    standing: &Standing,
) -> Result<Vec<LookupMeasured>, ViewsBenchError> {
    let ours = &standing.subject.client;
    let floor = HttpFloor::start(None).await?;
    let bare = Client::new(
        floor.endpoint().parse()?,
        Credentials::default(),
        Arc::new(SystemClock),
    );
    let keys = || (0..GROUPS).map(|number| standing.records.key(number));
    let by_rows = |client: &Client| -> Arc<[Prepared]> {
        let asked = keys().map(|(origin, slot)| {
            let path = format!("/_tidemill/views/{MERGED}/rows?origin={origin}&slot={slot}");
            client.prepare_own(Method::GET, &path, None)
        });
        asked.collect()
    };
    let by_sql: Arc<[Prepared]> = keys()
        .map(|(origin, slot)| {
            let sql = format!("SELECT * FROM {MERGED} WHERE origin = '{origin}' AND slot = {slot}");
            standing.subject.question(&sql)
        })
        .collect();
    let turns = [
        (ours, by_rows(ours)),
        (ours, by_sql),
        (&bare, by_rows(&bare)),
    ];
    let mut rounds: [Vec<Vec<f64>>; 3] = Default::default();
    // The first round is not counted: lookups are measured warm.
    for round in 0..=options.rounds {
        for ((client, requests), rounds) in turns.iter().zip(&mut rounds) {
            let load = Load {
                requests: Arc::clone(requests),
                entries: 1,
                connections: 1,
                duration: options.turn,
                requests_max: u64::MAX,
            };
            let sample = load::run(client, &load).await?;
            if round > 0 {
                let latencies = sample.latencies_us.iter();
                rounds.push(latencies.map(|us| *us as f64).collect());
            }
        }
    }
    let [rows, sql, floor] = rounds;
    let measured = [("rows", rows), ("sql", sql)].map(|(way, rounds)| {
        LookupMeasured::of(standing.size.groups, way, &rounds, &floor)
            .ok_or_else(|| wrong("a turn of lookups had no answer"))
    });
    measured.into_iter().collect()
}
