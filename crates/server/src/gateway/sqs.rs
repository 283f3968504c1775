//! SQS: every operation of the model to its function, without a wildcard.

use tidemill_destinations::{Queues, ops};
use tidemill_protocol::aws_json;
use tidemill_protocol::response::Response;
use tidemill_protocol::target::{JsonOperation, JsonService};
use tidemill_shapes::sqs::Operation;

use super::call::Call;

const SERVICE: JsonService = JsonService::Sqs;

/// Answers a request to SQS; the URLs of queues begin with `base_url`.
pub async fn answer(queues: &Queues, base_url: &str, call: Call<'_>) -> Response {
    let (dialect, operation) = match aws_json::check(SERVICE, &call.request) {
        Ok((dialect, JsonOperation::Sqs(operation))) => (dialect, operation),
        Ok((_, JsonOperation::Kinesis(_))) => unreachable!("a check of SQS gives its operations"),
        Err(refusal) => return refusal,
    };
    macro_rules! run {
        ($($operation:ident => $function:ident($($url:ident)?)),* $(,)?) => {
            match operation {
                $(Operation::$operation => {
                    call.json(dialect, async |caller, input| {
                        ops::$function(queues, caller, $($url,)? input).await
                    })
                    .await
                })*
                Operation::Unsupported(name) => unreachable!("{name} is refused by the check"),
            }
        };
    }
    run! {
        CreateQueue => create_queue(base_url),
        DeleteMessage => delete_message(),
        DeleteQueue => delete_queue(),
        GetQueueAttributes => get_queue_attributes(),
        GetQueueUrl => get_queue_url(base_url),
        ListQueues => list_queues(base_url),
        PurgeQueue => purge_queue(),
        ReceiveMessage => receive_message(),
        SendMessage => send_message(),
    }
}
