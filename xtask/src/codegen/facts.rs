//! The facts of a service as they stand in `models/*.json`.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Map, Value};

/// The facts of one service.
pub struct Facts {
    root: Value,
}

impl Facts {
    /// Reads the facts; fails on what is not an object of the expected form.
    pub fn parse(text: &str) -> anyhow::Result<Facts> {
        let root: Value = serde_json::from_str(text)?;
        for part in ["metadata", "operations", "shapes"] {
            root.get(part)
                .and_then(Value::as_object)
                .with_context(|| format!("no {part}"))?;
        }
        Ok(Facts { root })
    }

    fn part(&self, name: &str) -> &Map<String, Value> {
        self.root[name].as_object().expect("checked when parsed")
    }

    /// All operations, in the order of their names.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.part("operations")
            .iter()
            .map(|(name, facts)| Operation { name, facts })
    }

    /// The operations that are supported.
    pub fn supported(&self) -> impl Iterator<Item = Operation<'_>> {
        self.operations()
            .filter(|operation| operation.facts["supported"] == true)
    }

    /// All shapes, in the order of their names.
    pub fn shapes(&self) -> impl Iterator<Item = Shape<'_>> {
        self.part("shapes")
            .iter()
            .map(|(name, facts)| Shape { name, facts })
    }

    /// The shape called `name`.
    pub fn shape(&self, name: &str) -> Shape<'_> {
        let (name, facts) = self
            .part("shapes")
            .get_key_value(name)
            .unwrap_or_else(|| panic!("no shape {name}"));
        Shape { name, facts }
    }

    /// The protocol: `json` or `rest-json`.
    pub fn protocol(&self) -> &str {
        self.root["metadata"]["protocol"].as_str().unwrap_or("json")
    }

    /// The names of the shapes that are reachable from the inputs.
    pub fn read_shapes(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for operation in self.supported() {
            if let Some(input) = operation.input() {
                self.reach(self.shape(input).name, &mut found);
            }
        }
        found
    }

    fn reach<'a>(&'a self, name: &'a str, found: &mut BTreeSet<&'a str>) {
        if found.insert(name) {
            let shape = self.shape(name);
            for member in shape.members() {
                self.reach(member.shape, found);
            }
            for part in ["member", "key", "value"] {
                if let Some(inner) = shape.facts.get(part).and_then(Value::as_str) {
                    self.reach(inner, found);
                }
            }
        }
    }
}

/// One operation.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    /// AWS's name of it.
    pub name: &'a str,
    /// All that is known of it.
    pub facts: &'a Value,
}

impl<'a> Operation<'a> {
    /// The shape of the input.
    pub fn input(&self) -> Option<&'a str> {
        self.facts.get("input").and_then(Value::as_str)
    }

    /// The shape of the output.
    pub fn output(&self) -> Option<&'a str> {
        self.facts.get("output").and_then(Value::as_str)
    }

    /// The declared exceptions.
    pub fn errors(&self) -> Vec<&'a str> {
        let errors = self.facts.get("errors").and_then(Value::as_array);
        errors
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

/// Enums that are read as texts, because the service takes more than its model lists (SQS is sent the
/// names of system attributes where the model has queue attributes) or refuses in other words than the
/// model's (a runtime).
const OPEN_ENUMS: [&str; 3] = [
    "QueueAttributeName",
    "MessageSystemAttributeName",
    "Runtime",
];

/// Enums whose values the service lists in another order than its model, as recorded answers show.
const RECORDED_ORDERS: [(&str, [&str; 3]); 1] = [(
    "EventSourcePosition",
    ["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"],
)];

/// Members that the service leaves out although its model requires them: the last event of a closed
/// shard has no number to go on from, and the KCL takes that for the end.
const LEFT_OUT: [(&str, &str); 1] = [("SubscribeToShardEvent", "ContinuationSequenceNumber")];

/// Structures of which a request or its answer has so many that lists of them are packed: they stand without
/// memory of their own for each blob and text.
const PACKED: [&str; 2] = ["PutRecordsRequestEntry", "PutRecordsResultEntry"];

/// One shape.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    /// AWS's name of it.
    pub name: &'a str,
    /// All that is known of it.
    pub facts: &'a Value,
}

/// One member of a structure.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// AWS's name of it.
    pub name: &'a str,
    /// The name of its shape.
    pub shape: &'a str,
    /// Whether it must be given.
    pub required: bool,
    /// Where it travels, when not in the body: `uri`, `querystring`, `header`, `statusCode`.
    pub location: Option<&'a str>,
    /// Its name there.
    pub location_name: &'a str,
}

impl<'a> Shape<'a> {
    /// `structure`, `list`, `map`, `string` and so on.
    pub fn kind(&self) -> &'a str {
        self.facts["type"].as_str().unwrap_or_default()
    }

    /// Whether it is an exception.
    pub fn is_exception(&self) -> bool {
        self.facts.get("exception").is_some()
    }

    /// Whether it is a union of what an event stream carries.
    pub fn is_event_stream(&self) -> bool {
        self.facts.get("eventstream").is_some()
    }

    /// The values of an enum; empty for other shapes and for open enums.
    pub fn values(&self) -> Vec<&'a str> {
        if self.is_open_enum() {
            return Vec::new();
        }
        if let Some((_, order)) = RECORDED_ORDERS.iter().find(|(name, _)| *name == self.name) {
            return order.to_vec();
        }
        self.listed()
    }

    /// Whether lists of the structure are packed.
    pub fn is_packed(&self) -> bool {
        PACKED.contains(&self.name)
    }

    /// Whether the enum is read as a text.
    pub fn is_open_enum(&self) -> bool {
        OPEN_ENUMS.contains(&self.name)
    }

    /// The values that the model lists.
    pub fn listed(&self) -> Vec<&'a str> {
        let values = self.facts.get("enum").and_then(Value::as_array);
        values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The shape of a list's element, or of a map's key or value.
    pub fn inner(&self, part: &str) -> Option<&'a str> {
        self.facts.get(part).and_then(Value::as_str)
    }

    /// The member that is the whole body.
    pub fn payload(&self) -> Option<&'a str> {
        self.facts.get("payload").and_then(Value::as_str)
    }

    /// The members, in the order of the model.
    pub fn members(&self) -> Vec<Member<'a>> {
        let required: Vec<&str> = self
            .facts
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let members = self.facts.get("members").and_then(Value::as_object);
        let member = |(name, facts): (&'a String, &'a Value)| Member {
            name,
            shape: facts["shape"].as_str().unwrap_or_default(),
            required: required.contains(&name.as_str()) && !LEFT_OUT.contains(&(self.name, name)),
            location: facts.get("location").and_then(Value::as_str),
            location_name: facts
                .get("locationName")
                .and_then(Value::as_str)
                .unwrap_or(name),
        };
        members.into_iter().flatten().map(member).collect()
    }
}
