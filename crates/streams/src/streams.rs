//! [`Streams`], the handle that other code holds; cheap to clone.
//!
//! What must hold: the handle decides nothing that two requests could decide differently; it looks at
//! the catalog, asks the throttle, and carries out. Locks are short and never held over an await, but
//! the one that lets a single task at a time finish reshards.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use tidemill_log::{Log, Replicated};
use tidemill_model::{Caller, Clock, Entropy, StreamArn, Timestamp};

use crate::archive::Archives;
use crate::catalog::Catalog;
use crate::command::{Command, ConsumerQuotas, Quotas};
use crate::distribution::Rotation;
use crate::failure::Failure;
use crate::limits::{
    CONSUMERS, CONSUMERS_COMMITTED, CREATING_CONSUMERS, CREATING_STREAMS, ControlOperation, Limits,
    ON_DEMAND_STREAMS, shard_quota,
};
use crate::measured::Measured;
use crate::on_demand::Eagerness;
use crate::refused::Refused;
use crate::stream::Stream;
use crate::subscribers::Subscribers;
use crate::throttle::Throttle;
use crate::token::TokenKey;

/// What a user can set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether rates and quotas apply.
    pub limits: Limits,
    /// How long CREATING, UPDATING and DELETING last. Zero: what was asked for is so when the call
    /// returns.
    pub state_delay: Duration,
    /// Open shards of the provisioned streams of an account in a region; none for AWS's quota of the
    /// region.
    pub shard_quota: Option<u32>,
    /// On-demand streams of an account in a region; none for AWS's quota.
    pub on_demand_quota: Option<u32>,
    /// Shards that an on-demand stream may grow to; none for AWS's limit of the region.
    pub on_demand_shards: Option<u32>,
    /// How soon on-demand streams are scaled.
    pub eagerness: Eagerness,
}

/// What [`Streams`] is made of.
pub struct StreamsParts {
    /// Where records and commands are kept.
    pub log: Arc<dyn Log>,
    /// What streams exist.
    pub catalog: Replicated<Catalog>,
    /// The door to time.
    pub clock: Arc<dyn Clock>,
    /// The door to chance.
    pub entropy: Arc<dyn Entropy>,
    /// What the user has set.
    pub settings: Settings,
}

/// The streams of this installation. [`Streams::recover`] is called once before the first request.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    parts: StreamsParts,
    throttle: Mutex<Throttle>,
    rotation: Mutex<Rotation>,
    measured: Mutex<Measured>,
    subscribers: Mutex<Subscribers<oneshot::Sender<()>>>,
    archives: Mutex<Archives>,
    /// Held while a reshard is finished, so that of many who meet a sealed shard one does the work.
    finishing: tokio::sync::Mutex<()>,
    /// Counts commands that have been applied.
    changes: watch::Sender<u64>,
}

impl Streams {
    /// The handle made of `parts`, whose catalog is open.
    pub fn new(parts: StreamsParts) -> Streams {
        let shared = Shared {
            parts,
            throttle: Mutex::default(),
            rotation: Mutex::default(),
            measured: Mutex::default(),
            subscribers: Mutex::default(),
            archives: Mutex::default(),
            finishing: tokio::sync::Mutex::new(()),
            changes: watch::Sender::new(0),
        };
        Streams {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn log(&self) -> &dyn Log {
        self.shared.parts.log.as_ref()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.shared.parts.clock.as_ref()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.parts.settings
    }

    pub(crate) fn finishing(&self) -> &tokio::sync::Mutex<()> {
        &self.shared.finishing
    }

    /// Tells when commands have been applied.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Looks at the catalog, with the time to judge it by.
    pub(crate) fn catalog<R>(&self, look: impl FnOnce(&Catalog, Timestamp) -> R) -> R {
        let clock = self.clock().now();
        self.shared
            .parts
            .catalog
            .read(|catalog| look(catalog, catalog.now(clock)))
    }

    /// Looks at one stream, unless it is gone.
    pub(crate) fn stream<R>(
        &self,
        arn: &StreamArn,
        look: impl FnOnce(&Stream, Timestamp) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.catalog(|catalog, now| look(catalog.stream(arn, now)?, now))
    }

    /// Like [`Streams::stream`], for those that take records and give iterators: while it is created
    /// or deleted, a stream is not found.
    pub(crate) fn serving_stream<R>(
        &self,
        arn: &StreamArn,
        look: impl FnOnce(&Stream, Timestamp) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.stream(arn, |stream, now| {
            if stream.serves(now) {
                look(stream, now)
            } else {
                Err(Refused::StreamNotFound {
                    stream: arn.clone(),
                })
            }
        })
    }

    /// Makes `command` durable and applies it, and tells those who wait for changes, even when the
    /// caller is dropped meanwhile: a reader at the end of a closed shard waits for nothing else.
    /// Gives the time at which that was done.
    pub(crate) async fn submit(&self, command: Command) -> Result<Timestamp, Failure> {
        let shared = Arc::clone(&self.shared);
        let submitted = tokio::spawn(async move {
            let outcome = shared.parts.catalog.submit(command).await;
            shared.changes.send_modify(|count| *count += 1);
            outcome
        });
        let outcome = submitted
            .await
            .expect("submitting does not panic, and nobody cuts it off");
        Ok(outcome??)
    }

    /// The key of tokens; the first call of all draws it.
    pub(crate) async fn token_key(&self) -> Result<TokenKey, Failure> {
        if let Some(key) = self.catalog(|catalog, _| catalog.token_key()) {
            return Ok(key);
        }
        let mut bytes = [0; 32];
        self.shared.parts.entropy.fill(&mut bytes);
        self.submit(Command::AdoptTokenKey {
            key: TokenKey::new(bytes),
        })
        .await?;
        let key = self.catalog(|catalog, _| catalog.token_key());
        Ok(key.expect("the command above has adopted this key, or another came first"))
    }

    /// What makes a token unlike every other.
    pub(crate) fn chance(&self) -> [u8; 8] {
        self.shared.parts.entropy.next_u64().to_le_bytes()
    }

    /// Whose turn it is in streams that distribute records themselves.
    pub(crate) fn rotation(&self) -> MutexGuard<'_, Rotation> {
        let rotation = self.shared.rotation.lock();
        rotation.expect("no holder of this lock panics")
    }

    /// The throttle, when rates apply.
    pub(crate) fn throttle(&self) -> Option<MutexGuard<'_, Throttle>> {
        match self.settings().limits {
            Limits::Aws => Some(
                self.shared
                    .throttle
                    .lock()
                    .expect("no holder of this lock panics"),
            ),
            Limits::None => None,
        }
    }

    /// Counts, or looks at, what has been measured, with the time.
    pub(crate) fn measured<R>(&self, count: impl FnOnce(&mut Measured, Timestamp) -> R) -> R {
        let mut measured = self
            .shared
            .measured
            .lock()
            .expect("no holder of this lock panics");
        count(&mut measured, self.clock().now())
    }

    /// Who is subscribed to what. A subscription that is dropped out of it has lost its place.
    pub(crate) fn subscribers(&self) -> MutexGuard<'_, Subscribers<oneshot::Sender<()>>> {
        self.shared
            .subscribers
            .lock()
            .expect("no holder of this lock panics")
    }

    /// How far archivers are, and what they hold back.
    pub(crate) fn archives(&self) -> MutexGuard<'_, Archives> {
        let archives = self.shared.archives.lock();
        archives.expect("no holder of this lock panics")
    }

    /// Whether one more call of `operation` on `stream` is within its rate.
    pub(crate) fn admit(
        &self,
        operation: ControlOperation,
        stream: &StreamArn,
    ) -> Result<(), Refused> {
        let now = self.clock().now();
        let admitted = self
            .throttle()
            .is_none_or(|mut throttle| throttle.admit_control(operation, stream, now));
        match admitted {
            true => Ok(()),
            false if stream.name.is_empty() => Err(Refused::AccountRate {
                account: stream.account.to_string(),
            }),
            false => Err(Refused::StreamRate {
                stream: stream.clone(),
            }),
        }
    }

    /// `limit`, unless limits are lifted.
    pub(crate) fn limited(&self, limit: u32) -> Option<u32> {
        (self.settings().limits == Limits::Aws).then_some(limit)
    }

    /// The quotas that hold for the account and region of `stream`.
    pub(crate) fn quotas(&self, stream: &StreamArn) -> Quotas {
        let settings = self.settings();
        match settings.limits {
            Limits::None => Quotas::default(),
            Limits::Aws => Quotas {
                shards: Some(
                    settings
                        .shard_quota
                        .unwrap_or_else(|| shard_quota(&stream.region)),
                ),
                on_demand_streams: Some(settings.on_demand_quota.unwrap_or(ON_DEMAND_STREAMS)),
                creating_streams: Some(CREATING_STREAMS),
            },
        }
    }

    /// The quotas that hold for the consumers of `stream`.
    pub(crate) fn consumer_quotas(&self, stream: &StreamArn) -> ConsumerQuotas {
        let committed = self.catalog(|catalog, now| {
            let commitment = catalog.commitment(stream);
            commitment.is_some_and(|commitment| commitment.holds(now))
        });
        let registered = if committed {
            CONSUMERS_COMMITTED
        } else {
            CONSUMERS
        };
        match self.settings().limits {
            Limits::None => ConsumerQuotas::default(),
            Limits::Aws => ConsumerQuotas {
                registered: Some(registered),
                creating: Some(CREATING_CONSUMERS),
            },
        }
    }
}

/// The stream that a request names, by its name, its ARN or both. One that another account owns is
/// refused: only a resource policy could allow it, and there are none.
pub(crate) fn named_stream(
    caller: &Caller,
    operation: &'static str,
    name: Option<&str>,
    arn: Option<&str>,
) -> Result<StreamArn, Refused> {
    let Some(text) = arn else {
        let name = name.ok_or(Refused::NoStreamNamed)?;
        return Ok(own_stream(caller, name));
    };
    let arn: StreamArn = text.parse().map_err(|_| Refused::NotAStreamArn {
        arn: text.to_owned(),
    })?;
    if let Some(name) = name
        && name != arn.name
    {
        return Err(Refused::NamesDisagree {
            name: name.to_owned(),
            arn: text.to_owned(),
        });
    }
    check_owner(caller, operation, &arn)?;
    if arn.region != caller.region {
        return Err(Refused::StreamNotFound { stream: arn });
    }
    Ok(arn)
}

/// The caller's own stream called `name`.
pub(crate) fn own_stream(caller: &Caller, name: &str) -> StreamArn {
    StreamArn {
        region: caller.region.clone(),
        account: caller.account.clone(),
        name: name.to_owned(),
    }
}

/// Whether `stream` is the caller's.
pub(crate) fn check_owner(
    caller: &Caller,
    operation: &'static str,
    stream: &StreamArn,
) -> Result<(), Refused> {
    if stream.account == caller.account {
        return Ok(());
    }
    let caller = caller.account.to_string();
    Err(Refused::OtherAccount {
        caller,
        operation,
        stream: stream.clone(),
    })
}
