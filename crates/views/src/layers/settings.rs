//! How often layers do what they do, and how much at a time: [`Settings`].

use std::time::Duration;

use crate::limits::PAGE_GROUPS;

/// How often, and how much at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// After how long what came in is closed, so that it can be absorbed whole.
    pub close: Duration,
    /// How often the batch view absorbs what is closed and archived.
    pub absorb: Duration,
    /// How often a range of the batch view is computed again and compared.
    pub audit: Duration,
    /// Groups of a file of the batch view, at most: what is written anew when one of them changes.
    pub file_groups: usize,
    /// Groups of a page of rows: what is copied when one of them changes.
    pub page_groups: usize,
    /// The pause after a failure; it doubles with each one in a row, up to 64 times.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            close: Duration::from_secs(5),
            absorb: Duration::from_secs(60),
            audit: Duration::from_secs(3600),
            file_groups: 16 * 1024,
            page_groups: PAGE_GROUPS,
            pause: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// Absorbing each `absorb`, if that was said.
    pub fn absorbing(absorb: Option<Duration>) -> Settings {
        let defaults = Settings::default();
        let absorb = absorb.unwrap_or(defaults.absorb);
        Settings {
            close: defaults.close.min(absorb),
            absorb,
            ..defaults
        }
    }

    /// The pause after so many failures in a row.
    pub fn pause_after(&self, failures: u32) -> Duration {
        self.pause * 2_u32.pow(failures.saturating_sub(1).min(6))
    }
}
