//! What there is at one moment: [`State`].

/// How many shards the stream has.
pub const SHARDS: usize = 2;
/// How many records a shard can have, at most.
pub const RECORDS_MAX: usize = 3;

/// One past the last position of each shard.
pub type Vector = [u8; SHARDS];

/// How often each record has been counted.
pub type Counts = [[u8; RECORDS_MAX]; SHARDS];

/// Whether `one` has everything that is before `other`.
pub fn covers(one: &Vector, other: &Vector) -> bool {
    one.iter().zip(other).all(|(one, other)| one >= other)
}

/// `counts`, with the records from `from` to before `to` of each shard counted once more.
pub fn counted(mut counts: Counts, from: &Vector, to: &Vector) -> Counts {
    for (shard, counts) in counts.iter_mut().enumerate() {
        for count in counts
            .iter_mut()
            .take(to[shard].into())
            .skip(from[shard].into())
        {
            *count += 1;
        }
    }
    counts
}

/// `one` and `other` together.
pub fn merged(mut one: Counts, other: &Counts) -> Counts {
    for (one, other) in one.iter_mut().flatten().zip(other.iter().flatten()) {
        *one += other;
    }
    one
}

/// A part of the speed layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// Where it begins.
    pub from: Vector,
    /// Where it ends.
    pub to: Vector,
    /// What is in it.
    pub counts: Counts,
}

/// The batch view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Manifest {
    /// How often it has been swapped.
    pub epoch: u8,
    /// Up to where it goes.
    pub to: Vector,
    /// What is in its files.
    pub counts: Counts,
}

/// What a reader holds while it reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pinned {
    /// The batch view.
    pub manifest: Manifest,
    /// The parts behind it, the open one last.
    pub parts: Vec<Part>,
}

impl Pinned {
    /// What the answer has in it, and up to where; none when its spans do not tile, which is an error
    /// and no answer.
    pub fn answer(&self) -> Option<(Vector, Counts)> {
        let begin = (self.manifest.to, self.manifest.counts);
        let mut parts = self.parts.iter();
        parts.try_fold(begin, |(end, counts), part| {
            let tiles = part.from == end;
            tiles.then(|| (part.to, merged(counts, &part.counts)))
        })
    }
}

/// Somebody who reads the view again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reader {
    /// What it holds, while it reads.
    pub pinned: Option<Pinned>,
    /// What the last answer was as of.
    pub seen: Vector,
    /// An answer was not what a recompute gives, or there was none where there had to be one.
    pub was_wrong: bool,
    /// An answer had less than one before.
    pub went_back: bool,
}

/// What there is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// How many records were acknowledged.
    pub acknowledged: Vector,
    /// The first position that the stream still has.
    pub first: Vector,
    /// Up to where the master dataset goes.
    pub archived: Vector,
    /// The batch view.
    pub manifest: Manifest,
    /// Epochs of batch views whose files are there.
    pub files: Vec<u8>,
    /// The batch view that is to be swapped in: its files are written, and nobody knows of it.
    pub written: Option<Manifest>,
    /// The parts of the speed layer, the open one last; none after a crash, before it has begun anew.
    pub parts: Option<Vec<Part>>,
    /// Nothing is answered before everything is there that was there when the speed layer began.
    pub target: Vector,
    /// The reader.
    pub reader: Reader,
    /// How often it has crashed.
    pub crashes: u8,
}

/// What may be wrong with the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Parts go before the batch view that has their records is swapped in.
    DropBeforeSwap,
    /// A part that was absorbed is merged all the same while it is still there.
    MergeAbsorbed,
    /// A part is absorbed that the master dataset does not cover.
    AbsorbUnarchived,
    /// The stream frees records that the master dataset does not have.
    TrimUnarchived,
    /// The speed layer begins at what the stream has, whatever the batch view lacks.
    SkipTrimmed,
    /// Answers are given before everything is there again that was there before a crash.
    AnswerEarly,
    /// The files of a batch view go as soon as another one is swapped in.
    DropPinnedFiles,
}
