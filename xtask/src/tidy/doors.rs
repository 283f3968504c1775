//! Crates that may be named in few places only: each is a door to the world outside.
//!
//! The sockets, the operating system and the SQL engine each have their own places, so that the rest
//! can be tested without them. Tests are exempt.

use super::finding::Finding;
use super::source::SourceFile;
use super::workspace::Package;

/// Crates, as code spells them, and the files or folders where they may stand.
struct Door {
    names: &'static [&'static str],
    places: &'static [&'static str],
}

const DOORS: [Door; 4] = [
    Door {
        names: &["rustls", "tokio_rustls", "rcgen"],
        places: &["crates/server/src/gateway"],
    },
    Door {
        names: &["hyper", "hyper_util", "axum"],
        places: &[
            "crates/server/src/gateway",
            "crates/functions/src/runtime_api",
            "crates/console/src",
            "crates/bench/src",
        ],
    },
    Door {
        names: &["nix", "libc", "rustix"],
        places: &[
            "crates/functions/src/sandbox",
            "crates/cli/src/allocator",
            "crates/bench/src/spawn",
            "crates/log/src/file_disk",
            "crates/log/src/scheduling",
        ],
    },
    Door {
        names: &["datafusion", "datafusion_pg_catalog", "arrow_pg", "pgwire"],
        places: &["crates/views/src/sql"],
    },
];

/// Finds the code outside a door's places that names what is behind it.
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let tokens = file.tokens();
    let mut findings = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let inside_a_path = at > 0 && tokens[at - 1].text == "::";
        if pair[1].text != "::" || inside_a_path {
            continue;
        }
        let door = DOORS.iter().find(|door| door.names.contains(&pair[0].text));
        if let Some(door) =
            door.filter(|door| !door.places.iter().any(|place| is_in(&file.path, place)))
        {
            findings.push(Finding::new(
                &file.path,
                pair[0].line,
                format!("`{}` outside its places", pair[0].text),
                format!(
                    "move the code that needs it into {}",
                    door.places.join(" or ")
                ),
            ));
        }
    }
    findings
}

/// Finds the crates that depend on what none of their files may name.
pub fn check_dependencies(package: &Package) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in package
        .dependencies
        .iter()
        .filter(|name| !name.development)
        .map(|name| &name.name)
    {
        let door = DOORS
            .iter()
            .find(|door| door.names.contains(&name.replace('-', "_").as_str()));
        let own = format!("{}/", package.folder);
        if let Some(door) =
            door.filter(|door| !door.places.iter().any(|place| place.starts_with(&own)))
        {
            findings.push(Finding::new(
                &format!("{}/Cargo.toml", package.folder),
                0,
                format!("`{name}` outside its places"),
                format!("it belongs into {}", door.places.join(" or ")),
            ));
        }
    }
    findings
}

/// Whether `path` is the module or the folder `place`, or below it.
fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Dependency;
    use super::*;

    #[test]
    fn a_door_is_used_in_its_places_only() {
        let cases = [
            (
                "crates/server/src/gateway/listen.rs",
                "use hyper::Request;",
                0,
            ),
            ("crates/server/src/wiring/a.rs", "use hyper::Request;", 1),
            (
                "crates/functions/src/runtime_api.rs",
                "use hyper_util::rt::TokioIo;",
                0,
            ),
            (
                "crates/functions/src/pool.rs",
                "fn f() { nix::sys::kill(); }",
                1,
            ),
            (
                "crates/functions/src/sandbox/process.rs",
                "use nix::sys::signal;",
                0,
            ),
            ("crates/log/src/file_disk.rs", "use rustix::fs;", 0),
            ("crates/log/src/file_disks.rs", "use rustix::fs;", 1),
            ("crates/bench/src/floor.rs", "use hyper::body::Bytes;", 0),
            (
                "crates/streams/src/a.rs",
                "use crate::hyper::x; // hyper::y",
                0,
            ),
            (
                "crates/streams/src/a.rs",
                "#[cfg(test)]\nmod tests { use libc::c_int; }",
                0,
            ),
        ];
        for (path, text, count) in cases {
            assert_eq!(
                check(&SourceFile::new(path, text)).len(),
                count,
                "{path}: {text}"
            );
        }
    }

    #[test]
    fn a_crate_without_such_a_place_has_no_such_dependency() {
        let package = |folder: &str, name: &str, development| Package {
            name: "p".into(),
            folder: folder.into(),
            dependencies: vec![Dependency {
                name: name.into(),
                folder: None,
                development,
            }],
        };
        assert_eq!(
            check_dependencies(&package("crates/streams", "hyper-util", false)).len(),
            1
        );
        assert_eq!(
            check_dependencies(&package("crates/server", "hyper-util", false)).len(),
            0
        );
        assert_eq!(
            check_dependencies(&package("crates/streams", "hyper-util", true)).len(),
            0
        );
    }
}
