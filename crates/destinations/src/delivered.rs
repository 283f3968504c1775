//! The ids under which messages were delivered: [`Delivered`], so that a second copy is dropped.
//!
//! What must hold: an id is remembered for as long as the queue keeps messages, whether or not its
//! message has been received and deleted; but at most [`limits::DELIVERED_IDS_MAX`] ids, the oldest
//! going first. Whoever sends twice does so soon, so that the bound is out of reach in practice.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use tidemill_model::Timestamp;

use crate::limits;

/// Remembered ids, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Timestamp, String)>", into = "Vec<(Timestamp, String)>")]
pub struct Delivered {
    in_order: VecDeque<(Timestamp, String)>,
    ids: BTreeSet<String>,
}

impl Delivered {
    /// Remembers that `id` was delivered `at`, unless it is remembered already. Says whether it was new.
    pub fn remember(&mut self, at: Timestamp, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.in_order.push_back((at, id.to_owned()));
        if self.in_order.len() > limits::DELIVERED_IDS_MAX {
            self.forget_oldest();
        }
        true
    }

    /// Forgets what was delivered at or before `before`.
    pub fn forget_until(&mut self, before: Timestamp) {
        while self.in_order.front().is_some_and(|(at, _)| *at <= before) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.in_order.pop_front() {
            assert!(
                self.ids.remove(&id),
                "every id in order is in the set: {id}"
            );
        }
    }
}

impl From<Vec<(Timestamp, String)>> for Delivered {
    fn from(in_order: Vec<(Timestamp, String)>) -> Delivered {
        let ids = in_order.iter().map(|(_, id)| id.clone()).collect();
        Delivered {
            in_order: in_order.into(),
            ids,
        }
    }
}

impl From<Delivered> for Vec<(Timestamp, String)> {
    fn from(delivered: Delivered) -> Vec<(Timestamp, String)> {
        delivered.in_order.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn an_id_is_new_once_until_it_is_forgotten() {
        let mut delivered = Delivered::default();
        assert!(delivered.remember(second(1), "a"));
        assert!(delivered.remember(second(2), "b"));
        assert!(!delivered.remember(second(3), "a"));
        delivered.forget_until(second(1));
        assert!(delivered.remember(second(4), "a"));
        assert!(!delivered.remember(second(4), "b"));
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_forgotten() {
        let mut delivered = Delivered::default();
        for number in 0..=limits::DELIVERED_IDS_MAX {
            assert!(delivered.remember(second(1), &number.to_string()));
        }
        assert!(!delivered.remember(second(1), "1"));
        assert!(delivered.remember(second(1), "0"));
    }

    #[test]
    fn what_is_remembered_survives_writing_and_reading() {
        let mut delivered = Delivered::default();
        delivered.remember(second(1), "a");
        delivered.remember(second(2), "b");
        let text = serde_json::to_string(&delivered).unwrap();
        assert_eq!(text, r#"[[1000,"a"],[2000,"b"]]"#);
        assert_eq!(serde_json::from_str::<Delivered>(&text).unwrap(), delivered);
    }
}
