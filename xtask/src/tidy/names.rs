//! Names that say nothing: no crate, folder or module is called `util` or the like.
//!
//! A thing without a better name is not yet understood.

use super::finding::Finding;

const BANNED: [&str; 7] = [
    "common", "util", "utils", "helpers", "misc", "manager", "helper",
];

/// Checks every part of a file's path.
pub fn check(path: &str) -> Option<Finding> {
    let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    let banned = parts.into_iter().find(|part| BANNED.contains(part))?;
    Some(Finding::new(
        path,
        0,
        format!("`{banned}` is no name"),
        "name it after what is in it; if that is several things, make several modules",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_after_what_is_in_it() {
        let cases = [
            ("crates/log/src/frame.rs", true),
            ("crates/log/src/utils.rs", false),
            ("crates/common/src/lib.rs", false),
            ("crates/log/tests/common/mod.rs", false),
            ("crates/log/src/common_prefix.rs", true),
        ];
        for (path, fine) in cases {
            assert_eq!(check(path).is_none(), fine, "{path}");
        }
    }
}
