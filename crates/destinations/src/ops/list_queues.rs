//! ListQueues: the URLs of the caller's queues in the order of their names, in pages when asked for.
//!
//! A page's token is the last name of the page before it, so that it stays good whatever is created or
//! deleted meanwhile.

use tidemill_model::{Caller, QueueArn};
use tidemill_shapes::sqs::{
    ListQueuesError, ListQueuesInput, ListQueuesOutput, ValidationException,
};

use crate::limits;
use crate::parameters;
use crate::queues::Queues;
use crate::url;

/// Lists queues of the caller's account and region.
///
/// # Errors
/// When the page size or the token is not accepted.
pub async fn list_queues(
    queues: &Queues,
    caller: &Caller,
    base_url: &str,
    input: ListQueuesInput,
) -> Result<ListQueuesOutput, ListQueuesError> {
    let bounds = limits::LISTED_QUEUES;
    let count_max = parameters::within("MaxResults", input.max_results, bounds, bounds.default)?;
    let after = input.next_token.as_deref().map(read_token).transpose()?;
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let (names, more) = queues.catalog().read(|catalog| {
        let owner = (&caller.account, &caller.region);
        catalog.names(owner, &prefix, after.as_deref(), count_max as usize)
    });
    // Without a page size SQS gives what fits into one answer, and no token.
    let paged = more && input.max_results.is_some();
    let next_token = names.last().filter(|_| paged).map(|last| write_token(last));
    let url_of = |name: String| {
        let (region, account) = (caller.region.clone(), caller.account.clone());
        url::of(
            base_url,
            &QueueArn {
                region,
                account,
                name,
            },
        )
    };
    let queue_urls: Vec<String> = names.into_iter().map(url_of).collect();
    let queue_urls = (!queue_urls.is_empty()).then_some(queue_urls);
    Ok(ListQueuesOutput {
        next_token,
        queue_urls,
    })
}

fn write_token(name: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(name)
}

fn read_token(token: &str) -> Result<String, ValidationException> {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| ValidationException::new("Invalid or expired next token."))
}
