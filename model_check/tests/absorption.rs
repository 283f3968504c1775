//! Every order in which the layers of a view can do their work, and whether a flaw in it would be found.

use stateright::{Checker, Model};

use tidemill_model_check::properties::{BATCH, EXACT, KEPT, MONOTONE};
use tidemill_model_check::{Design, Flaw, Vector};

fn checked(records: Vector, crashes: u8, flaw: Option<Flaw>) -> impl Checker<Design> {
    let design = Design {
        records,
        crashes,
        flaw,
    };
    design.checker().threads(2).spawn_bfs().join()
}

#[test]
fn the_design_holds_in_every_order() {
    for (records, crashes) in [([1, 1], 2), ([2, 1], 1)] {
        let checked = checked(records, crashes, None);
        println!(
            "{records:?} records, {crashes} crashes: {} states",
            checked.unique_state_count()
        );
        checked.assert_properties();
        assert!(checked.is_done(), "every state was looked at");
    }
}

#[test]
fn every_flaw_is_found_by_the_property_that_it_breaks() {
    let flaws = [
        (Flaw::DropBeforeSwap, EXACT),
        (Flaw::MergeAbsorbed, EXACT),
        (Flaw::AbsorbUnarchived, BATCH),
        (Flaw::AbsorbUnarchived, EXACT),
        (Flaw::TrimUnarchived, KEPT),
        (Flaw::SkipTrimmed, EXACT),
        (Flaw::AnswerEarly, MONOTONE),
        (Flaw::DropPinnedFiles, EXACT),
    ];
    for (flaw, property) in flaws {
        let checked = checked([1, 1], 1, Some(flaw));
        let found = checked.discovery(property);
        assert!(found.is_some(), "{flaw:?} breaks: {property}");
    }
}
