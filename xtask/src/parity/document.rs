//! The text of docs/PARITY.md, made of the claims, the models and what each suite calls.
//!
//! What must hold: the text depends on nothing else and on no outcome, so that a machine on which a
//! suite cannot run makes the same one. Which claims are proven is told by [`unproven`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::claim::{Claim, EVERY, Grade, Outcome};

/// Where the document stands.
pub const PLACE: &str = "docs/PARITY.md";

/// Which of a service's operations are supported, by name.
pub type Operations = BTreeMap<String, bool>;

/// Who calls an operation.
pub type Callers = BTreeMap<String, Vec<&'static str>>;

/// What the document is made of.
pub struct Facts {
    /// The operations of Kinesis.
    pub kinesis: Operations,
    /// What the tests claim of them.
    pub claims: Vec<Claim>,
    /// Which further clients call them.
    pub callers: Callers,
    /// Operations of other services, with the clients whose tests call them.
    pub others: Vec<(&'static str, Operations, Callers)>,
}

const OPENING: &str = "\
# Parity

What the tests prove of the Kinesis API, operation by operation. Written by `cargo xtask parity` from the markers of the tests
in `tests/clients` and from `crates/shapes/models`; do not edit. `cargo xtask test` fails when this page is not current, or when
no test that passed in that run proves an operation that is called supported, or the refusal of one that is not.

**Grades.** *exact*: as far as a client can tell, what AWS does. *approximate*: the same in kind; the line says what differs.
*not supported*: refused, by name.

**Sources** of a test's expectation. *model*: the API model of the SDKs. *observed*: an answer of the real service that somebody
recorded. *documented*: AWS's developer guide. *client*: what a client's code demands. *inferred*: our deduction; nobody
published it.
";

/// The whole document.
pub fn text(facts: &Facts) -> String {
    let mut text = OPENING.to_owned();
    overview(&mut text, facts);
    section(&mut text, "Every operation", &claims_of(facts, EVERY));
    for (operation, supported) in &facts.kinesis {
        if *supported {
            section(&mut text, operation, &claims_of(facts, operation));
        }
    }
    not_supported(&mut text, facts);
    for (service, operations, callers) in &facts.others {
        other(&mut text, service, operations, callers);
    }
    text
}

fn claims_of<'a>(facts: &'a Facts, operation: &str) -> Vec<&'a Claim> {
    let claims = facts.claims.iter();
    let mut found: Vec<&Claim> = claims
        .filter(|claim| claim.operation == operation)
        .collect();
    found.sort_by_key(|claim| (claim.grade, &claim.test));
    found
}

fn overview(text: &mut String, facts: &Facts) {
    let supported = facts
        .kinesis
        .values()
        .filter(|supported| **supported)
        .count();
    let _ = write!(
        text,
        "\n## All operations\n\n{supported} of the {} operations of the model are supported. boto3 calls each of these; the last \
         column names who else does.\n\n\
         | operation | exact | approximate | not supported | further clients |\n\
         | --- | --- | --- | --- | --- |\n",
        facts.kinesis.len()
    );
    for (operation, supported) in &facts.kinesis {
        if !supported {
            let _ = writeln!(
                text,
                "| {operation} | | | [the whole operation](#not-supported) | |"
            );
            continue;
        }
        let claims = claims_of(facts, operation);
        let count = |grade| match claims.iter().filter(|claim| claim.grade == grade).count() {
            0 => String::new(),
            count => count.to_string(),
        };
        let callers = facts
            .callers
            .get(operation)
            .map(|callers| callers.join(", "));
        let _ = writeln!(
            text,
            "| [{operation}](#{}) | {} | {} | {} | {} |",
            operation.to_lowercase(),
            count(Grade::Exact),
            count(Grade::Approximate),
            count(Grade::Refused),
            callers.unwrap_or_default()
        );
    }
}

fn section(text: &mut String, title: &str, claims: &[&Claim]) {
    let _ = write!(
        text,
        "\n### {title}\n\n| what | grade | source | proven by |\n| --- | --- | --- | --- |\n"
    );
    for claim in claims {
        let note = claim.note.as_ref().map(|note| format!(": {note}"));
        let _ = writeln!(
            text,
            "| {} | {}{} | {} | `{}` |",
            claim.aspect,
            claim.grade.word(),
            note.unwrap_or_default(),
            claim.source,
            claim.test
        );
    }
}

fn not_supported(text: &mut String, facts: &Facts) {
    text.push_str(
        "\n### Not supported\n\nEach of these operations is refused, by name.\n\n\
         | operation | source | proven by |\n| --- | --- | --- |\n",
    );
    let operations = facts.kinesis.iter();
    for (operation, _) in operations.filter(|(_, supported)| !**supported) {
        let claims = claims_of(facts, operation);
        for claim in claims.iter().filter(|claim| claim.grade == Grade::Refused) {
            let _ = writeln!(
                text,
                "| {operation} | {} | `{}` |",
                claim.source, claim.test
            );
        }
    }
}

fn other(text: &mut String, service: &str, operations: &Operations, callers: &Callers) {
    let supported: Vec<&String> = operations
        .iter()
        .filter(|(_, supported)| **supported)
        .map(|(operation, _)| operation)
        .collect();
    let _ = write!(
        text,
        "\n## {service}\n\n{} of the {} operations of the model are supported; any other is refused by name.\n\n\
         | operation | called by the tests with |\n| --- | --- |\n",
        supported.len(),
        operations.len()
    );
    for operation in supported {
        let callers = callers.get(operation).map(|callers| callers.join(", "));
        let _ = writeln!(text, "| {operation} | {} |", callers.unwrap_or_default());
    }
}

/// What no passed test proves: supported operations, and the refusal of the others.
pub fn unproven(facts: &Facts) -> Vec<String> {
    let proven = |operation: &str, supported: bool| {
        facts.claims.iter().any(|claim| {
            claim.operation == operation
                && claim.outcome == Outcome::Passed
                && supported == (claim.grade != Grade::Refused)
        })
    };
    let kinesis = facts.kinesis.iter();
    let mut unproven: Vec<String> = kinesis
        .filter(|(operation, supported)| !proven(operation, **supported))
        .map(|(operation, supported)| match supported {
            true => format!("Kinesis {operation}"),
            false => format!("the refusal of Kinesis {operation}"),
        })
        .collect();
    for (service, operations, callers) in &facts.others {
        let called = |operation: &String| callers.get(operation).is_some_and(|by| !by.is_empty());
        let missing = operations
            .iter()
            .filter(|(operation, supported)| **supported && !called(operation));
        unproven.extend(missing.map(|(operation, _)| format!("{service} {operation}")));
    }
    unproven
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(operation: &str, grade: Grade, outcome: Outcome) -> Claim {
        Claim {
            operation: operation.into(),
            aspect: "a record comes back".into(),
            grade,
            source: "model".into(),
            note: (grade == Grade::Approximate).then(|| "another text".into()),
            test: "test_records.py::test_a_record_comes_back".into(),
            outcome,
        }
    }

    fn refusal(outcome: Outcome) -> Claim {
        claim("CreateQueue", Grade::Refused, outcome)
    }

    fn facts(claims: Vec<Claim>) -> Facts {
        Facts {
            kinesis: [("CreateQueue", false), ("PutRecord", true)]
                .map(|(name, supported)| (name.to_owned(), supported))
                .into(),
            claims,
            callers: [("PutRecord".to_owned(), vec!["AWS CLI", "Java"])].into(),
            others: vec![],
        }
    }

    #[test]
    fn an_operation_is_proven_by_a_test_that_passed_and_by_nothing_else() {
        let unproven_with = |mut claims: Vec<Claim>| {
            claims.push(refusal(Outcome::Passed));
            unproven(&facts(claims))
        };
        let passed = claim("PutRecord", Grade::Approximate, Outcome::Passed);
        assert!(unproven_with(vec![passed]).is_empty());
        let refused = claim("PutRecord", Grade::Refused, Outcome::Passed);
        let failed = claim("PutRecord", Grade::Exact, Outcome::Failed);
        let not_run = claim("PutRecord", Grade::Exact, Outcome::NotRun);
        let another = claim("GetRecords", Grade::Exact, Outcome::Passed);
        let none = unproven_with(vec![refused, failed, not_run, another]);
        assert_eq!(none, ["Kinesis PutRecord"]);
    }

    #[test]
    fn an_operation_that_is_not_supported_is_proven_by_a_refusal_that_passed() {
        let unproven_with = |claims: &[Claim]| {
            let supported = claim("PutRecord", Grade::Exact, Outcome::Passed);
            unproven(&facts([&[supported], claims].concat()))
        };
        assert!(unproven_with(&[refusal(Outcome::Passed)]).is_empty());
        let exact = claim("CreateQueue", Grade::Exact, Outcome::Passed);
        let every = claim(EVERY, Grade::Refused, Outcome::Passed);
        let none = [
            refusal(Outcome::Failed),
            refusal(Outcome::NotRun),
            exact,
            every,
        ];
        assert_eq!(unproven_with(&none), ["the refusal of Kinesis CreateQueue"]);
    }

    #[test]
    fn an_operation_of_another_service_needs_a_test_that_calls_it() {
        let supported = claim("PutRecord", Grade::Exact, Outcome::Passed);
        let mut facts = facts(vec![supported, refusal(Outcome::Passed)]);
        let operations: Operations =
            [("Invoke".to_owned(), true), ("GetLayer".to_owned(), false)].into();
        facts.others.push(("Lambda", operations, Callers::new()));
        assert_eq!(unproven(&facts), ["Lambda Invoke"]);
        facts.others[0].2.insert("Invoke".into(), vec!["boto3"]);
        assert!(unproven(&facts).is_empty());
    }

    #[test]
    fn the_text_does_not_depend_on_what_became_of_the_tests() {
        let with = |outcome| {
            let supported = claim("PutRecord", Grade::Approximate, outcome);
            text(&facts(vec![supported, refusal(outcome)]))
        };
        let page = with(Outcome::Passed);
        assert_eq!(page, with(Outcome::NotRun));
        assert!(
            page.contains("| [PutRecord](#putrecord) |  | 1 |  | AWS CLI, Java |"),
            "{page}"
        );
        assert!(
            page.contains("| CreateQueue | | | [the whole operation](#not-supported) | |"),
            "{page}"
        );
        assert!(
            page.contains("| CreateQueue | model | `test_records.py::test_a_record_comes_back` |"),
            "{page}"
        );
        assert!(
            page.contains("| approximate: another text | model |"),
            "{page}"
        );
        assert!(!page.contains("### CreateQueue"), "{page}");
    }
}
