//! Consumers in the catalog: registered, deregistered, forgotten.

use std::collections::BTreeMap;

use tidemill_model::{StreamArn, Timestamp};

use super::{Catalog, check_active};
use crate::command::{ConsumerChange, ConsumerQuotas};
use crate::consumer::{Consumer, ConsumerStatus, Stage};
use crate::limits::TAGS_MAX;
use crate::refused::Refused;
use crate::stream::Stream;

impl Catalog {
    pub(super) fn change_consumer(
        &mut self,
        stream: &StreamArn,
        name: String,
        change: ConsumerChange,
        at: Timestamp,
    ) -> Result<(), Refused> {
        match change {
            ConsumerChange::Register {
                tags,
                quotas,
                delay,
            } => self.register(stream, name, tags, quotas, at, at.plus(delay)),
            ConsumerChange::Deregister {
                created_secs,
                delay,
            } => self.deregister(stream, &name, created_secs, at, at.plus(delay)),
        }
    }

    fn register(
        &mut self,
        arn: &StreamArn,
        name: String,
        tags: BTreeMap<String, String>,
        quotas: ConsumerQuotas,
        at: Timestamp,
        ready: Timestamp,
    ) -> Result<(), Refused> {
        let stream = self.stream(arn, at)?;
        check_active(stream, at)?;
        if stream
            .consumers(at)
            .any(|consumer| consumer.arn.name == name)
        {
            let stream = arn.clone();
            return Err(Refused::ConsumerExists { stream, name });
        }
        check_quotas(stream, quotas, at)?;
        if tags.len() > TAGS_MAX {
            return Err(Refused::TooManyConsumerTags { name });
        }
        let incarnation = self.next_incarnation;
        self.next_incarnation += 1;
        let consumer = Consumer {
            incarnation,
            created_at: at,
            stage: Stage::Creating(ready),
            tags,
            policy: None,
        };
        self.stream_mut(arn).consumers.insert(name, consumer);
        Ok(())
    }

    /// A consumer may be deregistered whatever its stream is doing; twice is the same as once.
    fn deregister(
        &mut self,
        arn: &StreamArn,
        name: &str,
        created_secs: Option<u64>,
        at: Timestamp,
        gone: Timestamp,
    ) -> Result<(), Refused> {
        let found = self.stream(arn, at)?.consumer(name, created_secs, at)?;
        if found.status != ConsumerStatus::Deleting {
            let stream = self.stream_mut(arn);
            if let Some(consumer) = stream.consumers.get_mut(name) {
                consumer.stage = Stage::Deleting(gone);
            }
            drop_gone(stream, at);
        }
        Ok(())
    }
}

fn check_quotas(stream: &Stream, quotas: ConsumerQuotas, now: Timestamp) -> Result<(), Refused> {
    let exceeded = |limit: Option<u32>, status: Option<ConsumerStatus>| {
        let wanted = |found: ConsumerStatus| status.is_none_or(|status| found == status);
        let counted = stream
            .consumers(now)
            .filter(|consumer| wanted(consumer.status));
        limit.filter(|limit| counted.count() as u64 >= u64::from(*limit))
    };
    if let Some(limit) = exceeded(quotas.registered, None) {
        let stream = stream.arn.clone();
        return Err(Refused::ConsumerQuota { stream, limit });
    }
    if let Some(limit) = exceeded(quotas.creating, Some(ConsumerStatus::Creating)) {
        let stream = stream.arn.clone();
        return Err(Refused::TooManyConsumersCreating { stream, limit });
    }
    Ok(())
}

/// Deletes the consumers of a stream that is deleted.
pub(super) fn delete_all(stream: &mut Stream, gone: Timestamp) {
    for consumer in stream.consumers.values_mut() {
        consumer.stage = Stage::Deleting(gone);
    }
}

pub(super) fn drop_gone(stream: &mut Stream, at: Timestamp) {
    stream
        .consumers
        .retain(|_, consumer| consumer.status(at).is_some());
}
