//! Whether a filter's pattern is one: the part of EventBridge's pattern language that mappings know.
//!
//! What must hold: a pattern that AWS refuses is refused with AWS's message even by a version that does
//! not filter, so that a mistake in it is not hidden behind the lack.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use serde_json::Value;

/// Deepest nesting that is looked at; deeper is not a pattern.
const DEPTH_MAX: usize = 32;

const OPERATORS: [&str; 6] = [
    "prefix",
    "suffix",
    "anything-but",
    "numeric",
    "exists",
    "equals-ignore-case",
];

/// Whether `text` is a filter pattern.
pub fn is_pattern(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|value: Value| is_object_pattern(&value, DEPTH_MAX))
}

fn is_object_pattern(value: &Value, depth: usize) -> bool {
    let (Some(members), Some(depth)) = (value.as_object(), depth.checked_sub(1)) else {
        return false;
    };
    members.iter().all(|(key, value)| match value {
        Value::Array(items) if key == "$or" => {
            items.len() > 1 && items.iter().all(|item| is_object_pattern(item, depth))
        }
        Value::Array(items) => !items.is_empty() && items.iter().all(is_matcher),
        Value::Object(_) => is_object_pattern(value, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    })
}

fn is_matcher(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(_) => false,
        Value::Object(members) => {
            members.len() == 1 && members.keys().all(|key| OPERATORS.contains(&key.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_from_other_texts() {
        let cases = [
            (r#"{"data":{"pressure":[{"numeric":["<",32]}]}}"#, true),
            (r#"{"partitionKey":["1",null]}"#, true),
            (r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, true),
            ("{}", true),
            ("just text", false),
            (r#""text""#, false),
            ("null", false),
            ("{", false),
            (r#"{"eventSource":"aws:sqs"}"#, false),
            (r#"{"eventSource":[]}"#, false),
            (r#"{"a":[{"wildcard":"x*"}]}"#, false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_pattern(text), expected, "{text}");
        }
    }
}
