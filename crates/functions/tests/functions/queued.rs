//! Asynchronous invocations: at least once, retried, resumed, given up.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use tidemill_functions::metrics::Metric;
use tidemill_functions::ops;
use tidemill_shapes::lambda::{InvocationType, InvokeInput};

use crate::stage::{Stage, until};

/// Writes its request id at the end of the file it is given, then fails if it is told to.
const NOTE: &str = "import os\n\
    def handler(event, context):\n    \
        with open(event['path'], 'a') as file:\n        \
            file.write(context.aws_request_id + '\\n')\n    \
        if os.path.exists(event['path'] + '.fail'):\n        \
            raise Exception('told to')\n";

async fn queue(stage: &Stage, path: &Path) {
    let input = InvokeInput {
        function_name: "f".into(),
        invocation_type: Some(InvocationType::Event),
        payload: Some(Bytes::from(serde_json::json!({ "path": path }).to_string())),
        ..InvokeInput::default()
    };
    let output = ops::invoke(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    assert_eq!((output.status_code, output.payload), (Some(202), None));
}

fn notes(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_queued_invocation_runs_once_when_it_succeeds() {
    let stage = Stage::new().await;
    stage.python(NOTE).await;
    let path = stage.path("notes");
    queue(&stage, &path).await;
    until("it has ended", || stage.functions.queued() == 0).await;
    assert_eq!(notes(&path), [stage.caller.request_id.as_str()]);
}

#[tokio::test]
async fn what_was_queued_runs_though_its_caller_hung_up() {
    let stage = Stage::new().await;
    stage.python(NOTE).await;
    let path = stage.path("notes");
    tokio::select! {
        biased;
        () = queue(&stage, &path) => panic!("it takes longer than the caller waits"),
        () = std::future::ready(()) => {}
    }
    until("it has run", || notes(&path).len() == 1).await;
}

#[tokio::test]
async fn a_failing_one_is_tried_three_times_under_one_id_and_then_given_up() {
    let stage = Stage::new().await;
    stage.python(NOTE).await;
    let path = stage.path("notes");
    std::fs::write(stage.path("notes.fail"), "").unwrap();
    queue(&stage, &path).await;
    for (attempts, wait) in [(1, 60), (2, 120)] {
        until("the attempt", || notes(&path).len() == attempts).await;
        until("the failure has been told", || {
            stage.functions.metrics().get(Metric::Errors) == attempts as u64
        })
        .await;
        stage.let_pass(Duration::from_secs(wait)).await;
    }
    until("it is given up", || stage.functions.queued() == 0).await;
    assert_eq!(notes(&path), vec![stage.caller.request_id.clone(); 3]);
    assert_eq!(stage.functions.metrics().get(Metric::AsyncDiscarded), 1);
}

#[tokio::test]
async fn after_a_restart_a_queued_invocation_is_taken_up_where_it_stood() {
    let stage = Stage::new().await;
    stage.python(NOTE).await;
    let path = stage.path("notes");
    std::fs::write(stage.path("notes.fail"), "").unwrap();
    queue(&stage, &path).await;
    until("the first attempt has failed", || {
        stage.functions.metrics().get(Metric::Errors) == 1
    })
    .await;
    let stage = stage.restart().await;
    assert_eq!(stage.functions.queued(), 1);
    std::fs::remove_file(stage.path("notes.fail")).unwrap();
    stage.clock.advance(Duration::from_secs(60));
    until("it has ended", || stage.functions.queued() == 0).await;
    assert_eq!(notes(&path), vec![stage.caller.request_id.clone(); 2]);
}

#[tokio::test]
async fn what_is_queued_before_an_update_runs_with_the_new_code() {
    let stage = Stage::with(|settings| settings.state_delay = Duration::from_secs(2)).await;
    stage.python(NOTE).await;
    stage.clock.advance(Duration::from_secs(2));
    let path = stage.path("notes");
    std::fs::write(stage.path("notes.fail"), "").unwrap();
    queue(&stage, &path).await;
    until("the first attempt has failed", || {
        stage.functions.metrics().get(Metric::Errors) == 1
    })
    .await;
    stage
        .update_python(
            "def handler(event, context):\n    open(event['path'], 'a').write('new\\n')\n",
        )
        .await;
    stage.let_pass(Duration::from_secs(60)).await;
    until("it has ended", || stage.functions.queued() == 0).await;
    assert_eq!(notes(&path), [stage.caller.request_id.as_str(), "new"]);
}
