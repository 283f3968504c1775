//! How a function is described to a client: [`configuration`], AWS's shape of it.
//!
//! Recorded from AWS: the answer to a change shows the function while the change settles, even when it
//! settles at once; a list shows no states; the id that guards against unseen changes is another one
//! after a change has settled.

use sha2::{Digest, Sha256};

use tidemill_model::Timestamp;
use tidemill_shapes::lambda::{
    Architecture, EnvironmentResponse, EphemeralStorage, FunctionConfiguration, LastUpdateStatus,
    LogFormat, LoggingConfig, PackageType, RuntimeVersionConfig, SnapStartApplyOn,
    SnapStartOptimizationStatus, SnapStartResponse, State, StateReasonCode, TracingConfigResponse,
    TracingMode,
};

use crate::catalog::{Change, Function};
use crate::configuration::Configuration;
use crate::function_name::LATEST;

const REASON: &str = "The function is being created.";

/// Where a description is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As the answer to the change that has just been made.
    AfterChange,
    /// As it stands at a time.
    At(Timestamp),
    /// In a list made at a time.
    Listed(Timestamp),
}

/// The description of `function`; with `qualified`, its ARN carries the version.
pub fn configuration(function: &Function, shown: Shown, qualified: bool) -> FunctionConfiguration {
    let mut described = constant_parts(&function.latest.configuration, qualified);
    described.last_modified = Some(last_modified(function.modified_at));
    let settled = match shown {
        Shown::AfterChange => false,
        Shown::At(now) | Shown::Listed(now) => function.is_settled(now),
    };
    let ids = &function.revision_ids;
    described.revision_id = Some(if settled { &ids.settled } else { &ids.settling }.clone());
    match (shown, settled, function.change) {
        (Shown::Listed(_), _, _) => {}
        (Shown::AfterChange | Shown::At(_), false, Change::Created) => {
            described.state = Some(State::Pending);
            described.state_reason = Some(REASON.to_owned());
            described.state_reason_code = Some(StateReasonCode::Creating);
        }
        (Shown::AfterChange | Shown::At(_), false, Change::Updated) => {
            described.state = Some(State::Active);
            described.last_update_status = Some(LastUpdateStatus::InProgress);
            described.last_update_status_reason = Some(REASON.to_owned());
            // AWS sends the code `Creating` here, which its own model does not have: left out.
        }
        (Shown::AfterChange | Shown::At(_), true, _) => {
            described.state = Some(State::Active);
            described.last_update_status = Some(LastUpdateStatus::Successful);
        }
    }
    described
}

fn constant_parts(configuration: &Configuration, qualified: bool) -> FunctionConfiguration {
    let mut arn = configuration.arn.clone();
    arn.qualifier = qualified.then(|| LATEST.to_owned());
    let named = |name: &str| {
        Architecture::ALL
            .iter()
            .find(|value| value.as_str() == name)
            .copied()
    };
    let megabytes = |size: u32| i32::try_from(size).unwrap_or(i32::MAX);
    FunctionConfiguration {
        function_name: Some(arn.name.clone()),
        function_arn: Some(arn.to_string()),
        runtime: Some(configuration.runtime.name().to_owned()),
        role: Some(configuration.role.clone()),
        handler: Some(configuration.handler.clone()),
        code_size: Some(i64::try_from(configuration.code.size).unwrap_or(i64::MAX)),
        code_sha256: Some(configuration.code_sha256()),
        description: Some(configuration.description.clone()),
        timeout: Some(megabytes(configuration.timeout_seconds)),
        memory_size: Some(megabytes(configuration.memory_mb)),
        version: Some(LATEST.to_owned()),
        environment: configuration
            .variables
            .clone()
            .map(|variables| EnvironmentResponse {
                variables: Some(variables),
                error: None,
            }),
        tracing_config: Some(TracingConfigResponse {
            mode: Some(TracingMode::PassThrough),
        }),
        package_type: Some(PackageType::Zip),
        architectures: named(&configuration.architecture).map(|value| vec![value]),
        ephemeral_storage: Some(EphemeralStorage {
            size: megabytes(configuration.ephemeral_storage_mb),
        }),
        snap_start: Some(SnapStartResponse {
            apply_on: Some(SnapStartApplyOn::None),
            optimization_status: Some(SnapStartOptimizationStatus::Off),
        }),
        runtime_version_config: Some(RuntimeVersionConfig {
            runtime_version_arn: Some(runtime_version_arn(configuration)),
            error: None,
        }),
        logging_config: Some(LoggingConfig {
            log_format: Some(LogFormat::Text),
            log_group: Some(configuration.log_group()),
            ..LoggingConfig::default()
        }),
        ..FunctionConfiguration::default()
    }
}

/// An ARN in AWS's form for the runtime's version: the hash of its name, since there is one version.
fn runtime_version_arn(configuration: &Configuration) -> String {
    let digest = Sha256::digest(configuration.runtime.name());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "arn:aws:lambda:{}::runtime:{digits}",
        configuration.arn.region
    )
}

/// A time as this API writes it: with an offset and without a colon in it.
fn last_modified(at: Timestamp) -> String {
    at.to_string().replace('Z', "+0000")
}
