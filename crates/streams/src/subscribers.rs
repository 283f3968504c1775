//! Who is subscribed to what: [`Subscribers`].
//!
//! Pure; `T` is what tells a subscription that it has lost its place. What must hold: a consumer has at
//! most one subscription to a shard. For five seconds after one has begun no other may begin, whether
//! or not it is still there; later a newer one takes its place. How often it may be asked for is the
//! throttle's business.
//!
//! With rates lifted, the place of a subscription that has ended is free at once.

use std::collections::BTreeMap;

use tidemill_model::{ShardId, Timestamp};

use crate::limits::{Limits, SUBSCRIPTION_HOLD};

/// A place: the incarnation of a consumer, and a shard of its stream.
pub type Place = (u64, ShardId);

/// Tells the subscriptions of one place apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// Another subscription has the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder<T> {
    ticket: Ticket,
    since: Timestamp,
    /// None when it has ended.
    present: Option<T>,
}

/// The subscriptions of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribers<T> {
    holders: BTreeMap<Place, Holder<T>>,
    next: u64,
}

impl<T> Default for Subscribers<T> {
    fn default() -> Subscribers<T> {
        Subscribers {
            holders: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Subscribers<T> {
    /// Whether one may begin at `place` now.
    pub fn check(&self, place: Place, limits: Limits, now: Timestamp) -> Result<(), Held> {
        let Some(holder) = self.holders.get(&place) else {
            return Ok(());
        };
        let lifted = limits == Limits::None && holder.present.is_none();
        if lifted || now.since(holder.since) >= SUBSCRIPTION_HOLD {
            return Ok(());
        }
        Err(Held)
    }

    /// Gives `place` to `present`, and back who had it.
    pub fn begin(
        &mut self,
        place: Place,
        present: T,
        limits: Limits,
        now: Timestamp,
    ) -> Result<(Ticket, Option<T>), Held> {
        self.check(place, limits, now)?;
        self.holders.retain(|_, holder| {
            holder.present.is_some() || now.since(holder.since) < SUBSCRIPTION_HOLD
        });
        let ticket = Ticket(self.next);
        self.next += 1;
        let holder = Holder {
            ticket,
            since: now,
            present: Some(present),
        };
        let before = self.holders.insert(place, holder);
        Ok((ticket, before.and_then(|holder| holder.present)))
    }

    /// The subscription with `ticket` has ended. One that had lost its place changes nothing.
    pub fn end(&mut self, place: Place, ticket: Ticket) {
        if let Some(holder) = self.holders.get_mut(&place)
            && holder.ticket == ticket
        {
            holder.present = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PLACE: Place = (1, ShardId(0));

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000).plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_place_is_kept_for_five_seconds_and_then_taken_over() {
        let mut subscribers = Subscribers::default();
        let begin = |subscribers: &mut Subscribers<&'static str>, name, millis| {
            let begun = subscribers.begin(PLACE, name, Limits::Aws, at(millis));
            begun.map(|(_, before)| before)
        };
        assert_eq!(begin(&mut subscribers, "a", 0), Ok(None));
        assert_eq!(begin(&mut subscribers, "b", 4999), Err(Held));
        assert_eq!(begin(&mut subscribers, "c", 5000), Ok(Some("a")));
        assert_eq!(
            begin(&mut subscribers, "d", 9999),
            Err(Held),
            "counted from the newest"
        );
        assert_eq!(begin(&mut subscribers, "e", 10_000), Ok(Some("c")));
    }

    #[test]
    fn other_consumers_and_other_shards_have_places_of_their_own() {
        let mut subscribers = Subscribers::default();
        for place in [PLACE, (2, ShardId(0)), (1, ShardId(1))] {
            assert!(subscribers.begin(place, (), Limits::Aws, at(0)).is_ok());
        }
    }

    #[test]
    fn one_that_has_ended_keeps_its_place_unless_rates_are_lifted() {
        for (limits, is_free) in [(Limits::Aws, false), (Limits::None, true)] {
            let mut subscribers = Subscribers::default();
            let (ticket, _) = subscribers.begin(PLACE, "a", limits, at(0)).unwrap();
            assert_eq!(subscribers.check(PLACE, limits, at(1)), Err(Held));
            subscribers.end(PLACE, ticket);
            assert_eq!(subscribers.check(PLACE, limits, at(1)).is_ok(), is_free);
            let (_, before) = subscribers.begin(PLACE, "b", limits, at(5000)).unwrap();
            assert_eq!(before, None, "nobody has to be told");
        }
    }

    #[test]
    fn one_that_lost_its_place_does_not_end_the_next() {
        let mut subscribers = Subscribers::default();
        let (old, _) = subscribers.begin(PLACE, "a", Limits::Aws, at(0)).unwrap();
        subscribers
            .begin(PLACE, "b", Limits::Aws, at(5000))
            .unwrap();
        subscribers.end(PLACE, old);
        let (_, before) = subscribers
            .begin(PLACE, "c", Limits::Aws, at(10_000))
            .unwrap();
        assert_eq!(before, Some("b"));
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let mut subscribers = Subscribers::default();
        for consumer in 0..100 {
            let place = (consumer, ShardId(0));
            let now = at(consumer * 5000);
            let (ticket, _) = subscribers.begin(place, (), Limits::Aws, now).unwrap();
            subscribers.end(place, ticket);
        }
        assert_eq!(subscribers.holders.len(), 1);
    }
}
