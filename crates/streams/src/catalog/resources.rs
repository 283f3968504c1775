//! Tags and policies of streams and consumers in the catalog.

use std::collections::BTreeMap;

use tidemill_model::{ConsumerArn, StreamArn, Timestamp};

use super::{Catalog, check_active};
use crate::command::ResourceChange;
use crate::consumer::{Consumer, ConsumerStatus, FoundConsumer};
use crate::limits::TAGS_MAX;
use crate::refused::Refused;
use crate::resource::Resource;
use crate::stream::Stream;

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;

impl Catalog {
    /// Tags and policy of `resource`, whatever state it is in.
    pub fn attached(
        &self,
        resource: &Resource,
        now: Timestamp,
    ) -> Result<(&Tags, Option<&str>), Refused> {
        let stream = self.stream(resource.stream(), now)?;
        match resource {
            Resource::Stream(_) => Ok((&stream.tags, stream.policy.as_deref())),
            Resource::Consumer(arn) => {
                found(stream, arn, now)?;
                let consumer = &stream.consumers[&arn.name];
                Ok((&consumer.tags, consumer.policy.as_deref()))
            }
        }
    }

    pub(super) fn change_resource(
        &mut self,
        resource: &Resource,
        change: ResourceChange,
        at: Timestamp,
    ) -> Result<(), Refused> {
        match change {
            ResourceChange::AddTags { tags } => match resource {
                Resource::Stream(stream) => self.add_tags(stream, tags, at),
                Resource::Consumer(consumer) => self.add_consumer_tags(consumer, tags, at),
            },
            ResourceChange::RemoveTags { keys } => match resource {
                Resource::Stream(stream) => self.remove_tags(stream, &keys, at),
                Resource::Consumer(arn) => {
                    let tags = &mut self.tagged_consumer(arn, at)?.tags;
                    tags.retain(|key, _| !keys.contains(key));
                    Ok(())
                }
            },
            ResourceChange::PutPolicy { policy } => {
                *self.policy(resource, at)? = Some(policy);
                Ok(())
            }
            ResourceChange::DeletePolicy => match self.policy(resource, at)?.take() {
                Some(_) => Ok(()),
                None => Err(no_policy(resource)),
            },
        }
    }

    fn add_consumer_tags(
        &mut self,
        arn: &ConsumerArn,
        tags: Tags,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let consumer = self.tagged_consumer(arn, at)?;
        let mut all = consumer.tags.clone();
        all.extend(tags);
        if all.len() > TAGS_MAX {
            let name = arn.name.clone();
            return Err(Refused::TooManyConsumerTags { name });
        }
        consumer.tags = all;
        Ok(())
    }

    /// The consumer with the ARN `arn`, whose tags can be changed until it is deregistered.
    fn tagged_consumer(
        &mut self,
        arn: &ConsumerArn,
        at: Timestamp,
    ) -> Result<&mut Consumer, Refused> {
        let found = found(self.stream(&arn.stream, at)?, arn, at)?;
        if found.status == ConsumerStatus::Deleting {
            return Err(not_active(found));
        }
        Ok(self.consumer_mut(&arn.stream, &arn.name))
    }

    /// The place of the policy of `resource`, which must be active.
    fn policy(
        &mut self,
        resource: &Resource,
        at: Timestamp,
    ) -> Result<&mut Option<String>, Refused> {
        let stream = self.stream(resource.stream(), at)?;
        match resource {
            Resource::Stream(arn) => {
                check_active(stream, at)?;
                Ok(&mut self.stream_mut(arn).policy)
            }
            Resource::Consumer(arn) => {
                let found = found(stream, arn, at)?;
                if found.status != ConsumerStatus::Active {
                    return Err(not_active(found));
                }
                Ok(&mut self.consumer_mut(&arn.stream, &arn.name).policy)
            }
        }
    }

    fn consumer_mut(&mut self, stream: &StreamArn, name: &str) -> &mut Consumer {
        let consumers = &mut self.stream_mut(stream).consumers;
        consumers.get_mut(name).expect("it has been looked up")
    }
}

fn found(stream: &Stream, arn: &ConsumerArn, now: Timestamp) -> Result<FoundConsumer, Refused> {
    stream.consumer(&arn.name, Some(arn.created_secs), now)
}

fn not_active(found: FoundConsumer) -> Refused {
    Refused::ResourceInactive {
        consumer: found.arn,
    }
}

fn no_policy(resource: &Resource) -> Refused {
    let arn = match resource {
        Resource::Stream(stream) => stream.to_string(),
        Resource::Consumer(consumer) => consumer.to_string(),
    };
    Refused::NoPolicy { arn }
}
