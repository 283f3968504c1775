//! An answer before it goes onto a connection: [`Response`].
//!
//! It deliberately lacks what every answer gets (`x-amzn-RequestId`, `x-amz-id-2`, `Date`): the
//! gateway adds these, so that no path can forget them.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

/// Status, headers and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Headers; each name at most once.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; empty for an operation without output.
    pub body: Bytes,
}

impl Response {
    /// An answer with a body of type `content_type`.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response {
        let mut response = Response {
            body: body.into(),
            ..Response::empty(status)
        };
        let content_type = (CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers.push(content_type);
        response
    }

    /// An answer without body and without headers.
    pub fn empty(status: u16) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same answer with one more header. A value that no header can carry (it has a line break) is
    /// left out: the answer is still of use without it.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Response {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            self.headers.push((name, value));
        }
        self
    }

    /// The value of header `name` when it is readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.as_str().eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value.as_bytes()).ok())
    }
}
