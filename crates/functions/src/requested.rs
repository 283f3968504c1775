//! What a request asks for: inputs taken over into a [`Configuration`] or [`Changes`], or refused.
//!
//! What must hold: nothing is accepted and ignored. A parameter that has no effect here is refused by
//! its name unless it has its default, in which case leaving it out would mean the same.

use std::collections::BTreeMap;

use thiserror::Error;

use tidemill_model::FunctionArn;
use tidemill_shapes::lambda::{
    Architecture, CreateFunctionInput, DeadLetterConfig, Environment, FileSystemConfig,
    FunctionCode, ImageConfig, LogFormat, LoggingConfig, PackageType, SnapStart, SnapStartApplyOn,
    TracingConfig, TracingMode, UpdateFunctionCodeInput, UpdateFunctionConfigurationInput,
    VpcConfig,
};

use crate::catalog::Changes;
use crate::configuration::{Code, Configuration};
use crate::limits::{EPHEMERAL_STORAGE_MB_MAX, MEMORY_MB_MAX, TAGS_MAX, TIMEOUT_SECONDS_MAX};
use crate::runtime::Runtime;
use crate::variables;

const TIMEOUT_SECONDS_DEFAULT: u32 = 3;
const MEMORY_MB_DEFAULT: u32 = 128;
const EPHEMERAL_STORAGE_MB_DEFAULT: u32 = 512;

/// Why a request's parameters are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Unacceptable {
    /// Which parameter, and why.
    pub message: String,
}

fn unacceptable(message: impl ToString) -> Unacceptable {
    Unacceptable {
        message: message.to_string(),
    }
}

fn unsupported(parameter: &str) -> Unacceptable {
    unacceptable(format!(
        "The parameter {parameter} is not supported by this version of Tidemill: leave it out or give \
         its default."
    ))
}

fn refuse(parameters: &[(&str, bool)]) -> Result<(), Unacceptable> {
    match parameters.iter().find(|(_, given)| *given) {
        Some((parameter, _)) => Err(unsupported(parameter)),
        None => Ok(()),
    }
}

/// Parameters that both a creation and an update can have, and that have no effect here.
struct Ineffective<'a> {
    vpc_config: Option<&'a VpcConfig>,
    layers: Option<&'a Vec<String>>,
    file_system_configs: Option<&'a Vec<FileSystemConfig>>,
    dead_letter_config: Option<&'a DeadLetterConfig>,
    snap_start: Option<&'a SnapStart>,
    kms_key_arn: Option<&'a String>,
    tracing_config: Option<&'a TracingConfig>,
    image_config: Option<&'a ImageConfig>,
    /// Members without a default that could be given.
    others: [(&'static str, bool); 4],
}

impl Ineffective<'_> {
    fn check(&self) -> Result<(), Unacceptable> {
        let given = |list: Option<&Vec<String>>| list.is_some_and(|list| !list.is_empty());
        refuse(&[
            (
                "VpcConfig",
                self.vpc_config.is_some_and(|config| {
                    given(config.subnet_ids.as_ref())
                        || given(config.security_group_ids.as_ref())
                        || config.ipv6_allowed_for_dual_stack == Some(true)
                }),
            ),
            ("Layers", given(self.layers)),
            (
                "FileSystemConfigs",
                self.file_system_configs
                    .is_some_and(|list| !list.is_empty()),
            ),
            (
                "DeadLetterConfig",
                self.dead_letter_config.is_some_and(|config| {
                    config
                        .target_arn
                        .as_ref()
                        .is_some_and(|arn| !arn.is_empty())
                }),
            ),
            (
                "SnapStart",
                self.snap_start.is_some_and(|config| {
                    config
                        .apply_on
                        .is_some_and(|value| value != SnapStartApplyOn::None)
                }),
            ),
            (
                "KMSKeyArn",
                self.kms_key_arn.is_some_and(|arn| !arn.is_empty()),
            ),
            (
                "TracingConfig",
                self.tracing_config.is_some_and(|config| {
                    config
                        .mode
                        .is_some_and(|mode| mode != TracingMode::PassThrough)
                }),
            ),
            (
                "ImageConfig",
                self.image_config
                    .is_some_and(|config| *config != ImageConfig::default()),
            ),
        ])?;
        refuse(&self.others)
    }
}

/// Where a request says the code is.
struct Source<'a> {
    zip_file: Option<&'a bytes::Bytes>,
    image_uri: bool,
    s3: bool,
    key: bool,
    storage_mode: bool,
}

impl<'a> Source<'a> {
    fn zip(&self) -> Result<&'a bytes::Bytes, Unacceptable> {
        if self.s3 {
            return Err(unacceptable(
                "The parameter S3Bucket is not supported by this version of Tidemill: send the archive \
                 itself as ZipFile.",
            ));
        }
        refuse(&[
            ("SourceKMSKeyArn", self.key),
            ("S3ObjectStorageMode", self.storage_mode),
        ])?;
        self.zip_file
            .ok_or_else(|| unacceptable("Please provide a source for function code."))
    }
}

/// The archive that a creation brings.
pub fn created_zip(input: &CreateFunctionInput) -> Result<&bytes::Bytes, Unacceptable> {
    let FunctionCode {
        image_uri,
        s3_bucket,
        s3_key,
        s3_object_storage_mode,
        s3_object_version,
        source_kms_key_arn,
        zip_file,
    } = &input.code;
    let source = Source {
        zip_file: zip_file.as_ref(),
        image_uri: image_uri.is_some(),
        s3: s3_bucket.is_some() || s3_key.is_some() || s3_object_version.is_some(),
        key: source_kms_key_arn.is_some(),
        storage_mode: s3_object_storage_mode.is_some(),
    };
    if source.image_uri
        || input
            .package_type
            .is_some_and(|kind| kind != PackageType::Zip)
    {
        return Err(unacceptable(
            "Container images (PackageType Image, ImageUri) are not supported by this version of \
             Tidemill: send an archive as ZipFile.",
        ));
    }
    source.zip()
}

/// The archive that an update brings.
pub fn updated_zip(input: &UpdateFunctionCodeInput) -> Result<&bytes::Bytes, Unacceptable> {
    let source = Source {
        zip_file: input.zip_file.as_ref(),
        image_uri: input.image_uri.is_some(),
        s3: input.s3_bucket.is_some()
            || input.s3_key.is_some()
            || input.s3_object_version.is_some(),
        key: input.source_kms_key_arn.is_some(),
        storage_mode: input.s3_object_storage_mode.is_some(),
    };
    if source.image_uri {
        return Err(unacceptable(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    refuse_versions(input.publish, input.publish_to.is_some())?;
    source.zip()
}

fn refuse_versions(publish: Option<bool>, publish_to: bool) -> Result<(), Unacceptable> {
    refuse(&[
        ("Publish", publish == Some(true)),
        ("PublishTo", publish_to),
    ])
}

/// The configuration that a creation asks for.
pub fn configuration(
    input: &CreateFunctionInput,
    arn: FunctionArn,
    code: Code,
) -> Result<Configuration, Unacceptable> {
    Ineffective {
        vpc_config: input.vpc_config.as_ref(),
        layers: input.layers.as_ref(),
        file_system_configs: input.file_system_configs.as_ref(),
        dead_letter_config: input.dead_letter_config.as_ref(),
        snap_start: input.snap_start.as_ref(),
        kms_key_arn: input.kms_key_arn.as_ref(),
        tracing_config: input.tracing_config.as_ref(),
        image_config: input.image_config.as_ref(),
        others: [
            ("AcceleratorConfig", input.accelerator_config.is_some()),
            (
                "CapacityProviderConfig",
                input.capacity_provider_config.is_some(),
            ),
            ("DurableConfig", input.durable_config.is_some()),
            ("RuntimeConfig", input.runtime_config.is_some()),
        ],
    }
    .check()?;
    refuse(&[
        (
            "CodeSigningConfigArn",
            input.code_signing_config_arn.is_some(),
        ),
        ("TenancyConfig", input.tenancy_config.is_some()),
    ])?;
    refuse_versions(input.publish, input.publish_to.is_some())?;
    let (Some(runtime), Some(handler)) = (&input.runtime, &input.handler) else {
        return Err(unacceptable(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    };
    Ok(Configuration {
        arn,
        runtime: Runtime::named(runtime).map_err(unacceptable)?,
        handler: handler.clone(),
        role: input.role.clone(),
        code,
        description: input.description.clone().unwrap_or_default(),
        timeout_seconds: timeout(input.timeout)?.unwrap_or(TIMEOUT_SECONDS_DEFAULT),
        memory_mb: memory(input.memory_size)?.unwrap_or(MEMORY_MB_DEFAULT),
        ephemeral_storage_mb: storage(
            input.ephemeral_storage.as_ref().map(|storage| storage.size),
        )?
        .unwrap_or(EPHEMERAL_STORAGE_MB_DEFAULT),
        architecture: architecture(input.architectures.as_deref())?
            .unwrap_or_else(|| Architecture::X86_64.as_str().to_owned()),
        variables: variables(input.environment.as_ref())?,
        log_group: log_group(input.logging_config.as_ref())?,
    })
}

/// The tags that a creation brings.
pub fn tags(input: &CreateFunctionInput) -> Result<BTreeMap<String, String>, Unacceptable> {
    let tags = input.tags.clone().unwrap_or_default();
    if tags.len() > TAGS_MAX {
        return Err(unacceptable("Number of tags exceeds resource tag limit."));
    }
    Ok(tags)
}

/// The changes that an update of the configuration asks for.
pub fn changes(input: &UpdateFunctionConfigurationInput) -> Result<Changes, Unacceptable> {
    Ineffective {
        vpc_config: input.vpc_config.as_ref(),
        layers: input.layers.as_ref(),
        file_system_configs: input.file_system_configs.as_ref(),
        dead_letter_config: input.dead_letter_config.as_ref(),
        snap_start: input.snap_start.as_ref(),
        kms_key_arn: input.kms_key_arn.as_ref(),
        tracing_config: input.tracing_config.as_ref(),
        image_config: input.image_config.as_ref(),
        others: [
            ("AcceleratorConfig", input.accelerator_config.is_some()),
            (
                "CapacityProviderConfig",
                input.capacity_provider_config.is_some(),
            ),
            ("DurableConfig", input.durable_config.is_some()),
            ("RuntimeConfig", input.runtime_config.is_some()),
        ],
    }
    .check()?;
    let runtime = input.runtime.as_deref().map(Runtime::named);
    Ok(Changes {
        runtime: runtime.transpose().map_err(unacceptable)?,
        handler: input.handler.clone(),
        role: input.role.clone(),
        description: input.description.clone(),
        timeout_seconds: timeout(input.timeout)?,
        memory_mb: memory(input.memory_size)?,
        ephemeral_storage_mb: storage(
            input.ephemeral_storage.as_ref().map(|storage| storage.size),
        )?,
        variables: variables(input.environment.as_ref())?,
        log_group: log_group(input.logging_config.as_ref())?,
        code: None,
        architecture: None,
    })
}

/// The architecture that a request names; exactly one.
pub fn architecture(named: Option<&[Architecture]>) -> Result<Option<String>, Unacceptable> {
    match named {
        None | Some([]) => Ok(None),
        Some([one]) => Ok(Some(one.as_str().to_owned())),
        Some(_) => Err(unacceptable(
            "Architectures names exactly one instruction set.",
        )),
    }
}

fn within(
    parameter: &str,
    value: Option<i32>,
    bounds: std::ops::RangeInclusive<i32>,
) -> Result<Option<u32>, Unacceptable> {
    match value {
        Some(value) if !bounds.contains(&value) => Err(unacceptable(format!(
            "'{parameter}' value failed to satisfy constraint: Member must have value between {} and {}",
            bounds.start(),
            bounds.end()
        ))),
        value => Ok(value.and_then(|value| u32::try_from(value).ok())),
    }
}

fn timeout(seconds: Option<i32>) -> Result<Option<u32>, Unacceptable> {
    within("timeout", seconds, 1..=TIMEOUT_SECONDS_MAX)
}

fn memory(megabytes: Option<i32>) -> Result<Option<u32>, Unacceptable> {
    within("memorySize", megabytes, 128..=MEMORY_MB_MAX)
}

fn storage(megabytes: Option<i32>) -> Result<Option<u32>, Unacceptable> {
    within(
        "ephemeralStorage.size",
        megabytes,
        512..=EPHEMERAL_STORAGE_MB_MAX,
    )
}

fn variables(
    environment: Option<&Environment>,
) -> Result<Option<BTreeMap<String, String>>, Unacceptable> {
    let Some(variables) = environment.and_then(|environment| environment.variables.as_ref()) else {
        return Ok(None);
    };
    variables::check(variables).map_err(unacceptable)?;
    // It would start another program in place of the runtime.
    let wrapper = "AWS_LAMBDA_EXEC_WRAPPER";
    refuse(&[(wrapper, variables.contains_key(wrapper))])?;
    Ok(Some(variables.clone()))
}

fn log_group(logging: Option<&LoggingConfig>) -> Result<Option<String>, Unacceptable> {
    let Some(logging) = logging else {
        return Ok(None);
    };
    refuse(&[
        (
            "LoggingConfig.LogFormat",
            logging
                .log_format
                .is_some_and(|format| format != LogFormat::Text),
        ),
        (
            "LoggingConfig.ApplicationLogLevel",
            logging.application_log_level.is_some(),
        ),
        (
            "LoggingConfig.SystemLogLevel",
            logging.system_log_level.is_some(),
        ),
    ])?;
    Ok(logging.log_group.clone())
}

#[cfg(test)]
mod tests;
