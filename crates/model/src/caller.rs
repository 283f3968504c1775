//! Who calls an operation, and in which request: [`Caller`].

use crate::ident::{AccountId, Region};

/// What the gateway found out about a request before it reached a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account the request acts in.
    pub account: AccountId,
    /// The region the signature names.
    pub region: Region,
    /// The UUID of this request; a synchronous invocation has the same id.
    pub request_id: String,
}
