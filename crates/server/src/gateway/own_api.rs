//! Our own API: health, the ledger, the metrics, the certificate, and the code of functions.
//!
//! What must hold: these paths never change, for scripts and test tools know them. `/_localstack/health`
//! has the form that the ecosystem's tools wait for.

use std::collections::BTreeMap;

use serde_json::json;

use tidemill_protocol::response::Response;

use crate::config::{Config, Durability, Storage};
use crate::wiring::services::Services;

use super::metrics_page;

/// Answers a `GET` of one of our own paths; `certificate` is the one that encrypted connections get.
pub async fn answer(
    services: &Services,
    config: &Config,
    certificate: Option<&str>,
    method: &http::Method,
    path: &str,
) -> Response {
    if method != http::Method::GET && method != http::Method::HEAD {
        return json_answer(405, &json!({ "error": "only GET is answered here" }));
    }
    if let Some(name) = path.strip_prefix(CODE) {
        return code(services, name).await;
    }
    match path {
        "/_tidemill/health" => json_answer(200, &health(config)),
        "/_localstack/health" => json_answer(200, &ecosystem_health()),
        "/_tidemill/metrics" => metrics_page::answer(services),
        "/_tidemill/ledger" => json_answer(200, &json!(services.mappings.report())),
        "/_tidemill/certificate.pem" => match certificate {
            Some(pem) => Response::new(200, "application/x-pem-file", pem.to_owned()),
            None => json_answer(404, &json!({ "error": "start with --tls to have one" })),
        },
        _ => {
            let text = "no such path; there are /_tidemill/health, /_tidemill/ledger, \
                        /_tidemill/metrics, /_tidemill/views and /_localstack/health";
            json_answer(404, &json!({ "error": text }))
        }
    }
}

/// Where the archives of functions are fetched, each by its hash: who knows it has been told by
/// GetFunction.
const CODE: &str = "/_tidemill/code/";

async fn code(services: &Services, name: &str) -> Response {
    match services.blobs.get(name).await {
        Ok(Some(archive)) => Response::new(200, "application/zip", archive),
        Ok(None) => json_answer(404, &json!({ "error": "there is no such code" })),
        Err(error) => {
            tracing::error!(%error, "an archive could not be read");
            json_answer(500, &json!({ "error": "the code could not be read" }))
        }
    }
}

fn health(config: &Config) -> serde_json::Value {
    let storage = match &config.storage {
        Storage::Ephemeral => "ephemeral",
        Storage::Directory(_) => "directory",
    };
    let durability = match (&config.storage, config.durability) {
        (Storage::Ephemeral, _) | (_, Durability::Memory) => "memory",
        (_, Durability::Sync) => "sync",
        (_, Durability::Os) => "os",
    };
    json!({
        "status": "running",
        "version": env!("CARGO_PKG_VERSION"),
        "storage": storage,
        "durability": durability,
        "services": running_services(),
    })
}

const SERVICES: [&str; 3] = ["kinesis", "lambda", "sqs"];

fn running_services() -> BTreeMap<&'static str, &'static str> {
    SERVICES
        .into_iter()
        .map(|service| (service, "running"))
        .collect()
}

fn ecosystem_health() -> serde_json::Value {
    json!({ "services": running_services(), "edition": "tidemill", "version": env!("CARGO_PKG_VERSION") })
}

fn json_answer(status: u16, body: &serde_json::Value) -> Response {
    Response::new(status, "application/json", body.to_string())
}
