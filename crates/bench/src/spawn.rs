//! Starting programs that are not ours: [`spawn`].
//!
//! What must hold: such a program has of the system what it would have without us. Ours does without transparent
//! huge pages, which is inherited.

use std::io;
use std::sync::{Mutex, PoisonError};

use nix::sys::prctl::{get_thp_disable, set_thp_disable};
use tokio::process::{Child, Command};

/// The setting is one for the whole process, so one child is started at a time.
static STARTING: Mutex<()> = Mutex::new(());

/// Starts `command`, with huge pages where the system has them.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    // Where this is forbidden nothing was set.
    let is_without = get_thp_disable().unwrap_or(false);
    let _ = set_thp_disable(false);
    let spawned = command.spawn();
    let _ = set_thp_disable(is_without);
    spawned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_started_has_huge_pages_and_we_do_without_as_before() {
        set_thp_disable(true).unwrap();
        let mut command = Command::new("grep");
        // See proc(5).
        command.args(["THP_enabled", "/proc/self/status"]);
        command.stdout(std::process::Stdio::piped());
        let output = spawn(&mut command).unwrap().wait_with_output().await;
        let is_without = get_thp_disable();
        set_thp_disable(false).unwrap();
        assert_eq!(output.unwrap().stdout, b"THP_enabled:\t1\n");
        assert_eq!(is_without, Ok(true));
    }
}
