//! The keys that may sign requests: [`Credentials`].

use std::collections::BTreeMap;
use std::fmt;

use tidemill_model::AccountId;

/// What belongs to one access key.
#[derive(Clone)]
pub struct Key {
    /// The secret that signs.
    pub secret: String,
    /// The account that requests signed with it act in.
    pub account: AccountId,
}

/// The secret stays out of logs.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Keys by access key id. Empty means that any signature is accepted unverified.
#[derive(Clone, Debug, Default)]
pub struct Credentials(BTreeMap<String, Key>);

impl Credentials {
    /// Whether no key is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key called `access_key`.
    pub fn get(&self, access_key: &str) -> Option<&Key> {
        self.0.get(access_key)
    }
}

impl FromIterator<(String, Key)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (String, Key)>>(keys: I) -> Credentials {
        Credentials(keys.into_iter().collect())
    }
}
