//! Starting programs that are not ours: [`spawn`].
//!
//! What must hold: such a program has of the system what it would have without us. Ours does without transparent
//! huge pages, which is inherited.

use std::io;

use nix::sys::prctl::{get_thp_disable, set_thp_disable};
use tokio::process::{Child, Command};

/// Starts `command`, with huge pages where the system has them.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let is_without = get_thp_disable()?;
    set_thp_disable(false)?;
    let spawned = command.spawn();
    set_thp_disable(is_without)?;
    spawned
}
