//! The archived streams: which there are, how far their tables are, and what waits for them.

use http::Method;
use serde_json::{Value, json};

use tidemill_model::{Caller, Region, StreamArn};
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_streams::Failure;

use crate::wiring::archives::{Archives, Status};
use crate::wiring::services::Services;

use super::{json_answer, refusal};

/// Answers a request for the archive of `name`, or of all streams when that is empty.
pub async fn answer(
    services: &Services,
    caller: &Caller,
    request: &Request<'_>,
    name: &str,
) -> Response {
    let archives = &services.archives;
    let stream = stream(caller, request, name);
    match (request.method, name) {
        (&Method::GET, "") => {
            let all: Vec<Value> = archives.list().iter().map(shown).collect();
            json_answer(200, &json!({ "archives": all }))
        }
        (&Method::GET, _) => described(archives, &stream),
        (&Method::PUT, name) if !name.is_empty() => match archives.begin(&stream).await {
            Ok(()) => described(archives, &stream),
            Err(failure) => failed(&failure),
        },
        (&Method::DELETE, name) if !name.is_empty() && !services.views.over(&stream).is_empty() => {
            let views = services.views.over(&stream).join(", ");
            refusal(
                409,
                &format!("there are views over {name}: drop {views} first"),
            )
        }
        (&Method::DELETE, name) if !name.is_empty() => match archives.end(&stream).await {
            Ok(()) => json_answer(
                200,
                &json!({ "stream": stream.to_string(), "archived": false }),
            ),
            Err(failure) => failed(&failure),
        },
        _ => refusal(
            405,
            "GET lists and shows, PUT .../STREAM begins, DELETE .../STREAM ends",
        ),
    }
}

/// The caller's stream called `name`, where the query says or else where the caller is.
pub fn stream(caller: &Caller, request: &Request<'_>, name: &str) -> StreamArn {
    let region = request.query_value("region");
    StreamArn {
        region: region.map_or_else(|| caller.region.clone(), |region| Region::new(&*region)),
        account: caller.account.clone(),
        name: name.to_owned(),
    }
}

fn described(archives: &Archives, stream: &StreamArn) -> Response {
    let found = archives
        .list()
        .into_iter()
        .find(|status| status.archived.stream == *stream);
    match found {
        Some(status) => json_answer(200, &shown(&status)),
        None => refusal(
            404,
            &format!("stream {stream} is not archived: PUT this path to begin"),
        ),
    }
}

/// The answer to what the streams refused.
pub fn failed(failure: &Failure) -> Response {
    match failure {
        _ if failure.is_not_found() => refusal(404, &failure.to_string()),
        Failure::Refused(refused) => refusal(409, &refused.to_string()),
        Failure::Storage(storage) => {
            tracing::error!(error = %storage, "archiving could not be switched");
            refusal(500, "the log could not be written")
        }
    }
}

fn shown(status: &Status) -> Value {
    let Status {
        archived,
        folder,
        ends,
    } = status;
    let shards = ends.iter().map(|(shard, end)| {
        let archived = archived.released.get(shard).copied().unwrap_or(0);
        json!({ "shard_id": shard.to_string(), "archived": archived, "end": end })
    });
    json!({
        "stream": archived.stream.to_string(),
        "incarnation": archived.incarnation,
        "folder": folder,
        "shards": shards.collect::<Vec<_>>(),
        "lag_records": status.lag(),
        "held": {
            "records": archived.held.records,
            "oldest": archived.held.oldest.map(|oldest| oldest.to_string()),
        },
    })
}
