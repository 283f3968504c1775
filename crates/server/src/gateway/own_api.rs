//! Our own API: health and the ledger.
//!
//! What must hold: these paths never change, for scripts and test tools know them. `/_localstack/health`
//! has the form that the ecosystem's tools wait for.

use std::collections::BTreeMap;

use serde_json::json;

use tidemill_protocol::response::Response;

use crate::config::{Config, Durability, Storage};
use crate::wiring::services::Services;

/// Answers a `GET` of one of our own paths.
pub fn answer(services: &Services, config: &Config, method: &http::Method, path: &str) -> Response {
    let known = match path {
        "/_tidemill/health" => health(config),
        "/_localstack/health" => ecosystem_health(),
        "/_tidemill/ledger" => json!(services.mappings.report()),
        _ => {
            let text = "no such path; there are /_tidemill/health, /_tidemill/ledger and \
                        /_localstack/health";
            return json_answer(404, &json!({ "error": text }));
        }
    };
    if method != http::Method::GET && method != http::Method::HEAD {
        return json_answer(405, &json!({ "error": "only GET is answered here" }));
    }
    json_answer(200, &known)
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
