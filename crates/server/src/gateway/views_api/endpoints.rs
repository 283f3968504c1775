//! Named queries with parameters: a question that is asked again and again, as an address of its own.

use http::Method;
use serde_json::{Value, json};

use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_views::catalog::Endpoint;
use tidemill_views::service::{Template, Views};

use super::answers::{conditions, failed, read_body, written};
use super::{demands, json_answer, refusal};

/// Lists them.
pub fn all(views: &Views, request: &Request<'_>) -> Response {
    if *request.method != Method::GET {
        return refusal(405, "GET lists, PUT .../NAME makes one");
    }
    let all: Vec<Value> = views.endpoints().iter().map(shown).collect();
    json_answer(200, &json!({ "endpoints": all }))
}

/// Shows, makes or drops the one called `name`.
pub async fn one(views: &Views, request: &Request<'_>, name: &str) -> Response {
    match *request.method {
        Method::GET => described(views, name),
        Method::PUT => {
            let body = match read_body(request) {
                Ok(body) => body,
                Err(text) => return refusal(400, &text),
            };
            let Some(sql) = body["sql"].as_str() else {
                let text = "the body is {\"sql\": \"SELECT … WHERE store = {{store}}\"}";
                return refusal(400, text);
            };
            match views.name_query(name, sql).await {
                Ok(()) => described(views, name),
                Err(failure) => failed(&failure),
            }
        }
        Method::DELETE => match views.forget_query(name).await {
            Ok(()) => json_answer(200, &json!({ "done": "DROP ENDPOINT" })),
            Err(failure) => failed(&failure),
        },
        _ => refusal(
            405,
            "GET shows, PUT makes, DELETE drops, GET .../rows answers",
        ),
    }
}

/// Answers the one called `name`, with the parameters in the query.
pub async fn rows(views: &Views, request: &Request<'_>, name: &str) -> Response {
    if *request.method != Method::GET {
        return refusal(405, "GET with the parameters of the query");
    }
    let options = match demands::of_query(views, request, None) {
        Ok(options) => options,
        Err(text) => return refusal(400, &text),
    };
    let found = views
        .endpoints()
        .into_iter()
        .find(|endpoint| endpoint.name == name);
    let sql = found.map(|endpoint| endpoint.sql).unwrap_or_default();
    let answered = views.query_named(name, &conditions(request), options).await;
    written(views, request, &sql, answered)
}

fn described(views: &Views, name: &str) -> Response {
    let found = views
        .endpoints()
        .into_iter()
        .find(|endpoint| endpoint.name == name);
    match found {
        Some(endpoint) => json_answer(200, &shown(&endpoint)),
        None => refusal(404, &format!("there is no query {name}")),
    }
}

fn shown(endpoint: &Endpoint) -> Value {
    let template = Template::read(&endpoint.sql);
    json!({
        "name": endpoint.name,
        "sql": endpoint.sql,
        "parameters": template.map_or_else(|_| Vec::new(), |template| {
            template.parameters().into_iter().map(str::to_owned).collect()
        }),
        "rows": format!("/_tidemill/views/endpoints/{}/rows", endpoint.name),
    })
}
