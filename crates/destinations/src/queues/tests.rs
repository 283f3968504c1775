//! Stories of queues over a log in memory and a simulated clock.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use tidemill_log::{Batch, MemoryLog, PartitionId, StateLog};
use tidemill_shapes::sqs::*;
use tidemill_testkit::{SimClock, SimEntropy};

use super::*;
use crate::ops;

mod messages;
mod requests;

const BASE_URL: &str = "http://127.0.0.1:4566";
const URL: &str = "http://127.0.0.1:4566/000000000000/q";

struct World {
    log: Arc<MemoryLog>,
    clock: SimClock,
    queues: Queues,
    caller: Caller,
}

impl World {
    async fn new() -> World {
        let clock = SimClock::default();
        let log = Arc::new(MemoryLog::new(Arc::new(clock.clone())));
        World::over(log, clock).await
    }

    /// With a queue called `q`.
    async fn with_queue(attributes: &[(&str, &str)]) -> World {
        let world = World::new().await;
        world.create("q", attributes).await.unwrap();
        world
    }

    async fn over(log: Arc<MemoryLog>, clock: SimClock) -> World {
        let mut state_log = StateLog::new(log.clone(), PartitionId::CONTROL);
        let catalog = state_log.register(Catalog::default());
        state_log.open().await.unwrap();
        let queues = Queues::new(QueuesParts {
            log: log.clone(),
            catalog,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SimEntropy::new(clock.now().as_millis())),
        });
        queues.recover().await.unwrap();
        World {
            log,
            clock,
            queues,
            caller: caller("000000000000"),
        }
    }

    async fn restarted(self) -> World {
        let World {
            log, clock, queues, ..
        } = self;
        drop(queues);
        World::over(log, clock).await
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn create(
        &self,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<CreateQueueOutput, CreateQueueError> {
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let input = CreateQueueInput {
            queue_name: name.into(),
            attributes: Some(attributes.iter().map(own).collect()),
            ..Default::default()
        };
        ops::create_queue(&self.queues, &self.caller, BASE_URL, input).await
    }

    async fn send(&self, body: &str) -> Result<SendMessageOutput, SendMessageError> {
        self.send_input(SendMessageInput {
            message_body: body.into(),
            ..send_input()
        })
        .await
    }

    async fn send_input(
        &self,
        input: SendMessageInput,
    ) -> Result<SendMessageOutput, SendMessageError> {
        ops::send_message(&self.queues, &self.caller, input).await
    }

    async fn receive(&self) -> Vec<Message> {
        self.receive_input(receive_input()).await.unwrap()
    }

    async fn receive_input(
        &self,
        input: ReceiveMessageInput,
    ) -> Result<Vec<Message>, ReceiveMessageError> {
        let output = ops::receive_message(&self.queues, &self.caller, input).await?;
        Ok(output.messages.unwrap_or_default())
    }

    /// The bodies of what can be received now.
    async fn bodies(&self) -> String {
        let bodies = self
            .receive()
            .await
            .into_iter()
            .map(|message| message.body.unwrap());
        bodies.collect::<Vec<_>>().join(" ")
    }

    async fn delete(&self, message: &Message) -> Result<DeleteMessageOutput, DeleteMessageError> {
        let receipt_handle = message.receipt_handle.clone().unwrap();
        let input = DeleteMessageInput {
            queue_url: URL.into(),
            receipt_handle,
        };
        ops::delete_message(&self.queues, &self.caller, input).await
    }

    async fn purge(&self) -> Result<PurgeQueueOutput, PurgeQueueError> {
        let input = PurgeQueueInput {
            queue_url: URL.into(),
        };
        ops::purge_queue(&self.queues, &self.caller, input).await
    }

    async fn delete_queue(&self) -> Result<DeleteQueueOutput, DeleteQueueError> {
        let input = DeleteQueueInput {
            queue_url: URL.into(),
        };
        ops::delete_queue(&self.queues, &self.caller, input).await
    }

    async fn deliver(&self, message_id: &str, body: &str) -> Result<(), DeliverError> {
        self.queues
            .deliver(&arn("q"), message_id, body.into())
            .await
    }

    async fn attributes(&self) -> BTreeMap<String, String> {
        let input = GetQueueAttributesInput {
            queue_url: URL.into(),
            attribute_names: Some(vec!["All".to_owned()]),
        };
        let output = ops::get_queue_attributes(&self.queues, &self.caller, input).await;
        output.unwrap().attributes.unwrap()
    }

    /// Visible, in flight, delayed.
    async fn counts(&self) -> [String; 3] {
        let attributes = self.attributes().await;
        ["", "NotVisible", "Delayed"]
            .map(|kind| attributes[&format!("ApproximateNumberOfMessages{kind}")].clone())
    }

    /// Lets other tasks run until `count` of them sleep.
    async fn until_asleep(&self, count: usize) {
        for _ in 0..1_000_000 {
            if self.clock.sleepers() == count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} sleep, not {count}", self.clock.sleepers());
    }
}

fn caller(account: &str) -> Caller {
    Caller {
        account: account.parse().unwrap(),
        region: Region::new("eu-west-1"),
        request_id: "00000000-0000-4000-8000-000000000000".into(),
    }
}

fn arn(name: &str) -> QueueArn {
    format!("arn:aws:sqs:eu-west-1:000000000000:{name}")
        .parse()
        .unwrap()
}

fn send_input() -> SendMessageInput {
    SendMessageInput {
        queue_url: URL.into(),
        message_body: "b".into(),
        ..Default::default()
    }
}

fn receive_input() -> ReceiveMessageInput {
    ReceiveMessageInput {
        queue_url: URL.into(),
        max_number_of_messages: Some(10),
        ..Default::default()
    }
}

fn waiting(seconds: i32) -> ReceiveMessageInput {
    ReceiveMessageInput {
        wait_time_seconds: Some(seconds),
        ..receive_input()
    }
}

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue {
        data_type: data_type.into(),
        string_value: Some(value.into()),
        ..Default::default()
    }
}
