//! Who a caller is to the services: account and region, from what the signature says.

use tidemill_model::{AccountId, Caller, Region};
use tidemill_protocol::sigv4::{Credentials, Identity};

/// The region of callers whose signature names none.
const REGION_DEFAULT: &str = "us-east-1";

/// Who may call, and as whom.
pub struct Identities {
    /// The configured credentials; none means anybody.
    pub credentials: Credentials,
    /// The account of callers whose access key is not one itself.
    pub account: AccountId,
}

impl Identities {
    /// The caller behind `identity`.
    pub fn caller(&self, identity: &Identity, request_id: &str) -> Caller {
        Caller {
            account: identity
                .account
                .clone()
                .unwrap_or_else(|| self.account.clone()),
            region: Region::new(identity.region.as_deref().unwrap_or(REGION_DEFAULT)),
            request_id: request_id.to_owned(),
        }
    }
}
