//! A change that has its place and waits to be written: [`Waiting`], and the [`Answer`] to its caller.
//!
//! What must hold: each caller is answered once, when its change is as durable as was chosen or has been
//! refused; one that has gone misses its answer and nothing else.

use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::partition_id::PartitionId;
use crate::port::{AppendError, Appended, Position};
use crate::run::{Command, PlacedRun};

/// What a change that waits holds, so that the answer can be given when it is durable.
#[derive(Debug)]
pub enum Answer {
    /// The places of what is appended.
    Appended(oneshot::Sender<Result<Vec<Appended>, AppendError>>),
    /// The end of a sealed partition.
    Sealed(oneshot::Sender<Result<Position, AppendError>>, Position),
    /// That it is done.
    Done(oneshot::Sender<Result<(), AppendError>>),
    /// The same, to a thread.
    Told(SyncSender<Result<(), AppendError>>),
}

/// A batch whose entries have their places, in its order.
#[derive(Debug, Default)]
pub struct PlacedBatch {
    /// The batch.
    pub batch: Batch,
    /// Where its entries come to stand.
    pub places: Vec<Appended>,
}

/// A change that has its place and waits to be written. It is never divided over two frames. With
/// neither entries nor a command it writes nothing, and has what is not needed any more removed.
#[derive(Debug)]
pub struct Waiting {
    /// What is appended.
    pub batch: PlacedBatch,
    /// Any other change.
    pub command: Option<(PartitionId, Command)>,
    /// How many bytes it adds to a frame, about.
    pub bytes: usize,
    /// Who waits.
    pub answer: Answer,
}

impl Waiting {
    /// Whether it stands in a frame.
    pub fn is_written(&self) -> bool {
        !self.batch.places.is_empty() || self.command.is_some()
    }

    /// Gives the answer; a caller that has gone misses it.
    pub fn give(self, result: Result<(), AppendError>) {
        match self.answer {
            Answer::Appended(sender) => drop(sender.send(result.map(|()| self.batch.places))),
            Answer::Sealed(sender, end) => drop(sender.send(result.map(|()| end))),
            Answer::Done(sender) => drop(sender.send(result)),
            Answer::Told(sender) => drop(sender.send(result)),
        }
    }

    /// The runs of what is appended.
    pub fn runs(&self) -> impl Iterator<Item = PlacedRun<'_>> {
        let mut places = &self.batch.places[..];
        self.batch.batch.runs().map(move |run| {
            let (own, behind) = places.split_at(run.entries.len());
            places = behind;
            PlacedRun {
                first: own[0],
                of: run,
            }
        })
    }
}

/// Tells those who wait for `changes` that they have happened.
pub fn answer(changes: Vec<Waiting>) {
    for waiting in changes {
        waiting.give(Ok(()));
    }
}
