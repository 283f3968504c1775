//! Which runtimes this version runs: [`Runtime`].
//!
//! `python3.*` is the machine's own `python3` with our bootstrap, whatever its minor version is;
//! `provided.*` is an executable `bootstrap` in the function's archive. The others of AWS's list are
//! refused by name, so that nobody waits for a function that can never run.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use tidemill_shapes::lambda::LISTED_RUNTIME;

/// A runtime that can be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runtime {
    /// The machine's Python, under the name it was asked for.
    Python(String),
    /// The archive's own `bootstrap`, under the name it was asked for.
    Provided(String),
}

/// Why a runtime is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoRuntime {
    /// AWS does not know it.
    #[error(
        "Value {0} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
         [{listed}] or be a valid ARN",
        listed = LISTED_RUNTIME.join(", ")
    )]
    Unknown(String),
    /// AWS takes no functions for it any more.
    #[error(
        "The runtime parameter of {0} is no longer supported for creating or updating AWS Lambda \
         functions. We recommend you use a supported runtime while creating or updating functions."
    )]
    Retired(String),
    /// AWS runs it; this version does not.
    #[error(
        "The runtime {0} is not supported by this version of Tidemill, which runs python3.* with the \
         machine's own python3, and provided.* with the bootstrap of the archive."
    )]
    NotRun(String),
}

/// Runtimes that would be run, but that AWS takes no functions for any more.
const RETIRED: [&str; 13] = [
    "python2.7",
    "python3.6",
    "python3.7",
    "provided",
    "java8",
    "go1.x",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "ruby2.5",
    "ruby2.7",
    "dotnetcore3.1",
];

impl Runtime {
    /// The runtime called `name`.
    pub fn named(name: &str) -> Result<Runtime, NoRuntime> {
        if RETIRED.contains(&name) {
            Err(NoRuntime::Retired(name.to_owned()))
        } else if !LISTED_RUNTIME.contains(&name) {
            Err(NoRuntime::Unknown(name.to_owned()))
        } else if name.starts_with("python3.") {
            Ok(Runtime::Python(name.to_owned()))
        } else if name.starts_with("provided.") {
            Ok(Runtime::Provided(name.to_owned()))
        } else {
            Err(NoRuntime::NotRun(name.to_owned()))
        }
    }

    /// The name it was asked for.
    pub fn name(&self) -> &str {
        match self {
            Runtime::Python(name) | Runtime::Provided(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_run_or_refused_by_name() {
        assert_eq!(
            Runtime::named("python3.12"),
            Ok(Runtime::Python("python3.12".into()))
        );
        assert_eq!(
            Runtime::named("provided.al2023"),
            Ok(Runtime::Provided("provided.al2023".into()))
        );
        for name in ["python3.7", "provided", "go1.x"] {
            assert_eq!(Runtime::named(name), Err(NoRuntime::Retired(name.into())));
        }
        for name in ["nodejs22.x", "java21", "dotnet8", "ruby3.3", "custom"] {
            let refused = Runtime::named(name).expect_err(name).to_string();
            assert!(
                refused.contains(name) && refused.contains("python3.*"),
                "{refused}"
            );
        }
        let refused = Runtime::named("cobol85").expect_err("unknown").to_string();
        assert!(
            refused.starts_with("Value cobol85 at 'runtime' failed"),
            "{refused}"
        );
        assert!(refused.ends_with("] or be a valid ARN"), "{refused}");
    }
}
