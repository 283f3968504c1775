//! What views, columns and exclusions there are: statements, descriptions, comparisons, drops.

use http::Method;
use serde_json::{Value, json};

use tidemill_model::Caller;
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_views::positions::as_vector;
use tidemill_views::service::{Home, Status, Upkeep, Views};

use super::answers::{failed, read_body, shown as shown_as_of};
use super::archives::stream;
use super::{json_answer, refusal};

/// Lists the views, or carries out a statement.
pub async fn all(views: &Views, caller: &Caller, request: &Request<'_>) -> Response {
    match *request.method {
        Method::GET => {
            let all: Vec<Value> = views.list().iter().map(shown).collect();
            json_answer(200, &json!({ "views": all }))
        }
        Method::POST => carry_out(views, caller, request).await,
        _ => refusal(405, "GET lists, POST {\"sql\": \"CREATE VIEW …\"} makes"),
    }
}

async fn carry_out(views: &Views, caller: &Caller, request: &Request<'_>) -> Response {
    let body = match read_body(request) {
        Ok(body) => body,
        Err(text) => return refusal(400, &text),
    };
    let Some(sql) = body["sql"].as_str() else {
        return refusal(400, "the body is {\"sql\": \"CREATE VIEW …\"}");
    };
    let place = stream(caller, request, "");
    let home = Home {
        account: place.account,
        region: place.region,
    };
    let done = match views.carry_out(&home, sql).await {
        Ok(done) => done,
        Err(failure) => return failed(&failure),
    };
    let status = done
        .view
        .as_deref()
        .and_then(|name| views.status(name).ok());
    let body = json!({
        "done": done.tag,
        "view": status.as_ref().map(shown),
        "notices": done.notices,
        "inferred_columns": done.inferred,
        "exclusion": done.exclusion,
        "audited": done.audited.map(|audited| json!({
            "records": audited.records,
            "groups": audited.groups,
        })),
    });
    let is_made = matches!(done.tag, "CREATE VIEW" | "ALTER VIEW");
    json_answer(if is_made { 201 } else { 200 }, &body)
}

/// Describes the view called `name`, or drops it.
pub async fn one(views: &Views, request: &Request<'_>, name: &str) -> Response {
    match *request.method {
        Method::GET => match views.status(name) {
            Ok(status) => json_answer(200, &shown(&status)),
            Err(failure) => failed(&failure),
        },
        Method::DELETE => match views.drop_view(name).await {
            Ok(()) => json_answer(200, &json!({ "done": "DROP VIEW" })),
            Err(failure) => failed(&failure),
        },
        _ => refusal(405, "GET describes, DELETE drops, GET .../rows looks up"),
    }
}

/// Compares the served version of the view called `name` with the next, or else with the previous.
pub async fn diff(views: &Views, request: &Request<'_>, name: &str) -> Response {
    if *request.method != Method::GET {
        return refusal(405, "GET compares");
    }
    let diff = match views.diff(name).await {
        Ok(diff) => diff,
        Err(failure) => return failed(&failure),
    };
    let side = |row: &Option<String>| -> Value {
        let row = row.as_deref().map(serde_json::from_str);
        row.transpose().ok().flatten().unwrap_or(Value::Null)
    };
    let first = diff
        .first
        .iter()
        .map(|one| json!({ "served": side(&one.served), "other": side(&one.other) }));
    let body = json!({
        "served": diff.served,
        "other": diff.other,
        "vector": as_vector(&diff.positions),
        "is_equal": diff.is_empty(),
        "compared_columns": diff.compared,
        "columns_in_one_only": diff.not_compared,
        "groups": {
            "equal": diff.equal,
            "differ": diff.differ,
            "only_in_served": diff.only_in_served,
            "only_in_other": diff.only_in_other,
        },
        "first": first.collect::<Vec<_>>(),
        "lines": diff.lines(),
    });
    json_answer(200, &body)
}

/// What the view called `name` computes, as a query of Spark.
pub fn spark_sql(views: &Views, request: &Request<'_>, name: &str) -> Response {
    if *request.method != Method::GET {
        return refusal(405, "GET writes it down");
    }
    let table = match (request.query_value("table"), views.status(name)) {
        (Some(table), _) => table.into_owned(),
        (None, Ok(status)) => format!("`{}`", status.view.stream.name),
        (None, Err(failure)) => return failed(&failure),
    };
    match views.spark_sql(name, &table) {
        Ok(sql) => json_answer(200, &json!({ "sql": sql, "table": table })),
        Err(failure) => failed(&failure),
    }
}

/// The records that no view counts, and those that count again.
pub fn exclusions(views: &Views, request: &Request<'_>) -> Response {
    if *request.method != Method::GET {
        let text = "GET lists; EXCLUDE FROM STREAM name SHARD 3 [first, end) REASON '…' and UNDO \
                    EXCLUSION 7 REASON '…' are posted to /_tidemill/views";
        return refusal(405, text);
    }
    let exclusions = views.exclusions().into_iter().map(|exclusion| {
        let undone = exclusion
            .undone
            .map(|undone| json!({ "at": undone.at.to_string(), "reason": undone.reason }));
        json!({
            "exclusion": exclusion.id,
            "stream": exclusion.stream.to_string(),
            "stream_name": exclusion.stream.name,
            "shard": exclusion.shard.to_string(),
            "from": exclusion.from,
            "to": exclusion.to,
            "reason": exclusion.reason,
            "at": exclusion.at.to_string(),
            "undone": undone,
        })
    });
    json_answer(
        200,
        &json!({ "exclusions": exclusions.collect::<Vec<_>>() }),
    )
}

/// The columns of streams.
pub fn schemas(views: &Views, request: &Request<'_>) -> Response {
    if *request.method != Method::GET {
        let text =
            "GET lists; CREATE SCHEMA FOR STREAM name (…), posted to /_tidemill/views, declares";
        return refusal(405, text);
    }
    let schemas = views.schemas().into_iter().map(|schema| {
        json!({
            "stream": schema.stream.to_string(),
            "inferred": schema.inferred,
            "columns": schema.schema,
        })
    });
    json_answer(200, &json!({ "schemas": schemas.collect::<Vec<_>>() }))
}

fn shown(status: &Status) -> Value {
    let Status {
        view,
        name,
        plan,
        class,
        error,
        reason,
        mode,
        kept_by,
        columns,
        sight,
        upkeep: Upkeep {
            counts,
            behind,
            audits,
        },
    } = status;
    let columns = columns
        .iter()
        .map(|(name, of)| json!({ "name": name, "type": of }));
    let mut shown = match sight {
        Ok(as_of) => shown_as_of(as_of),
        Err(why) => json!({ "unanswerable": why }),
    };
    let described = json!({
        "name": name,
        "view": view.name,
        "version": view.version,
        "is_served": *name == view.name,
        "plan": plan,
        "stream": view.stream.to_string(),
        "stream_name": view.stream.name,
        "statement": view.statement,
        "created_at": view.created_at.to_string(),
        "class": class,
        "error_bound": error,
        "reason": reason,
        "mode": mode,
        "kept_by": kept_by,
        "counts": counts,
        "behind_batch_view": behind,
        "audited_groups": audits.groups,
        "audit_mismatches": audits.mismatches,
        "columns": columns.collect::<Vec<_>>(),
        "tables": view.tables.iter()
            .map(|one| json!({ "table": one.name, "version": one.number }))
            .collect::<Vec<_>>(),
    });
    if let (Value::Object(shown), Value::Object(described)) = (&mut shown, described) {
        shown.extend(described);
    }
    shown
}
