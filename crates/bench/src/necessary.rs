//! The necessary-work server: [`NecessaryFloor`], what any server has to do with the same requests.
//!
//! What must hold: it reads the body whole, parses all of it, decodes the base64, hashes the partition
//! keys, makes the data durable in groups ([`GroupCommit`]) and then answers with as many bytes as our
//! answer has; for GetRecords it makes a page anew from records in memory. It has no streams, no checks,
//! no signatures and no index, and it keeps its buffers from one request to the next.

use std::path::Path;
use std::sync::{Arc, Mutex};

use base64_simd::AsOut;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use md5::{Digest, Md5};
use serde::Deserialize;

use tidemill_log::Scheduling;

use crate::floors::names;
use crate::group_commit::GroupCommit;
use crate::http_server::{Answering, listen};
use crate::pages::{Page, PageBody};
use crate::threads::Threads;

/// A server on a free port that does what is necessary.
pub struct NecessaryFloor {
    endpoint: String,
    commit: Arc<GroupCommit>,
    _threads: Threads,
}

impl NecessaryFloor {
    /// Starts it, with a file in `directory`; it answers GetRecords with `page`.
    pub async fn start(
        directory: &Path,
        page: Option<Arc<Page>>,
    ) -> std::io::Result<NecessaryFloor> {
        let threads = Threads::start("floor-work")?;
        let commit = Arc::new(GroupCommit::start(directory)?);
        let shared = Arc::clone(&commit);
        let each = move || Working {
            commit: Arc::clone(&shared),
            page: page.clone(),
            buffers: Arc::default(),
        };
        let address = threads.run(listen(each)).await?;
        Ok(NecessaryFloor {
            endpoint: format!("http://{address}"),
            commit,
            _threads: threads,
        })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How the thread that writes is scheduled.
    pub fn scheduling(&self) -> Scheduling {
        self.commit.scheduling()
    }
}

/// One connection.
#[derive(Clone)]
struct Working {
    commit: Arc<GroupCommit>,
    page: Option<Arc<Page>>,
    buffers: Arc<Mutex<Buffers>>,
}

#[derive(Default)]
struct Buffers {
    body: Vec<u8>,
    data: Vec<u8>,
    /// The last answer, and for how many entries it is.
    answer: (usize, Bytes),
}

#[derive(Deserialize)]
struct PutRecords<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "Data")]
    data: &'a str,
    #[serde(rename = "PartitionKey")]
    partition_key: &'a str,
}

type Answer = BoxBody<Bytes, std::convert::Infallible>;

impl Answering for Working {
    type Body = Answer;

    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let (head, mut body) = request.into_parts();
        let mut buffers = std::mem::take(&mut *self.buffers.lock().expect("no holder panics"));
        buffers.body.clear();
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(data) = frame.data_ref() {
                buffers.body.extend_from_slice(data);
            }
        }
        let answer = self.work(&head.headers, &mut buffers).await;
        *self.buffers.lock().expect("no holder panics") = buffers;
        answer
    }
}

impl Working {
    async fn work(&self, headers: &http::HeaderMap, buffers: &mut Buffers) -> Response<Answer> {
        if let Some(page) = &self.page {
            if names(headers, "GetRecords") {
                return Response::new(PageBody::new(Arc::clone(page)).boxed());
            }
            let iterator = Bytes::from_static(br#"{"ShardIterator":"next"}"#);
            return Response::new(Full::new(iterator).boxed());
        }
        let Buffers { body, data, answer } = buffers;
        data.clear();
        let many = names(headers, "PutRecords");
        let Some(entries) = decode(many, body, data) else {
            return failure(StatusCode::BAD_REQUEST);
        };
        if self.commit.put(data).await.is_err() {
            return failure(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if answer.0 != entries || answer.1.is_empty() {
            *answer = (entries, answer_for(many, entries));
        }
        Response::new(Full::new(answer.1.clone()).boxed())
    }
}

fn failure(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")).boxed());
    *response.status_mut() = status;
    response
}

/// Parses `body`, puts the data of its entries behind one another into `data`, and hashes their keys;
/// gives how many entries there are. None when it is not such a body.
fn decode(many: bool, body: &[u8], data: &mut Vec<u8>) -> Option<usize> {
    let entries = if many {
        serde_json::from_slice::<PutRecords<'_>>(body).ok()?.records
    } else {
        vec![serde_json::from_slice::<Entry<'_>>(body).ok()?]
    };
    for entry in &entries {
        let text = entry.data.as_bytes();
        let start = data.len();
        let room = base64_simd::STANDARD.estimated_decoded_length(text.len());
        data.resize(start + room, 0);
        let decoded = base64_simd::STANDARD
            .decode(text, data[start..].as_out())
            .ok()?
            .len();
        data.truncate(start + decoded);
        std::hint::black_box(Md5::digest(entry.partition_key.as_bytes()));
    }
    Some(entries.len())
}

/// An answer as long as ours.
fn answer_for(many: bool, entries: usize) -> Bytes {
    let number = "4".repeat(56);
    let entry = format!(r#"{{"SequenceNumber":"{number}","ShardId":"shardId-000000000000"}}"#);
    if many {
        let list = vec![entry; entries].join(",");
        format!(r#"{{"FailedRecordCount":0,"Records":[{list}]}}"#).into()
    } else {
        entry.into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bodies;
    use crate::client::{Client, Credentials};
    use crate::drain::{self, Drain};
    use crate::load::{self, Load};
    use tidemill_server::clock::SystemClock;

    fn client(endpoint: &str) -> Client {
        let endpoint = endpoint.parse().expect("an endpoint");
        Client::new(endpoint, Credentials::default(), Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn the_data_of_every_entry_is_on_the_disk_when_it_is_answered() {
        let directory = tempfile::tempdir().expect("a directory");
        let floor = NecessaryFloor::start(directory.path(), None)
            .await
            .expect("a free port");
        let client = client(floor.endpoint());
        let body = bodies::put_records("s", 100, 3);
        let call = client.prepare_kinesis("PutRecords", body.clone());
        let answer = client.send(&call).await.expect("is taken");
        assert_eq!(answer.body, answer_for(true, 500));

        let mut data = Vec::new();
        assert_eq!(decode(true, &body, &mut data), Some(500));
        assert_eq!(data.len(), 50_000);
        let written = std::fs::read(directory.path().join("groups")).expect("is there");
        assert!(written[..data.len()] == data);

        let one = client.prepare_kinesis("PutRecord", bodies::put_record("s", 100, 3));
        let answer = client.send(&one).await.expect("is taken");
        assert_eq!(answer.body, answer_for(false, 1));
        let bad = client.prepare_kinesis("PutRecords", Bytes::from_static(b"{}"));
        assert!(client.send(&bad).await.is_err());
    }

    #[tokio::test]
    async fn loads_and_drains_run_against_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let floor = NecessaryFloor::start(directory.path(), None)
            .await
            .expect("a free port");
        let client_of_puts = client(floor.endpoint());
        let body = bodies::put_records("s", 100, 0);
        let load = Load {
            requests: vec![client_of_puts.prepare_kinesis("PutRecords", body)].into(),
            entries: 500,
            connections: 3,
            duration: Duration::from_secs(60),
            requests_max: 20,
        };
        let sample = load::run(&client_of_puts, &load).await.expect("answers");
        assert_eq!(sample.records, 10_000);

        let page = Some(Arc::new(Page::of(100, 30)));
        let other = tempfile::tempdir().expect("a directory");
        let floor = NecessaryFloor::start(other.path(), page)
            .await
            .expect("a free port");
        let drain = Drain {
            stream: "s",
            shards: 2,
            connections: 2,
            duration: Duration::from_millis(20),
        };
        let sample = drain::run(&client(floor.endpoint()), &drain)
            .await
            .expect("answers");
        assert_eq!(sample.records, sample.requests * 30);
        assert!(sample.requests > 0);
    }
}
