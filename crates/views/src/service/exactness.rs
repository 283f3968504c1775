//! How exact a view is, in words, and why.

use crate::definition::Definition;
use crate::state::Class;

/// The class, as answers spell it.
pub fn class(class: Class) -> &'static str {
    match class {
        Class::Exact => "exact",
        Class::ExactApproximate { .. } => "exact-approximate",
    }
}

/// The relative error of a class, if it has one.
pub fn error(class: Class) -> Option<f64> {
    match class {
        Class::Exact => None,
        Class::ExactApproximate { error } => Some(error),
    }
}

/// The class, as answers spell it, and its relative error.
pub fn of(of: Class) -> (&'static str, Option<f64>) {
    (class(of), error(of))
}

/// Why a view has its class.
pub fn reason(definition: &Definition) -> String {
    let approximate = definition.calls.iter().filter_map(|call| {
        let error = error(call.function.class())?;
        Some(format!("{call} is within {:.1} %", error * 100.0))
    });
    let approximate: Vec<String> = approximate.collect();
    match approximate.as_slice() {
        [] => {
            "every aggregate is exact, so an answer is what a recompute over the same records gives"
                .to_owned()
        }
        some => format!(
            "{} of the truth, the same in every split and order; the other aggregates are exact",
            some.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::split;

    fn told(select: &str) -> (&'static str, String) {
        let text = format!("CREATE VIEW v AS SELECT {select} FROM STREAM s");
        let definition = split(&text).expect("it can be split");
        (class(definition.class), reason(&definition))
    }

    #[test]
    fn what_is_approximate_is_named() {
        let (class, reason) = told("count(*) AS n, approx_distinct(user_id) AS users");
        assert_eq!(class, "exact-approximate");
        assert!(
            reason.contains("user_id") && reason.contains("1.6 %"),
            "{reason}"
        );
        let (class, reason) = told("count(*) AS n, sum(x) AS total");
        assert_eq!(class, "exact");
        assert!(reason.starts_with("every aggregate is exact"), "{reason}");
    }
}
