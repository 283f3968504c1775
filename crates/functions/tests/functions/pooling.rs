//! How environments are shared out: reuse, the ceiling, updates, idleness, faults.

use std::time::Duration;

use serde_json::json;

use tidemill_functions::InvokeFailure;
use tidemill_functions::metrics::Metric;
use tidemill_model::Determinacy;
use tidemill_model::fault::{Fault, Seam};

use crate::stage::{Stage, python, until, within};

/// Says that it has begun at the path it is given, and ends when the path is gone.
const HOLD: &str = "import os, time\n\
    def handler(event, context):\n    \
        if event:\n        \
            open(event, 'w').close()\n        \
            while os.path.exists(event):\n            \
                time.sleep(0.005)\n    \
        return [os.getpid(), 'old']\n";

#[tokio::test]
async fn a_warm_environment_is_used_again_and_an_idle_one_is_ended() {
    let stage = Stage::new().await;
    stage.python(HOLD).await;
    let first = stage.result("null").await;
    assert_eq!(stage.result("null").await, first);
    assert_eq!(
        stage.functions.metrics().get(Metric::EnvironmentsStarted),
        1
    );
    stage.let_pass(Duration::from_secs(600)).await;
    until("the environment is ended", || {
        stage.functions.environments() == (0, 0)
    })
    .await;
    let process = first[0].as_u64().unwrap();
    until("its process is gone", || {
        !std::path::Path::new(&format!("/proc/{process}/cwd")).exists()
    })
    .await;
    assert_ne!(stage.result("null").await, first);
}

#[tokio::test]
async fn beyond_the_ceiling_an_invocation_is_throttled() {
    let stage = Stage::with(|settings| settings.concurrency_max = 1).await;
    stage.python(HOLD).await;
    let held = stage.path("held");
    let running = stage.begin(&json!(held).to_string());
    until("the function has begun", || held.exists()).await;
    let throttled = stage.try_invoke("null").await.expect_err("one is the most");
    assert!(
        matches!(throttled, InvokeFailure::Throttled { .. }),
        "{throttled:?}"
    );
    assert_eq!(throttled.determinacy(), Determinacy::Determinate);
    std::fs::remove_file(&held).unwrap();
    within(running).await.unwrap().unwrap();
    assert_eq!(stage.result("null").await[1], "old");
}

#[tokio::test]
async fn an_update_while_the_function_runs_lets_it_finish_and_then_replaces_it() {
    let stage = Stage::new().await;
    stage.python(HOLD).await;
    let held = stage.path("held");
    let running = stage.begin(&json!(held).to_string());
    until("the function has begun", || held.exists()).await;
    stage
        .update_python("def handler(event, context):\n    return 'new'\n")
        .await;
    assert_eq!(stage.result("null").await, "new");
    std::fs::remove_file(&held).unwrap();
    let reply = within(running).await.unwrap().unwrap();
    assert!(reply.payload.ends_with(b"\"old\"]"), "{:?}", reply.payload);
    until("only the new one is left", || {
        stage.functions.environments() == (1, 0)
    })
    .await;
}

#[tokio::test]
async fn a_function_goes_on_when_its_caller_goes_away() {
    let stage = Stage::new().await;
    stage.python(HOLD).await;
    let held = stage.path("held");
    let running = stage.begin(&json!(held).to_string());
    until("the function has begun", || held.exists()).await;
    running.abort();
    assert_eq!(stage.functions.environments(), (1, 1));
    std::fs::remove_file(&held).unwrap();
    until("it has finished", || {
        stage.functions.environments() == (1, 0)
    })
    .await;
}

#[tokio::test]
async fn functions_with_the_same_code_share_a_directory_that_is_made_again_when_it_is_gone() {
    let stage = Stage::with(|settings| settings.concurrency_max = 1).await;
    stage
        .python("import os\ndef handler(event, context):\n    return os.getcwd()\n")
        .await;
    let place = stage.result("null").await;
    std::fs::remove_dir_all(place.as_str().unwrap()).unwrap();
    let other = "import os\ndef handler(event, context):\n    return 1\n";
    stage.create(python("g", other)).await;
    let mut invocation = stage.invocation("{}");
    invocation.function = stage.arn("g");
    within(stage.functions.invoke(invocation)).await.unwrap();
    assert_eq!(stage.result("null").await, place);
}

#[tokio::test]
async fn code_that_lost_its_files_in_a_power_cut_is_unpacked_anew_by_the_next_server() {
    let stage = Stage::new().await;
    stage
        .python("import os\ndef handler(event, context):\n    return os.getcwd()\n")
        .await;
    let place = stage.result("null").await;
    let module = std::path::Path::new(place.as_str().unwrap()).join("module.py");
    std::fs::write(&module, "").unwrap();
    let stage = stage.restart().await;
    assert_eq!(stage.result("null").await, place);
}

#[tokio::test]
async fn a_fault_says_whether_the_function_may_have_run() {
    let stage = Stage::new().await;
    stage.python(HOLD).await;
    for (seam, fault, determinacy) in [
        (
            Seam::EnvironmentStart,
            Fault::Fail,
            Determinacy::Determinate,
        ),
        (Seam::Invoke, Fault::Fail, Determinacy::Determinate),
        (Seam::Invoke, Fault::LoseAnswer, Determinacy::Indeterminate),
    ] {
        stage.faults.arm(seam, fault.clone());
        let failure = stage
            .try_invoke("null")
            .await
            .expect_err("a fault is armed");
        assert_eq!(failure.determinacy(), determinacy, "{seam:?} {fault:?}");
        stage.faults.disarm(seam);
    }
    assert_eq!(stage.result("null").await[1], "old");
}

#[tokio::test]
async fn stopping_ends_what_is_running() {
    let stage = Stage::new().await;
    stage.python(HOLD).await;
    let held = stage.path("held");
    let running = stage.begin(&json!(held).to_string());
    until("the function has begun", || held.exists()).await;
    within(stage.functions.shutdown()).await;
    let failure = within(running)
        .await
        .unwrap()
        .expect_err("the server stopped");
    assert_eq!(failure.determinacy(), Determinacy::Indeterminate);
    let refused = stage
        .try_invoke("null")
        .await
        .expect_err("the server has stopped");
    assert_eq!(refused.determinacy(), Determinacy::Determinate);
}
