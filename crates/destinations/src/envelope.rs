//! The envelope a failure is sent in: [`of_given_up`].
//!
//! What must hold: keys stand in the order in which AWS writes them, and records are named, never
//! included. `responseContext` is left out when there was no answer that counts, as for records that
//! grew too old; `functionError` is null when the function did answer
//! (<https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>).

use serde::Serialize;

use tidemill_model::given_up::{Condition, GivenUp, LastAnswer};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KinesisBatchInfo")]
    batch: KinesisBatchInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: String,
    condition: &'static str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    function_error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KinesisBatchInfo {
    shard_id: String,
    start_sequence_number: String,
    end_sequence_number: String,
    approximate_arrival_of_first_record: String,
    approximate_arrival_of_last_record: String,
    batch_size: u32,
    stream_arn: String,
}

/// The message that tells a queue about a batch that a mapping gave up.
pub fn of_given_up(given_up: &GivenUp) -> String {
    let envelope = Envelope {
        request_context: RequestContext {
            request_id: &given_up.request_id,
            function_arn: given_up.function.to_string(),
            condition: given_up.condition.as_str(),
            approximate_invoke_count: given_up.approximate_invoke_count,
        },
        response_context: counted_answer(given_up).map(response_context),
        version: "1.0",
        timestamp: given_up.at.to_string(),
        batch: KinesisBatchInfo {
            shard_id: given_up.shard.to_string(),
            start_sequence_number: given_up.first.to_string(),
            end_sequence_number: given_up.last.to_string(),
            approximate_arrival_of_first_record: given_up.first_arrival.to_string(),
            approximate_arrival_of_last_record: given_up.last_arrival.to_string(),
            batch_size: given_up.batch_size,
            stream_arn: given_up.stream.to_string(),
        },
    };
    serde_json::to_string(&envelope).expect("texts and numbers always serialize")
}

/// Records that grew too old have no answer, even when attempts went before.
fn counted_answer(given_up: &GivenUp) -> Option<&LastAnswer> {
    match given_up.condition {
        Condition::RetryAttemptsExhausted => given_up.last_answer.as_ref(),
        Condition::RecordAgeExceeded => None,
    }
}

fn response_context(answer: &LastAnswer) -> ResponseContext<'_> {
    ResponseContext {
        status_code: answer.status_code,
        executed_version: &answer.executed_version,
        function_error: answer.function_error.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::{SequenceNumber, ShardId, Timestamp};

    use super::*;

    fn given_up(condition: Condition, last_answer: Option<LastAnswer>) -> GivenUp {
        let number = |position| {
            SequenceNumber::of_record(ShardId(1), 1_573_000_000, position, 1_573_691_884)
        };
        GivenUp {
            message_id: "7c3d2b1a-0000-4000-8000-000000000000".into(),
            request_id: "c9b8fa9f-5a7f-4b1e-af9c-0c604cde93a5".into(),
            function: "arn:aws:lambda:us-east-2:123456789012:function:minutes"
                .parse()
                .unwrap(),
            condition,
            approximate_invoke_count: 3,
            last_answer,
            at: Timestamp::from_millis(1_573_691_886_021),
            stream: "arn:aws:kinesis:us-east-2:123456789012:stream/flights"
                .parse()
                .unwrap(),
            shard: ShardId(1),
            first: number(0),
            last: number(499),
            first_arrival: Timestamp::from_millis(1_573_691_884_835),
            last_arrival: Timestamp::from_millis(1_573_691_885_580),
            batch_size: 500,
        }
    }

    fn answer(function_error: Option<&str>) -> Option<LastAnswer> {
        let function_error = function_error.map(str::to_owned);
        Some(LastAnswer {
            status_code: 200,
            executed_version: "$LATEST".into(),
            function_error,
        })
    }

    fn golden(condition: &str, response_context: &str) -> String {
        let facts = given_up(Condition::RecordAgeExceeded, None);
        let (first, last) = (facts.first, facts.last);
        format!(
            concat!(
                r#"{{"requestContext":{{"requestId":"c9b8fa9f-5a7f-4b1e-af9c-0c604cde93a5","#,
                r#""functionArn":"arn:aws:lambda:us-east-2:123456789012:function:minutes","#,
                r#""condition":"{}","approximateInvokeCount":3}},{}"#,
                r#""version":"1.0","timestamp":"2019-11-14T00:38:06.021Z","#,
                r#""KinesisBatchInfo":{{"shardId":"shardId-000000000001","#,
                r#""startSequenceNumber":"{}","endSequenceNumber":"{}","#,
                r#""approximateArrivalOfFirstRecord":"2019-11-14T00:38:04.835Z","#,
                r#""approximateArrivalOfLastRecord":"2019-11-14T00:38:05.580Z","#,
                r#""batchSize":500,"#,
                r#""streamArn":"arn:aws:kinesis:us-east-2:123456789012:stream/flights"}}}}"#,
            ),
            condition, response_context, first, last
        )
    }

    #[test]
    fn exhausted_retries_carry_the_last_answer() {
        let sent = of_given_up(&given_up(
            Condition::RetryAttemptsExhausted,
            answer(Some("Unhandled")),
        ));
        let context = concat!(
            r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","#,
            r#""functionError":"Unhandled"},"#,
        );
        assert_eq!(sent, golden("RetryAttemptsExhausted", context));
    }

    #[test]
    fn an_answer_without_a_function_error_says_null() {
        let sent = of_given_up(&given_up(Condition::RetryAttemptsExhausted, answer(None)));
        let context = concat!(
            r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","#,
            r#""functionError":null},"#,
        );
        assert_eq!(sent, golden("RetryAttemptsExhausted", context));
    }

    #[test]
    fn records_that_grew_too_old_have_no_answer() {
        for last_answer in [None, answer(Some("Unhandled"))] {
            let sent = of_given_up(&given_up(Condition::RecordAgeExceeded, last_answer));
            assert_eq!(sent, golden("RecordAgeExceeded", ""));
        }
    }
}
