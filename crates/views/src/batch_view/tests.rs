//! What a batch view looks like on disk, as it is for ever.

use tidemill_model::ShardId;

use crate::part::Counts;
use crate::positions::{Positions, as_vector};

use super::manifest::{Entry, Manifest};

/// `UPDATE=1` writes it anew; manifests that were written before must still be read then.
#[test]
fn a_manifest_has_the_bytes_it_always_had() {
    let counts = Counts {
        rows_in: 2000,
        filtered: 100,
        poisoned: 60,
        excluded: 30,
        gone: 10,
    };
    let positions = Positions::from([(ShardId(0), 1500), (ShardId(1), 700)]);
    let entry = Entry {
        name: "groups-00112233445566778899aabbccddeeff.parquet".to_owned(),
        bytes: 4321,
        groups: 17,
    };
    let manifest = Manifest::of("a plan", 42, as_vector(&positions), counts, vec![entry]);
    let found = manifest.encode();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/batch_view/golden_manifest.json"
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &found).expect("written");
    }
    let golden = std::fs::read(path).expect("it is there");
    assert_eq!(String::from_utf8(found), String::from_utf8(golden.clone()));
    assert_eq!(Manifest::decode(&golden), Ok(manifest));
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let manifest = Manifest::of("a plan", 1, "0:5".to_owned(), Counts::default(), vec![]);
    let text = String::from_utf8(manifest.encode()).expect("it is text");
    for (before, after) in [
        ("0:5", "0:6"),
        ("\"epoch\": 1", "\"epoch\": 2"),
        ("\"version\": 1", "\"version\": 2"),
    ] {
        let changed = text.replace(before, after);
        assert_ne!(changed, text);
        assert!(Manifest::decode(changed.as_bytes()).is_err(), "{after}");
    }
}
