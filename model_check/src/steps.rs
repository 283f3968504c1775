//! What can happen next: [`Action`], and what comes of it.

use stateright::{Model, Property};

use crate::properties;
use crate::state::{Flaw, Manifest, Part, Pinned, SHARDS, State, Vector, counted, covers};

/// The design of the layers, with its bounds, and with what may be wrong with it.
#[derive(Clone, Debug)]
pub struct Design {
    /// How many records each shard gets.
    pub records: Vector,
    /// How often it crashes.
    pub crashes: u8,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
}

/// Something that happens, whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A record is acknowledged.
    Append(usize),
    /// The archiver seals what a shard has.
    Seal(usize),
    /// The stream frees what it may.
    Trim(usize),
    /// The speed layer begins, behind the batch view.
    Begin,
    /// It reads the next record of a shard.
    Feed(usize),
    /// It closes the open part and opens another one.
    Close,
    /// The files of the next batch view are written, up to the end of the oldest closed part.
    Absorb,
    /// The same, up to what the master dataset has: the stream has not what comes next any more.
    CatchUp,
    /// The manifest names them.
    Swap,
    /// Parts that are in the batch view go.
    DropParts,
    /// Files that no manifest names go, and those that nobody reads any more.
    DropFiles,
    /// The process dies. What is durable stays.
    Crash,
    /// The reader pins what there is.
    Pin,
    /// It answers from that, and lets go.
    Answer,
}

impl Design {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Up to where the speed layer has read.
    fn head(state: &State) -> Vector {
        let open = state.parts.iter().flatten().last();
        open.map_or(state.manifest.to, |part| part.to)
    }

    /// Whether the stream lacks what the speed layer reads next.
    fn is_behind(state: &State) -> bool {
        !covers(&Design::head(state), &state.first)
    }

    fn begin(&self, state: &mut State) -> Option<()> {
        let mut from = state.manifest.to;
        if self.is(Flaw::SkipTrimmed) {
            for (from, first) in from.iter_mut().zip(state.first) {
                *from = first.max(*from);
            }
        }
        let is_readable = covers(&from, &state.first);
        (state.parts.is_none() && is_readable).then_some(())?;
        let open = Part {
            from,
            to: from,
            ..Part::default()
        };
        state.parts = Some(vec![open]);
        if !self.is(Flaw::AnswerEarly) {
            state.target = state.acknowledged;
        }
        Some(())
    }

    fn feed(state: &mut State, shard: usize) -> Option<()> {
        let acknowledged = state.acknowledged[shard];
        let first = state.first[shard];
        let open = state.parts.as_mut()?.last_mut()?;
        let position = open.to[shard];
        (first <= position && position < acknowledged).then_some(())?;
        let before = open.to;
        open.to[shard] += 1;
        open.counts = counted(open.counts, &before, &open.to);
        Some(())
    }

    fn close(state: &mut State) -> Option<()> {
        let parts = state.parts.as_mut()?;
        let open = *parts.last()?;
        (open.from != open.to).then_some(())?;
        parts.push(Part {
            from: open.to,
            to: open.to,
            ..Part::default()
        });
        Some(())
    }

    /// Writes the files of a batch view up to `to`, from the rows of the master dataset.
    fn write(&self, state: &mut State, to: Vector) -> Option<()> {
        let is_next = to != state.manifest.to && covers(&to, &state.manifest.to);
        (is_next && state.written.is_none()).then_some(())?;
        // Rows that are not there are not added up, whatever is asked for.
        let mut there = to;
        for (there, archived) in there.iter_mut().zip(state.archived) {
            *there = archived.min(*there);
        }
        let Manifest {
            epoch, to: from, ..
        } = state.manifest;
        state.written = Some(Manifest {
            epoch: epoch + 1,
            to,
            counts: counted(state.manifest.counts, &from, &there),
        });
        if self.is(Flaw::DropBeforeSwap) {
            let parts = state.parts.iter_mut();
            parts.for_each(|parts| {
                parts.retain(|part| !covers(&to, &part.to) || part.from == part.to)
            });
        }
        Some(())
    }

    fn absorb(&self, state: &mut State) -> Option<()> {
        let parts = state.parts.as_ref()?;
        let (_, closed) = parts.split_last()?;
        let oldest = closed
            .iter()
            .find(|part| !covers(&state.manifest.to, &part.to));
        let to = oldest?.to;
        let is_archived = covers(&state.archived, &to) || self.is(Flaw::AbsorbUnarchived);
        is_archived.then(|| self.write(state, to))?
    }

    fn catch_up(&self, state: &mut State) -> Option<()> {
        (Design::is_behind(state) && !self.is(Flaw::SkipTrimmed)).then_some(())?;
        // What it has read is of no use: it begins anew behind the next batch view.
        state.parts = None;
        let archived = state.archived;
        self.write(state, archived)
    }

    fn swap(state: &mut State) -> Option<()> {
        state.manifest = state.written.take()?;
        state.files.push(state.manifest.epoch);
        Some(())
    }

    fn drop_parts(state: &mut State) -> Option<()> {
        let batch = state.manifest.to;
        let parts = state.parts.as_mut()?;
        let before = parts.len();
        let open = parts.len() - 1;
        let mut index = 0;
        parts.retain(|part| {
            index += 1;
            index > open || !covers(&batch, &part.to)
        });
        (parts.len() < before).then_some(())
    }

    fn drop_files(&self, state: &mut State) -> Option<()> {
        let pinned = state.reader.pinned.as_ref();
        let pinned = pinned.map(|pinned| pinned.manifest.epoch);
        let pinned = pinned.filter(|_| !self.is(Flaw::DropPinnedFiles));
        let newest = state.manifest.epoch;
        let before = state.files.len();
        state
            .files
            .retain(|epoch| *epoch == newest || Some(*epoch) == pinned);
        (state.files.len() < before).then_some(())
    }

    fn crash(&self, state: &mut State) -> Option<()> {
        (state.crashes < self.crashes).then_some(())?;
        state.crashes += 1;
        state.parts = None;
        state.written = None;
        state.target = Vector::default();
        // Who was reading gets no answer, and remembers what it has seen.
        state.reader.pinned = None;
        Some(())
    }

    fn pin(&self, state: &mut State) -> Option<()> {
        let parts = state.parts.as_ref()?;
        let is_rebuilt = covers(&Design::head(state), &state.target);
        (is_rebuilt && state.reader.pinned.is_none()).then_some(())?;
        let batch = state.manifest.to;
        let is_behind_it = |part: &&Part| {
            self.is(Flaw::MergeAbsorbed) || part.from == part.to || !covers(&batch, &part.to)
        };
        state.reader.pinned = Some(Pinned {
            manifest: state.manifest,
            parts: parts.iter().filter(is_behind_it).copied().collect(),
        });
        Some(())
    }

    fn answer(state: &mut State) -> Option<()> {
        let pinned = state.reader.pinned.take()?;
        let has_files = pinned.manifest.epoch == 0 || state.files.contains(&pinned.manifest.epoch);
        let reader = &mut state.reader;
        let Some((head, counts)) = pinned.answer().filter(|_| has_files) else {
            reader.was_wrong = true;
            return Some(());
        };
        let nothing = Default::default();
        reader.was_wrong |= counts != counted(nothing, &Vector::default(), &head);
        reader.went_back |= !covers(&head, &reader.seen);
        reader.seen = head;
        Some(())
    }
}

impl Model for Design {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        use Action::{
            Absorb, Answer, Append, Begin, CatchUp, Close, Crash, DropFiles, DropParts, Feed, Pin,
            Seal, Swap, Trim,
        };
        for shard in 0..SHARDS {
            actions.extend([Append(shard), Seal(shard), Trim(shard), Feed(shard)]);
        }
        actions.extend([Begin, Close, Absorb, CatchUp, Swap, DropParts, DropFiles]);
        actions.extend([Crash, Pin, Answer]);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Append(shard) => {
                let end = &mut state.acknowledged[shard];
                (*end < self.records[shard]).then(|| *end += 1)
            }
            Action::Seal(shard) => {
                let end = state.acknowledged[shard];
                let sealed = &mut state.archived[shard];
                (*sealed < end).then(|| *sealed = end)
            }
            Action::Trim(shard) => {
                let most = match self.is(Flaw::TrimUnarchived) {
                    true => state.acknowledged[shard],
                    false => state.archived[shard],
                };
                let first = &mut state.first[shard];
                (*first < most).then(|| *first = most)
            }
            Action::Begin => self.begin(&mut state),
            Action::Feed(shard) => Design::feed(&mut state, shard),
            Action::Close => Design::close(&mut state),
            Action::Absorb => self.absorb(&mut state),
            Action::CatchUp => self.catch_up(&mut state),
            Action::Swap => Design::swap(&mut state),
            Action::DropParts => Design::drop_parts(&mut state),
            Action::DropFiles => self.drop_files(&mut state),
            Action::Crash => self.crash(&mut state),
            Action::Pin => self.pin(&mut state),
            Action::Answer => Design::answer(&mut state),
        }?;
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
