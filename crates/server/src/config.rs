//! What a server is started with: [`Config`], and the configuration file behind `--config`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use tidemill_model::AccountId;

/// Where the log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: starts in milliseconds and keeps nothing.
    Ephemeral,
    /// In this directory, which is made when it is missing.
    Directory(PathBuf),
}

/// Whether rates and quotas are AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsMode {
    /// As AWS has them.
    Aws,
    /// No rates and no quotas; size rules stay.
    None,
}

/// Whether delays that AWS has and nobody wants are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaceMode {
    /// Left out.
    Fast,
    /// Kept.
    Aws,
}

/// Where clients of Postgres are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlPort {
    /// Nowhere.
    Off,
    /// On this port, unless somebody else has it.
    IfFree(u16),
    /// On this port, or the server does not start; 0 takes any that is free.
    Demanded(u16),
}

/// When an acknowledged record survives what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: synced before it is acknowledged.
    Sync,
    /// A crash of the process: handed to the operating system before it is acknowledged.
    Os,
    /// Nothing.
    Memory,
}

/// Whether connections may be encrypted, and with which certificate. Others stay possible on the same
/// port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// None are.
    #[default]
    Off,
    /// With a certificate that the server makes for itself.
    SelfMade,
    /// With the certificate and the key in these files.
    Given {
        /// The certificate, and those that vouch for it, as PEM.
        certificate: PathBuf,
        /// Its key, as PEM.
        key: PathBuf,
    },
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the log is kept.
    pub storage: Storage,
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port to listen on; 0 takes any that is free.
    pub port: u16,
    /// The port for clients of Postgres; none listens there without one.
    pub sql_port: SqlPort,
    /// Whether rates and quotas are AWS's.
    pub limits: LimitsMode,
    /// Whether AWS's delays are kept.
    pub pace: PaceMode,
    /// When an acknowledged record survives what.
    pub durability: Durability,
    /// The account of callers whose access key is not one itself.
    pub account_id: AccountId,
    /// How long streams, functions and mappings stay in their passing states.
    pub state_delay: Duration,
    /// Whether connections may be encrypted; off leaves it to the configuration file.
    pub tls: TlsMode,
    /// The configuration file, if there is one.
    pub config_file: Option<PathBuf>,
    /// Start although acknowledged records are damaged, and lose these.
    pub accept_data_loss: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            storage: Storage::Directory(PathBuf::from("./tidemill-data")),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 4566,
            sql_port: SqlPort::Off,
            limits: LimitsMode::Aws,
            pace: PaceMode::Fast,
            durability: Durability::Sync,
            account_id: "000000000000".parse().expect("12 digits"),
            state_delay: Duration::ZERO,
            tls: TlsMode::Off,
            config_file: None,
            accept_data_loss: false,
        }
    }
}

/// The configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Who may call. None means anybody, with any signature.
    #[serde(default)]
    pub credentials: Vec<CredentialEntry>,
    /// When it is there, connections may be encrypted.
    pub tls: Option<TlsSection>,
    /// Settings of functions.
    #[serde(default)]
    pub functions: FunctionsSection,
    /// Settings of streams.
    #[serde(default)]
    pub streams: StreamsSection,
    /// Settings of views and of the master datasets behind them.
    #[serde(default)]
    pub views: ViewsSection,
    /// Settings of the log.
    #[serde(default)]
    pub log: LogSection,
}

/// One `[[credentials]]` entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialEntry {
    /// The access key id.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
    /// The account that the caller acts in; the server's own when it is not given.
    pub account_id: Option<AccountId>,
}

/// The `[functions]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionsSection {
    /// Most execution environments at once.
    pub concurrency_max: Option<usize>,
}

/// The `[streams]` section: what AWS does not tell of on-demand streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamsSection {
    /// How long a shard of an on-demand stream is hot before it is split.
    pub hot_secs_before_split: Option<u64>,
    /// How long two shards of an on-demand stream are cold before they are merged.
    pub cold_secs_before_merge: Option<u64>,
    /// Most shards that an on-demand stream grows to by itself.
    pub on_demand_shards_max: Option<u32>,
}

/// The `[views]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewsSection {
    /// Records reach the master dataset of their stream within about this time; shorter epochs make more
    /// and smaller files.
    pub epoch_millis: Option<u64>,
    /// An epoch that has this many bytes does not wait for its time.
    pub epoch_bytes: Option<usize>,
    /// Where master datasets and batch views are kept, `s3://BUCKET/PREFIX`; in the data directory when it is
    /// not given.
    pub store: Option<String>,
    /// Where that S3 is asked when it is not AWS's: `http://127.0.0.1:9000`.
    pub store_endpoint: Option<String>,
    /// The region of the bucket; `AWS_REGION` or us-east-1 when it is not given.
    pub store_region: Option<String>,
}

impl ViewsSection {
    fn check(&self) -> Result<(), ConfigError> {
        let is_reached = self.store_endpoint.is_some() || self.store_region.is_some();
        match &self.store {
            None if is_reached => Err(ConfigError::NoStore),
            _ => Ok(()),
        }
    }
}

/// The `[log]` section: what is not given suits the file system of the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSection {
    /// A file of the write-ahead log that has this many bytes is followed by another; at least 4096.
    pub file_bytes: Option<u64>,
    /// So many full files are sorted into chunks together; never with 0, and then a start reads them all.
    pub sort_after_files: Option<usize>,
    /// How many bytes are sorted in a second at most, as long as sorting keeps up.
    pub sort_bytes_per_second: Option<u64>,
    /// Whether what is kept for a week or longer is compressed.
    pub compress: Option<bool>,
    /// How many bytes are held for the time when the disk is full; none with 0.
    pub ballast_bytes: Option<u64>,
}

/// The `[tls]` section. Without a certificate, the server makes one for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// The file with the certificate.
    pub certificate: Option<PathBuf>,
    /// The file with its key.
    pub key: Option<PathBuf>,
}

/// Why the configuration file cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not of the form.
    #[error("the configuration file {} is not as it should be", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Its certificate has no key, or its key no certificate.
    #[error(
        "[tls] in the configuration file names half of a pair: give certificate and key, or neither"
    )]
    HalfOfAPair,
    /// It says how to reach a store that it does not name.
    #[error(
        "[views] in the configuration file says how to reach a store and not which: add store = \"s3://BUCKET\""
    )]
    NoStore,
}

impl ConfigFile {
    /// Reads the file at `path`; without a path, the empty configuration.
    pub fn load(path: Option<&Path>) -> Result<ConfigFile, ConfigError> {
        let Some(path) = path else {
            return Ok(ConfigFile::default());
        };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let file: ConfigFile = toml::from_str(&text).map_err(|source| ConfigError::Form {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        file.views.check()?;
        Ok(file)
    }
}

impl ConfigFile {
    /// What the file says of encrypted connections.
    pub fn tls(&self) -> Result<TlsMode, ConfigError> {
        let Some(section) = &self.tls else {
            return Ok(TlsMode::Off);
        };
        match (section.certificate.clone(), section.key.clone()) {
            (Some(certificate), Some(key)) => Ok(TlsMode::Given { certificate, key }),
            (None, None) => Ok(TlsMode::SelfMade),
            (Some(_), None) | (None, Some(_)) => Err(ConfigError::HalfOfAPair),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_file_names_who_may_call() {
        let text = "[[credentials]]\naccess_key_id = \"AKID\"\nsecret_access_key = \"s\"\n\
                    account_id = \"111122223333\"\n[functions]\nconcurrency_max = 4\n[streams]\n\
                    hot_secs_before_split = 60\n\
                    [log]\ncompress = true\nballast_bytes = 0\n";
        let file: ConfigFile = toml::from_str(text).expect("a configuration");
        assert_eq!(file.credentials[0].access_key_id, "AKID");
        assert_eq!(file.functions.concurrency_max, Some(4));
        assert_eq!(file.streams.hot_secs_before_split, Some(60));
        let log = LogSection {
            compress: Some(true),
            ballast_bytes: Some(0),
            ..LogSection::default()
        };
        assert_eq!(file.log, log);
    }

    #[test]
    fn encrypted_connections_have_a_whole_pair_or_one_of_our_own() {
        let tls = |text: &str| toml::from_str::<ConfigFile>(text).expect("a form").tls();
        assert_eq!(tls("").ok(), Some(TlsMode::Off));
        assert_eq!(tls("[tls]").ok(), Some(TlsMode::SelfMade));
        let given = TlsMode::Given {
            certificate: "c".into(),
            key: "k".into(),
        };
        assert_eq!(tls("[tls]\ncertificate = 'c'\nkey = 'k'").ok(), Some(given));
        assert!(tls("[tls]\nkey = 'k'").is_err() && tls("[tls]\ncertificate = 'c'").is_err());
    }

    #[test]
    fn how_to_reach_a_store_needs_a_store() {
        let check = |text: &str| {
            toml::from_str::<ConfigFile>(text)
                .expect("a form")
                .views
                .check()
        };
        assert!(check("[views]\nstore = 's3://b'\nstore_endpoint = 'http://e'").is_ok());
        assert!(check("[views]\nepoch_millis = 5").is_ok());
        assert!(check("[views]\nstore_region = 'eu-west-1'").is_err());
    }

    #[test]
    fn an_unknown_key_or_a_bad_account_is_refused() {
        assert!(toml::from_str::<ConfigFile>("credential = []").is_err());
        let text = "[[credentials]]\naccess_key_id = \"A\"\nsecret_access_key = \"s\"\naccount_id = \"1\"\n";
        assert!(toml::from_str::<ConfigFile>(text).is_err());
    }
}
