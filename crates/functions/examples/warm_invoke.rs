//! How many invocations a second one warm Python environment takes, and how many several take together.
//!
//! `cargo run -p tidemill-functions --example warm_invoke [seconds]`. The handler returns its event; the
//! payload is small. The build profile matters: say it with the figure.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use tidemill_functions::{
    Catalog, Functions, FunctionsParts, Invocation, LocalProcesses, Queue, Settings, ops,
};
use tidemill_log::blobs::MemoryBlobs;
use tidemill_log::{Log, MemoryLog, PartitionId, ServiceTag, StateLog};
use tidemill_model::fault::Faults;
use tidemill_model::{BoxFuture, Caller, Clock, FunctionArn, Region, Timestamp};
use tidemill_shapes::lambda::{CreateFunctionInput, FunctionCode};
use tidemill_testkit::SimEntropy;

const SOURCE: &str = "def handler(event, context):\n    return event\n";

struct WallClock;

impl Clock for WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement is made in real time"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement is made in real time"
    )]
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let wait = deadline.since(self.now()).min(Duration::from_secs(86_400));
        Box::pin(tokio::time::sleep(wait))
    }
}

#[tokio::main]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let functions = functions(directory.path()).await;
    let arn = create(&functions).await;
    for callers in [1, 2, 4, 8] {
        measure(&functions, &arn, callers, Duration::from_secs(seconds)).await;
    }
    functions.shutdown().await;
}

async fn functions(directory: &std::path::Path) -> Functions {
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Arc::clone(&clock)));
    let mut control = StateLog::new(Arc::clone(&log), PartitionId::CONTROL);
    let catalog = control.register(Catalog::default());
    control.open().await.expect("an empty log opens");
    let mut queues = StateLog::new(log, PartitionId::new(ServiceTag::Functions, 1));
    let queue = queues.register(Queue::default());
    queues.open().await.expect("an empty log opens");
    let functions = Functions::new(FunctionsParts {
        catalog,
        queue,
        blobs: Arc::new(MemoryBlobs::default()),
        clock,
        entropy: Arc::new(SimEntropy::new(1)),
        processes: Arc::new(LocalProcesses::new().expect("a thread can be started")),
        faults: Faults::default(),
        settings: Settings::new(directory),
    });
    functions.recover().await;
    functions
}

async fn create(functions: &Functions) -> FunctionArn {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("module.py", SimpleFileOptions::default())
        .expect("memory takes a file");
    writer
        .write_all(SOURCE.as_bytes())
        .expect("memory takes bytes");
    let zip = writer
        .finish()
        .expect("memory takes a directory")
        .into_inner();
    let caller = Caller {
        account: "000000000000".parse().expect("12 digits"),
        region: Region::new("us-east-1"),
        request_id: "create".to_owned(),
    };
    let input = CreateFunctionInput {
        function_name: "echo".to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        runtime: Some("python3.12".into()),
        handler: Some("module.handler".to_owned()),
        code: FunctionCode {
            zip_file: Some(Bytes::from(zip)),
            ..FunctionCode::default()
        },
        ..CreateFunctionInput::default()
    };
    let created = ops::create_function(functions, &caller, input)
        .await
        .expect("it is created");
    created
        .function_arn
        .unwrap_or_default()
        .parse()
        .expect("our own ARN")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is made in real time"
)]
async fn measure(functions: &Functions, arn: &FunctionArn, callers: usize, span: Duration) {
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let (functions, arn) = (functions.clone(), arn.clone());
        tasks.push(tokio::spawn(async move {
            // The first is cold; it is not counted.
            call(&functions, &arn, caller, 0).await;
            let begun = Instant::now();
            let mut count = 0_u64;
            while begun.elapsed() < span {
                count += 1;
                call(&functions, &arn, caller, count).await;
            }
            count as f64 / begun.elapsed().as_secs_f64()
        }));
    }
    let mut sum = 0.0;
    for task in tasks {
        sum += task.await.expect("a caller does not panic");
    }
    println!(
        "{callers} callers: {sum:.0} invocations/s, {:.0} us each",
        callers as f64 / sum * 1e6
    );
}

async fn call(functions: &Functions, arn: &FunctionArn, caller: usize, count: u64) {
    let invocation = Invocation {
        function: arn.clone(),
        payload: Bytes::from_static(b"{\"key\":\"value\"}"),
        request_id: format!("{caller:08}-0000-4000-8000-{count:012}"),
        client_context: None,
        log_tail: false,
    };
    let reply = functions
        .invoke(invocation)
        .await
        .expect("the function runs");
    assert!(reply.function_error.is_none(), "{:?}", reply.payload);
}
