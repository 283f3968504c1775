//! Connections that hang up or say nothing, over real sockets and a clock that is moved by hand.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tidemill_log::{MemoryBlobs, MemoryLog};
use tidemill_model::Source;
use tidemill_model::fault::{Fault, Faults, Seam};
use tidemill_model::{Entropy, StreamArn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;
use crate::clock::SystemClock;
use crate::config::{Config, ConfigFile, LimitsMode, Storage};
use crate::entropy::SystemEntropy;
use crate::gateway::hand::Hand;
use crate::gateway::identify::Identities;
use crate::gateway::sending;
use crate::gateway::tls::Origin;
use crate::wiring::services::{Ground, Services, assemble};

const HOUR: Duration = Duration::from_secs(3600);

struct World {
    hand: Hand,
    faults: Faults,
    services: Services,
    address: SocketAddr,
    tls: Option<Tls>,
    _stop: watch::Sender<bool>,
    _work: tempfile::TempDir,
}

impl World {
    async fn new() -> World {
        World::with(None).await
    }

    async fn with(tls: Option<Tls>) -> World {
        let config = Config {
            storage: Storage::Ephemeral,
            limits: LimitsMode::None,
            ..Config::default()
        };
        let (hand, faults) = (Hand::new(), Faults::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let work = tempfile::tempdir().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let ground = Ground {
            log: Arc::new(MemoryLog::new(Arc::new(SystemClock))),
            local_log: None,
            blobs: Arc::new(MemoryBlobs::default()),
            disk: crate::wiring::storage::temporary_disk(work.path()).unwrap(),
            work_directory: work.path().to_owned(),
            endpoint: format!("http://{address}"),
            faults: faults.clone(),
            clock: Arc::new(SystemClock),
            entropy: entropy.clone(),
        };
        let services = assemble(&config, &ConfigFile::default(), ground)
            .await
            .unwrap();
        let gateway = Gateway {
            services: services.clone(),
            identities: Identities {
                credentials: [].into_iter().collect(),
                account: config.account_id.clone(),
            },
            config,
            tls: tls.clone(),
            faults: faults.clone(),
            clock: Arc::new(hand.clone()),
            entropy,
        };
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(serve(listener, Arc::new(gateway), stopping));
        World {
            hand,
            faults,
            services,
            address,
            tls,
            _stop: stop,
            _work: work,
        }
    }

    async fn connect(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// A connection that is encrypted and speaks `protocol`.
    async fn encrypt(&self, protocol: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
        let pem = self.tls.as_ref().expect("a certificate").certificate();
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }

    /// Waits until no more than `count` sleep on the clock.
    async fn until_sleepers(&self, count: usize) {
        while self.hand.sleepers() > count {
            tokio::task::yield_now().await;
        }
    }

    fn has_stream(&self) -> bool {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
        let arn: StreamArn = arn.parse().unwrap();
        self.services.streams.incarnation(&arn).is_ok()
    }
}

fn create_stream() -> String {
    kinesis("CreateStream", r#"{"StreamName":"s","ShardCount":1}"#)
}

fn kinesis(operation: &str, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: Kinesis_20131202.{operation}\r\nx-amz-date: 20261121T000000Z\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=k/20261121/us-east-1/kinesis/aws4_request, \
         SignedHeaders=host, Signature=s\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn self_made() -> Tls {
    Tls::load(Origin::Fleeting, std::net::Ipv4Addr::LOCALHOST.into()).unwrap()
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_whose_client_hangs_up_is_finished() {
    let world = World::new().await;
    world
        .faults
        .arm(Seam::GatewayBeforeCommit, Fault::Delay(HOUR));
    let client = world.connect(&create_stream()).await;
    world.hand.awaited(world.hand.now().plus(HOUR)).await;
    drop(client);
    // The connection, which slept too, is gone; what it asked for is still under way.
    world.until_sleepers(1).await;
    settle().await;
    assert!(!world.has_stream());
    world.hand.advance(HOUR);
    settle().await;
    assert!(world.has_stream());
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_call_while_anybody_may() {
    let world = World::new().await;
    let from =
        |origin: &str| create_stream().replace("host: h", &format!("host: h\r\norigin: {origin}"));
    let mut answer = [0; 12];
    let mut foreign = world.connect(&from("https://example.com")).await;
    foreign.read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, world.has_stream()), (b"HTTP/1.1 403", false));
    let mut own = world.connect(&from("http://localhost:3000")).await;
    own.read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, world.has_stream()), (b"HTTP/1.1 200", true));
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed_and_others_are_not() {
    let world = World::with(Some(self_made())).await;
    let mut asked = world.connect(&create_stream()).await;
    let mut answer = [0; 12];
    asked.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "\u{16}"] {
        let before = world.hand.sleepers();
        let mut silent = world.connect(beginning).await;
        while world.hand.sleepers() == before {
            tokio::task::yield_now().await;
        }
        world.hand.advance(HEAD_TIME_MAX);
        let read = silent.read(&mut answer).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{beginning:?}: {read:?}");
    }
    asked.write_all(create_stream().as_bytes()).await.unwrap();
    let mut more = Vec::new();
    while !more.windows(12).any(|text| text == b"HTTP/1.1 400") {
        let read = asked.read_buf(&mut more).await.unwrap();
        assert_ne!(read, 0, "the stream exists already, and the connection too");
    }
}

/// The body of the answer to `request`.
async fn answered(world: &World, request: &str) -> String {
    let request = request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let (mut client, mut answer) = (world.connect(&request).await, String::new());
    client.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    body.to_owned()
}

/// The body of the request that reads a stream with `count` records of 900 kB.
async fn read_of(world: &World, count: usize) -> String {
    answered(world, &create_stream()).await;
    let data = "A".repeat(1_200_000);
    let put = format!(r#"{{"StreamName":"s","Records":[{{"PartitionKey":"k","Data":"{data}"}}]}}"#);
    for _ in 0..count {
        answered(world, &kinesis("PutRecords", &put)).await;
    }
    let place = r#"{"StreamName":"s","ShardId":"0","ShardIteratorType":"TRIM_HORIZON"}"#;
    let iterator = answered(world, &kinesis("GetShardIterator", place)).await;
    world.until_sleepers(0).await;
    iterator
}

/// Lets time pass until the server has no connection any more. What the system holds for both sides is filled in its
/// own time, so a few more parts may be sent meanwhile.
async fn assert_all_closed(world: &World) {
    for _ in 0..1_000_000 {
        if world.hand.sleepers() == 0 {
            return;
        }
        world.hand.advance(sending::SEND_TIME_MAX);
        settle().await;
    }
    panic!("the connection is still there");
}

#[tokio::test]
async fn a_connection_whose_client_does_not_take_its_answer_is_closed() {
    let world = World::new().await;
    let read = read_of(&world, 9).await;
    let mut client = world.connect(&kinesis("GetRecords", &read)).await;
    let mut head = [0; 12];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    assert_all_closed(&world).await;
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(rest.len() < 9 * 1_200_000, "{}", rest.len());
}

#[tokio::test]
async fn a_connection_that_never_opens_its_window_is_closed_though_it_is_alive() {
    let world = World::new().await;
    let read = read_of(&world, 1).await;
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1000)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let text = kinesis("GetRecords", &read);
    let mut request = hyper::Request::post(format!("http://{}/", world.address));
    for line in text.split("\r\n").skip(2).take(4) {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let request = request.body(Full::new(bytes::Bytes::from(read))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_all_closed(&world).await;
    let body = response.into_body().collect().await;
    assert!(body.is_err(), "it was cut");
}

#[tokio::test]
async fn one_port_speaks_plain_and_encrypted_and_both_versions_of_http() {
    let world = World::with(Some(self_made())).await;
    let mut answer = [0; 12];
    let mut plain = world.connect(&create_stream()).await;
    plain.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    let mut encrypted = world.encrypt("http/1.1").await;
    assert_eq!(
        encrypted.get_ref().1.alpn_protocol(),
        Some(&b"http/1.1"[..])
    );
    encrypted
        .write_all(create_stream().as_bytes())
        .await
        .unwrap();
    encrypted.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400", "the stream exists already");

    let encrypted = world.encrypt("h2").await;
    assert_eq!(encrypted.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(encrypted))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get("https://localhost/_tidemill/certificate.pem");
    let request = request.body(Full::new(bytes::Bytes::new())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let pem = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(pem, self_certificate(&world));
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let world = World::new().await;
    let request = create_stream();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut client = world
        .connect(&format!("{head}\r\nexpect: 100-continue\r\n\r\n"))
        .await;
    let mut asked = [0; 25];
    client.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(body.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, world.has_stream()), (b"HTTP/1.1 200", true));
}

fn self_certificate(world: &World) -> &str {
    world.tls.as_ref().expect("a certificate").certificate()
}
