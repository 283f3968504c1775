//! Tables of what is refused and of what a process finds.

use super::*;
use crate::configuration::Code;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn configuration(runtime: Runtime, variables: &[(&str, &str)]) -> Configuration {
    Configuration {
        arn: "arn:aws:lambda:eu-west-1:123456789012:function:f"
            .parse()
            .expect("a literal ARN"),
        runtime,
        handler: "a.b".into(),
        role: "arn:aws:iam::123456789012:role/r".into(),
        code: Code {
            blob: "0".repeat(64),
            size: 1,
        },
        description: String::new(),
        timeout_seconds: 3,
        memory_mb: 128,
        ephemeral_storage_mb: 512,
        architecture: "x86_64".into(),
        variables: Some(map(variables)),
        log_group: None,
    }
}

fn process(configuration: &Configuration) -> BTreeMap<String, String> {
    let start = Start {
        runtime_api: "127.0.0.1:9001",
        code: Path::new("/code"),
        runtime: Path::new("/runtime"),
        temporary: Path::new("/own"),
        log_stream: "2025/11/24/[$LATEST]0",
        credentials: &Credentials::default(),
        endpoint_url: None,
    };
    of_process(configuration, &start).into_iter().collect()
}

#[test]
fn reserved_keys_are_refused_and_named() {
    let refused = check(&map(&[("AWS_REGION", "x"), ("A1", "x"), ("_HANDLER", "y")]));
    let message = refused.expect_err("two are reserved").to_string();
    assert!(
        message.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"),
        "{message}"
    );
    assert!(check(&map(&[("AWS_SESSION_TOKEN", "x")])).is_err());
    assert_eq!(check(&map(&[("PYTHONPATH", "x"), ("TZ", "y")])), Ok(()));
}

#[test]
fn four_kilobytes_are_the_most() {
    assert_eq!(
        check(&map(&[("KEY", &"a".repeat(VARIABLES_BYTES_MAX - 10))])),
        Ok(())
    );
    let refused = check(&map(&[("KEY", &"a".repeat(VARIABLES_BYTES_MAX - 9))]));
    let message = refused.expect_err("one too many").to_string();
    assert!(
        message.contains("exceeded the 4KB limit. String measured: {\"KEY\":\"aaa"),
        "{message}"
    );
}

#[test]
fn a_python_process_finds_the_listed_variables_and_its_users() {
    let of_python = configuration(
        Runtime::Python("python3.12".into()),
        &[("TABLE", "t"), ("TZ", "CET")],
    );
    let found = process(&of_python);
    for (key, value) in [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("_HANDLER", "a.b"),
        ("LAMBDA_TASK_ROOT", "/code"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("PYTHONPATH", "/runtime"),
        ("TABLE", "t"),
        ("TZ", "CET"),
        ("TMPDIR", "/own"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(!found.contains_key("HOME"));
}

#[test]
fn a_provided_process_has_no_execution_environment_name() {
    let found = process(&configuration(
        Runtime::Provided("provided.al2023".into()),
        &[],
    ));
    assert!(!found.contains_key("AWS_EXECUTION_ENV"));
    assert!(!found.contains_key("PYTHONPATH"));
}

#[test]
fn a_log_stream_carries_its_day() {
    let stream = log_stream(Timestamp::from_millis(1_573_691_886_021), &"a".repeat(32));
    assert_eq!(stream, format!("2019/11/14/[$LATEST]{}", "a".repeat(32)));
}
