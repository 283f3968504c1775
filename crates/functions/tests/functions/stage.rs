//! The stage that the tests play on: [`Stage`].

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use tidemill_functions::{
    Catalog, Functions, FunctionsParts, Invocation, InvokeFailure, LocalProcesses, Queue, Reply,
    Settings, ops,
};
use tidemill_log::blobs::MemoryBlobs;
use tidemill_log::{Log, MemoryLog, PartitionId, ServiceTag, StateLog};
use tidemill_model::fault::Faults;
use tidemill_model::{Caller, Clock, FunctionArn, Region};
use tidemill_shapes::lambda::{
    CreateFunctionInput, FunctionCode, FunctionConfiguration, UpdateFunctionCodeInput,
};
use tidemill_testkit::{SimClock, SimEntropy};

pub struct Stage {
    pub functions: Functions,
    pub clock: SimClock,
    pub caller: Caller,
    pub faults: Faults,
    pub settings: Settings,
    directory: Arc<TempDir>,
    log: Arc<dyn Log>,
    blobs: Arc<MemoryBlobs>,
}

impl Stage {
    pub async fn new() -> Stage {
        Stage::with(|_| ()).await
    }

    pub async fn with(set: impl FnOnce(&mut Settings)) -> Stage {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = Settings::new(directory.path().join("work"));
        set(&mut settings);
        let clock = SimClock::default();
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
        Stage::open(directory, settings, clock, log, Arc::default()).await
    }

    async fn open(
        directory: Arc<TempDir>,
        settings: Settings,
        clock: SimClock,
        log: Arc<dyn Log>,
        blobs: Arc<MemoryBlobs>,
    ) -> Stage {
        let mut control = StateLog::new(Arc::clone(&log), PartitionId::CONTROL);
        let catalog = control.register(Catalog::default());
        control.open().await.unwrap();
        let partition = PartitionId::new(ServiceTag::Functions, 1);
        let mut queues = StateLog::new(Arc::clone(&log), partition);
        let queue = queues.register(Queue::default());
        queues.open().await.unwrap();
        let faults = Faults::default();
        let functions = Functions::new(FunctionsParts {
            catalog,
            queue,
            blobs: Arc::clone(&blobs) as _,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SimEntropy::new(7)),
            processes: Arc::new(LocalProcesses::new().unwrap()),
            faults: faults.clone(),
            settings: settings.clone(),
        });
        functions.recover().await;
        let caller = Caller {
            account: "123456789012".parse().unwrap(),
            region: Region::new("us-east-1"),
            request_id: "11111111-2222-4333-8444-555555555555".into(),
        };
        Stage {
            functions,
            clock,
            caller,
            faults,
            settings,
            directory,
            log,
            blobs,
        }
    }

    /// Stops, and starts anew over what is durable.
    pub async fn restart(self) -> Stage {
        self.functions.shutdown().await;
        let Stage {
            directory,
            settings,
            clock,
            log,
            blobs,
            ..
        } = self;
        Stage::open(directory, settings, clock, log, blobs).await
    }

    /// A path for functions and tests to meet at.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn arn(&self, name: &str) -> FunctionArn {
        format!("arn:aws:lambda:us-east-1:123456789012:function:{name}")
            .parse()
            .unwrap()
    }

    pub async fn create(&self, input: CreateFunctionInput) -> FunctionConfiguration {
        ops::create_function(&self.functions, &self.caller, input)
            .await
            .unwrap()
    }

    /// Creates the function `f` with this module and the handler `module.handler`.
    pub async fn python(&self, source: &str) {
        self.create(python("f", source)).await;
    }

    pub async fn update_python(&self, source: &str) {
        let input = UpdateFunctionCodeInput {
            function_name: "f".into(),
            zip_file: Some(zipped(&[("module.py", 0o644, source)])),
            ..UpdateFunctionCodeInput::default()
        };
        ops::update_function_code(&self.functions, &self.caller, input)
            .await
            .unwrap();
    }

    pub fn invocation(&self, payload: &str) -> Invocation {
        Invocation {
            function: self.arn("f"),
            payload: Bytes::from(payload.to_owned()),
            request_id: "r-1".into(),
            client_context: None,
            log_tail: true,
        }
    }

    /// Invokes `f`.
    pub async fn try_invoke(&self, payload: &str) -> Result<Reply, InvokeFailure> {
        within(self.functions.invoke(self.invocation(payload))).await
    }

    pub async fn invoke(&self, payload: &str) -> Reply {
        self.try_invoke(payload).await.unwrap()
    }

    /// Invokes `f`, which gives this result.
    pub async fn result(&self, payload: &str) -> Value {
        let reply = self.invoke(payload).await;
        let text = String::from_utf8_lossy(&reply.payload);
        assert_eq!(reply.function_error, None, "{text}");
        serde_json::from_slice(&reply.payload).unwrap()
    }

    /// Invokes `f`, which fails with this report.
    pub async fn failure(&self, payload: &str) -> Value {
        let reply = self.invoke(payload).await;
        let text = String::from_utf8_lossy(&reply.payload).into_owned();
        assert_eq!(reply.function_error.as_deref(), Some("Unhandled"), "{text}");
        serde_json::from_slice(&reply.payload).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Invokes `f` in the background.
    pub fn begin(&self, payload: &str) -> tokio::task::JoinHandle<Result<Reply, InvokeFailure>> {
        let functions = self.functions.clone();
        let invocation = self.invocation(payload);
        tokio::spawn(async move { functions.invoke(invocation).await })
    }

    /// Lets `duration` pass as soon as the delivery of queued invocations waits for it.
    pub async fn let_pass(&self, duration: Duration) {
        let due = self.clock.now().plus(duration);
        until("something waits for that time", || {
            self.clock.next_deadline().is_some_and(|next| next <= due)
        })
        .await;
        self.clock.advance(duration);
    }
}

pub fn python(name: &str, source: &str) -> CreateFunctionInput {
    CreateFunctionInput {
        function_name: name.into(),
        role: "arn:aws:iam::123456789012:role/r".into(),
        runtime: Some("python3.12".into()),
        handler: Some("module.handler".into()),
        code: code(&[("module.py", 0o644, source)]),
        ..CreateFunctionInput::default()
    }
}

pub fn provided(script: &str, mode: u32) -> CreateFunctionInput {
    CreateFunctionInput {
        runtime: Some("provided.al2023".into()),
        code: code(&[("bootstrap", mode, script)]),
        ..python("f", "")
    }
}

pub fn code(entries: &[(&str, u32, &str)]) -> FunctionCode {
    FunctionCode {
        zip_file: Some(zipped(entries)),
        ..FunctionCode::default()
    }
}

pub fn zipped(entries: &[(&str, u32, &str)]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, contents) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default().unix_permissions(*mode))
            .unwrap();
        writer.write_all(contents.as_bytes()).unwrap();
    }
    Bytes::from(writer.finish().unwrap().into_inner())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that hangs must end; real processes take real time"
)]
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .expect("it ends within a minute")
}

/// Waits until `holds`.
#[expect(
    clippy::disallowed_methods,
    reason = "looks again every few milliseconds; has a bound"
)]
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited for a minute: {what}");
}
