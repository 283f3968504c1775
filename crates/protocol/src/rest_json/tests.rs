//! Routes of Lambda, inputs put together from all places, and the forms of answers.

use bytes::Bytes;
use proptest::prelude::*;
use tidemill_shapes::Failure;
use tidemill_shapes::lambda::{
    CreateFunctionInput, DeleteFunctionInput, DeleteFunctionOutput, GetFunctionInput,
    InvocationType, InvokeOutput, ListFunctionsInput, Operation, UpdateFunctionCodeInput,
};

use super::*;
use crate::response::Response;
use crate::sent::Sent;

const ARN: &str = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST";
const DECODED_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";

fn body_of(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

fn routed(sent: &Sent) -> Route {
    route(&sent.request()).unwrap_or_else(|| panic!("{} {}", sent.method, sent.uri))
}

#[test]
fn a_method_and_a_path_name_an_operation() {
    let cases = [
        ("POST", "/2015-03-31/functions", Operation::CreateFunction),
        ("POST", "/2015-03-31/functions/", Operation::CreateFunction),
        (
            "GET",
            "/2015-03-31/functions?MaxItems=3",
            Operation::ListFunctions,
        ),
        ("GET", "/2015-03-31/functions/f", Operation::GetFunction),
        (
            "DELETE",
            "/2015-03-31/functions/f?Qualifier=1",
            Operation::DeleteFunction,
        ),
        (
            "GET",
            "/2015-03-31/functions/f/configuration",
            Operation::GetFunctionConfiguration,
        ),
        (
            "PUT",
            "/2015-03-31/functions/f/code",
            Operation::UpdateFunctionCode,
        ),
        (
            "POST",
            "/2015-03-31/functions/f/invocations",
            Operation::Invoke,
        ),
        (
            "GET",
            "/2015-03-31/event-source-mappings",
            Operation::ListEventSourceMappings,
        ),
        (
            "PUT",
            "/2015-03-31/event-source-mappings/u",
            Operation::UpdateEventSourceMapping,
        ),
        (
            "GET",
            "/2015-03-31/functions/f/policy",
            Operation::Unsupported("GetPolicy"),
        ),
        (
            "GET",
            "/2018-10-31/layers?find=LayerVersion&Arn=a",
            Operation::Unsupported("GetLayerVersionByArn"),
        ),
        (
            "GET",
            "/2018-10-31/layers",
            Operation::Unsupported("ListLayers"),
        ),
    ];
    for (method, target, operation) in cases {
        assert_eq!(
            routed(&Sent::new(method, target, &[], "")).operation,
            operation,
            "{target}"
        );
    }
}

#[test]
fn what_no_operation_has_is_no_route() {
    for (method, target) in [
        ("PATCH", "/2015-03-31/functions"),
        ("POST", "/2015-03-31/functions//invocations"),
        ("GET", "/2015-03-31/functions/f/g/h"),
        ("GET", "/"),
        ("OPTIONS", "*"),
    ] {
        assert_eq!(
            route(&Sent::new(method, target, &[], "").request()),
            None,
            "{target}"
        );
    }
}

#[test]
fn an_invocation_is_put_together_from_path_query_headers_and_payload() {
    let target = format!("/2015-03-31/functions/{ARN}/invocations?Qualifier=%24LATEST");
    let headers = [("x-amz-invocation-type", "Event"), ("x-amz-log-type", "")];
    let sent = Sent::new("POST", &target, &headers, "not json");
    let input = read_invoke(&routed(&sent), &sent.request()).unwrap();
    assert_eq!(input.function_name, DECODED_ARN);
    assert_eq!(input.qualifier.as_deref(), Some("$LATEST"));
    assert_eq!(input.invocation_type, Some(InvocationType::Event));
    assert_eq!(input.log_type, None);
    let payload = input.payload.unwrap();
    assert_eq!(
        payload.as_ptr(),
        sent.body.as_ptr(),
        "the payload is not copied"
    );
    let empty = Sent::new("POST", &target, &[], "");
    assert_eq!(
        read_invoke(&routed(&empty), &empty.request())
            .unwrap()
            .payload,
        None
    );
}

#[test]
fn a_body_cannot_speak_for_the_path() {
    let body = r#"{"FunctionName":"other","ZipFile":"aGk=","Publish":true}"#;
    let sent = Sent::new("PUT", "/2015-03-31/functions/f/code", &[], body);
    let input: UpdateFunctionCodeInput = read(&routed(&sent), &sent.request()).unwrap();
    assert_eq!(input.function_name, "f");
    assert_eq!(input.zip_file.as_deref(), Some(&b"hi"[..]));
    assert_eq!(input.publish, Some(true));
}

#[test]
fn a_query_has_numbers() {
    let sent = Sent::new(
        "GET",
        "/2015-03-31/functions?MaxItems=3&Marker=a+b%2Fc",
        &[],
        "",
    );
    let input: ListFunctionsInput = read(&routed(&sent), &sent.request()).unwrap();
    assert_eq!(
        (input.max_items, input.marker.as_deref()),
        (Some(3), Some("a b/c"))
    );
}

#[test]
fn what_is_wrong_is_said_in_the_services_form() {
    let refused = |method: &str, target: &str, body: &'static str| {
        let sent = Sent::new(method, target, &[], body);
        let route = routed(&sent);
        let outcome = match route.operation {
            Operation::CreateFunction => {
                read::<CreateFunctionInput>(&route, &sent.request()).map(drop)
            }
            Operation::ListFunctions => {
                read::<ListFunctionsInput>(&route, &sent.request()).map(drop)
            }
            _ => read::<GetFunctionInput>(&route, &sent.request()).map(drop),
        };
        let response = outcome.unwrap_err();
        assert_eq!(response.status, 400);
        (
            response.header("x-amzn-errortype").unwrap().to_owned(),
            body_of(&response),
        )
    };
    let functions = "/2015-03-31/functions";
    for body in ["{", "{} x", "{\"FunctionName\":7,}", "nul"] {
        let (name, text) = refused("POST", functions, body);
        assert_eq!(name, "InvalidRequestContentException");
        assert!(
            text.contains("Could not parse request body into json: "),
            "{text}"
        );
    }
    let cases = [
        (
            "POST",
            functions,
            "[]",
            "SerializationException",
            r#"{"Type":"User"}"#,
        ),
        (
            "POST",
            functions,
            r#"{"Timeout":"x"}"#,
            "SerializationException",
            r#"{"Type":"User","Message":"class java.lang.String can not be converted to an Integer"}"#,
        ),
        (
            "GET",
            "/2015-03-31/functions?MaxItems=many",
            "",
            "SerializationException",
            r#"{"Type":"User","Message":"class java.lang.String can not be converted to an Integer"}"#,
        ),
    ];
    for (method, target, body, name, text) in cases {
        assert_eq!(
            refused(method, target, body),
            (name.to_owned(), text.to_owned()),
            "{target}"
        );
    }
    let (name, text) = refused("POST", functions, "{}");
    assert_eq!(name, "ValidationException");
    assert!(text.starts_with(r#"{"Type":"User","message":""#), "{text}");
    assert!(
        text.contains("Value null at 'functionName' failed to satisfy constraint"),
        "{text}"
    );
    let (name, _) = refused("GET", "/2015-03-31/functions/a%20b%FF", "");
    assert_eq!(name, "ValidationException");
}

#[test]
fn an_invocation_answers_with_its_payload_and_headers() {
    let output = InvokeOutput {
        status_code: Some(200),
        payload: Some(Bytes::from_static(b"null")),
        function_error: Some("Unhandled".to_owned()),
        executed_version: Some("$LATEST".to_owned()),
        log_result: Some("bG9n".to_owned()),
        ..InvokeOutput::default()
    };
    let response = invoked(output);
    assert_eq!((response.status, &response.body[..]), (200, &b"null"[..]));
    let header = |name| response.header(name);
    assert_eq!(header("X-Amz-Function-Error"), Some("Unhandled"));
    assert_eq!(header("X-Amz-Executed-Version"), Some("$LATEST"));
    assert_eq!(header("X-Amz-Log-Result"), Some("bG9n"));
    let dry = invoked(InvokeOutput {
        status_code: Some(204),
        ..InvokeOutput::default()
    });
    assert_eq!(
        (dry.status, dry.body.len(), dry.header("content-type")),
        (204, 0, None)
    );
}

#[test]
fn a_success_has_the_status_of_its_operation() {
    let sent = Sent::new("DELETE", "/2015-03-31/functions/f", &[], "");
    let route = routed(&sent);
    let input: DeleteFunctionInput = read(&route, &sent.request()).unwrap();
    assert_eq!(input.function_name, "f");
    let deleted = success(&route, &DeleteFunctionOutput::default());
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
}

#[test]
fn an_exception_names_itself_in_a_header_and_blames_in_its_body() {
    let failed = Failure {
        code: "TooManyRequestsException",
        status: 429,
        sender: true,
        message_key: "message",
        message: "Rate Exceeded.".to_owned(),
        members: vec![(
            "Reason",
            "ReservedFunctionConcurrentInvocationLimitExceeded".to_owned(),
        )],
        headers: vec![("Retry-After", "1".to_owned())],
    };
    let response = failure(&failed);
    assert_eq!(
        body_of(&response),
        r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
    );
    assert_eq!(
        response.header("x-amzn-errortype"),
        Some("TooManyRequestsException")
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    let large = failure(&Failure {
        code: "RequestTooLargeException",
        ..failed
    });
    assert_eq!(
        large.header("x-amzn-errortype"),
        Some("RequestEntityTooLargeException")
    );
}

proptest! {
    #[test]
    fn no_request_makes_the_router_or_the_reader_panic(
        method in "GET|POST|PUT|DELETE",
        path in "(/2015-03-31|/2018-10-31)?(/functions|/event-source-mappings|/[!-.0-;=@-~]{0,9}){1,4}",
        query in "(Qualifier|MaxItems|find|[a-z]{0,3})=[!-\"$-;=?-~]{0,9}",
        kind in "[ -~]{0,9}",
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let headers = [("x-amz-invocation-type", kind.as_str())];
        let target = format!("{path}?{query}");
        prop_assume!(target.parse::<http::Uri>().is_ok());
        let sent = Sent::new(&method, &target, &headers, body);
        if let Some(route) = route(&sent.request()) {
            let _ = read::<CreateFunctionInput>(&route, &sent.request());
            let _ = read::<ListFunctionsInput>(&route, &sent.request());
            let _ = read_invoke(&route, &sent.request());
        }
    }
}
