//! The order of modules: a module imports only modules declared above it.
//!
//! Cargo forbids circles between crates; nothing forbids them inside one but this rule. A module and
//! the modules it declares count as one place: a parent may use its children and a child may use what
//! its parent itself defines. Items that a parent re-exports count as items of the module they come
//! from. Tests are exempt.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::paths::{Path, paths_at};
use super::source::SourceFile;

/// A module's path below the crate's root; the root has none.
type ModulePath = Vec<String>;

/// What a module's file declares.
struct Module<'a> {
    file: &'a SourceFile,
    /// Child modules in the order of their declaration.
    children: Vec<String>,
    /// Names the file re-exports, with the child module they come from.
    re_exports: BTreeMap<String, String>,
}

/// Checks the files of one crate's `src` folder, `source_root` for instance `crates/log/src`.
pub fn check(source_root: &str, files: &[SourceFile]) -> Vec<Finding> {
    let modules = modules(source_root, files);
    let mut findings = Vec::new();
    for (place, module) in &modules {
        for reference in references(module.file) {
            let Some(target) = absolute(place, &reference.segments) else {
                continue;
            };
            if let Some((user, used)) = upward(&modules, place, &target) {
                findings.push(Finding::new(
                    &module.file.path,
                    reference.line,
                    format!("module `{user}` imports `{used}`, which is declared below it"),
                    format!("declare `{used}` above `{user}`, or move what both need into a module above both"),
                ));
            }
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn modules<'a>(source_root: &str, files: &'a [SourceFile]) -> BTreeMap<ModulePath, Module<'a>> {
    let mut modules = BTreeMap::new();
    for file in files {
        let Some(inner) = file.path.strip_prefix(source_root) else {
            continue;
        };
        let Some(place) = place_of(inner.trim_start_matches('/')) else {
            continue;
        };
        let children = children(file);
        let re_exports = re_exports(file, &children);
        modules.insert(
            place,
            Module {
                file,
                children,
                re_exports,
            },
        );
    }
    modules
}

/// The module that a file below `src` holds; binaries beside the main one are crates of their own.
fn place_of(inner: &str) -> Option<ModulePath> {
    let inner = inner.strip_suffix(".rs")?;
    if inner == "lib" || inner == "main" {
        return Some(Vec::new());
    }
    let mut place: ModulePath = inner.split('/').map(str::to_owned).collect();
    if place[0] == "bin" {
        return None;
    }
    if place.last().is_some_and(|last| last == "mod") {
        place.pop();
    }
    Some(place)
}

fn children(file: &SourceFile) -> Vec<String> {
    let tokens = file.tokens();
    let declared = tokens
        .windows(3)
        .filter(|three| three[0].text == "mod" && three[2].text == ";");
    declared.map(|three| three[1].text.to_owned()).collect()
}

fn re_exports(file: &SourceFile, children: &[String]) -> BTreeMap<String, String> {
    let tokens = file.tokens();
    let mut names = BTreeMap::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.text != "use" {
            continue;
        }
        for path in paths_at(&tokens, at + 1).0 {
            let mut segments = path
                .segments
                .iter()
                .skip_while(|segment| *segment == "self");
            if let Some(child) = segments.next().filter(|first| children.contains(first)) {
                names.insert(path.name, child.clone());
            }
        }
    }
    names
}

/// Every path in `file` that names its own crate.
fn references(file: &SourceFile) -> Vec<Path> {
    let tokens = file.tokens();
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let inside_a_path = at > 0 && tokens[at - 1].text == "::";
        if matches!(pair[0].text, "crate" | "super") && pair[1].text == "::" && !inside_a_path {
            found.extend(paths_at(&tokens, at).0);
        }
    }
    found
}

/// `segments` as seen from `place`, counted from the root.
fn absolute(place: &[String], segments: &[String]) -> Option<ModulePath> {
    let mut base = if segments[0] == "crate" {
        Vec::new()
    } else {
        place.to_vec()
    };
    let mut rest = segments.iter().peekable();
    rest.next_if(|first| *first == "crate");
    while rest.next_if(|segment| *segment == "super").is_some() {
        base.pop()?;
    }
    base.extend(rest.cloned());
    Some(base)
}

/// The two sibling modules that stand in the wrong order, when `place` may not use `target`.
fn upward<'a>(
    modules: &'a BTreeMap<ModulePath, Module<'_>>,
    place: &'a [String],
    target: &'a [String],
) -> Option<(&'a str, &'a str)> {
    let shared = place
        .iter()
        .zip(target)
        .take_while(|(mine, theirs)| mine == theirs)
        .count();
    let (user, wanted) = (place.get(shared)?, target.get(shared)?);
    let parent = modules.get(&place[..shared])?;
    let used = match parent.children.iter().find(|child| *child == wanted) {
        Some(child) => child,
        None => parent.re_exports.get(wanted)?,
    };
    let position = |name: &str| parent.children.iter().position(|child| child == name);
    (position(used)? > position(user)?).then_some((user, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| SourceFile::new(&format!("c/src/{path}"), text))
            .collect();
        let findings = check("c/src", &files);
        findings
            .iter()
            .map(|found| format!("{}:{} {}", found.path, found.line, found.what))
            .collect()
    }

    #[test]
    fn a_module_may_use_what_is_declared_above_it() {
        let files = [
            ("lib.rs", "pub mod a;\npub mod b;"),
            ("a.rs", ""),
            ("b.rs", "use crate::a::X;"),
        ];
        assert_eq!(lines(&files), Vec::<String>::new());
    }

    #[test]
    fn a_module_may_not_use_what_is_declared_below_it() {
        let cases = [
            "use crate::b::X;",
            "use crate::{b::{X, Y}};",
            "fn f() { crate::b::g(); }",
            "use super::b;",
            "use crate::X;",
        ];
        for text in cases {
            let files = [
                ("lib.rs", "mod a;\nmod b;\npub use b::{X};"),
                ("a.rs", text),
                ("b.rs", ""),
            ];
            assert_eq!(
                lines(&files),
                ["c/src/a.rs:1 module `a` imports `b`, which is declared below it"],
                "{text}"
            );
        }
    }

    #[test]
    fn the_rule_holds_in_nested_modules_and_across_their_parents() {
        let files = [
            ("lib.rs", "mod low;\nmod ops;"),
            ("low.rs", "use crate::ops::get::get;"),
            ("ops/mod.rs", "mod get;\nmod put;"),
            ("ops/get.rs", "use super::put::X;\nuse crate::low::Y;"),
            ("ops/put.rs", "use super::get::X;"),
        ];
        assert_eq!(
            lines(&files),
            [
                "c/src/low.rs:1 module `low` imports `ops`, which is declared below it",
                "c/src/ops/get.rs:1 module `get` imports `put`, which is declared below it",
            ]
        );
    }

    #[test]
    fn parents_children_tests_and_other_crates_are_no_matter() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub type T = u8;"),
            (
                "a.rs",
                "mod inner;\nuse inner::X;\n#[cfg(test)]\nmod tests { use crate::b::Y; }",
            ),
            (
                "a/inner.rs",
                "use crate::T;\nuse super::own;\nuse other::b::Z; // crate::b::Y",
            ),
            ("b.rs", ""),
        ];
        assert_eq!(lines(&files), Vec::<String>::new());
    }
}
