//! Static tables, which views and queries look things up in.

use http::Method;
use serde_json::{Value, json};

use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_views::catalog::TableEntry;
use tidemill_views::schema::Column;
use tidemill_views::service::{Views, type_named};

use super::answers::failed;
use super::{json_answer, refusal};

/// Lists them.
pub fn all(views: &Views, request: &Request<'_>) -> Response {
    if *request.method != Method::GET {
        return refusal(405, "GET lists, PUT .../NAME makes a version of one");
    }
    let tables = views.tables();
    let tables: Vec<Value> = tables.iter().map(|versions| shown(versions)).collect();
    json_answer(200, &json!({ "tables": tables }))
}

/// Shows, makes or drops the one called `name`. What is put is a JSON object in each line.
pub async fn one(views: &Views, request: &Request<'_>, name: &str) -> Response {
    match *request.method {
        Method::GET => described(views, name, 200, &[]),
        Method::PUT => match views.put_table(name, request.body).await {
            Ok(put) => {
                let left_out = put.left_out.iter();
                let notices =
                    left_out.map(|(field, why)| format!("field {field} is no column: {why}"));
                let notices: Vec<String> = notices.collect();
                described(views, name, if put.is_new { 201 } else { 200 }, &notices)
            }
            Err(failure) => failed(&failure),
        },
        Method::DELETE => match views.drop_table(name).await {
            Ok(()) => json_answer(200, &json!({ "done": "DROP TABLE" })),
            Err(failure) => failed(&failure),
        },
        _ => refusal(405, "GET shows, PUT makes a version, DELETE drops"),
    }
}

fn described(views: &Views, name: &str, status: u16, notices: &[String]) -> Response {
    let tables = views.tables();
    let is_it = |versions: &&Vec<TableEntry>| versions.iter().any(|one| one.version.name == name);
    match tables.iter().find(is_it) {
        Some(versions) => {
            let mut table = shown(versions);
            table["notices"] = json!(notices);
            json_answer(status, &table)
        }
        None => refusal(404, &format!("there is no table {name}")),
    }
}

fn shown(versions: &[TableEntry]) -> Value {
    let column = |column: &Column| {
        let of = type_named(column.format.holds());
        json!({ "name": column.name, "type": of })
    };
    let all = versions.iter().map(|entry| {
        json!({
            "version": entry.version.number,
            "rows": entry.version.rows,
            "sha256": entry.version.digest,
            "created_at": entry.created_at.to_string(),
        })
    });
    let newest = versions.last().map(|newest| &newest.version);
    let columns = newest.iter().flat_map(|newest| newest.schema.columns());
    json!({
        "table": newest.map(|newest| &newest.name),
        "version": newest.map(|newest| newest.number),
        "rows": newest.map(|newest| newest.rows),
        "columns": columns.map(column).collect::<Vec<_>>(),
        "versions": all.collect::<Vec<_>>(),
    })
}
