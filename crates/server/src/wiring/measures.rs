//! What every service has measured, in one list.

use tidemill_functions::Functions;
use tidemill_log::LocalLog;
use tidemill_mapping::Mappings;
use tidemill_model::metric::{Family, Kind};

use super::services::Services;

/// Mappings whose counts are shown; each has nine rows.
const MAPPINGS_MAX: usize = 1000;

/// The metrics of all services.
pub fn families(services: &Services) -> Vec<Family> {
    let mut families = services.streams.metrics();
    families.extend(of_functions(&services.functions));
    families.extend(of_mappings(&services.mappings));
    #[cfg(feature = "views")]
    families.extend(of_views(&services.views));
    #[cfg(feature = "views")]
    families.extend(upkeep_of_views(&services.views));
    families.extend(services.local_log.iter().flat_map(|log| of_log(log)));
    families
}

/// What checking for damage in the background has come to.
fn of_log(log: &LocalLog) -> [Family; 3] {
    let scrubbed = log.scrubbed();
    let single = |name: &str, kind, meaning: &str, value| {
        let mut family = Family::new(name, kind, meaning);
        family.push(&[], value);
        family
    };
    [
        single(
            "tidemill_log_scrubbed_chunks",
            Kind::Counter,
            "Chunks of which every entry was checked against its checksum, in the background",
            scrubbed.chunks as f64,
        ),
        single(
            "tidemill_log_scrubbed_bytes",
            Kind::Counter,
            "Bytes of the entries that were checked so",
            scrubbed.bytes as f64,
        ),
        single(
            "tidemill_log_damaged_chunks",
            Kind::Gauge,
            "Chunks that are needed and were found damaged; the diagnostics have the places",
            scrubbed.damage.len() as f64,
        ),
    ]
}

/// How far views are. Their number is bounded.
#[cfg(feature = "views")]
fn of_views(views: &tidemill_views::service::Views) -> [Family; 3] {
    let mut answerable = Family::new(
        "tidemill_view_answerable",
        Kind::Gauge,
        "1 when a view can be answered: its counts add up to its positions, and nothing overflowed",
    );
    let mut records = Family::new(
        "tidemill_view_records",
        Kind::Gauge,
        "Positions that are in the answers of a view, over all shards",
    );
    let mut lag = Family::new(
        "tidemill_view_lag_seconds",
        Kind::Gauge,
        "How long ago a view was last known to lack no record; 0 when it lacks none",
    );
    for status in views.list() {
        let labels = [
            ("view", status.name.clone()),
            ("stream_name", status.view.stream.name.clone()),
        ];
        answerable.push(&labels, f64::from(u8::from(status.sight.is_ok())));
        if let Ok(as_of) = &status.sight {
            records.push(&labels, as_of.positions.values().sum::<u64>() as f64);
            lag.push(&labels, as_of.lag.as_secs_f64());
        }
    }
    [answerable, records, lag]
}

/// What became of the records of views, and what audits found. An error in either is an alarm.
#[cfg(feature = "views")]
fn upkeep_of_views(views: &tidemill_views::service::Views) -> [Family; 4] {
    let mut outcomes = Family::new(
        "tidemill_view_outcomes",
        Kind::Gauge,
        "Positions of a view by what became of their records; together they are tidemill_view_records",
    );
    let mut behind = Family::new(
        "tidemill_view_speed_records",
        Kind::Gauge,
        "Positions of a view that its batch view has not absorbed",
    );
    let mut audited = Family::new(
        "tidemill_view_audited_groups",
        Kind::Counter,
        "Groups of a batch view that were computed again out of the master dataset since the start",
    );
    let mut mismatches = Family::new(
        "tidemill_view_audit_mismatches",
        Kind::Counter,
        "Audits since the start that came to another answer than the batch view",
    );
    for status in views.list() {
        let labels = [
            ("view", status.name.clone()),
            ("stream_name", status.view.stream.name.clone()),
        ];
        let counts = status.upkeep.counts;
        let of_counts = [
            ("rows_in", counts.rows_in),
            ("filtered", counts.filtered),
            ("poisoned", counts.poisoned),
            ("excluded", counts.excluded),
            ("gone", counts.gone),
        ];
        for (outcome, count) in of_counts {
            let mut labels = labels.to_vec();
            labels.push(("outcome", outcome.to_owned()));
            outcomes.push(&labels, count as f64);
        }
        behind.push(&labels, status.upkeep.behind as f64);
        audited.push(&labels, status.upkeep.audits.groups as f64);
        mismatches.push(&labels, status.upkeep.audits.mismatches as f64);
    }
    [outcomes, behind, audited, mismatches]
}

fn of_functions(functions: &Functions) -> impl Iterator<Item = Family> {
    functions.metrics().all().map(|(name, meaning, value)| {
        let mut family = Family::new(name, Kind::Counter, meaning);
        family.push(&[], value as f64);
        family
    })
}

/// The ledger's counts of each mapping. They can fall: a mapping that is deleted and made anew begins
/// again, and pending is what is left to do.
fn of_mappings(mappings: &Mappings) -> [Family; 2] {
    let mut records = Family::new(
        "tidemill_mapping_records",
        Kind::Gauge,
        "Records of a mapping by what became of them, as the ledger has them; acked is their sum",
    );
    let mut duplicates = Family::new(
        "tidemill_mapping_duplicates",
        Kind::Gauge,
        "Deliveries of a mapping beyond the first of each record",
    );
    for mapping in mappings.report().mappings.iter().take(MAPPINGS_MAX) {
        let labels = [
            ("uuid", mapping.uuid.clone()),
            ("stream_name", mapping.stream.clone()),
            ("function_name", mapping.function.clone()),
        ];
        let counts = &mapping.totals;
        let outcomes = [
            ("acked", counts.acked),
            ("processed", counts.processed),
            ("filtered", counts.filtered),
            ("dead_lettered", counts.dead_lettered),
            ("discarded", counts.discarded),
            ("expired", counts.expired),
            ("pending", counts.pending),
        ];
        for (outcome, count) in outcomes {
            let mut labels = labels.to_vec();
            labels.push(("outcome", outcome.to_owned()));
            records.push(&labels, count as f64);
        }
        duplicates.push(&labels, counts.duplicates as f64);
    }
    [records, duplicates]
}
