//! What a browser needs to call from another origin: [`preflight`] and [`expose`]; and which origins
//! are foreign, [`is_foreign`].
//!
//! What must hold: where any signature is accepted, a page from elsewhere that its user happens to look
//! at must not be able to call; a browser sends some requests without asking first, so to say nothing
//! in the answer is not enough.
//!
//! Facts: `index.js` of <https://github.com/mhart/kinesalite>, recorded against production.

use crate::request::Request;
use crate::response::Response;

const EXPOSED: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";

/// Whether `request` comes from a page that this machine does not serve itself.
pub fn is_foreign(request: &Request<'_>) -> bool {
    request
        .headers
        .get_all("origin")
        .iter()
        .any(|origin| !origin.to_str().is_ok_and(is_local))
}

fn is_local(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else {
        return false;
    };
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The answer to `request` when it is a browser's question whether it may call.
pub fn preflight(request: &Request<'_>) -> Option<Response> {
    if request.method != http::Method::OPTIONS || request.header("origin").is_none() {
        return None;
    }
    let mut response = Response::empty(200).with_header("access-control-allow-origin", "*");
    for (asked, answered) in [
        (
            "access-control-request-headers",
            "access-control-allow-headers",
        ),
        (
            "access-control-request-method",
            "access-control-allow-methods",
        ),
    ] {
        if let Some(value) = request.header(asked) {
            response = response.with_header(answered, value);
        }
    }
    Some(response.with_header("access-control-max-age", "172800"))
}

/// `response` with what lets a browser's script read it, when `request` came from one.
pub fn expose(request: &Request<'_>, response: Response) -> Response {
    if request.header("origin").is_none() {
        return response;
    }
    response
        .with_header("access-control-allow-origin", "*")
        .with_header("access-control-expose-headers", EXPOSED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sent::Sent;

    #[test]
    fn a_browser_may_call_from_anywhere() {
        let headers = [
            ("origin", "http://console"),
            ("access-control-request-headers", "x-amz-target"),
            ("access-control-request-method", "POST"),
        ];
        let asked = preflight(&Sent::new("OPTIONS", "/", &headers, "").request()).unwrap();
        assert_eq!((asked.status, asked.body.len()), (200, 0));
        assert_eq!(asked.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            asked.header("access-control-allow-headers"),
            Some("x-amz-target")
        );
        assert_eq!(asked.header("access-control-allow-methods"), Some("POST"));
        let post = Sent::new("POST", "/", &headers, "{}");
        assert_eq!(preflight(&post.request()), None);
        let exposed = expose(&post.request(), Response::empty(200));
        assert_eq!(
            exposed.header("access-control-expose-headers"),
            Some(EXPOSED)
        );
    }

    #[test]
    fn pages_of_this_machine_are_told_from_all_others() {
        let foreign = |origins: &[&str]| {
            let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
            is_foreign(&Sent::new("POST", "/", &headers, "").request())
        };
        assert!(!foreign(&[]));
        for origin in [
            "http://localhost:3000",
            "https://app.localhost",
            "http://127.0.0.1:4566",
            "http://[::1]:8080",
        ] {
            assert!(!foreign(&[origin]), "{origin}");
        }
        for origin in [
            "https://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://example.com:127.0.0.1",
            "http://[::1",
            "localhost",
            "null",
            "",
        ] {
            assert!(foreign(&[origin]), "{origin}");
        }
        assert!(foreign(&["http://localhost", "https://example.com"]));
    }

    #[test]
    fn who_is_no_browser_sees_nothing_of_it() {
        let sent = Sent::new("OPTIONS", "/", &[], "");
        assert_eq!(preflight(&sent.request()), None);
        assert_eq!(
            expose(&sent.request(), Response::empty(200)),
            Response::empty(200)
        );
    }
}
