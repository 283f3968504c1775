//! The arrows between crates: what the table in docs/ARCHITECTURE.md does not allow is forbidden.
//!
//! The table is the rule itself, so a new arrow is a change to a document that someone reviews. A row
//! reads `| name | floor | what it is | may use |`, the names in backticks; `may use` lists crates, or
//! says `nothing of ours` or `all below`. An arrow always goes to a lower floor. Tests may use
//! `testkit` besides, wherever they are.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::workspace::Package;

/// The document that holds the table.
pub const DOCUMENT: &str = "docs/ARCHITECTURE.md";
const HEADING: &str = "## Crates";
const TESTKIT: &str = "testkit";

#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    floor: u8,
    may_use: Vec<String>,
}

type Table = BTreeMap<String, Row>;

/// Compares the table in `document` with the dependencies of `packages`.
pub fn check(document: &str, packages: &[Package]) -> Vec<Finding> {
    let (table, mut findings) = parse(document);
    if table.is_empty() {
        findings.push(Finding::new(
            DOCUMENT,
            0,
            "no table of crates",
            format!("a section `{HEADING}` with rows `| name | floor | what it is | may use |`"),
        ));
        return findings;
    }
    findings.extend(upward_rows(&table));
    for (name, row) in &table {
        if !packages.iter().any(|package| package.name == *name) {
            findings.push(Finding::new(
                DOCUMENT,
                row.line,
                format!("`{name}` is no package of the workspace"),
                "strike the row, or correct the name",
            ));
        }
    }
    for package in packages {
        findings.extend(check_package(&table, package));
    }
    findings
}

fn check_package(table: &Table, package: &Package) -> Vec<Finding> {
    let manifest = format!("{}/Cargo.toml", package.folder);
    let Some(row) = table.get(&package.name) else {
        let what = format!("`{}` has no row in the table of crates", package.name);
        let instead = format!("add it to {DOCUMENT}: its floor, one sentence, and what it may use");
        return vec![Finding::new(&manifest, 0, what, instead)];
    };
    let ours = package.dependencies.iter().filter_map(|dependency| {
        dependency
            .folder
            .as_ref()
            .map(|folder| (folder, dependency.development))
    });
    ours.filter(|(used, development)| {
        !(row.may_use.contains(used) || (*development && *used == TESTKIT))
    })
    .map(|(used, _)| {
        Finding::new(
            &manifest,
            0,
            format!(
                "`{}` depends on `{used}`, and the table does not allow it",
                package.name
            ),
            format!(
                "declare what is needed as a trait in `{0}` and adapt it in server/wiring, \
                 or change the row of `{0}` in {DOCUMENT} and give the reason",
                package.name
            ),
        )
    })
    .collect()
}

/// Rows that allow an arrow sideways or up.
fn upward_rows(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, row) in table {
        for used in &row.may_use {
            let what = match table.get(used) {
                None => format!("`{name}` may use `{used}`, which has no row"),
                Some(other) if other.floor >= row.floor => {
                    format!("the arrow from `{name}` to `{used}` does not go down")
                }
                Some(_) => continue,
            };
            let instead = "let arrows go to a lower floor only";
            findings.push(Finding::new(DOCUMENT, row.line, what, instead));
        }
    }
    findings
}

fn parse(document: &str) -> (Table, Vec<Finding>) {
    let (mut table, mut findings, mut all_below) = (Table::new(), Vec::new(), Vec::new());
    let section = document
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != HEADING)
        .skip(1);
    for (index, line) in section.take_while(|(_, line)| !line.starts_with("## ")) {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let Some(name) = cells[0]
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
        else {
            continue;
        };
        let floor = cells.get(1).and_then(|cell| cell.parse().ok());
        let (Some(floor), Some(uses)) = (floor, cells.get(3)) else {
            let instead = "`| name | floor | what it is | may use |`";
            findings.push(Finding::new(
                DOCUMENT,
                index + 1,
                "a row that cannot be read",
                instead,
            ));
            continue;
        };
        if *uses == "all below" {
            all_below.push(name.to_owned());
        }
        let may_use = uses
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        table.insert(
            name.to_owned(),
            Row {
                line: index + 1,
                floor,
                may_use,
            },
        );
    }
    for name in all_below {
        let floor = table[&name].floor;
        let below = table.iter().filter(|(_, row)| row.floor < floor);
        let below = below.map(|(name, _)| name.clone()).collect();
        table.get_mut(&name).expect("it was just read").may_use = below;
    }
    (table, findings)
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Dependency;
    use super::*;

    const TABLE: &str = "# A\n\n## Crates\n\n| crate | floor | what | may use |\n| --- | --- | --- | --- |\n\
        | `model` | 1 | Nouns. | nothing of ours |\n| `log` | 2 | Bytes. | `model` |\n\
        | `testkit` | 3 | Tests. | `model`, `log` |\n| `cli` | 4 | All. | all below |\n\n## Next\n";

    fn package(name: &str, uses: &[(&str, bool)]) -> Package {
        let dependencies = uses.iter().map(|(name, development)| Dependency {
            name: format!("tidemill-{name}"),
            folder: Some((*name).to_owned()),
            development: *development,
        });
        let folder = format!("crates/{name}");
        Package {
            name: name.into(),
            folder,
            dependencies: dependencies.collect(),
        }
    }

    fn packages_with(changed: Package) -> Vec<Package> {
        let names = ["model", "log", "testkit", "cli"];
        let others = names.iter().filter(|name| **name != changed.name);
        let mut packages: Vec<_> = others.map(|name| package(name, &[])).collect();
        packages.push(changed);
        packages
    }

    fn what(document: &str, packages: &[Package]) -> Vec<String> {
        check(document, packages)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn arrows_of_the_table_are_allowed() {
        for allowed in [
            package("log", &[("model", false)]),
            package("log", &[("testkit", true)]),
            package(
                "cli",
                &[("model", false), ("log", false), ("testkit", false)],
            ),
        ] {
            assert_eq!(what(TABLE, &packages_with(allowed)), Vec::<String>::new());
        }
    }

    #[test]
    fn other_arrows_are_not() {
        let cases = [
            (
                package("model", &[("log", false)]),
                "`model` depends on `log`, and the table does not allow it",
            ),
            (
                package("log", &[("testkit", false)]),
                "`log` depends on `testkit`, and the table does not allow it",
            ),
            (
                package("model", &[("log", true)]),
                "`model` depends on `log`, and the table does not allow it",
            ),
            (
                package("new", &[]),
                "`new` has no row in the table of crates",
            ),
        ];
        for (changed, expected) in cases {
            assert_eq!(what(TABLE, &packages_with(changed)), [expected]);
        }
    }

    #[test]
    fn the_table_itself_is_checked() {
        let all = packages_with(package("log", &[]));
        let sideways = TABLE.replace("| 3 | Tests.", "| 2 | Tests.");
        assert_eq!(
            what(&sideways, &all),
            ["the arrow from `testkit` to `log` does not go down"]
        );
        let gone = TABLE.replace("`log` | 2", "`logs` | 2");
        assert!(what(&gone, &all).contains(&"`logs` is no package of the workspace".to_owned()));
        assert_eq!(what("# A\n", &all), ["no table of crates"]);
        let broken = TABLE.replace("| 1 | Nouns.", "| one | Nouns.");
        assert!(what(&broken, &all).contains(&"a row that cannot be read".to_owned()));
    }
}
