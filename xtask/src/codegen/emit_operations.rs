//! The operations of a service: the enum that the gateway matches on, and the HTTP bindings.

use super::facts::{Facts, Operation};

/// The `Operation` enum and, for REST, the bindings.
pub fn operations(facts: &Facts) -> String {
    let supported: Vec<&str> = facts.supported().map(|operation| operation.name).collect();
    let list = |write: &dyn Fn(&str) -> String| -> String {
        supported.iter().map(|name| write(name)).collect()
    };
    let variants = list(&|name| format!("{name},\n"));
    let parses = list(&|name| format!("\"{name}\" => Some(Operation::{name}),\n"));
    let names = list(&|name| format!("Operation::{name} => \"{name}\",\n"));
    let others: String = facts
        .operations()
        .filter(|operation| operation.facts["supported"] != true)
        .map(|operation| {
            let name = operation.name;
            format!("\"{name}\" => Some(Operation::Unsupported(\"{name}\")),\n")
        })
        .collect();
    let bindings = match facts.protocol() {
        "rest-json" => bindings(facts),
        _ => "pub static BINDINGS: &[Binding] = &[];\n#[allow(unused)]\ntype Bound = (Kind, Located, Location);\n"
            .to_owned(),
    };
    format!(
        "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
         pub enum Operation {{\n{variants}Unsupported(&'static str),\n}}\n\
         impl Operation {{\n\
         pub fn from_name(name: &str) -> Option<Operation> {{ match name {{\n\
         {parses}{others}_ => None,\n}} }}\n\
         pub fn name(self) -> &'static str {{ match self {{\n\
         {names}Operation::Unsupported(name) => name,\n}} }}\n}}\n{bindings}"
    )
}

fn bindings(facts: &Facts) -> String {
    let all: String = facts
        .operations()
        .map(|operation| binding(facts, operation))
        .collect();
    format!("pub static BINDINGS: &[Binding] = &[\n{all}];\n")
}

fn binding(facts: &Facts, operation: Operation<'_>) -> String {
    let http = &operation.facts["http"];
    let input = operation.input().map(|name| facts.shape(name));
    let members = input.map(|shape| shape.members()).unwrap_or_default();
    let located: String = members
        .iter()
        .filter_map(|member| {
            let location = match member.location? {
                "uri" => "Uri",
                "querystring" => "Query",
                "header" => "Header",
                _ => return None,
            };
            let kind = match facts.shape(member.shape).kind() {
                "integer" | "long" | "double" => "Number",
                "boolean" => "Boolean",
                _ => "Text",
            };
            Some(format!(
                "Located {{ member: \"{}\", location: Location::{location}, name: \"{}\", \
                 kind: Kind::{kind} }},",
                member.name, member.location_name
            ))
        })
        .collect();
    let payload = input.and_then(|shape| shape.payload());
    format!(
        "Binding {{ operation: \"{}\", method: \"{}\", path: \"{}\", status: {}, \
         located: &[{located}], payload: {payload:?} }},\n",
        operation.name,
        http["method"].as_str().unwrap_or("POST"),
        http["requestUri"].as_str().unwrap_or("/"),
        http["responseCode"].as_u64().unwrap_or(200),
    )
}
