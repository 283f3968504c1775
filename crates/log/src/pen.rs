//! What writes frames: [`Pen`], a thread. There are two where the disk is written through, else one.
//!
//! What must hold: a pen has the committer from taking a group until its frame has its place, and until
//! everything is done where that cannot be done beside another frame. While one pen waits for the disk,
//! the other takes what has come meanwhile, if that is as much: so two writes are on their way at most, and
//! they pace themselves by the disk and by what comes, without a timer. Frames are published in their order. When one falls, so does
//! the one behind it, whose write may have succeeded, and the log goes on from before both, if at all.
//! They are threads of their own because the disk blocks.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::committer::{Committer, Failure, Frame};
use crate::shared::Shared;
use crate::turns::Turn;
use crate::waiting::{Waiting, answer};

/// How many pens there are where frames can be written beside each other. Recovery knows that number.
const PENS_BESIDE: usize = 2;

/// See the module.
pub struct Pen {
    committer: Arc<Mutex<Committer>>,
    shared: Arc<Shared>,
}

impl Pen {
    /// The pens that share `committer`.
    pub fn all(committer: Committer, shared: &Arc<Shared>) -> Vec<Pen> {
        let count = match committer.writes_beside() {
            true => PENS_BESIDE,
            false => 1,
        };
        let committer = Arc::new(Mutex::new(committer));
        let pen = |_| Pen {
            committer: Arc::clone(&committer),
            shared: Arc::clone(shared),
        };
        (0..count).map(pen).collect()
    }

    /// Writes what is put in line until the log is closed or fails. Blocks.
    pub fn run(&self) {
        while self.shared.wait_for_work() {
            loop {
                match self.take() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(()) => return,
                }
            }
        }
    }

    /// Takes what waits, if that is worth it, and sees to it; whether it was. Fails when the log has.
    fn take(&self) -> Result<bool, ()> {
        let mut committer = self.committer();
        let Some(group) = self.shared.take_group() else {
            return Ok(false);
        };
        let turn = group.turn;
        if let Some(frame) = committer.begin_beside(&group) {
            drop(committer);
            return self.write(turn, frame, group.changes);
        }
        if !self.shared.wait_for_turn(turn) {
            drop(committer);
            self.shared.fall_behind(group.changes);
            return Ok(true);
        }
        let served = committer.serve(&self.shared, group);
        self.shared.end(turn);
        served.map(|()| true)
    }

    /// Writes `frame` beside whatever else is on its way, and answers `changes` when it is their turn.
    fn write(&self, turn: Turn, frame: Frame, changes: Vec<Waiting>) -> Result<bool, ()> {
        let shared = &self.shared;
        let is_turn = match frame.write() {
            Ok(()) => frame.publish(shared, turn, &changes),
            Err(failure) if shared.wait_for_turn(turn) => {
                return self.fall(turn, frame, changes, failure).map(|()| true);
            }
            Err(_) => false,
        };
        match is_turn {
            true => answer(changes),
            false => shared.fall_behind(changes),
        }
        Ok(true)
    }

    /// Goes back to before `frame`, with all that was begun behind it.
    fn fall(
        &self,
        turn: Turn,
        frame: Frame,
        mut changes: Vec<Waiting>,
        failure: Failure,
    ) -> Result<(), ()> {
        self.shared.fall(turn);
        let mut committer = self.committer();
        changes.extend(self.shared.wait_for_fallen());
        committer.go_back(frame);
        let settled = committer.settle(&self.shared, failure, changes);
        self.shared.go_back();
        settled
    }

    fn committer(&self) -> MutexGuard<'_, Committer> {
        self.committer
            .lock()
            .expect("no holder of this lock panics")
    }
}
