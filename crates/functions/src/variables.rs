//! The variables of an environment: which the user may set, and what the process is given.
//!
//! AWS's list, with the paths of this machine. Nothing of the server's own environment gets through:
//! a function sees what is listed here and what its user set, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;

use tidemill_model::Timestamp;

use crate::configuration::Configuration;
use crate::function_name::LATEST;
use crate::limits::VARIABLES_BYTES_MAX;
use crate::runtime::Runtime;

/// What a user cannot set.
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Why a user's variables are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Some are the service's own.
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables \
         you have provided contains reserved keys that are currently not supported for modification. \
         Reserved keys used in this request: {0}"
    )]
    Reserved(String),
    /// Together they are too large.
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables \
         you have provided exceeded the 4KB limit. String measured: {0}"
    )]
    TooLarge(String),
    /// A process cannot be given such a value.
    #[error("The environment variable {0:?} has a value with a NUL character in it.")]
    Nul(String),
}

/// Checks what a user wants to set.
pub fn check(variables: &BTreeMap<String, String>) -> Result<(), Refused> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|key| RESERVED.contains(key))
        .collect();
    if !reserved.is_empty() {
        return Err(Refused::Reserved(reserved.join(", ")));
    }
    let measured = serde_json::json!(variables).to_string();
    if measured.len() > VARIABLES_BYTES_MAX {
        return Err(Refused::TooLarge(measured));
    }
    match variables
        .iter()
        .find(|(key, value)| key.contains('\0') || value.contains('\0'))
    {
        Some((key, _)) => Err(Refused::Nul(key.clone())),
        None => Ok(()),
    }
}

/// What a function signs its own requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id; none means the function's account id, which this server takes for the
    /// account to act in.
    pub access_key_id: Option<String>,
    /// The secret key.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials {
            access_key_id: None,
            secret_access_key: "tidemill".to_owned(),
            session_token: "tidemill".to_owned(),
        }
    }
}

/// The facts of one start of a process.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Host and port of its Runtime API.
    pub runtime_api: &'a str,
    /// Where the code is.
    pub code: &'a Path,
    /// Where our bootstrap is.
    pub runtime: &'a Path,
    /// The environment's own temporary directory.
    pub temporary: &'a Path,
    /// The stream its output belongs to.
    pub log_stream: &'a str,
    /// What it signs with.
    pub credentials: &'a Credentials,
    /// The server's own address for the function's SDK, when it is to be told.
    pub endpoint_url: Option<&'a str>,
}

/// The name of the stream that an environment started at `now` writes to; `unique` is 32 digits.
pub fn log_stream(now: Timestamp, unique: &str) -> String {
    let day = now.civil();
    format!(
        "{:04}/{:02}/{:02}/[{LATEST}]{unique}",
        day.year, day.month, day.day
    )
}

/// Everything a process of `configuration` finds in its environment, in the order of the names.
pub fn of_process(configuration: &Configuration, start: &Start<'_>) -> Vec<(String, String)> {
    let code = start.code.display();
    let runtime = start.runtime.display().to_string();
    let region = configuration.arn.region.to_string();
    let account = configuration.arn.account.to_string();
    let library_path = format!(
        "/var/lang/lib:/lib64:/usr/lib64:{runtime}:{runtime}/lib:{code}:{code}/lib:/opt/lib"
    );
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |key: &str, value: String| variables.insert(key.to_owned(), value);
    set("LANG", "en_US.UTF-8".to_owned());
    set("TZ", ":UTC".to_owned());
    set(
        "PATH",
        "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin".to_owned(),
    );
    set("LD_LIBRARY_PATH", library_path);
    set("PWD", code.to_string());
    set("SHLVL", "0".to_owned());
    set("TMPDIR", start.temporary.display().to_string());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned());
    set("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".to_owned());
    set("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1".to_owned());
    set("_AWS_XRAY_DAEMON_PORT", "2000".to_owned());
    if let Some(url) = start.endpoint_url {
        set("AWS_ENDPOINT_URL", url.to_owned());
    }
    if let Runtime::Python(_) = configuration.runtime {
        set("LC_CTYPE", "C.UTF-8".to_owned());
        set("PYTHONPATH", runtime.clone());
    }
    for (key, value) in configuration.variables.iter().flatten() {
        set(key, value.clone());
    }
    set("AWS_LAMBDA_RUNTIME_API", start.runtime_api.to_owned());
    set("_HANDLER", configuration.handler.clone());
    set("LAMBDA_TASK_ROOT", code.to_string());
    set("LAMBDA_RUNTIME_DIR", runtime);
    set("AWS_REGION", region.clone());
    set("AWS_DEFAULT_REGION", region);
    let credentials = start.credentials;
    set(
        "AWS_ACCESS_KEY_ID",
        credentials.access_key_id.clone().unwrap_or(account),
    );
    set(
        "AWS_SECRET_ACCESS_KEY",
        credentials.secret_access_key.clone(),
    );
    set("AWS_SESSION_TOKEN", credentials.session_token.clone());
    if let Runtime::Python(name) = &configuration.runtime {
        set("AWS_EXECUTION_ENV", format!("AWS_Lambda_{name}"));
    }
    set("AWS_LAMBDA_FUNCTION_NAME", configuration.arn.name.clone());
    set("AWS_LAMBDA_FUNCTION_VERSION", LATEST.to_owned());
    set(
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        configuration.memory_mb.to_string(),
    );
    set("AWS_LAMBDA_LOG_GROUP_NAME", configuration.log_group());
    set("AWS_LAMBDA_LOG_STREAM_NAME", start.log_stream.to_owned());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned());
    variables.into_iter().collect()
}

#[cfg(test)]
mod tests;
