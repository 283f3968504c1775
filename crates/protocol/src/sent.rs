//! A request that owns its parts, for tests.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::request::Request;

pub(crate) struct Sent {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Sent {
    pub fn new(method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Sent {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Sent {
            method,
            uri: uri.parse().unwrap(),
            headers: map,
            body: body.into(),
        }
    }

    pub fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: &self.body,
        }
    }
}
