//! Answers: rows with what they are as of, as JSON, as lines of JSON or as an Arrow stream.
//!
//! What must hold: every form carries what the rows are as of: JSON in `meta`, the others in the header
//! `x-tidemill-meta`. An `ETag` names the views and their vectors; there is none where the answer depends
//! on more, the time for example.

use serde_json::{Value, json};

use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_views::catalog::Refused;
use tidemill_views::positions::as_vector;
use tidemill_views::service::{Failure, Views, arrow_stream, class_of, columns_of, rows_of};
use tidemill_views::sql::{Answered, Kind};
use tidemill_views::view_reader::AsOf;

use super::demands::{self, RESERVED};
use super::{json_answer, refusal};

const ARROW: &str = "application/vnd.apache.arrow.stream";
const LINES: &str = "application/x-ndjson";

/// Answers `sql`, which stands in the query, in JSON, or is the body.
pub async fn query(views: &Views, request: &Request<'_>) -> Response {
    let asked = match *request.method {
        http::Method::GET => {
            let sql = request.query_value("sql").map(|sql| sql.into_owned());
            let sql = sql.ok_or_else(|| "?sql= is missing".to_owned());
            sql.and_then(|sql| Ok((sql, demands::of_query(views, request, None)?)))
        }
        http::Method::POST => read_body(request).and_then(|body| {
            let sql = body["sql"]
                .as_str()
                .ok_or("the body is {\"sql\": \"SELECT …\"}")?;
            Ok((sql.to_owned(), demands::of_body(views, &body)?))
        }),
        _ => return refusal(405, "GET with ?sql= or POST"),
    };
    let (sql, options) = match asked {
        Ok(asked) => asked,
        Err(text) => return refusal(400, &text),
    };
    written(views, request, &sql, views.query(&sql, options).await)
}

/// Answers the rows of the view called `name` that the query asks for.
pub async fn lookup(views: &Views, request: &Request<'_>, name: &str) -> Response {
    if *request.method != http::Method::GET {
        return refusal(
            405,
            "GET with values of columns: ?store=BLR-3&hour.from=2026-01-01T00:00:00Z",
        );
    }
    let view = match views.version(name) {
        Ok((view, _)) => view,
        Err(failure) => return failed(&failure),
    };
    let options = match demands::of_query(views, request, Some(&view.stream.name)) {
        Ok(options) => options,
        Err(text) => return refusal(400, &text),
    };
    let answered = views.lookup(name, &conditions(request), options).await;
    written(views, request, "", answered)
}

/// The parameters of a query that say something of its rows.
pub fn conditions(request: &Request<'_>) -> Vec<(String, String)> {
    let conditions = request
        .query()
        .filter(|(name, _)| !RESERVED.contains(&name.as_ref()));
    conditions
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// A body of JSON; a body of SQL counts as `{"sql": …}`.
pub fn read_body(request: &Request<'_>) -> Result<Value, String> {
    let media_type = request.media_type().unwrap_or_default();
    if matches!(media_type.as_str(), "text/plain" | "application/sql") {
        let sql = std::str::from_utf8(request.body).map_err(|_| "the body is no text")?;
        return Ok(json!({ "sql": sql }));
    }
    serde_json::from_slice(request.body)
        .map_err(|error| format!("the body is neither JSON nor text/plain with SQL: {error}"))
}

/// The answer as `request` wants it; `sql` is what was asked.
pub fn written(
    views: &Views,
    request: &Request<'_>,
    sql: &str,
    answered: Result<Answered, Failure>,
) -> Response {
    let answered = match answered {
        Ok(answered) => answered,
        Err(failure) => return failed(&failure),
    };
    let tag = tag(views, sql, &answered).filter(|_| *request.method == http::Method::GET);
    let known = request.header("if-none-match");
    if let (Some(tag), Some(known)) = (&tag, known)
        // A tag has quotes around it, so it is no part of another.
        && known.contains(tag.as_str())
    {
        return Response::empty(304).with_header("etag", tag);
    }
    let meta = meta(&answered);
    let response = match body(request.header("accept"), &answered, &meta) {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            return refusal(500, "the answer could not be written");
        }
    };
    match tag {
        Some(tag) => response.with_header("etag", &tag),
        None => response,
    }
}

fn body(
    accept: Option<&str>,
    answered: &Answered,
    meta: &Value,
) -> Result<Response, Box<dyn std::error::Error>> {
    let accept = accept.unwrap_or_default();
    if accept.contains(ARROW) {
        let bytes = arrow_stream(&answered.columns, &answered.rows)?;
        return Ok(
            Response::new(200, ARROW, bytes).with_header("x-tidemill-meta", &meta.to_string())
        );
    }
    let rows = rows_of(&answered.rows)?;
    if accept.contains("ndjson") {
        let mut lines = rows.join("\n");
        lines.extend((!rows.is_empty()).then_some('\n'));
        return Ok(
            Response::new(200, LINES, lines).with_header("x-tidemill-meta", &meta.to_string())
        );
    }
    let columns = columns_of(&answered.columns).into_iter();
    let columns = columns.map(|(name, of)| json!({ "name": name, "type": of }));
    let columns = Value::from(columns.collect::<Vec<_>>());
    let text = format!(
        r#"{{"columns":{columns},"rows":[{}],"meta":{meta}}}"#,
        rows.join(",")
    );
    Ok(Response::new(200, "application/json", text))
}

fn meta(answered: &Answered) -> Value {
    let as_of: Vec<Value> = answered.as_of.iter().map(shown).collect();
    let tables = answered.tables.iter();
    let tables = tables.map(|table| json!({ "table": table.name, "version": table.number }));
    json!({ "as_of": as_of, "tables": tables.collect::<Vec<_>>() })
}

/// What an answer is as of, in JSON.
pub fn shown(as_of: &AsOf) -> Value {
    let positions = as_of.positions.iter();
    let positions: serde_json::Map<String, Value> = positions
        .map(|(shard, position)| (shard.to_string(), json!(position)))
        .collect();
    let (class, error) = class_of(as_of.class);
    json!({
        "view": as_of.view,
        "positions": positions,
        "vector": as_vector(&as_of.positions),
        "epoch": as_of.epoch,
        "lag_millis": u64::try_from(as_of.lag.as_millis()).unwrap_or(u64::MAX),
        "class": class,
        "error_bound": error,
    })
}

/// Names what the answer to `sql` depends on; none when that is more than vectors and versions of tables.
fn tag(views: &Views, sql: &str, answered: &Answered) -> Option<String> {
    let mut parts = Vec::new();
    let mut texts = vec![sql.to_owned()];
    for one in &answered.as_of {
        let (version, plan) = views.version(&one.view).ok()?;
        // The same records give something else when some of them are excluded.
        let plan = plan.get(..8).unwrap_or_default();
        let (view, id) = (&one.view, version.id);
        let vector = as_vector(&one.positions);
        parts.push(format!("{view}.{id}.{plan}={vector}"));
        texts.push(version.statement);
    }
    for table in &answered.tables {
        let digest = table.digest.get(..8).unwrap_or_default();
        parts.push(format!("{}@{}.{digest}", table.name, table.number));
    }
    let depends_on_more = texts.iter().any(|text| {
        let text = text.to_lowercase();
        ["now", "current", "random", "uuid", "local"]
            .iter()
            .any(|word| text.contains(word))
    });
    (!parts.is_empty() && !depends_on_more).then(|| format!("\"{}\"", parts.join(";")))
}

/// The answer to what failed.
pub fn failed(failure: &Failure) -> Response {
    let status = match failure {
        _ if failure.is_not_found() => 404,
        Failure::Refused(
            Refused::Name { .. } | Refused::NoPositions { .. } | Refused::Reason { .. },
        ) => 400,
        Failure::Refused(_) | Failure::Behind { .. } | Failure::Incomparable { .. } => 409,
        Failure::NoStream { .. }
        | Failure::NoShard { .. }
        | Failure::NoColumns { .. }
        | Failure::NotThereYet { .. } => 400,
        Failure::Query(error) => match error.kind {
            Kind::Unanswerable => 503,
            Kind::TooLarge => 413,
            Kind::Internal => 500,
            _ => 400,
        },
        Failure::Table(error) if error.is_of_the_table() => 400,
        Failure::Broken { .. } | Failure::Source(_) | Failure::Archiving(_) | Failure::Table(_) => {
            503
        }
        Failure::Storage(_) => 500,
    };
    if status == 500 {
        tracing::error!(error = %failure, "a request about views failed inside");
    }
    let (error, hint) = (failure.to_string(), failure.hint());
    match hint.is_empty() {
        true => json_answer(status, &json!({ "error": error })),
        false => json_answer(status, &json!({ "error": error, "hint": hint })),
    }
}
