//! The attributes a queue can be created with: [`Settings`], read from [`Setting`] names.
//!
//! What must hold: every attribute is either obeyed or refused by its name; none is stored and ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits::{self, Bounds};

/// An attribute that a queue obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Setting {
    /// How long a received message stays hidden, in seconds.
    VisibilityTimeout,
    /// How long a message is kept, in seconds.
    MessageRetentionPeriod,
    /// How long a new message stays hidden, in seconds.
    DelaySeconds,
    /// Bytes of the largest message.
    MaximumMessageSize,
    /// How long a receive waits when it does not say, in seconds.
    ReceiveMessageWaitTimeSeconds,
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 5] = [
        Setting::VisibilityTimeout,
        Setting::MessageRetentionPeriod,
        Setting::DelaySeconds,
        Setting::MaximumMessageSize,
        Setting::ReceiveMessageWaitTimeSeconds,
    ];

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Setting::VisibilityTimeout => "VisibilityTimeout",
            Setting::MessageRetentionPeriod => "MessageRetentionPeriod",
            Setting::DelaySeconds => "DelaySeconds",
            Setting::MaximumMessageSize => "MaximumMessageSize",
            Setting::ReceiveMessageWaitTimeSeconds => "ReceiveMessageWaitTimeSeconds",
        }
    }

    fn bounds(self) -> Bounds {
        match self {
            Setting::VisibilityTimeout => limits::VISIBILITY_TIMEOUT_SECS,
            Setting::MessageRetentionPeriod => limits::RETENTION_SECS,
            Setting::DelaySeconds => limits::DELAY_SECS,
            Setting::MaximumMessageSize => limits::MESSAGE_BYTES,
            Setting::ReceiveMessageWaitTimeSeconds => limits::WAIT_SECS,
        }
    }
}

/// Attributes of SQS that our queues do not have.
const UNSUPPORTED: [&str; 10] = [
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

/// Whether `name` is an attribute of SQS that our queues do not have.
pub fn is_unsupported(name: &str) -> bool {
    UNSUPPORTED.contains(&name)
}

/// Why attributes are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// No attribute that can be set has this name.
    #[error("Unknown Attribute {name}.")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// SQS has the attribute and our queues do not.
    #[error(
        "The attribute {name} is not supported: queues are standard, unencrypted and without policies."
    )]
    Unsupported {
        /// The name.
        name: String,
    },
    /// The value is not a whole number within the attribute's bounds.
    #[error("Invalid value for the parameter {name}.")]
    Value {
        /// The name.
        name: &'static str,
    },
}

/// What a creator asked for.
pub type Requested = BTreeMap<Setting, u32>;

/// Reads the attributes of a request.
///
/// # Errors
/// The first attribute, in the order of names, that is unknown, unsupported or out of bounds.
pub fn read(attributes: &BTreeMap<String, String>) -> Result<Requested, SettingsError> {
    attributes
        .iter()
        .map(|(name, value)| read_one(name, value))
        .collect()
}

fn read_one(name: &str, value: &str) -> Result<(Setting, u32), SettingsError> {
    let Some(setting) = Setting::ALL
        .into_iter()
        .find(|setting| setting.as_str() == name)
    else {
        let name = name.to_owned();
        return Err(match is_unsupported(&name) {
            true => SettingsError::Unsupported { name },
            false => SettingsError::UnknownName { name },
        });
    };
    match value.parse::<u32>() {
        Ok(number) if setting.bounds().allow(number.into()) => Ok((setting, number)),
        _ => Err(SettingsError::Value {
            name: setting.as_str(),
        }),
    }
}

/// What a queue obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Seconds a received message stays hidden when the receive does not say.
    pub visibility_timeout_secs: u32,
    /// Seconds a message is kept.
    pub retention_secs: u32,
    /// Seconds a new message stays hidden when the send does not say.
    pub delay_secs: u32,
    /// Bytes of the largest message.
    pub message_bytes_max: u32,
    /// Seconds a receive waits when it does not say.
    pub wait_secs: u32,
}

impl Settings {
    /// What was asked for, and the default of everything else.
    pub fn new(requested: &Requested) -> Settings {
        let value = |setting: Setting| {
            requested
                .get(&setting)
                .copied()
                .unwrap_or(setting.bounds().default)
        };
        Settings {
            visibility_timeout_secs: value(Setting::VisibilityTimeout),
            retention_secs: value(Setting::MessageRetentionPeriod),
            delay_secs: value(Setting::DelaySeconds),
            message_bytes_max: value(Setting::MaximumMessageSize),
            wait_secs: value(Setting::ReceiveMessageWaitTimeSeconds),
        }
    }

    /// The value of `setting`.
    pub fn get(&self, setting: Setting) -> u32 {
        match setting {
            Setting::VisibilityTimeout => self.visibility_timeout_secs,
            Setting::MessageRetentionPeriod => self.retention_secs,
            Setting::DelaySeconds => self.delay_secs,
            Setting::MaximumMessageSize => self.message_bytes_max,
            Setting::ReceiveMessageWaitTimeSeconds => self.wait_secs,
        }
    }

    /// The first setting that was asked for with another value. What was not asked for does not count.
    pub fn difference(&self, requested: &Requested) -> Option<Setting> {
        let differs =
            |(setting, value): (&Setting, &u32)| (self.get(*setting) != *value).then_some(*setting);
        requested.iter().find_map(differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<Requested, SettingsError> {
        read(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let settings = Settings::new(&Requested::new());
        let defaults = Setting::ALL.map(|setting| settings.get(setting));
        assert_eq!(defaults, [30, 345_600, 0, 1_048_576, 0]);
    }

    #[test]
    fn each_setting_has_its_bounds() {
        for (setting, inside, outside) in [
            (Setting::VisibilityTimeout, ["0", "43200"], ["-1", "43201"]),
            (
                Setting::MessageRetentionPeriod,
                ["60", "1209600"],
                ["59", "1209601"],
            ),
            (Setting::DelaySeconds, ["0", "900"], ["901", "1.5"]),
            (
                Setting::MaximumMessageSize,
                ["1024", "1048576"],
                ["1023", "1048577"],
            ),
            (
                Setting::ReceiveMessageWaitTimeSeconds,
                ["0", "20"],
                ["21", "x"],
            ),
        ] {
            for value in inside {
                let requested = one(setting.as_str(), value).unwrap();
                assert_eq!(Settings::new(&requested).get(setting).to_string(), value);
            }
            for value in outside {
                let refused = Err(SettingsError::Value {
                    name: setting.as_str(),
                });
                assert_eq!(one(setting.as_str(), value), refused, "{setting:?} {value}");
            }
        }
    }

    #[test]
    fn what_is_not_obeyed_is_refused_by_name() {
        let name = "RedrivePolicy".to_owned();
        assert_eq!(
            one("RedrivePolicy", "{}"),
            Err(SettingsError::Unsupported { name })
        );
        for name in ["Nonsense", "QueueArn", "All"] {
            let refused = Err(SettingsError::UnknownName {
                name: name.to_owned(),
            });
            assert_eq!(one(name, "1"), refused);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_compared() {
        let settings = Settings::new(&one("DelaySeconds", "5").unwrap());
        assert_eq!(settings.difference(&Requested::new()), None);
        assert_eq!(
            settings.difference(&one("DelaySeconds", "5").unwrap()),
            None
        );
        assert_eq!(
            settings.difference(&one("VisibilityTimeout", "30").unwrap()),
            None
        );
        let other = one("DelaySeconds", "6").unwrap();
        assert_eq!(settings.difference(&other), Some(Setting::DelaySeconds));
    }
}
