//! The versions of a view beside the one that is served: [`Versions`].
//!
//! ```text
//! ALTER VIEW         makes the next version
//! PROMOTE VIEW       next -> served -> previous; what was the previous goes
//! ROLLBACK VIEW      served <-> previous
//! DROP VIEW … NEXT   the next version goes, likewise PREVIOUS
//! ```
//!
//! What must hold: exactly one version is served, and which one changes in one step. A number is given
//! to one version of a view only, whatever becomes of it.

use serde::{Deserialize, Serialize};

use super::{Refused, View};

/// A version that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// The one that was made to be served.
    Next,
    /// The one that was served before.
    Previous,
}

impl Beside {
    /// Its word, as statements have it.
    pub fn word(self) -> &'static str {
        match self {
            Beside::Next => "next",
            Beside::Previous => "previous",
        }
    }
}

/// The versions of a view beside the one that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The name of the view.
    pub name: String,
    /// The number that was given last.
    pub latest: u32,
    /// What was made to be served.
    pub next: Option<View>,
    /// What was served before.
    pub previous: Option<View>,
}

impl Versions {
    /// Of a view that has been made and never altered.
    pub fn none(name: &str) -> Versions {
        Versions {
            name: name.to_owned(),
            latest: 1,
            next: None,
            previous: None,
        }
    }

    /// The version at `place`.
    pub fn at(&self, place: Beside) -> Result<&View, Refused> {
        let found = match place {
            Beside::Next => self.next.as_ref(),
            Beside::Previous => self.previous.as_ref(),
        };
        found.ok_or_else(|| self.missing(place))
    }

    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = &View> {
        self.next.iter().chain(&self.previous)
    }

    /// Whether a next version can be made.
    pub fn check_alter(&self) -> Result<(), Refused> {
        let name = self.name.clone();
        match &self.next {
            Some(_) => Err(Refused::NextExists { name }),
            None => Ok(()),
        }
    }

    /// Serves the next version in place of `served`.
    pub(super) fn promote(&mut self, served: &mut View, version: u32) -> Result<(), Refused> {
        self.check(Beside::Next, version)?;
        if let Some(next) = self.next.take() {
            self.previous = Some(std::mem::replace(served, next));
        }
        Ok(())
    }

    /// Serves the previous version, and keeps `served` as that.
    pub(super) fn roll_back(&mut self, served: &mut View, version: u32) -> Result<(), Refused> {
        self.check(Beside::Previous, version)?;
        if let Some(previous) = &mut self.previous {
            std::mem::swap(served, previous);
        }
        Ok(())
    }

    pub(super) fn drop_at(&mut self, place: Beside) -> Result<(), Refused> {
        let dropped = match place {
            Beside::Next => self.next.take(),
            Beside::Previous => self.previous.take(),
        };
        dropped.map(|_| ()).ok_or_else(|| self.missing(place))
    }

    /// Whether the version at `place` is the one that was looked at.
    fn check(&self, place: Beside, version: u32) -> Result<(), Refused> {
        let found = self.at(place)?.version;
        let name = self.name.clone();
        (found == version)
            .then_some(())
            .ok_or(Refused::OtherVersion { name, found })
    }

    fn missing(&self, place: Beside) -> Refused {
        let name = self.name.clone();
        match place {
            Beside::Next => Refused::NoNext { name },
            Beside::Previous => Refused::NoPrevious { name },
        }
    }
}
