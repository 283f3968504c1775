//! Identifiers: accounts, regions, ARNs, shard ids.
//!
//! What must hold: a parsed ARN prints as it was read. Names are checked against AWS's patterns by
//! the generated constraints before they reach these types, so the types only take them apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digits::put_digits;

/// A text that is not the identifier it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not {expected}")]
pub struct Malformed {
    /// What was read.
    pub text: String,
    /// What it should have been, with its article.
    pub expected: &'static str,
}

fn malformed(text: &str, expected: &'static str) -> Malformed {
    Malformed {
        text: text.to_owned(),
        expected,
    }
}

/// A 12-digit AWS account number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

impl TryFrom<String> for AccountId {
    type Error = Malformed;

    fn try_from(text: String) -> Result<AccountId, Malformed> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(account: AccountId) -> String {
        account.0
    }
}

impl AccountId {
    /// The account as its 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<AccountId, Malformed> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(AccountId(text.to_owned()))
        } else {
            Err(malformed(text, "an account id of 12 digits"))
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An AWS region name, as the signature gives it; not checked against a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(String);

impl Region {
    /// The region called `name`.
    pub fn new(name: impl Into<String>) -> Region {
        Region(name.into())
    }

    /// The region's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Takes `arn:<partition>:<service>:<region>:<account>:<rest>` apart.
fn split_arn(text: &str, service: &str) -> Option<(Region, AccountId, String)> {
    let mut parts = text.splitn(6, ':');
    let (scheme, partition) = (parts.next()?, parts.next()?);
    if scheme != "arn" || !partition.starts_with("aws") || parts.next()? != service {
        return None;
    }
    let region = Region::new(parts.next()?);
    let account = parts.next()?.parse().ok()?;
    Some((region, account, parts.next()?.to_owned()))
}

/// The ARN of a Kinesis stream: `arn:aws:kinesis:<region>:<account>:stream/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamArn {
    /// The region the stream is in.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// The stream's name.
    pub name: String,
}

impl FromStr for StreamArn {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<StreamArn, Malformed> {
        let parts = split_arn(text, "kinesis");
        let (region, account, rest) = parts.ok_or_else(|| malformed(text, "a stream ARN"))?;
        match rest.strip_prefix("stream/") {
            Some(name) if !name.is_empty() && !name.contains('/') => Ok(StreamArn {
                region,
                account,
                name: name.to_owned(),
            }),
            _ => Err(malformed(text, "a stream ARN")),
        }
    }
}

impl fmt::Display for StreamArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "arn:aws:kinesis:{}:{}:stream/{}",
            self.region, self.account, self.name
        )
    }
}

/// The ARN of a stream's consumer: that of the stream, `/consumer/<name>:<second of its registration>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsumerArn {
    /// The stream it reads.
    pub stream: StreamArn,
    /// The consumer's name.
    pub name: String,
    /// When it was registered, in seconds.
    pub created_secs: u64,
}

impl FromStr for ConsumerArn {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<ConsumerArn, Malformed> {
        let wrong = || malformed(text, "a consumer ARN");
        let (stream, consumer) = text.split_once("/consumer/").ok_or_else(wrong)?;
        let (name, created_secs) = consumer.split_once(':').ok_or_else(wrong)?;
        let plain = created_secs == "0" || !created_secs.starts_with(['0', '+']);
        if name.is_empty() || name.contains('/') || !plain {
            return Err(wrong());
        }
        Ok(ConsumerArn {
            stream: stream.parse().map_err(|_| wrong())?,
            name: name.to_owned(),
            created_secs: created_secs.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for ConsumerArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/consumer/{}:{}",
            self.stream, self.name, self.created_secs
        )
    }
}

/// The ARN of a function: `arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionArn {
    /// The region the function is in.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// The function's name.
    pub name: String,
    /// A version or an alias, when the ARN names one.
    pub qualifier: Option<String>,
}

impl FunctionArn {
    /// The same ARN without its qualifier.
    pub fn unqualified(&self) -> FunctionArn {
        FunctionArn {
            qualifier: None,
            ..self.clone()
        }
    }
}

impl FromStr for FunctionArn {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<FunctionArn, Malformed> {
        let parts = split_arn(text, "lambda");
        let (region, account, rest) = parts.ok_or_else(|| malformed(text, "a function ARN"))?;
        let mut rest = rest.split(':');
        match (rest.next(), rest.next(), rest.next(), rest.next()) {
            (Some("function"), Some(name), qualifier, None) if !name.is_empty() => {
                let qualifier = qualifier.map(str::to_owned);
                Ok(FunctionArn {
                    region,
                    account,
                    name: name.to_owned(),
                    qualifier,
                })
            }
            _ => Err(malformed(text, "a function ARN")),
        }
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FunctionArn {
            region,
            account,
            name,
            qualifier,
        } = self;
        write!(
            formatter,
            "arn:aws:lambda:{region}:{account}:function:{name}"
        )?;
        match qualifier {
            Some(qualifier) => write!(formatter, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

/// The ARN of an SQS queue: `arn:aws:sqs:<region>:<account>:<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueArn {
    /// The region the queue is in.
    pub region: Region,
    /// The account that owns it.
    pub account: AccountId,
    /// The queue's name.
    pub name: String,
}

impl FromStr for QueueArn {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<QueueArn, Malformed> {
        let parts = split_arn(text, "sqs").ok_or_else(|| malformed(text, "a queue ARN"))?;
        let (region, account, name) = parts;
        if name.is_empty() || name.contains([':', '/']) {
            return Err(malformed(text, "a queue ARN"));
        }
        Ok(QueueArn {
            region,
            account,
            name,
        })
    }
}

impl fmt::Display for QueueArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "arn:aws:sqs:{}:{}:{}",
            self.region, self.account, self.name
        )
    }
}

/// The number of a shard within its stream, over the stream's whole life; never used twice.
///
/// Printed as AWS does: `shardId-` and 12 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

impl FromStr for ShardId {
    type Err = Malformed;

    /// Lenient as the service is: anything that ends in `-<n>`, or a bare `<n>`, up to 2147483647.
    fn from_str(text: &str) -> Result<ShardId, Malformed> {
        let digits = text.rsplit('-').next().unwrap_or(text);
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse::<u64>() {
            Ok(number) if all_digits && number <= 2_147_483_647 => Ok(ShardId(number as u32)),
            _ => Err(malformed(text, "a shard id")),
        }
    }
}

impl ShardId {
    /// How many bytes its name has.
    pub const NAME_BYTES: usize = 20;

    /// Its name, put into `text`.
    pub fn put_into<'a>(&self, text: &'a mut [u8; ShardId::NAME_BYTES]) -> &'a str {
        let (word, digits) = text.split_at_mut(8);
        word.copy_from_slice(b"shardId-");
        put_digits(digits, self.0.into());
        std::str::from_utf8(text).expect("it is ASCII")
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.put_into(&mut [0; ShardId::NAME_BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_prints_as_it_was_read() {
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
        assert_eq!(
            stream.parse::<StreamArn>().map(|arn| arn.to_string()),
            Ok(stream.into())
        );
        let consumer = format!("{stream}/consumer/board:1731291806");
        assert_eq!(
            consumer.parse::<ConsumerArn>().map(|arn| arn.to_string()),
            Ok(consumer)
        );
        for function in [
            "arn:aws:lambda:eu-west-1:000000000000:function:f",
            "arn:aws:lambda:eu-west-1:000000000000:function:f:$LATEST",
        ] {
            assert_eq!(
                function.parse::<FunctionArn>().map(|arn| arn.to_string()),
                Ok(function.into())
            );
        }
        let queue = "arn:aws:sqs:us-east-1:123456789012:failures";
        assert_eq!(
            queue.parse::<QueueArn>().map(|arn| arn.to_string()),
            Ok(queue.into())
        );
    }

    #[test]
    fn what_is_not_an_arn_is_refused() {
        for text in [
            "",
            "arn:aws:kinesis",
            "arn:aws:sqs:r:12:q",
            "arn:aws:kinesis:r:123456789012:x",
        ] {
            assert!(text.parse::<StreamArn>().is_err(), "{text}");
        }
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
        for rest in [
            "",
            "/consumer/",
            "/consumer/c",
            "/consumer/:1",
            "/consumer/c:",
            "/consumer/c:01",
            "/consumer/c:+1",
            "/consumer/c:1:2",
            "/consumer/a/b:1",
        ] {
            let text = format!("{stream}{rest}");
            assert!(text.parse::<ConsumerArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_shard_id_is_read_leniently() {
        assert_eq!("shardId-000000000007".parse(), Ok(ShardId(7)));
        assert_eq!("x-7".parse(), Ok(ShardId(7)));
        assert_eq!("7".parse(), Ok(ShardId(7)));
        assert!("shardId-2147483648".parse::<ShardId>().is_err());
        assert!("shardId-".parse::<ShardId>().is_err());
        assert!("shardId-+7".parse::<ShardId>().is_err());
    }
}
