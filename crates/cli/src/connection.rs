//! How the commands reach a server: credentials, clock, chance, and the first question.

use std::sync::Arc;

use anyhow::Context;

use tidemill_bench::client::{Client, Credentials, Endpoint};
use tidemill_model::{Clock, Entropy};
use tidemill_server::clock::SystemClock;
use tidemill_server::entropy::SystemEntropy;

use crate::output::{self, Failed, OrTry};

/// The machine's clock.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The machine's chance.
pub fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

/// From AWS's environment variables, or else what any server takes.
pub fn credentials() -> Credentials {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let defaults = Credentials::default();
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let (access_key, secret_key) = match (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        (Some(access_key), Some(secret_key)) => (access_key, secret_key),
        _ => (defaults.access_key, defaults.secret_key),
    };
    Credentials {
        access_key,
        secret_key,
        region: region.unwrap_or(defaults.region),
    }
}

/// A client of `endpoint`.
pub fn client(endpoint: &Endpoint) -> Client {
    Client::new(endpoint.clone(), credentials(), clock())
}

/// Fails, with the way on, when no Tidemill answers at `endpoint`.
pub async fn check_server(endpoint: &Endpoint) -> Result<(), Failed> {
    let health = client(endpoint).own("/_tidemill/health").await;
    health
        .map(drop)
        .with_context(|| format!("no Tidemill answers at {endpoint}"))
        .or_try(format!("{} start", output::program()))
}
