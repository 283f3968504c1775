//! The bare HTTP server: [`HttpFloor`], what the machine does at best with the same bytes on the wire.
//!
//! What must hold: it reads each body and drops it, answers with as many bytes as the operation has to,
//! and does nothing else. A floor that is slow makes us look good, so the report checks it against
//! [`HTTP_FLOOR_MIN`].

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::http_server::{Answering, listen};
use crate::pages::Page;
use crate::threads::Threads;

/// Requests of 700 KB per second that a server on two cores must read to count as a floor.
pub const HTTP_FLOOR_MIN: f64 = 3000.0;

/// A bare HTTP server on a free port.
#[derive(Debug)]
pub struct HttpFloor {
    endpoint: String,
    _threads: Threads,
}

impl HttpFloor {
    /// Starts it; it answers GetRecords with `page`, and everything else with an empty object.
    pub async fn start(page: Option<Arc<Page>>) -> std::io::Result<HttpFloor> {
        let threads = Threads::start("floor-http")?;
        let page = page.map(|page| page.whole());
        let dropping = Dropping { page };
        let address = threads.run(listen(move || dropping.clone())).await?;
        Ok(HttpFloor {
            endpoint: format!("http://{address}"),
            _threads: threads,
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

#[derive(Clone)]
struct Dropping {
    page: Option<Bytes>,
}

impl Answering for Dropping {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        // A body that breaks off ends the loop; its client has its error already.
        while let Some(Ok(_)) = body.frame().await {}
        let answer = match &self.page {
            Some(page) if names(&head.headers, "GetRecords") => page.clone(),
            Some(_) => Bytes::from_static(br#"{"ShardIterator":"next"}"#),
            None => Bytes::from_static(b"{}"),
        };
        Response::new(Full::new(answer))
    }
}

/// Whether the target that `headers` have is `operation`.
pub(crate) fn names(headers: &http::HeaderMap, operation: &str) -> bool {
    let target = headers.get("x-amz-target").map(|value| value.as_bytes());
    target.is_some_and(|target| target.ends_with(operation.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::{Client, Credentials};
    use crate::drain::{self, Drain};
    use crate::load::{self, Load};
    use tidemill_server::clock::SystemClock;

    fn client(endpoint: &str) -> Client {
        let endpoint = endpoint.parse().expect("an endpoint");
        Client::new(endpoint, Credentials::default(), Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn the_http_floor_takes_every_body_it_is_sent() {
        let floor = HttpFloor::start(None).await.expect("a free port");
        let client = client(floor.endpoint());
        let request = client.prepare_kinesis("PutRecords", vec![b'x'; 700_000].into());
        let load = Load {
            requests: vec![request].into(),
            entries: 500,
            connections: 2,
            duration: Duration::from_secs(60),
            requests_max: 10,
        };
        let sample = load::run(&client, &load).await.expect("answers");
        assert_eq!((sample.requests, sample.latencies_us.len()), (10, 10));
        assert_eq!(sample.records, 5000);
    }

    #[tokio::test]
    async fn the_http_floor_answers_pages() {
        let page = Arc::new(Page::of(100, 30));
        let floor = HttpFloor::start(Some(page)).await.expect("a free port");
        let drain = Drain {
            stream: "s",
            shards: 2,
            connections: 1,
            duration: Duration::from_millis(20),
        };
        let sample = drain::run(&client(floor.endpoint()), &drain)
            .await
            .expect("answers");
        assert!(sample.requests > 0);
        assert_eq!(sample.records, sample.requests * 30);
    }
}
