//! A request as the gateway has read it: [`Request`].
//!
//! What must hold: path, query and headers are as they came, not decoded and not normalised, for a
//! signature covers exactly what was sent. The body is whole; its limit was kept while it was read.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

/// One HTTP request, borrowed from the connection that read it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The request target; over HTTP/2 it carries the authority that HTTP/1.1 has in `Host`.
    pub uri: &'a Uri,
    /// All headers, in the order of arrival for each name.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a Bytes,
}

impl<'a> Request<'a> {
    /// The first value of header `name` when it is readable text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The media type, without its parameters and in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
        )
    }

    /// The host the client asked for: `Host`, or the authority of the target.
    pub fn host(&self) -> Option<&'a str> {
        self.header("host")
            .or_else(|| self.uri.authority().map(|authority| authority.as_str()))
    }

    /// The query's names and values, decoded, in the order they were sent.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// The first value of query parameter `name`.
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}
