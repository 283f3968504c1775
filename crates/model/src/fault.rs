//! Faults are data: [`Fault`] says what goes wrong at a [`Seam`], and [`Faults`] is asked once at each.
//!
//! What must hold: the registry is empty in normal running, and ordinary code never tests for a fault
//! beyond the one call at its seam. The lab arms faults; nothing else does.

use std::sync::{Arc, RwLock};
use std::time::Duration;

/// A named place where a fault can be armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seam {
    /// A request has been read; nothing has been done for it.
    GatewayBeforeCommit,
    /// What a request asked for is durable; the answer has not been sent.
    GatewayAfterCommit,
    /// Before entries are handed to the log.
    LogAppend,
    /// Before the log syncs.
    LogSync,
    /// Before an execution environment is started.
    EnvironmentStart,
    /// Before a function is invoked.
    Invoke,
    /// Before a failure is sent to its destination.
    DestinationDelivery,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The action fails and has not happened.
    Fail,
    /// The action happens later than it should.
    Delay(Duration),
    /// The action happens and its answer is lost.
    LoseAnswer,
}

/// The registry of armed faults; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    armed: Arc<RwLock<Vec<(Seam, Fault)>>>,
}

impl Faults {
    /// What is armed at `seam`, if anything.
    pub fn at(&self, seam: Seam) -> Option<Fault> {
        let armed = self
            .armed
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        armed
            .iter()
            .find(|(place, _)| *place == seam)
            .map(|(_, fault)| fault.clone())
    }

    /// Arms `fault` at `seam`, in place of what was armed there.
    pub fn arm(&self, seam: Seam, fault: Fault) {
        self.disarm(seam);
        self.armed
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push((seam, fault));
    }

    /// Disarms whatever is armed at `seam`.
    pub fn disarm(&self, seam: Seam) {
        let mut armed = self
            .armed
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        armed.retain(|(place, _)| *place != seam);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_at_its_seam_and_nowhere_else() {
        let faults = Faults::default();
        faults.arm(Seam::Invoke, Fault::Fail);
        assert_eq!(faults.at(Seam::Invoke), Some(Fault::Fail));
        assert_eq!(faults.at(Seam::LogSync), None);
        faults.disarm(Seam::Invoke);
        assert_eq!(faults.at(Seam::Invoke), None);
    }
}
