//! The Runtime API as a client on a socket meets it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use tidemill_model::Timestamp;

use super::*;
use crate::exchange::Ticket;

fn work(request_id: &str) -> Work {
    Work {
        ticket: Ticket {
            request_id: request_id.into(),
            invocation_id: "attempt".into(),
        },
        deadline: Timestamp::from_millis(1234),
        function: "arn:f".into(),
        trace_id: "Root=1".into(),
        client_context: None,
        payload: Bytes::from_static(b"{\"a\":1}"),
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    async fn connect(api: &RuntimeApi) -> Client {
        Client {
            stream: TcpStream::connect(api.address).await.unwrap(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        self.stream.write_all(body).await.unwrap();
    }

    /// Status, head and body of the next answer.
    async fn read(&mut self) -> (u16, String, String) {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(
                self.stream.read_buf(&mut bytes).await.unwrap() > 0,
                "the server closed"
            );
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        while bytes.len() < end + length {
            assert!(
                self.stream.read_buf(&mut bytes).await.unwrap() > 0,
                "the server closed"
            );
        }
        let status = head[9..12].parse().unwrap();
        (
            status,
            head,
            String::from_utf8(bytes[end..].to_vec()).unwrap(),
        )
    }

    async fn call(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        self.send(method, path, "", body).await;
        let (status, _, body) = self.read().await;
        (status, body)
    }
}

const BASE: &str = "/2018-06-01/runtime";

#[tokio::test]
async fn work_comes_with_its_headers_and_its_answer_is_taken_once() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut client = Client::connect(&api).await;
    client
        .send("GET", &format!("{BASE}/invocation/next"), "", b"")
        .await;
    assert!(api.conversation().asks().await);
    api.conversation().give(work("r"));
    let (status, head, body) = client.read().await;
    assert_eq!((status, body.as_str()), (200, "{\"a\":1}"));
    for header in [
        "lambda-runtime-aws-request-id: r\r\n",
        "lambda-runtime-deadline-ms: 1234\r\n",
        "lambda-runtime-invoked-function-arn: arn:f\r\n",
        "lambda-runtime-trace-id: Root=1\r\n",
        "lambda-runtime-invocation-id: attempt\r\n",
        "content-type: application/json\r\n",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    let respond = format!("{BASE}/invocation/r/response");
    assert_eq!(
        client.call("POST", &respond, b"2").await,
        (202, "{\"status\":\"OK\"}".into())
    );
    let (status, body) = client.call("POST", &respond, b"3").await;
    assert_eq!((status, body.contains("InvalidRequestID")), (400, true));
    assert_eq!(
        api.conversation().take_answer(),
        Some(Answer::Response(Bytes::from_static(b"2")))
    );
}

#[tokio::test]
async fn calls_out_of_turn_are_refused_in_the_documented_shape() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut client = Client::connect(&api).await;
    let cases = [
        (
            "POST",
            "/invocation/r/response",
            403,
            "InvalidStateTransition",
        ),
        ("GET", "/nothing", 404, "InvalidRequest"),
        ("POST", "/invocation/next", 405, "InvalidRequest"),
        ("GET", "/restore/next", 404, "InvalidRequest"),
    ];
    for (method, path, expected, kind) in cases {
        let (status, body) = client.call(method, &format!("{BASE}{path}"), b"").await;
        assert_eq!(status, expected, "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["errorType"], kind);
        assert!(body["errorMessage"].is_string());
    }
    assert_eq!(client.call("GET", "/ping", b"").await, (200, "pong".into()));
    assert_eq!(
        client.call("GET", "/2018-06-01/ping", b"").await,
        (200, "pong".into())
    );
}

#[tokio::test]
async fn an_oversize_answer_is_refused_and_the_connection_goes_on() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut client = Client::connect(&api).await;
    client
        .send("GET", &format!("{BASE}/invocation/next"), "", b"")
        .await;
    assert!(api.conversation().asks().await);
    api.conversation().give(work("r"));
    client.read().await;
    let body = vec![b' '; RESPONSE_BYTES_MAX + 1];
    let (status, body) = client
        .call("POST", &format!("{BASE}/invocation/r/response"), &body)
        .await;
    assert_eq!(status, 413);
    assert_eq!(
        body,
        r#"{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#
    );
    client
        .send("GET", &format!("{BASE}/invocation/next"), "", b"")
        .await;
    assert!(api.conversation().asks().await);
    assert_eq!(api.conversation().take_answer(), Some(Answer::TooLarge));
}

#[tokio::test]
async fn an_answer_and_the_next_call_may_come_in_one_write() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut client = Client::connect(&api).await;
    let next = format!("GET {BASE}/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n");
    client.stream.write_all(next.as_bytes()).await.unwrap();
    for request_id in ["r1", "r2"] {
        assert!(api.conversation().asks().await);
        api.conversation().give(work(request_id));
        assert_eq!(client.read().await.0, 200);
        let both = format!(
            "POST {BASE}/invocation/{request_id}/response HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nnull{next}"
        );
        client.stream.write_all(both.as_bytes()).await.unwrap();
        assert_eq!(client.read().await.0, 202);
    }
}

#[tokio::test]
async fn a_lost_connection_takes_its_call_back() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut lost = Client::connect(&api).await;
    lost.send("GET", &format!("{BASE}/invocation/next"), "", b"")
        .await;
    assert!(api.conversation().asks().await);
    drop(lost);
    // Bounded by the server noticing that the other end is gone.
    let asking = loop {
        match api.conversation.next() {
            Ok(asking) => break asking,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    drop(asking);
}

#[tokio::test]
async fn errors_of_a_stream_come_in_its_trailers() {
    let api = RuntimeApi::listen().await.unwrap();
    let mut client = Client::connect(&api).await;
    client
        .send("GET", &format!("{BASE}/invocation/next"), "", b"")
        .await;
    assert!(api.conversation().asks().await);
    api.conversation().give(work("r"));
    client.read().await;
    let report = base64_simd::STANDARD.encode_to_string("{\"errorMessage\":\"late\"}");
    let request = format!(
        "POST {BASE}/invocation/r/response HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
         lambda-runtime-function-response-mode: streaming\r\n\
         trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n\
         3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Late\r\n\
         Lambda-Runtime-Function-Error-Body: {report}\r\n\r\n"
    );
    client.stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(client.read().await.0, 202);
    let report = Bytes::from_static(b"{\"errorMessage\":\"late\"}");
    assert_eq!(
        api.conversation().take_answer(),
        Some(Answer::Error {
            kind: "Runtime.Late".into(),
            report
        })
    );
}
