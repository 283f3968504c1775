//! An answer before it goes onto a connection: [`Response`].
//!
//! It deliberately lacks what every answer gets (`x-amzn-RequestId`, `x-amz-id-2`, `Date`): the
//! gateway adds these, so that no path can forget them.

use bytes::Bytes;

/// Status, headers and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Headers in the order they are written; each name at most once.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for an operation without output.
    pub body: Bytes,
}

impl Response {
    /// An answer with a body of type `content_type`.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
        let headers = vec![("content-type", content_type.to_owned())];
        Response {
            status,
            headers,
            body: body.into(),
        }
    }

    /// An answer without body and without headers.
    pub fn empty(status: u16) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of header `name`, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}
