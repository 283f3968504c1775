//! The shard iterator: what it means, how long it lives, and where a new one begins.
//!
//! Pure. What must hold: an iterator is bound to one shard of one incarnation of one stream and to
//! the moment it was issued; it names a position, so that reading twice with it reads the same. The
//! word is AWS's; a place to read on is a *cursor* elsewhere.

use serde::{Deserialize, Serialize};

use tidemill_log::{PartitionId, Position};
use tidemill_model::{AccountId, OlderNumber, SequenceNumber, ShardId, StreamArn, Timestamp};

use crate::limits::{ITERATOR_AGE_MAX, ITERATOR_CHARS_MAX};
use crate::refused::Refused;
use crate::stream::{FoundShard, Stream};
use crate::token::{Purpose, TokenKey, open, seal};

/// What a shard iterator means. Members have one-letter names: the token has 512 characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardIterator {
    /// When it was issued.
    #[serde(rename = "t")]
    pub issued: Timestamp,
    /// The account that owns the stream.
    #[serde(rename = "a")]
    pub account: AccountId,
    /// The stream's name.
    #[serde(rename = "n")]
    pub name: String,
    /// The stream's incarnation; no two streams of an installation have the same, in any region.
    #[serde(rename = "i")]
    pub incarnation: u64,
    /// The shard.
    #[serde(rename = "s")]
    pub shard: ShardId,
    /// The position to read from.
    #[serde(rename = "p")]
    pub from: Position,
}

impl ShardIterator {
    /// The iterator that reads `found` from position `from`.
    pub fn new(found: &FoundShard, from: Position, issued: Timestamp) -> ShardIterator {
        ShardIterator {
            issued,
            account: found.stream.account.clone(),
            name: found.stream.name.clone(),
            incarnation: found.incarnation,
            shard: found.id,
            from,
        }
    }

    /// The token to give out.
    pub fn seal(&self, key: &TokenKey, chance: [u8; 8]) -> String {
        let token = seal(key, Purpose::ShardIterator, chance, self);
        assert!(
            token.len() <= ITERATOR_CHARS_MAX,
            "a name of 128 characters leaves room"
        );
        token
    }

    /// What `token` means. Shell users leave literal double quotes around it; AWS takes them off.
    pub fn open(key: &TokenKey, token: &str) -> Result<ShardIterator, Refused> {
        let bare = token
            .strip_prefix('"')
            .and_then(|token| token.strip_suffix('"'));
        open(key, Purpose::ShardIterator, bare.unwrap_or(token)).ok_or(Refused::InvalidIterator)
    }

    /// Whether it may still be used. One from the future, after a clock stepped back, may.
    pub fn check_age(&self, now: Timestamp) -> Result<(), Refused> {
        if now.since(self.issued) > ITERATOR_AGE_MAX {
            return Err(Refused::ExpiredIterator {
                issued: self.issued,
                now,
            });
        }
        Ok(())
    }
}

/// Whether the reader begins at the number or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// AT_SEQUENCE_NUMBER.
    At,
    /// AFTER_SEQUENCE_NUMBER.
    After,
}

/// The position at or after sequence number `text` in `found`, whose durable end is `end`.
///
/// Numbers of records that retention has taken are good: reading goes on at the horizon. So are the
/// shard's own starting and ending numbers, which no record has.
pub fn position_of(
    found: &FoundShard,
    end: Position,
    text: &str,
    side: Side,
) -> Result<Position, Refused> {
    let (stream, shard) = (|| found.stream.clone(), found.id);
    let refuse = || Refused::StartingNumber {
        stream: stream(),
        shard,
        number: text.to_owned(),
    };
    let other_stream = || Refused::NumberOfOtherStream {
        stream: stream(),
        shard,
        number: text.to_owned(),
    };
    let other_shard = |encoded| Refused::NumberOfOtherShard { encoded, shard };
    let Ok(number) = text.parse::<SequenceNumber>() else {
        return Err(match text.parse().map_err(|_| refuse())? {
            OlderNumber::Zero(encoded) | OlderNumber::One { shard: encoded, .. }
                if encoded != shard =>
            {
                other_shard(encoded)
            }
            OlderNumber::Zero(_) => Refused::NumberOfLayoutZero {
                number: text.to_owned(),
            },
            OlderNumber::One { .. } => other_stream(),
        });
    };
    if number.shard() != shard {
        return Err(other_shard(number.shard()));
    }
    if number.created_secs() != found.shard.created_secs {
        return Err(other_stream());
    }
    if found.shard.ending_number(shard) == Some(number) {
        return Ok(end);
    }
    if number.position_after() > end {
        return Err(refuse());
    }
    Ok(match side {
        Side::At => number.position_at(),
        Side::After => number.position_after(),
    })
}

/// What is still to be known before a new record may be ordered behind a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Nothing.
    Good,
    /// That the partition reaches as far as the position.
    IfReached(PartitionId, Position),
}

/// Whether `text` may be the number that a new record of `stream` must exceed: one that was given out
/// by this stream, or one of a shard that was created before it.
///
/// Within the lineage of a shard every new record exceeds every number given out before, so there is
/// nothing else to do. Numbers of unrelated shards do not compare, and bind nothing.
pub fn check_ordering(stream: &Stream, text: &str, now: Timestamp) -> Result<Ordering, Refused> {
    let is_earlier = |created_secs| created_secs < stream.created_at.as_secs();
    let ordering = match text.parse::<SequenceNumber>() {
        Ok(number) if is_earlier(number.created_secs()) => {
            (number.time_secs() <= now.as_secs()).then_some(Ordering::Good)
        }
        Ok(number) => ordering_within(stream, number, now),
        Err(_) => match text.parse() {
            Ok(OlderNumber::One { created_secs, .. }) if is_earlier(created_secs) => {
                Some(Ordering::Good)
            }
            Ok(OlderNumber::One { .. } | OlderNumber::Zero(_)) | Err(_) => None,
        },
    };
    ordering.ok_or_else(|| invalid_ordering(&stream.arn, text))
}

fn ordering_within(stream: &Stream, number: SequenceNumber, now: Timestamp) -> Option<Ordering> {
    match stream.shards.get(&number.shard()) {
        Some(shard) if number.created_secs() != shard.created_secs => None,
        Some(shard) if shard.ending_number(number.shard()) == Some(number) => Some(Ordering::Good),
        Some(shard) => Some(Ordering::IfReached(
            shard.partition_id(),
            number.position_after(),
        )),
        // A shard whose retention has passed: what it had is not known any more.
        None => {
            let good = number.shard().0 < stream.next_shard && number.time_secs() <= now.as_secs();
            good.then_some(Ordering::Good)
        }
    }
}

/// The refusal of a number that this stream has not given out.
pub fn invalid_ordering(stream: &StreamArn, number: &str) -> Refused {
    Refused::OrderingNumber {
        stream: stream.clone(),
        number: number.to_owned(),
    }
}
