//! The operations, as a client meets them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use tidemill_functions::ops;
use tidemill_model::Region;
use tidemill_shapes::OperationError;
use tidemill_shapes::lambda::{
    CreateFunctionInput, DeleteFunctionInput, Environment, GetFunctionConfigurationInput,
    GetFunctionInput, InvocationType, InvokeInput, LastUpdateStatus, ListFunctionsInput, State,
    UpdateFunctionCodeInput, UpdateFunctionConfigurationInput,
};

use crate::stage::{Stage, python, zipped};

const SOURCE: &str = "def handler(event, context):\n    return event\n";

/// Code, status and message of an error.
fn told(error: impl OperationError) -> (&'static str, u16, String) {
    let failure = error.failure();
    (failure.code, failure.status, failure.message)
}

fn invoke_input(payload: &str) -> InvokeInput {
    InvokeInput {
        function_name: "f".into(),
        payload: Some(Bytes::from(payload.to_owned())),
        ..InvokeInput::default()
    }
}

async fn described(stage: &Stage) -> tidemill_shapes::lambda::FunctionConfiguration {
    let input = GetFunctionConfigurationInput {
        function_name: "f".into(),
        qualifier: None,
    };
    ops::get_function_configuration(&stage.functions, &stage.caller, input)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_function_is_pending_in_the_answer_and_active_ever_after() {
    let stage = Stage::new().await;
    let created = stage.create(python("f", SOURCE)).await;
    assert_eq!(created.state, Some(State::Pending));
    assert_eq!(
        created.state_reason.as_deref(),
        Some("The function is being created.")
    );
    assert_eq!(
        (created.last_update_status, created.environment),
        (None, None)
    );
    assert_eq!(
        created.last_modified.as_deref(),
        Some("2026-01-01T00:00:00.000+0000")
    );
    assert_eq!((created.timeout, created.memory_size), (Some(3), Some(128)));
    let found = described(&stage).await;
    assert_eq!(
        (found.state, found.last_update_status),
        (Some(State::Active), Some(LastUpdateStatus::Successful))
    );
    assert_ne!(found.revision_id, created.revision_id);
    assert_eq!(found.code_sha256, created.code_sha256);
}

#[tokio::test]
async fn while_its_creation_settles_a_function_cannot_be_invoked() {
    let stage = Stage::with(|settings| settings.state_delay = Duration::from_secs(5)).await;
    stage.python(SOURCE).await;
    for kind in [
        InvocationType::RequestResponse,
        InvocationType::Event,
        InvocationType::DryRun,
    ] {
        let input = InvokeInput {
            invocation_type: Some(kind),
            ..invoke_input("{}")
        };
        let error = ops::invoke(&stage.functions, &stage.caller, input)
            .await
            .expect_err("pending");
        let message = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
        assert_eq!(
            told(error),
            ("ResourceConflictException", 409, message.into())
        );
    }
    stage.clock.advance(Duration::from_secs(5));
    let input = InvokeInput {
        invocation_type: Some(InvocationType::DryRun),
        ..invoke_input("{}")
    };
    let output = ops::invoke(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    assert_eq!(output.status_code, Some(204));
}

#[tokio::test]
async fn a_synchronous_invocation_answers_with_the_result_and_the_version() {
    let stage = Stage::new().await;
    stage.python(SOURCE).await;
    let input = InvokeInput {
        qualifier: Some("$LATEST".into()),
        payload: None,
        ..invoke_input("")
    };
    let output = ops::invoke(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    assert_eq!(output.status_code, Some(200));
    assert_eq!(output.payload.as_deref(), Some(&b"{}"[..]));
    assert_eq!(output.executed_version.as_deref(), Some("$LATEST"));
    assert_eq!((output.function_error, output.log_result), (None, None));
}

type Case = (InvokeInput, &'static str, u16, &'static str);

fn bad_invocations() -> [Case; 6] {
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    [
        (
            invoke_input("{nope"),
            "InvalidRequestContentException",
            400,
            "Could not parse request body into json: Could not parse payload into json: ",
        ),
        (
            InvokeInput {
                function_name: "g".into(),
                ..invoke_input("{}")
            },
            "ResourceNotFoundException",
            404,
            "Function not found: arn:aws:lambda:us-east-1:123456789012:function:g",
        ),
        (
            InvokeInput {
                function_name: "f:7".into(),
                ..invoke_input("{}")
            },
            "ResourceNotFoundException",
            404,
            "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:7",
        ),
        (
            InvokeInput {
                invocation_type: Some(InvocationType::Event),
                ..invoke_input(&large)
            },
            "RequestTooLargeException",
            413,
            "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
        (
            InvokeInput {
                client_context: Some("!".into()),
                ..invoke_input("{}")
            },
            "InvalidRequestContentException",
            400,
            "Client context",
        ),
        (
            InvokeInput {
                tenant_id: Some("t".into()),
                ..invoke_input("{}")
            },
            "InvalidParameterValueException",
            400,
            "The parameter TenantId is not supported",
        ),
    ]
}

#[tokio::test]
async fn bad_invocations_are_refused_before_anything_starts() {
    let stage = Stage::new().await;
    stage.python(SOURCE).await;
    for (input, code, status, start) in bad_invocations() {
        let error = ops::invoke(&stage.functions, &stage.caller, input)
            .await
            .expect_err(start);
        let (actual, actual_status, message) = told(error);
        // On the wire the gateway gives the 413 its other name.
        assert_eq!(
            (
                actual
                    .replace("RequestEntityTooLarge", "RequestTooLarge")
                    .as_str(),
                actual_status
            ),
            (code, status)
        );
        assert!(message.starts_with(start), "{message}");
    }
    assert_eq!(stage.functions.environments(), (0, 0));
}

#[tokio::test]
async fn bad_creations_are_refused() {
    let stage = Stage::new().await;
    stage.python(SOURCE).await;
    let mut broken = python("g", SOURCE);
    broken.code.zip_file = Some(Bytes::from_static(b"no zip"));
    let variables = BTreeMap::from([("AWS_REGION".to_owned(), "x".to_owned())]);
    let cases: [(CreateFunctionInput, &str, &str); 4] = [
        (
            python("f", SOURCE),
            "ResourceConflictException",
            "Function already exist: f",
        ),
        (
            broken,
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            CreateFunctionInput {
                environment: Some(Environment {
                    variables: Some(variables),
                }),
                ..python("g", SOURCE)
            },
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys",
        ),
        (
            CreateFunctionInput {
                publish: Some(true),
                ..python("g", SOURCE)
            },
            "InvalidParameterValueException",
            "The parameter Publish is not supported",
        ),
    ];
    for (input, code, start) in cases {
        let error = ops::create_function(&stage.functions, &stage.caller, input)
            .await
            .expect_err(start);
        let (actual, _, message) = told(error);
        assert_eq!(actual, code);
        assert!(message.starts_with(start), "{message}");
    }
}

#[tokio::test]
async fn an_update_is_guarded_by_the_revision_id_and_can_be_tried_dry() {
    let stage = Stage::new().await;
    stage.python(SOURCE).await;
    let before = described(&stage).await;
    let update = |revision_id: Option<String>, dry_run| UpdateFunctionCodeInput {
        function_name: "f".into(),
        zip_file: Some(zipped(&[("module.py", 0o644, "x = 1\n")])),
        revision_id,
        dry_run: Some(dry_run),
        ..UpdateFunctionCodeInput::default()
    };
    for dry_run in [true, false] {
        let input = update(Some("other".into()), dry_run);
        let error = ops::update_function_code(&stage.functions, &stage.caller, input).await;
        assert_eq!(
            told(error.expect_err("guarded")).0,
            "PreconditionFailedException"
        );
    }
    let input = update(before.revision_id.clone(), true);
    ops::update_function_code(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    assert_eq!(described(&stage).await, before);
    let input = update(before.revision_id.clone(), false);
    let updated = ops::update_function_code(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    assert_eq!(
        (updated.state, updated.last_update_status),
        (Some(State::Active), Some(LastUpdateStatus::InProgress))
    );
    assert_ne!(updated.code_sha256, before.code_sha256);
    assert_eq!(
        described(&stage).await.last_update_status,
        Some(LastUpdateStatus::Successful)
    );
}

#[tokio::test]
async fn a_configuration_is_changed_where_it_is_named_and_survives_a_restart() {
    let stage = Stage::new().await;
    stage.python(SOURCE).await;
    let input = UpdateFunctionConfigurationInput {
        function_name: stage.arn("f").to_string(),
        timeout: Some(9),
        description: Some("nine".into()),
        ..UpdateFunctionConfigurationInput::default()
    };
    ops::update_function_configuration(&stage.functions, &stage.caller, input)
        .await
        .unwrap();
    let stage = stage.restart().await;
    let found = described(&stage).await;
    assert_eq!(
        (
            found.timeout,
            found.memory_size,
            found.description.as_deref()
        ),
        (Some(9), Some(128), Some("nine"))
    );
    assert_eq!(stage.result("[1]").await, serde_json::json!([1]));
}

#[tokio::test]
async fn a_function_is_found_by_its_names_until_it_is_deleted() {
    let stage = Stage::new().await;
    let tags = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    let input = CreateFunctionInput {
        tags: tags.clone(),
        ..python("f", SOURCE)
    };
    stage.create(input).await;
    let get = |qualifier: Option<&str>| GetFunctionInput {
        function_name: "f".into(),
        qualifier: qualifier.map(str::to_owned),
    };
    let found = ops::get_function(&stage.functions, &stage.caller, get(Some("$LATEST")))
        .await
        .unwrap();
    assert_eq!(found.tags, tags);
    assert!(
        found
            .configuration
            .unwrap()
            .function_arn
            .unwrap()
            .ends_with(":function:f:$LATEST")
    );
    let resolved = stage
        .functions
        .resolve(&stage.caller.account, &stage.caller.region, "f")
        .unwrap();
    assert_eq!(
        (resolved.arn, resolved.role.as_str()),
        (stage.arn("f"), "arn:aws:iam::123456789012:role/r")
    );
    assert!(
        stage
            .functions
            .resolve(&stage.caller.account, &Region::new("eu-west-1"), "f")
            .is_err()
    );
    let delete = || DeleteFunctionInput {
        function_name: "f".into(),
        qualifier: None,
    };
    ops::delete_function(&stage.functions, &stage.caller, delete())
        .await
        .unwrap();
    let error = ops::delete_function(&stage.functions, &stage.caller, delete())
        .await
        .expect_err("gone");
    assert_eq!(told(error).0, "ResourceNotFoundException");
    assert!(
        stage
            .functions
            .resolve(&stage.caller.account, &stage.caller.region, "f")
            .is_err()
    );
}

#[tokio::test]
async fn functions_are_listed_page_by_page_without_their_states() {
    let stage = Stage::new().await;
    for name in ["c", "a", "f"] {
        stage.create(python(name, SOURCE)).await;
    }
    let mut names = Vec::new();
    let mut marker = None;
    loop {
        let input = ListFunctionsInput {
            marker,
            max_items: Some(2),
            ..ListFunctionsInput::default()
        };
        let page = ops::list_functions(&stage.functions, &stage.caller, input)
            .await
            .unwrap();
        let functions = page.functions.unwrap();
        assert!(
            functions.iter().all(|function| function.state.is_none()),
            "a list shows no states"
        );
        names.extend(
            functions
                .into_iter()
                .filter_map(|function| function.function_name),
        );
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["a", "c", "f"]);
}
