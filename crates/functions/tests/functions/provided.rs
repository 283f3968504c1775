//! Functions that bring their own bootstrap.

use serde_json::json;

use crate::stage::{Stage, provided};

/// A runtime in the shell: asks for work, answers, and asks again.
const ECHO: &str = r#"#!/usr/bin/env bash
api="http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime"
while true; do
  headers="$(mktemp)"
  event="$(curl -sS -D "$headers" "$api/invocation/next")" || exit 0
  id="$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '\r' | cut -d' ' -f2)"
  echo "handler ${_HANDLER}" >&2
  if [ "$event" = '"fail"' ]; then
    curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Error-Type: Runtime.Own' \
      -d '{"errorMessage":"own","errorType":"Own"}' "$api/invocation/$id/error"
  else
    curl -sS -o /dev/null -d "{\"got\":$event}" "$api/invocation/$id/response"
  fi
done
"#;

#[tokio::test]
async fn a_bootstrap_in_the_shell_answers_and_fails() {
    let stage = Stage::new().await;
    stage.create(provided(ECHO, 0o755)).await;
    assert_eq!(stage.result("[1]").await, json!({"got": [1]}));
    assert_eq!(
        stage.failure("\"fail\"").await,
        json!({"errorMessage": "own", "errorType": "Own"})
    );
    let reply = stage.invoke("2").await;
    assert_eq!(reply.payload, "{\"got\":2}");
    let tail = base64_simd::STANDARD
        .decode_to_vec(reply.log_tail.unwrap())
        .unwrap();
    assert!(String::from_utf8_lossy(&tail).contains("\nhandler module.handler\n"));
    assert_eq!(stage.functions.environments(), (1, 0));
}

#[tokio::test]
async fn a_bootstrap_that_cannot_be_started_is_named_with_its_reason() {
    for (script, mode, reason) in [
        (
            "no interpreter is named",
            0o755,
            "/bootstrap: exec format error",
        ),
        (ECHO, 0o644, "/bootstrap: permission denied"),
        (
            "#!/nowhere/at/all\n",
            0o755,
            "/bootstrap: no such file or directory",
        ),
    ] {
        let stage = Stage::new().await;
        stage.create(provided(script, mode)).await;
        let report = stage.failure("{}").await;
        assert_eq!(report["errorType"], "Runtime.InvalidEntrypoint");
        let message = report["errorMessage"].as_str().unwrap();
        assert!(
            message.starts_with("RequestId: r-1 Error: fork/exec /") && message.ends_with(reason),
            "{message}"
        );
    }
}

#[tokio::test]
async fn an_archive_without_a_bootstrap_is_told_so() {
    let stage = Stage::new().await;
    let mut input = provided(ECHO, 0o755);
    input.code = crate::stage::code(&[("other", 0o755, ECHO)]);
    stage.create(input).await;
    let report = stage.failure("{}").await;
    assert_eq!(report["errorType"], "Runtime.InvalidEntrypoint");
    assert!(
        report["errorMessage"]
            .as_str()
            .unwrap()
            .contains("Couldn't find valid bootstrap(s): [")
    );
}

#[tokio::test]
async fn a_bootstrap_that_exits_before_it_asks_is_an_exit() {
    let stage = Stage::new().await;
    stage.create(provided("#!/bin/sh\nexit 7\n", 0o755)).await;
    let report = stage.failure("{}").await;
    let message = "RequestId: r-1 Error: Runtime exited with error: exit status 7";
    assert_eq!(
        report,
        json!({"errorType": "Runtime.ExitError", "errorMessage": message})
    );
}
