//! Whose turn it is to write and to be seen: [`Turns`].
//!
//! What must hold: groups are taken one after the other, and settled in the order in which they were
//! taken, each behind all before it. So two frames may be on their way to the disk beside each other, and
//! readers still see a gap-free prefix. When a frame falls, so does all that was taken behind it, and
//! nothing is taken until its writer has gone back to where it began. Pure: who waits does it elsewhere.

/// See the module.
#[derive(Debug, Default)]
pub struct Turns {
    taken: u64,
    settled: u64,
    /// How many changes the group has that was taken last.
    newest_changes: usize,
    is_fallen: bool,
}

/// One group's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    number: u64,
    /// Whether the group before it was not settled when it was taken.
    pub is_beside: bool,
}

impl Turns {
    /// The turn of a group of `changes` that is taken now.
    pub fn take(&mut self, changes: usize) -> Turn {
        assert!(!self.is_fallen, "nothing is taken behind what has fallen");
        self.newest_changes = changes;
        let is_beside = !self.are_settled();
        self.taken += 1;
        Turn {
            number: self.taken,
            is_beside,
        }
    }

    /// Whether nothing is on its way.
    pub fn are_settled(&self) -> bool {
        self.taken == self.settled
    }

    /// Whether `waiting` changes should be taken now. Beside a group that is on its way, one of as many
    /// changes is worth its write, or one that `is_large`; others wait until that one is settled, and for
    /// more to come.
    pub fn is_worth_taking(&self, waiting: usize, is_large: bool) -> bool {
        let enough = match self.are_settled() || is_large {
            true => 1,
            false => self.newest_changes.max(1),
        };
        !self.is_fallen && waiting >= enough
    }

    /// Whether everything before `turn` is settled.
    pub fn is_due(&self, turn: Turn) -> bool {
        !self.is_fallen && self.settled + 1 == turn.number
    }

    /// Notes that what had `turn` has happened.
    pub fn settle(&mut self, turn: Turn) {
        assert!(self.is_due(turn), "{turn:?} is not due: {self:?}");
        self.settled += 1;
    }

    /// Notes that what had `turn`, which was due, has not happened, and nothing behind it will.
    pub fn fall(&mut self, turn: Turn) {
        assert!(self.is_due(turn), "{turn:?} is not due: {self:?}");
        self.is_fallen = true;
    }

    /// Whether a frame has fallen, and its writer has not gone back yet.
    pub fn is_fallen(&self) -> bool {
        self.is_fallen
    }

    /// How many groups are taken and not settled, without the one that has fallen.
    pub fn behind_fallen(&self) -> u64 {
        self.taken - self.settled - 1
    }

    /// Goes back to where the frame that has fallen began: what is taken next comes in its place.
    pub fn go_back(&mut self) {
        self.taken = self.settled;
        self.is_fallen = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_settled_in_the_order_in_which_they_were_taken() {
        let mut turns = Turns::default();
        let (first, second) = (turns.take(1), turns.take(1));
        assert!(!first.is_beside && second.is_beside);
        assert!(turns.is_due(first) && !turns.is_due(second));
        turns.settle(first);
        assert!(turns.is_due(second));
        turns.settle(second);
        assert!(!turns.take(1).is_beside, "nothing is on its way any more");
    }

    #[test]
    fn beside_a_group_as_many_changes_are_worth_a_write() {
        let mut turns = Turns::default();
        assert!(!turns.is_worth_taking(0, false) && turns.is_worth_taking(1, false));
        let first = turns.take(3);
        assert!(!turns.is_worth_taking(2, false) && turns.is_worth_taking(3, false));
        assert!(!turns.is_worth_taking(0, true) && turns.is_worth_taking(1, true));
        let second = turns.take(4);
        turns.settle(first);
        assert!(!turns.is_worth_taking(3, false) && turns.is_worth_taking(4, false));
        turns.settle(second);
        assert!(
            turns.is_worth_taking(1, false),
            "nothing is on its way any more"
        );
        let third = turns.take(1);
        turns.fall(third);
        assert!(!turns.is_worth_taking(100, true));
    }

    #[test]
    fn what_is_behind_a_fallen_frame_is_never_due() {
        let mut turns = Turns::default();
        let (first, second) = (turns.take(1), turns.take(1));
        turns.fall(first);
        assert!(turns.is_fallen() && !turns.is_due(second));
        assert_eq!(turns.behind_fallen(), 1);
        turns.go_back();
        let again = turns.take(1);
        assert!(turns.is_due(again) && !again.is_beside);
    }

    #[test]
    #[should_panic(expected = "is not due")]
    fn nothing_is_settled_before_its_turn() {
        let mut turns = Turns::default();
        let (_, second) = (turns.take(1), turns.take(1));
        turns.settle(second);
    }
}
