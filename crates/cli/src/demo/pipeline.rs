//! What the demo sets up, each through the public API on the wire: a stream, one function's code under
//! two names, a queue for failures, and two mappings.
//!
//! The code stands under two names because AWS refuses a second mapping of the same function on the
//! same stream. What must hold: a call whose answer was lost may have done its work, so "exists
//! already" is then a success; the names are this run's own, so nobody else made it.

use std::io::{Cursor, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use serde_json::{Value, json};

use crate::demo::wire::{Call, Wire};

/// Shards of the stream.
pub const SHARDS: u32 = 4;
/// Retries of the mapping that is set up with care.
pub const RETRIES: u32 = 2;

const HANDLER: &str = include_str!("gained.py");
const ROLE: &str = "arn:aws:iam::000000000000:role/tidemill-demo";
const FUNCTIONS: &str = "/2015-03-31/functions";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const SETUP_TIMEOUT: Duration = Duration::from_secs(60);
const SETUP_PAUSE: Duration = Duration::from_millis(50);

/// What was set up.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The stream's name.
    pub stream: String,
    /// URL of the queue for failures.
    pub queue_url: String,
    /// Id of the mapping with AWS's defaults.
    pub defaults: String,
    /// Id of the mapping with bisect, reported failures, few retries and the queue.
    pub careful: String,
}

/// Sets everything up; `suffix`, when not empty, ends every name.
pub async fn set_up(wire: &Wire, suffix: &str) -> Result<Pipeline> {
    let name = |base: &str| {
        if suffix.is_empty() {
            base.to_owned()
        } else {
            format!("{base}-{suffix}")
        }
    };
    let stream = name("flights");
    let stream_arn = create_stream(wire, &stream, SHARDS)
        .await
        .context("the stream could not be created")?;
    let code = zipped(HANDLER).context("the function's code could not be zipped")?;
    let (defaults, careful) = (name("gained-defaults"), name("gained-careful"));
    for function in [&defaults, &careful] {
        let created = create_function(wire, function, &code).await;
        created.with_context(|| format!("the function {function} could not be created"))?;
    }
    let (queue_url, queue_arn) = create_queue(wire, &name("flights-failed"))
        .await
        .context("the queue could not be created")?;
    let careful_settings = json!({
        "BisectBatchOnFunctionError": true,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": RETRIES,
        "DestinationConfig": { "OnFailure": { "Destination": queue_arn } },
    });
    let defaults = create_mapping(wire, &stream_arn, &defaults, json!({})).await;
    let careful = create_mapping(wire, &stream_arn, &careful, careful_settings).await;
    Ok(Pipeline {
        stream,
        queue_url,
        defaults: defaults.context("the mapping with AWS's defaults could not be created")?,
        careful: careful.context("the mapping with bisect and a queue could not be created")?,
    })
}

/// Creates a stream and waits until it can be put to; gives its ARN.
pub async fn create_stream(wire: &Wire, stream: &str, shards: u32) -> Result<String> {
    let input = json!({ "StreamName": stream, "ShardCount": shards });
    create(
        wire,
        Call::Kinesis("CreateStream", input),
        "ResourceInUseException",
    )
    .await?;
    let describe = Call::Kinesis("DescribeStreamSummary", json!({ "StreamName": stream }));
    let described = wait_for(wire, &describe, |answer| {
        answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
    });
    text(&described.await?, "/StreamDescriptionSummary/StreamARN")
}

async fn create_function(wire: &Wire, function: &str, code: &str) -> Result<()> {
    let input = json!({
        "FunctionName": function,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "gained.handler",
        "Timeout": 30,
        "Code": { "ZipFile": code },
    });
    let call = Call::Lambda(Method::POST, FUNCTIONS.to_owned(), Some(input));
    create(wire, call, "ResourceConflictException").await?;
    let get = Call::Lambda(Method::GET, format!("{FUNCTIONS}/{function}"), None);
    let described = wait_for(wire, &get, |answer| {
        answer["Configuration"]["State"] != "Pending"
    })
    .await?;
    let configuration = &described["Configuration"];
    match configuration["State"].as_str() {
        Some("Active") => Ok(()),
        _ => bail!(
            "it became {}: {}",
            configuration["State"],
            configuration["StateReason"]
        ),
    }
}

async fn create_queue(wire: &Wire, queue: &str) -> Result<(String, String)> {
    let created = wire
        .ask(&Call::Sqs("CreateQueue", json!({ "QueueName": queue })))
        .await?;
    let url = text(&created, "/QueueUrl")?;
    let input = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    let described = wire.ask(&Call::Sqs("GetQueueAttributes", input)).await?;
    Ok((url, text(&described, "/Attributes/QueueArn")?))
}

async fn create_mapping(
    wire: &Wire,
    stream_arn: &str,
    function: &str,
    mut input: Value,
) -> Result<String> {
    input["EventSourceArn"] = stream_arn.into();
    input["FunctionName"] = function.into();
    input["StartingPosition"] = "TRIM_HORIZON".into();
    let call = Call::Lambda(Method::POST, MAPPINGS.to_owned(), Some(input));
    create(wire, call, "ResourceConflictException").await?;
    // Listed and not taken from the answer, which may have been lost.
    let list = Call::Lambda(
        Method::GET,
        format!("{MAPPINGS}?FunctionName={function}"),
        None,
    );
    let listed = wait_for(wire, &list, |answer| {
        answer.pointer("/EventSourceMappings/0/State") == Some(&json!("Enabled"))
    });
    text(&listed.await?, "/EventSourceMappings/0/UUID")
}

/// Creates something; that it `exists` already is fine when an earlier answer was lost.
async fn create(wire: &Wire, call: Call, exists: &str) -> Result<()> {
    let called = wire.call(&call).await;
    match called.result {
        Err(failure) if called.lost_answers > 0 && failure.code() == Some(exists) => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(_) => Ok(()),
    }
}

async fn wait_for(wire: &Wire, call: &Call, ready: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = wire.clock().now().plus(SETUP_TIMEOUT);
    loop {
        let answer = wire.ask(call).await?;
        if ready(&answer) {
            return Ok(answer);
        }
        if wire.clock().now() >= deadline {
            bail!("it was not ready after {SETUP_TIMEOUT:?}; last answer: {answer}");
        }
        wire.pause(SETUP_PAUSE).await;
    }
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("an answer lacks {pointer}: {answer}"))
}

/// A zip archive that holds `code` as `gained.py`, in base64.
fn zipped(code: &str) -> Result<String> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
    archive.start_file("gained.py", options)?;
    archive.write_all(code.as_bytes())?;
    Ok(base64_simd::STANDARD.encode_to_string(archive.finish()?.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_archive_holds_the_handler_that_the_function_names() {
        let bytes = base64_simd::STANDARD
            .decode_to_vec(zipped(HANDLER).expect("is zipped"))
            .expect("base64");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
        let mut code = String::new();
        archive
            .by_name("gained.py")
            .expect("its file")
            .read_to_string(&mut code)
            .expect("text");
        assert_eq!(code, HANDLER);
        assert!(code.contains("def handler(event, context):"));
    }
}
