//! What writes frames: [`LogWriter`], a thread. There are two where the disk is written through, else one.
//!
//! What must hold: a writer has the committer from taking a group until its frame has its place, and until
//! everything is done where that cannot be done beside another frame. While one writer waits for the disk,
//! the other takes what has come meanwhile, if that is as many changes or large: so two writes are on their
//! way at most, and they pace themselves by the disk and by what comes, without a timer. Frames are
//! published in their order. When one falls, so does the one behind it, whose write may have succeeded, and
//! the log goes on from before both, if at all.
//! They are threads of their own because the disk blocks.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::committer::{Committer, Failure, Frame};
use crate::limits::FRAMES_ON_THEIR_WAY_MAX;
use crate::shared::Shared;
use crate::turns::Turn;
use crate::waiting::{Waiting, answer};

/// See the module.
pub struct LogWriter {
    committer: Arc<Mutex<Committer>>,
    shared: Arc<Shared>,
}

impl LogWriter {
    /// The writers that share `committer`.
    pub fn all(committer: Committer, shared: &Arc<Shared>) -> Vec<LogWriter> {
        let count = match committer.writes_beside() {
            true => FRAMES_ON_THEIR_WAY_MAX,
            false => 1,
        };
        let committer = Arc::new(Mutex::new(committer));
        let writer = |_| LogWriter {
            committer: Arc::clone(&committer),
            shared: Arc::clone(shared),
        };
        (0..count).map(writer).collect()
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
            self.shared.fall_behind(group.changes, None);
            return Ok(true);
        }
        let served = committer.serve(&self.shared, group);
        self.shared.end(turn);
        served.map(|()| true)
    }

    /// Writes `frame` beside whatever else is on its way, and answers `changes` when it is their turn.
    fn write(&self, turn: Turn, frame: Frame, changes: Vec<Waiting>) -> Result<bool, ()> {
        let shared = &self.shared;
        match frame.write() {
            Ok(()) => match frame.publish(shared, turn, &changes) {
                true => answer(changes),
                false => shared.fall_behind(changes, None),
            },
            Err(failure) => match shared.wait_for_turn(turn) {
                true => self.fall(turn, frame, changes, failure)?,
                false => shared.fall_behind(changes, failure.unknown()),
            },
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
        let Some((behind, unknown)) = self.shared.wait_for_fallen() else {
            // Nothing more is written, so nothing is cut off either.
            self.shared.poison(failure.error().to_string(), changes);
            return Err(());
        };
        changes.extend(behind);
        let failure = match unknown {
            Some(detail) => Failure::Unknown(io::Error::other(detail)),
            None => failure,
        };
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
