//! The constraints of the models, and the text that AWS makes of what violates them.
//!
//! Facts, from answers recorded in production (kinesalite's tests): `N validation error(s) detected: Value 'x'
//! at 'path' failed to satisfy constraint: Member must ...; Value ...`, at most ten, paths in lower
//! camel case with 1-based list members.

use std::fmt::Write;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use regex::Regex;

use crate::arena::Arena;
use crate::fast_json::plain_text;

/// Most violations that one answer reports.
pub const REPORTED_MAX: usize = 10;

/// A regular expression of the model; it must match the whole text.
#[derive(Debug)]
pub struct Pattern {
    text: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    /// The pattern as the model spells it.
    pub const fn new(text: &'static str) -> Pattern {
        Pattern {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// Whether all of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| {
            Regex::new(&format!("^(?s:{})$", self.text)).expect("a test compiles every pattern")
        });
        compiled.is_match(value)
    }
}

/// What the model demands of one value.
#[derive(Debug)]
pub struct Rules {
    /// Least length, or least value of a number.
    pub min: Option<i64>,
    /// Greatest length, or greatest value of a number.
    pub max: Option<i64>,
    /// The pattern of a text.
    pub pattern: Option<Pattern>,
    /// Whether the value must not be shown.
    pub sensitive: bool,
    /// What is demanded of each element of a list, or of each key of a map.
    pub element: Option<&'static Rules>,
    /// What is demanded of each value of a map.
    pub value: Option<&'static Rules>,
}

impl Rules {
    /// No demands.
    pub const NONE: Rules = Rules {
        min: None,
        max: None,
        pattern: None,
        sensitive: false,
        element: None,
        value: None,
    };

    /// Whether any text of so many bytes is long enough and not too long.
    fn allow_bytes(&self, bytes: usize) -> bool {
        // A text's bytes bound its characters from above and, by four, from below: most texts need
        // no counting.
        let bytes = bytes as i64;
        self.max.is_none_or(|max| bytes <= max)
            && self
                .min
                .is_none_or(|min| bytes >= min.saturating_mul(4) || bytes >= 1 && min <= 1)
    }

    /// Whether a text of these bytes, which nobody has looked at, is known to be as it should be.
    pub(crate) fn allow_unread(&self, text: &[u8]) -> bool {
        if self.allow_bytes(text.len()) && self.pattern.is_none() {
            return true;
        }
        let violated = |text: &str| self.violated_by_length(text.chars().count(), Some(text));
        plain_text(text).is_some_and(|text| violated(text).is_empty())
    }

    /// Each demand in AWS's words that a length of `length` and a text of `text` violate.
    fn violated_by_length(&self, length: usize, text: Option<&str>) -> Vec<String> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let mut violated = Vec::new();
        if let Some(max) = self.max.filter(|max| length > *max) {
            violated.push(format!(
                "Member must have length less than or equal to {max}"
            ));
        }
        if let Some(min) = self.min.filter(|min| length < *min) {
            violated.push(format!(
                "Member must have length greater than or equal to {min}"
            ));
        }
        if let (Some(pattern), Some(text)) = (&self.pattern, text)
            && !pattern.matches(text)
        {
            violated.push(format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text
            ));
        }
        violated
    }

    /// All demands on a text in AWS's words, as they stand in the brackets of a list or a map.
    fn all_of_text(&self) -> String {
        let max = self
            .max
            .map(|max| format!("Member must have length less than or equal to {max}"));
        let min = self
            .min
            .map(|min| format!("Member must have length greater than or equal to {min}"));
        let pattern = self.pattern.as_ref().map(|pattern| {
            format!(
                "Member must satisfy regular expression pattern: {}",
                pattern.text
            )
        });
        [max, min, pattern]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

enum Step {
    Member(&'static str),
    Index(usize),
    Key(String),
}

/// Collects violations while an input is read.
#[derive(Default)]
pub struct Checker {
    path: Vec<Step>,
    violations: Vec<String>,
    type_error: Option<String>,
    body: Option<Bytes>,
    /// Arena for blobs that are shared; those that were read have been cut off.
    shared_room: BytesMut,
    /// What was read of a list that is packed.
    arena: Arena,
    /// What all blobs of the input can have together.
    blob_bytes_max: usize,
    is_plain: bool,
}

/// Arena is made for so many blobs of one size at once. What is kept of one blob keeps the arena of all.
const ROOM_BLOBS: usize = 64;

impl Checker {
    /// For an input whose blobs are decoded from base64 in a text of `text_bytes`.
    pub fn over_text(text_bytes: usize) -> Checker {
        Checker {
            blob_bytes_max: text_bytes / 4 * 3,
            ..Checker::default()
        }
    }

    /// For a reader of plain JSON, who hands out bytes that nobody has looked at.
    pub fn over_plain_text(text_bytes: usize) -> Checker {
        Checker {
            is_plain: true,
            ..Checker::over_text(text_bytes)
        }
    }

    /// Whether it is for such a reader.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// A blob of at most `bytes`, which `fill` puts at the beginning of zeros and gives the length of.
    pub fn blob<E>(
        &mut self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Bytes, E> {
        if self.shared_room.capacity() < bytes {
            let many = bytes.saturating_mul(ROOM_BLOBS);
            self.shared_room = BytesMut::with_capacity(many.min(self.blob_bytes_max).max(bytes));
        }
        self.shared_room.resize(bytes, 0);
        let filled = fill(&mut self.shared_room);
        let blob = filled.map(|length| self.shared_room.split_to(length).freeze());
        self.shared_room.clear();
        blob
    }

    /// Arena for what a list has that is packed.
    #[inline]
    pub(crate) fn arena(&mut self) -> &mut Arena {
        self.arena.reserve_blobs(self.blob_bytes_max);
        &mut self.arena
    }

    /// The same, to be kept with the list.
    pub(crate) fn take_arena(&mut self) -> Arena {
        // There is one such list; what is given again in its place has to grow.
        self.blob_bytes_max = 0;
        std::mem::take(&mut self.arena)
    }

    /// For an input that is read from `body`.
    pub fn over(body: Bytes) -> Checker {
        Checker {
            blob_bytes_max: body.len(),
            body: Some(body),
            ..Checker::default()
        }
    }

    /// `bytes` as a blob: a share of the body when they are a part of it, else a copy.
    pub fn shared(&self, bytes: &[u8]) -> Bytes {
        match &self.body {
            Some(body) if body.as_ptr_range().contains(&bytes.as_ptr()) => body.slice_ref(bytes),
            _ => Bytes::copy_from_slice(bytes),
        }
    }

    /// Goes down to the member `name` (in lower camel case); `leave` goes up again.
    pub fn enter(&mut self, name: &'static str) {
        self.path.push(Step::Member(name));
    }

    /// Goes down to the element `index`, from 0.
    #[inline]
    pub fn enter_index(&mut self, index: usize) {
        self.path.push(Step::Index(index));
    }

    /// Goes down to the value of `key`.
    pub fn enter_key(&mut self, key: &str) {
        self.path.push(Step::Key(key.to_owned()));
    }

    /// Goes up.
    #[inline]
    pub fn leave(&mut self) {
        self.path.pop();
    }

    /// Remembers the first type error; type errors win over violations.
    pub fn type_error(&mut self, text: impl Into<String>) {
        self.type_error.get_or_insert_with(|| text.into());
    }

    /// The type error that was met, if any.
    pub fn take_type_error(&mut self) -> Option<String> {
        self.type_error.take()
    }

    /// Checks a text.
    pub fn text(&mut self, rules: &Rules, value: &str) {
        let fits = rules.allow_bytes(value.len());
        if fits && rules.pattern.is_none() {
            return;
        }
        let length = if fits {
            value.len()
        } else {
            value.chars().count()
        };
        let violated = rules.violated_by_length(length, Some(value));
        for demand in violated {
            let shown = (!rules.sensitive).then_some(value);
            self.violation(shown, &demand);
        }
    }

    /// Checks the length of a blob, a list or a map; such values are shown only when empty.
    #[inline]
    pub fn length(&mut self, rules: &Rules, length: usize, empty: Option<&str>) {
        let bound = length as i64;
        if rules.max.is_none_or(|max| bound <= max) && rules.min.is_none_or(|min| bound >= min) {
            return;
        }
        for demand in rules.violated_by_length(length, None) {
            let shown = empty.filter(|_| length == 0);
            self.violation(shown, &demand);
        }
    }

    /// Checks a number.
    pub fn number(&mut self, rules: &Rules, value: i64) {
        let shown = value.to_string();
        if let Some(max) = rules.max.filter(|max| value > *max) {
            self.violation(
                Some(&shown),
                &format!("Member must have value less than or equal to {max}"),
            );
        }
        if let Some(min) = rules.min.filter(|min| value < *min) {
            self.violation(
                Some(&shown),
                &format!("Member must have value greater than or equal to {min}"),
            );
        }
    }

    /// Reports a text that is none of an enum's values.
    pub fn not_of_enum(&mut self, value: &str, values: &[&str]) {
        let demand = format!(
            "Member must satisfy enum value set: [{}]",
            values.join(", ")
        );
        self.violation(Some(value), &demand);
    }

    /// Checks the texts of a list: AWS reports the list, not the element.
    pub fn elements<'a>(&mut self, rules: &Rules, values: impl Iterator<Item = &'a str> + Clone) {
        let broken = values.clone().any(|value| {
            !rules
                .violated_by_length(value.chars().count(), Some(value))
                .is_empty()
        });
        if broken {
            let shown = format!("[{}]", values.collect::<Vec<_>>().join(", "));
            let demand = format!("Member must satisfy constraint: [{}]", rules.all_of_text());
            self.violation((!rules.sensitive).then_some(&shown), &demand);
        }
    }

    /// Checks the keys and values of a map: AWS reports the map.
    pub fn entries<'a>(
        &mut self,
        keys: &Rules,
        values: &Rules,
        map: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) {
        let broken = |rules: &Rules, text: &str| {
            !rules
                .violated_by_length(text.chars().count(), Some(text))
                .is_empty()
        };
        let sides = [
            (
                map.clone().any(|(key, _)| broken(keys, key)),
                "Map keys",
                keys,
            ),
            (
                map.clone().any(|(_, value)| broken(values, value)),
                "Map value",
                values,
            ),
        ];
        for (is_broken, side, rules) in sides {
            if is_broken {
                let pairs = map.clone().map(|(key, value)| format!("{key}={value}"));
                let shown = format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "));
                let demand = format!("{side} must satisfy constraint: [{}]", rules.all_of_text());
                let hidden = keys.sensitive || values.sensitive;
                self.violation((!hidden).then_some(&shown), &demand);
            }
        }
    }

    /// Reports a required member that is missing or null.
    pub fn missing(&mut self) {
        if self.is_full() {
            return;
        }
        let text = format!(
            "Value null at '{}' failed to satisfy constraint: Member must not be null",
            self.path_text()
        );
        self.push(text);
    }

    fn violation(&mut self, shown: Option<&str>, demand: &str) {
        if self.is_full() {
            return;
        }
        let path = self.path_text();
        self.push(match shown {
            Some(value) => {
                format!("Value '{value}' at '{path}' failed to satisfy constraint: {demand}")
            }
            None => format!("Value at '{path}' failed to satisfy constraint: {demand}"),
        });
    }

    /// Whether as much is reported as one answer holds. What comes then costs no text: a body of a
    /// few megabytes can violate millions of constraints.
    fn is_full(&self) -> bool {
        self.violations.len() >= REPORTED_MAX
    }

    fn push(&mut self, text: String) {
        self.violations.push(text);
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for (index, step) in self.path.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            let written = match step {
                Step::Member(name) => write!(text, "{dot}{name}"),
                Step::Index(index) => write!(text, "{dot}{}.member", index + 1),
                Step::Key(key) => write!(text, "{dot}{key}.member"),
            };
            written.expect("writing to a string does not fail");
        }
        text
    }

    /// The message of all violations, if there are any.
    #[inline]
    pub fn message(&self) -> Option<String> {
        let count = self.violations.len();
        let noun = if count == 1 { "error" } else { "errors" };
        (count > 0).then(|| {
            format!(
                "{count} validation {noun} detected: {}",
                self.violations.join("; ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_models_compiles() {
        use crate::generated::{kinesis, lambda, sqs};
        let all = [kinesis::ALL_RULES, lambda::ALL_RULES, sqs::ALL_RULES].concat();
        assert!(
            all.iter()
                .filter_map(|rules| rules.pattern.as_ref())
                .count()
                > 20
        );
        for pattern in all.iter().filter_map(|rules| rules.pattern.as_ref()) {
            pattern.matches("");
        }
    }

    #[test]
    fn a_pattern_must_match_the_whole_text() {
        let pattern = Pattern::new("[a-z]+|x1");
        assert!(pattern.matches("abc") && pattern.matches("x1"));
        assert!(!pattern.matches("abc1") && !pattern.matches(""));
    }
}
