//! What the machine does at best with the same bytes: [`HttpFloor`] and [`DiskFloor`].
//!
//! What must hold: a floor does a necessary part of our work and nothing else. The HTTP floor reads
//! each body and drops it; the disk floor writes the records' bytes over space that is already on
//! disk and syncs, one sync for all that our server can have in flight. A floor that is slow makes us
//! look good, so the report checks the HTTP floor against [`HTTP_FLOOR_MIN`].

use std::convert::Infallible;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::load::Sample;
use crate::stopwatch::Stopwatch;

/// Requests of 700 KB per second that a server on two cores must read to count as a floor.
pub const HTTP_FLOOR_MIN: f64 = 3000.0;

/// Largest read of the floor's connections. Measured with bodies of 700 KB: a read of 16 KiB costs half
/// as much again for its many calls, one of 1 MiB for memory that is mapped anew each time.
const READ_BYTES_MAX: usize = 128 << 10;

/// Space the disk floor writes around in.
const DISK_SPACE: u64 = 64 << 20;

/// A bare HTTP server on a free port that reads and drops what it gets.
#[derive(Debug)]
pub struct HttpFloor {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpFloor {
    /// Starts it.
    pub async fn start() -> std::io::Result<HttpFloor> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Without it the floor would only be slower; not worth failing for.
                let _ = socket.set_nodelay(true);
                tokio::spawn(
                    http1::Builder::new()
                        .max_buf_size(READ_BYTES_MAX)
                        .serve_connection(TokioIo::new(socket), service_fn(read_and_drop)),
                );
            }
        });
        Ok(HttpFloor { address, task })
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpFloor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_and_drop(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    // A body that breaks off ends the loop; its client has its error already.
    while let Some(Ok(_)) = body.frame().await {}
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}

/// A file that is written in place and synced by one thread.
#[derive(Debug)]
pub struct DiskFloor {
    file: File,
    offset: u64,
}

impl DiskFloor {
    /// Makes the file in `directory`, filled and synced, so that a write changes no metadata.
    pub fn create(directory: &Path) -> std::io::Result<DiskFloor> {
        let file = File::create(directory.join("disk-floor"))?;
        let zeros = vec![0; 1 << 20];
        for offset in (0..DISK_SPACE).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
        Ok(DiskFloor { file, offset: 0 })
    }

    /// Writes groups of `requests_per_group` requests with `request_bytes` each, a sync after each
    /// group, for `duration`. The latency of a request is that of its group.
    ///
    /// Blocks the thread.
    pub fn run(
        &mut self,
        request_bytes: usize,
        requests_per_group: u64,
        duration: Duration,
    ) -> std::io::Result<Sample> {
        let group = vec![0x5a; request_bytes * requests_per_group as usize];
        assert!(
            group.len() as u64 <= DISK_SPACE,
            "a group fits into the floor's file"
        );
        let mut sample = Sample {
            requests: 0,
            elapsed: Duration::ZERO,
            latencies_us: Vec::new(),
        };
        let watch = Stopwatch::start();
        while watch.elapsed() < duration {
            let written = Stopwatch::start();
            self.write_group(&group)?;
            sample
                .latencies_us
                .push(u64::try_from(written.elapsed().as_micros()).unwrap_or(u64::MAX));
            sample.requests += requests_per_group;
        }
        sample.elapsed = watch.elapsed();
        sample.latencies_us.sort_unstable();
        Ok(sample)
    }

    fn write_group(&mut self, group: &[u8]) -> std::io::Result<()> {
        if self.offset + group.len() as u64 > DISK_SPACE {
            self.offset = 0;
        }
        self.file.write_all_at(group, self.offset)?;
        self.offset += group.len() as u64;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::client::{Client, Credentials};
    use crate::load::{self, Load};
    use tidemill_server::clock::SystemClock;

    #[tokio::test]
    async fn the_http_floor_takes_every_body_it_is_sent() {
        let floor = HttpFloor::start().await.expect("a free port");
        let endpoint = floor.endpoint().parse().expect("an endpoint");
        let client = Client::new(endpoint, Credentials::default(), Arc::new(SystemClock));
        let request = client.prepare_kinesis("PutRecords", vec![b'x'; 700_000].into());
        let load = Load {
            requests: vec![request].into(),
            connections: 2,
            duration: Duration::from_secs(60),
            requests_max: 10,
        };
        let sample = load::run(&client, &load).await.expect("answers");
        assert_eq!((sample.requests, sample.latencies_us.len()), (10, 10));
    }

    #[test]
    fn the_disk_floor_counts_the_requests_of_each_group() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut floor = DiskFloor::create(directory.path()).expect("a file");
        // More than the file holds, so that it begins anew.
        let sample = floor
            .run(30 << 20, 2, Duration::from_millis(1))
            .expect("writes");
        assert_eq!(sample.requests, 2 * sample.latencies_us.len() as u64);
        assert!(sample.requests >= 2);
        assert!(sample.elapsed >= Duration::from_millis(1));
    }
}
