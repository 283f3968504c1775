//! What views and columns there are: statements, descriptions, drops.

use http::Method;
use serde_json::{Value, json};

use tidemill_model::Caller;
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_views::service::{Home, Status, Views};

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
    });
    json_answer(if status.is_some() { 201 } else { 200 }, &body)
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
        class,
        error,
        reason,
        mode,
        kept_by,
        columns,
        sight,
    } = status;
    let columns = columns
        .iter()
        .map(|(name, of)| json!({ "name": name, "type": of }));
    let mut shown = match sight {
        Ok(as_of) => shown_as_of(as_of),
        Err(why) => json!({ "unanswerable": why }),
    };
    let described = json!({
        "name": view.name,
        "stream": view.stream.to_string(),
        "stream_name": view.stream.name,
        "statement": view.statement,
        "created_at": view.created_at.to_string(),
        "class": class,
        "error_bound": error,
        "reason": reason,
        "mode": mode,
        "kept_by": kept_by,
        "columns": columns.collect::<Vec<_>>(),
    });
    if let (Value::Object(shown), Value::Object(described)) = (&mut shown, described) {
        shown.remove("view");
        shown.extend(described);
    }
    shown
}
