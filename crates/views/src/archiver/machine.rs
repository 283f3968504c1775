//! The archiver of one stream, as a pure machine.
//!
//! What must hold: what is committed continues, for each shard, where the table ends; a record that was
//! read is committed before the stream is told that it may free it; no more than two epochs and the
//! reads on their way are held. After any failure of the table everything that was not committed is
//! dropped, the table is opened anew and the shards are read again from where it ends. That is also how
//! a machine begins, so a crash needs no path of its own.

use std::collections::BTreeMap;

use tidemill_model::source::{Fetched, ReadLimit, SourceShard};
use tidemill_model::{ShardId, Timestamp};

use crate::master::Sealed;
use crate::positions::{Positions, Span};

use super::exchange::{Effect, Input};
use super::open_epoch::OpenEpoch;
use super::settings::Settings;
use super::shard::{Reading, Shard};

/// The archiver of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    settings: Settings,
    table: Table,
    /// How far the table has each shard.
    archived: Positions,
    shards: BTreeMap<ShardId, Shard>,
    listing: Listing,
    /// The shard that was asked for last; the next one has its turn first.
    turn: Option<ShardId>,
    open: OpenEpoch,
    table_failures: u32,
    list_failures: u32,
    course: Course,
}

/// What the table is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Table {
    /// Not open, and nothing is done about it until then.
    Closed(Timestamp),
    Opening,
    Ready,
    /// An epoch is on its way, after which the shards end here.
    Committing(Positions),
    Tending,
}

/// What the list of shards is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Listing {
    /// To be asked for, not before then.
    Due(Timestamp),
    Asked,
    /// The source says when there is another shard.
    Awaiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    On,
    StreamGone,
    Stopping,
    Ended,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(settings: Settings) -> Machine {
        Machine {
            settings,
            table: Table::Closed(Timestamp::EPOCH),
            archived: Positions::new(),
            shards: BTreeMap::new(),
            turn: None,
            listing: Listing::Due(Timestamp::EPOCH),
            open: OpenEpoch::default(),
            table_failures: 0,
            list_failures: 0,
            course: Course::On,
        }
    }

    /// Takes in what has happened; gives what is to be done about it.
    ///
    /// # Panics
    /// When `input` answers an effect that was not asked for.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Started | Input::TimerFired => {}
            Input::TableOpened(positions) => effects.extend(self.opened(positions)),
            Input::EpochCommitted => effects.extend(self.committed()),
            Input::TableTended => {
                assert_eq!(self.table, Table::Tending, "the table was to be tended");
                self.table_failures = 0;
                self.table = Table::Ready;
            }
            Input::TableFailed => self.table_failed(now),
            Input::ShardsListed(shards) => effects.extend(self.listed(&shards)),
            Input::ListFailed => {
                assert_eq!(self.listing, Listing::Asked, "the shards were to be listed");
                self.list_failures += 1;
                let pause = self.settings.pause_after(self.list_failures);
                self.listing = Listing::Due(now.plus(pause));
            }
            Input::ShardAppeared => self.listing = Listing::Due(now),
            Input::RecordsFetched { shard, fetched } => {
                effects.extend(self.fetched(now, shard, fetched));
            }
            Input::FetchFailed { shard } => self.fetch_failed(now, shard),
            Input::ShardGone { shard } => self.shard_gone(now, shard),
            Input::RecordsArrived { shard } => {
                let shard = self.shard(shard);
                shard.awaiting = false;
                shard.caught_up = false;
            }
            Input::StreamGone { .. } => {
                if self.course == Course::On {
                    self.course = Course::StreamGone;
                }
            }
            Input::StopAsked => {
                if self.course != Course::Ended {
                    self.course = Course::Stopping;
                }
            }
        }
        self.go_on(now, &mut effects);
        effects
    }

    /// When to send [`Input::TimerFired`], if ever.
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.course == Course::Ended {
            return None;
        }
        match &self.table {
            Table::Closed(until) => return Some(*until),
            Table::Opening => return None,
            Table::Ready | Table::Committing(_) | Table::Tending => {}
        }
        let seal = match (&self.table, self.open.since()) {
            (Table::Ready, Some(since)) => Some(since.plus(self.settings.epoch_age)),
            _ => None,
        };
        let list = match self.listing {
            Listing::Due(at) => Some(at),
            Listing::Asked | Listing::Awaiting => None,
        };
        let reading = self.shards.values().filter_map(Shard::deadline);
        let reading = reading.chain(list).filter(|_| self.course == Course::On);
        reading.chain(seal).min()
    }

    /// How far the table has each shard.
    pub fn archived(&self) -> &Positions {
        &self.archived
    }

    fn shard(&mut self, shard: ShardId) -> &mut Shard {
        let shard = self.shards.get_mut(&shard);
        shard.expect("only shards that were listed are read")
    }

    fn opened(&mut self, positions: Positions) -> [Effect; 2] {
        assert_eq!(self.table, Table::Opening, "the table was to be opened");
        for (id, shard) in &mut self.shards {
            shard.begin_again(positions.get(id).copied().unwrap_or(0));
        }
        self.archived = positions;
        self.table = Table::Tending;
        // The process may have died between a commit and this.
        [Effect::Release(self.archived.clone()), Effect::TendTable]
    }

    fn committed(&mut self) -> [Effect; 2] {
        match std::mem::replace(&mut self.table, Table::Tending) {
            Table::Committing(ends) => self.archived = ends,
            other => panic!("no epoch was on its way: {other:?}"),
        }
        self.table_failures = 0;
        [Effect::Release(self.archived.clone()), Effect::TendTable]
    }

    fn table_failed(&mut self, now: Timestamp) {
        let is_asked = !matches!(self.table, Table::Closed(_) | Table::Ready);
        assert!(is_asked, "nothing was asked of the table: {:?}", self.table);
        self.table_failures += 1;
        let pause = self.settings.pause_after(self.table_failures);
        self.table = Table::Closed(now.plus(pause));
        self.open = OpenEpoch::default();
        for shard in self.shards.values_mut() {
            // What was read was dropped. Where to read from again, the table will say.
            let next = shard.next;
            shard.begin_again(next);
        }
    }

    fn listed(&mut self, found: &[SourceShard]) -> Option<Effect> {
        assert_eq!(self.listing, Listing::Asked, "the shards were to be listed");
        self.list_failures = 0;
        for source in found {
            let next = self.archived.get(&source.id).copied().unwrap_or(0);
            let shard = self.shards.entry(source.id);
            let shard = shard.or_insert_with(|| Shard::new(source, next));
            shard.end = shard.end.max(source.end);
        }
        self.listing = Listing::Awaiting;
        let greatest = self.shards.keys().next_back().map_or(0, |id| id.0 + 1);
        Some(Effect::AwaitShard(ShardId(greatest)))
    }

    fn fetched(&mut self, now: Timestamp, id: ShardId, fetched: Fetched) -> Option<Effect> {
        let shard = self
            .shards
            .get_mut(&id)
            .expect("only shards that were listed are read");
        shard.saw(&fetched);
        match std::mem::replace(&mut shard.reading, Reading::Idle) {
            Reading::Asked => {}
            Reading::Stale => return None,
            other => panic!("no read of {id} was on its way: {other:?}"),
        }
        let from = shard.next;
        let first = fetched.records.first().map(|record| record.position);
        // Where no record is given, those that were asked for may have expired.
        let readable = first.unwrap_or_else(|| fetched.first_readable.max(from));
        let to = readable + fetched.records.len() as u64;
        assert!(
            readable >= from,
            "{id} was read from {from} and gave {readable}"
        );
        shard.next = to;
        let gone = Span {
            shard: id,
            from,
            to: readable,
        };
        let held = Span {
            shard: id,
            from: readable,
            to,
        };
        self.open.put(now, gone, Vec::new());
        self.open.put(now, held, fetched.records);
        if to > from || shard.is_done() {
            return None;
        }
        if shard.end > to {
            // There is more and it was not given: ask again, but not at once.
            shard.reading = Reading::Resting(now.plus(self.settings.pause));
            return None;
        }
        shard.caught_up = true;
        let is_new = !std::mem::replace(&mut shard.awaiting, true);
        is_new.then_some(Effect::AwaitRecords {
            shard: id,
            from: to,
        })
    }

    fn fetch_failed(&mut self, now: Timestamp, id: ShardId) {
        let settings = self.settings.clone();
        let shard = self.shard(id);
        shard.failures += 1;
        shard.reading = Reading::Resting(now.plus(settings.pause_after(shard.failures)));
    }

    /// What the shard had and was not read is lost, and accounted for as such.
    fn shard_gone(&mut self, now: Timestamp, id: ShardId) {
        let shard = self
            .shards
            .get_mut(&id)
            .expect("only shards that were listed are read");
        shard.closed = true;
        match std::mem::replace(&mut shard.reading, Reading::Idle) {
            Reading::Asked => {}
            Reading::Stale => return,
            other => panic!("no read of {id} was on its way: {other:?}"),
        }
        let (from, to) = (shard.next, shard.end.max(shard.next));
        shard.next = to;
        let gone = Span {
            shard: id,
            from,
            to,
        };
        self.open.put(now, gone, Vec::new());
    }

    fn go_on(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        match (&self.table, self.course) {
            (_, Course::Ended) | (Table::Opening, _) => return,
            (Table::Closed(_) | Table::Ready, Course::Stopping) => {
                self.course = Course::Ended;
                effects.push(Effect::Stopped);
                return;
            }
            (Table::Closed(until), _) => {
                if *until <= now {
                    self.table = Table::Opening;
                    effects.push(Effect::OpenTable);
                }
                return;
            }
            (Table::Ready, Course::StreamGone) if self.open.since().is_none() => {
                self.course = Course::Ended;
                effects.push(Effect::Finished);
                return;
            }
            (Table::Ready, Course::On | Course::StreamGone) if self.is_due(now) => {
                effects.push(self.commit());
            }
            (Table::Ready | Table::Committing(_) | Table::Tending, _) => {}
        }
        if self.course == Course::On {
            self.read_on(now, effects);
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let age = self.open.since().map(|since| now.since(since));
        let is_last = self.course == Course::StreamGone;
        let is_full = self.open.bytes() >= self.settings.epoch_bytes;
        age.is_some_and(|age| is_last || is_full || age >= self.settings.epoch_age)
    }

    fn commit(&mut self) -> Effect {
        let sealed = self.open.seal();
        let mut ends = self.archived.clone();
        for Sealed { span, .. } in &sealed {
            let end = ends.insert(span.shard, span.to).unwrap_or(0);
            assert_eq!(span.from, end, "an epoch begins where the one before ends");
        }
        self.table = Table::Committing(ends);
        Effect::CommitEpoch(sealed)
    }

    fn read_on(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if matches!(self.listing, Listing::Due(at) if at <= now) {
            self.listing = Listing::Asked;
            effects.push(Effect::ListShards);
        }
        let limit = ReadLimit {
            records: self.settings.fetch_records,
            bytes: self.settings.fetch_bytes,
        };
        let asked = self
            .shards
            .values()
            .filter(|shard| shard.reading == Reading::Asked);
        let mut expected = self.open.bytes() + asked.count() * limit.bytes;
        for id in self.in_turn() {
            if expected >= self.settings.epoch_bytes {
                break;
            }
            let shard = self.shard(id);
            if shard.is_readable(now) {
                shard.reading = Reading::Asked;
                let from = shard.next;
                expected += limit.bytes;
                self.turn = Some(id);
                effects.push(Effect::Fetch {
                    shard: id,
                    from,
                    limit,
                });
            }
        }
    }

    /// The shards, beginning behind the one that was asked for last.
    fn in_turn(&self) -> Vec<ShardId> {
        let (before, behind): (Vec<_>, Vec<_>) = self
            .shards
            .keys()
            .partition(|id| self.turn.is_some_and(|turn| **id <= turn));
        [behind, before].concat()
    }
}
