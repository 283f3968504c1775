//! What a function is: [`Configuration`], the part of it that an environment runs with.
//!
//! What must hold: a configuration never changes; an update makes a new one with a new revision, and an
//! environment belongs to exactly one revision. So an environment can be reused if and only if its
//! revision is still the one that serves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use tidemill_model::FunctionArn;

use crate::runtime::Runtime;

/// Where the code of a function is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the archive in hexadecimal: its name among the blobs.
    pub blob: String,
    /// Size of the archive in bytes.
    pub size: u64,
}

/// Everything about one revision of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The function's ARN, unqualified.
    pub arn: FunctionArn,
    /// What starts it.
    pub runtime: Runtime,
    /// What the runtime calls.
    pub handler: String,
    /// The role that it acts as; not checked.
    pub role: String,
    /// Its code.
    pub code: Code,
    /// Free text.
    pub description: String,
    /// Timeout of an invocation in seconds.
    pub timeout_seconds: u32,
    /// Memory in MB; told to the function, not enforced.
    pub memory_mb: u32,
    /// Size of the temporary directory in MB; kept, not enforced.
    pub ephemeral_storage_mb: u32,
    /// `x86_64` or `arm64`; kept, the machine decides.
    pub architecture: String,
    /// The user's variables; absent when none were ever given.
    pub variables: Option<BTreeMap<String, String>>,
    /// The log group; absent means `/aws/lambda/<name>`.
    pub log_group: Option<String>,
}

impl Configuration {
    /// The hash of the archive as the API spells it: base64.
    pub fn code_sha256(&self) -> String {
        let digits = self.code.blob.as_bytes();
        let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .map(|pair| nibble(pair[0]) << 4 | nibble(pair[1]))
            .collect();
        base64_simd::STANDARD.encode_to_string(bytes)
    }

    /// The group that its output belongs to.
    pub fn log_group(&self) -> String {
        match &self.log_group {
            Some(group) => group.clone(),
            None => format!("/aws/lambda/{}", self.arn.name),
        }
    }
}
