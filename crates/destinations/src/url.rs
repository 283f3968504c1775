//! Queue URLs: `<endpoint>/<account>/<name>`.
//!
//! What must hold: only the last two segments of a URL that comes in are read, so that a queue is found
//! whatever host name its client knows us by.

use thiserror::Error;

use tidemill_model::{AccountId, QueueArn};

/// A text that is no queue URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("The address {url} is not valid for this endpoint.")]
pub struct MalformedUrl {
    /// The text.
    pub url: String,
}

/// The URL of `queue` at the endpoint `base_url`.
pub fn of(base_url: &str, queue: &QueueArn) -> String {
    format!(
        "{}/{}/{}",
        base_url.trim_end_matches('/'),
        queue.account,
        queue.name
    )
}

/// The account and the name that `url` ends in.
///
/// # Errors
/// When it does not end in an account and a name behind a host.
pub fn parse(url: &str) -> Result<(AccountId, String), MalformedUrl> {
    let segments = url.split_once("://").and_then(|(_, rest)| {
        let mut segments = rest.rsplit('/');
        let (name, account) = (segments.next()?, segments.next()?);
        segments.next()?;
        let account = account.parse().ok()?;
        (!name.is_empty()).then(|| (account, name.to_owned()))
    });
    segments.ok_or_else(|| MalformedUrl {
        url: url.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_whatever_its_host() {
        let arn: QueueArn = "arn:aws:sqs:eu-west-1:000000000000:q".parse().unwrap();
        for base_url in [
            "http://127.0.0.1:4566",
            "http://127.0.0.1:4566/",
            "https://x.test/queue",
        ] {
            let url = of(base_url, &arn);
            assert_eq!(parse(&url), Ok((arn.account.clone(), "q".into())), "{url}");
        }
        assert_eq!(of("http://h:1/", &arn), "http://h:1/000000000000/q");
    }

    #[test]
    fn what_names_no_queue_is_refused() {
        for url in [
            "",
            "q",
            "000000000000/q",
            "http://000000000000/q",
            "http://h/q",
            "http://h/12/q",
            "http://h/000000000000/",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
