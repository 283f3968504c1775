//! Python functions, each ending as a function can end.

use std::time::Duration;

use serde_json::json;

use tidemill_shapes::lambda::CreateFunctionInput;

use crate::stage::{Stage, code, python, until, within};

#[tokio::test]
async fn a_result_comes_back_with_the_request_it_belongs_to() {
    let stage = Stage::new().await;
    stage
        .python(
            "import os\n\
             def handler(event, context):\n    \
                 return {'got': event, 'id': context.aws_request_id, 'arn': context.invoked_function_arn,\n        \
                     'name': context.function_name, 'left': context.get_remaining_time_in_millis() >= 0,\n        \
                     'memory': context.memory_limit_in_mb, 'region': os.environ['AWS_REGION'],\n        \
                     'trace': os.environ['_X_AMZN_TRACE_ID'][:7], 'home': os.environ.get('HOME')}\n",
        )
        .await;
    let result = stage.result("{\"a\": [1, \"\u{00e9}\"]}").await;
    let expected = json!({
        "got": {"a": [1, "\u{00e9}"]},
        "id": "r-1",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "name": "f",
        "left": true,
        "memory": "128",
        "region": "us-east-1",
        "trace": "Root=1-",
        "home": null,
    });
    assert_eq!(result, expected);
}

#[tokio::test]
async fn returning_nothing_is_null() {
    let stage = Stage::new().await;
    stage
        .python("def handler(event, context):\n    pass\n")
        .await;
    assert_eq!(stage.invoke("{}").await.payload, "null");
}

#[tokio::test]
async fn an_exception_is_reported_with_its_stack_and_the_process_goes_on() {
    let stage = Stage::new().await;
    stage
        .python(
            "count = 0\n\
             def handler(event, context):\n    \
                 global count\n    \
                 count += 1\n    \
                 if event:\n        \
                     raise ValueError('no ' + event)\n    \
                 return count\n",
        )
        .await;
    let report = stage.failure("\"good\"").await;
    assert_eq!(report["errorMessage"], "no good");
    assert_eq!(report["errorType"], "ValueError");
    assert_eq!(report["requestId"], "r-1");
    let stack = report["stackTrace"].as_array().unwrap();
    let line = stack[0].as_str().unwrap();
    assert_eq!(stack.len(), 1);
    assert!(
        line.starts_with("  File \"/")
            && line.ends_with(
                "/module.py\", line 6, in handler\n    raise ValueError('no ' + event)\n"
            ),
        "{line}"
    );
    assert_eq!(stage.result("null").await, json!(2));
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let cases = [
        (
            "module.handler",
            "import absent\n",
            "Runtime.ImportModuleError",
            "Unable to import module 'module': No module named 'absent'",
        ),
        (
            "other.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'other': No module named 'other'",
        ),
        (
            "module.other",
            "",
            "Runtime.HandlerNotFound",
            "Handler 'other' missing on module 'module'",
        ),
        (
            "module.handler",
            "def handler(:\n",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'module': invalid syntax (module.py, line 1)",
        ),
        (
            "nodot",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "module.handler",
            "raise RuntimeError('at import')\n",
            "RuntimeError",
            "at import",
        ),
    ];
    for (handler, source, kind, message) in cases {
        let stage = Stage::new().await;
        stage
            .create(CreateFunctionInput {
                handler: Some(handler.into()),
                ..python("f", source)
            })
            .await;
        let report = stage.failure("{}").await;
        assert_eq!(
            (
                report["errorType"].as_str(),
                report["errorMessage"].as_str()
            ),
            (Some(kind), Some(message))
        );
        assert_eq!(report["requestId"], "");
        let tail = stage.invoke("{}").await.log_tail.unwrap();
        let tail = String::from_utf8(base64_simd::STANDARD.decode_to_vec(tail).unwrap()).unwrap();
        assert!(tail.contains("INIT_REPORT Init Duration: "), "{tail}");
        assert!(
            tail.contains(&format!("[ERROR] {kind}: {message}\r")),
            "{tail}"
        );
    }
}

#[tokio::test]
async fn a_process_that_ends_is_reported_and_the_next_invocation_starts_another() {
    let source = "import os, signal\n\
        def handler(event, context):\n    \
            if event == 'kill':\n        \
                os.kill(os.getpid(), signal.SIGKILL)\n    \
            if event is not None:\n        \
                os._exit(event)\n    \
            return 'alive'\n";
    let stage = Stage::new().await;
    stage.python(source).await;
    for (payload, reason) in [
        ("0", "Runtime exited without providing a reason"),
        ("3", "Runtime exited with error: exit status 3"),
        ("\"kill\"", "Runtime exited with error: signal: killed"),
    ] {
        let report = stage.failure(payload).await;
        let message = format!("RequestId: r-1 Error: {reason}");
        assert_eq!(
            report,
            json!({"errorType": "Runtime.ExitError", "errorMessage": message})
        );
    }
    assert_eq!(stage.result("null").await, "alive");
    assert_eq!(stage.functions.environments(), (1, 0));
}

#[tokio::test]
async fn after_a_timeout_memory_is_lost_and_files_are_kept() {
    let source = "import os, tempfile, time\n\
        count = 0\n\
        def handler(event, context):\n    \
            global count\n    \
            count += 1\n    \
            place = os.path.join(tempfile.gettempdir(), 'kept')\n    \
            if event:\n        \
                open(place, 'w').write('here')\n        \
                open(event, 'w').close()\n        \
                time.sleep(600)\n    \
            return [count, open(place).read()]\n";
    let stage = Stage::new().await;
    stage
        .create(CreateFunctionInput {
            timeout: Some(1),
            ..python("f", source)
        })
        .await;
    let begun = stage.path("begun");
    let running = stage.begin(&json!(begun).to_string());
    until("the function has begun", || begun.exists()).await;
    stage.clock.advance(Duration::from_secs(1));
    let reply = within(running).await.unwrap().unwrap();
    assert_eq!(
        reply.payload,
        r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r-1 Error: Task timed out after 1.00 seconds"}"#
    );
    let tail = base64_simd::STANDARD
        .decode_to_vec(reply.log_tail.unwrap())
        .unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(
        tail.contains("r-1 Task timed out after 1.00 seconds\n")
            && tail.ends_with("Status: timeout\n"),
        "{tail}"
    );
    assert_eq!(stage.result("null").await, json!([1, "here"]));
    assert_eq!(stage.result("null").await, json!([2, "here"]));
}

#[tokio::test]
async fn a_start_that_hangs_is_tried_again_under_the_functions_timeout() {
    let stage = Stage::new().await;
    let begun = stage.path("begun");
    let source = format!(
        "import time\nopen({:?}, 'a').write('x')\ntime.sleep(600)\n",
        begun.to_str().unwrap()
    );
    stage.python(&source).await;
    let running = stage.begin("{}");
    let starts = || std::fs::read(&begun).map_or(0, |starts| starts.len());
    until("the first start", || starts() == 1).await;
    stage.clock.advance(Duration::from_secs(10));
    until("the second start", || starts() == 2).await;
    stage.clock.advance(Duration::from_secs(3));
    let reply = within(running).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&reply.payload).into_owned();
    assert!(text.contains("Task timed out after 3.00 seconds"), "{text}");
}

#[tokio::test]
async fn a_result_that_is_too_large_is_an_error_and_the_process_goes_on() {
    let stage = Stage::new().await;
    stage.python("import os\ndef handler(event, context):\n    return 'x' * event if event else os.getpid()\n").await;
    let process = stage.result("0").await;
    let most = 6_291_556 - 2;
    assert_eq!(
        stage.invoke(&most.to_string()).await.payload.len(),
        6_291_556
    );
    let report = stage.failure(&(most + 1).to_string()).await;
    let message = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    assert_eq!(
        report,
        json!({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"})
    );
    assert_eq!(stage.result("0").await, process);
}

#[tokio::test]
async fn a_result_that_is_no_json_is_an_error_of_the_runtime() {
    let stage = Stage::new().await;
    stage
        .python("def handler(event, context):\n    return {1, 2}\n")
        .await;
    let report = stage.failure("{}").await;
    assert_eq!(report["errorType"], "Runtime.MarshalError");
    assert_eq!(
        report["errorMessage"],
        "Unable to marshal response: Object of type set is not JSON serializable"
    );
}

#[tokio::test]
async fn the_tail_holds_what_was_written_between_its_lines() {
    let stage = Stage::new().await;
    stage
        .python(
            "import logging, sys\n\
             def handler(event, context):\n    \
                 print('to output')\n    \
                 print('to errors', file=sys.stderr)\n    \
                 logging.warning('logged')\n",
        )
        .await;
    let tail = stage.invoke("{}").await.log_tail.unwrap();
    let tail = String::from_utf8(base64_simd::STANDARD.decode_to_vec(tail).unwrap()).unwrap();
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "START RequestId: r-1 Version: $LATEST",
            "to output",
            "to errors"
        ],
        "{tail}"
    );
    assert!(
        lines[3].starts_with("[WARNING]\t") && lines[3].ends_with("Z\tr-1\tlogged"),
        "{tail}"
    );
    assert_eq!(lines[4], "END RequestId: r-1");
    assert!(
        lines[5].starts_with("REPORT RequestId: r-1\tDuration: ")
            && lines[5].contains("\tInit Duration: "),
        "{tail}"
    );
}

#[tokio::test]
async fn code_in_a_package_and_a_client_context_reach_the_handler() {
    let stage = Stage::new().await;
    let input = CreateFunctionInput {
        handler: Some("inner/part.handler".into()),
        code: code(&[
            ("inner/__init__.py", 0o644, ""),
            (
                "inner/part.py",
                0o644,
                "import beside\ndef handler(event, context):\n    return [beside.NAME, context.client_context.custom]\n",
            ),
            ("beside.py", 0o644, "NAME = 'beside'\n"),
        ]),
        ..python("f", "")
    };
    stage.create(input).await;
    let mut invocation = stage.invocation("{}");
    invocation.client_context = Some("{\"custom\": {\"a\": \"b\"}}".into());
    let reply = within(stage.functions.invoke(invocation)).await.unwrap();
    let result: serde_json::Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(result, json!(["beside", {"a": "b"}]));
}
