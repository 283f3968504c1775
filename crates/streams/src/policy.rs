//! Whether a text is a policy that can be attached to a stream or a consumer.
//!
//! Pure. Policies are kept and given back; nothing is allowed or refused by them, so this only keeps out
//! what could not be one. AWS publishes no texts of its refusals; the rules are those of the policy
//! language: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use serde_json::{Map, Value};

use crate::limits::POLICY_BYTES_MAX;

/// Says what is wrong with `policy`.
pub fn check(policy: &str) -> Result<(), String> {
    if policy.len() > POLICY_BYTES_MAX {
        return Err(format!("it is larger than {POLICY_BYTES_MAX} bytes"));
    }
    let Ok(Value::Object(policy)) = serde_json::from_str(policy) else {
        return Err("it is not a JSON object".to_owned());
    };
    match policy.get("Version").map(Value::as_str) {
        None | Some(Some("2012-10-17" | "2008-10-17")) => {}
        Some(_) => return Err("its Version is unknown".to_owned()),
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
        Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err("it has no Statement".to_owned()),
    };
    statements.iter().try_for_each(check_statement)
}

fn check_statement(statement: &Value) -> Result<(), String> {
    let Some(statement) = statement.as_object() else {
        return Err("a Statement is not an object".to_owned());
    };
    if !matches!(
        statement.get("Effect").and_then(Value::as_str),
        Some("Allow" | "Deny")
    ) {
        return Err("the Effect of a Statement is neither Allow nor Deny".to_owned());
    }
    has_one_of(statement, ["Principal", "NotPrincipal"])?;
    has_one_of(statement, ["Action", "NotAction"])
}

fn has_one_of(statement: &Map<String, Value>, names: [&str; 2]) -> Result<(), String> {
    let given = names.iter().filter(|name| statement.contains_key(**name));
    match given.count() {
        1 => Ok(()),
        _ => Err(format!(
            "a Statement must have one of {} and {}",
            names[0], names[1]
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    #[test]
    fn a_policy_has_statements_with_an_effect_a_principal_and_an_action() {
        let one = r#"{"Effect":"Allow","Principal":{"AWS":"1"},"Action":"kinesis:PutRecord"}"#;
        for policy in [with(one), with(&format!("[{one},{one}]"))] {
            assert_eq!(check(&policy), Ok(()), "{policy}");
        }
        let cases = [
            ("nonsense".to_owned(), "it is not a JSON object"),
            ("[]".to_owned(), "it is not a JSON object"),
            ("{}".to_owned(), "it has no Statement"),
            (with("[]"), "it has no Statement"),
            (with("[7]"), "a Statement is not an object"),
            (
                with(r#"{"Effect":"Perhaps"}"#),
                "the Effect of a Statement is neither Allow nor Deny",
            ),
            (
                with(r#"{"Effect":"Deny","Action":"*"}"#),
                "a Statement must have one of Principal and NotPrincipal",
            ),
            (
                with(r#"{"Effect":"Deny","Principal":"*"}"#),
                "a Statement must have one of Action and NotAction",
            ),
            (with(one).replace("2012", "2013"), "its Version is unknown"),
            (
                format!("{}{}", with(one), " ".repeat(POLICY_BYTES_MAX)),
                "it is larger than 20480 bytes",
            ),
        ];
        for (policy, reason) in cases {
            assert_eq!(check(&policy), Err(reason.to_owned()), "{policy}");
        }
    }
}
