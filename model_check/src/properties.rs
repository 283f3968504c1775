//! What must hold in every state, and what must come about.

use stateright::Property;

use crate::state::{State, Vector, covers};
use crate::steps::Design;

/// Every answer has each record before its vector once, and no other; one is given wherever spans have to tile.
pub const EXACT: &str = "an answer is what a recompute gives";
/// Who reads twice sees the second time what was there the first time.
pub const MONOTONE: &str = "an answer never goes back";
/// A record that was acknowledged is in the stream or in the master dataset.
pub const KEPT: &str = "no record is lost";
/// The batch view has each record before its vector once.
pub const BATCH: &str = "the batch view is a recompute of the master dataset";
/// Whatever happens, everything gets into the batch view at last.
pub const ABSORBED: &str = "everything is absorbed";
/// The speed layer has to begin anew because the stream does not go back far enough: the case is not left out.
pub const REBUILT: &str = "records that the stream has freed come from the master dataset";

fn is_exact(_: &Design, state: &State) -> bool {
    !state.reader.was_wrong
}

fn is_monotone(_: &Design, state: &State) -> bool {
    !state.reader.went_back
}

fn is_kept(_: &Design, state: &State) -> bool {
    covers(&state.archived, &state.first) && covers(&state.acknowledged, &state.archived)
}

fn is_batch_whole(_: &Design, state: &State) -> bool {
    let batch = &state.manifest;
    let recomputed = crate::state::counted(Default::default(), &Vector::default(), &batch.to);
    batch.counts == recomputed && covers(&state.archived, &batch.to)
}

fn is_absorbed(design: &Design, state: &State) -> bool {
    state.manifest.to == design.records
}

fn is_rebuilt(design: &Design, state: &State) -> bool {
    let all = design.records;
    state.crashes > 0 && state.first == all && state.reader.seen == all
}

/// All of them.
pub fn all() -> Vec<Property<Design>> {
    vec![
        Property::always(EXACT, is_exact),
        Property::always(MONOTONE, is_monotone),
        Property::always(KEPT, is_kept),
        Property::always(BATCH, is_batch_whole),
        Property::eventually(ABSORBED, is_absorbed),
        Property::sometimes(REBUILT, is_rebuilt),
    ]
}
