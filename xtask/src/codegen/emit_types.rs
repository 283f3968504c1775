//! Structures and enums.

use std::collections::BTreeMap;

use super::facts::{Facts, Member, Shape};
use super::names;

/// The Rust type of the shape called `name`.
pub fn rust_type(facts: &Facts, name: &str) -> String {
    let shape = facts.shape(name);
    match shape.kind() {
        "string" if shape.values().is_empty() => "String".to_owned(),
        "string" | "structure" => type_name(facts, name),
        "boolean" => "bool".to_owned(),
        "integer" => "i32".to_owned(),
        "long" => "i64".to_owned(),
        "double" | "float" => "f64".to_owned(),
        "timestamp" => "Timestamp".to_owned(),
        "blob" => "Bytes".to_owned(),
        "list" => {
            let inner = shape.inner("member").expect("a list");
            let element = rust_type(facts, inner);
            match facts.shape(inner).is_packed() {
                true => format!(
                    "Packed<{element}{}>",
                    open(facts, facts.shape(inner), SLOTS)
                ),
                false => format!("Vec<{element}>"),
            }
        }
        "map" => {
            format!(
                "BTreeMap<String, {}>",
                rust_type(facts, shape.inner("value").expect("a map"))
            )
        }
        other => panic!("shape {name} has the unknown type {other}"),
    }
}

/// The Rust type of a `member` of `shape`: in one that is packed, what its blobs and texts are is open.
pub fn member_type(facts: &Facts, shape: Shape<'_>, member: &Member<'_>) -> String {
    let kind = rust_type(facts, member.shape);
    match (shape.is_packed(), kind.as_str()) {
        (true, "Bytes") => "B".to_owned(),
        (true, "String") => "T".to_owned(),
        (true, other) => panic!("{other} in a structure that is packed"),
        (false, _) => kind,
    }
}

/// What is open in a structure that is packed, filled with what stands for a blob and for a text.
fn parameters(facts: &Facts, shape: Shape<'_>, [blob, text]: [&str; 2]) -> String {
    let members = shape.members();
    let is_blob = |member: &Member<'_>| member_type(facts, shape, member) == "B";
    match members.iter().any(is_blob) {
        true => format!("{blob}, {text}"),
        false => text.to_owned(),
    }
}

/// The same in brackets; nothing where the structure is not packed.
pub fn open(facts: &Facts, shape: Shape<'_>, types: [&str; 2]) -> String {
    match shape.is_packed() {
        true => format!("<{}>", parameters(facts, shape, types)),
        false => String::new(),
    }
}

/// Types of what stands in an arena.
const SLOTS: [&str; 2] = ["BlobSlot", "TextSlot"];

/// The Rust name of a structure: an input is called after its operation.
pub fn type_name(facts: &Facts, name: &str) -> String {
    let renamed: BTreeMap<&str, &str> = facts
        .supported()
        .filter_map(|operation| Some((operation.input()?, operation.name)))
        .collect();
    match renamed.get(name) {
        Some(operation) => format!("{operation}Input"),
        None => name.to_owned(),
    }
}

/// All structures and enums, and an alias or an empty structure for each output.
pub fn types(facts: &Facts) -> String {
    let mut text = String::new();
    for shape in facts.shapes().filter(|shape| !shape.is_exception()) {
        match shape.kind() {
            "structure" if shape.is_event_stream() => text += &event_stream(facts, shape),
            "structure" => text += &structure(facts, shape),
            "string" if shape.is_open_enum() => text += &listed(shape),
            "string" if !shape.values().is_empty() => text += &enumeration(shape),
            _ => {}
        }
    }
    for operation in facts.supported() {
        let name = operation.name;
        if operation.input().is_none() {
            text += &format!("{DERIVES_DEFAULT}pub struct {name}Input {{}}\n");
        }
        match operation.output() {
            None => text += &format!("{DERIVES_DEFAULT}pub struct {name}Output {{}}\n"),
            Some(output) if output == format!("{name}Output") => {}
            Some(output) => text += &format!("pub type {name}Output = {output};\n"),
        }
    }
    text
}

const DERIVES: &str = "#[derive(Clone, Debug, PartialEq, Serialize)]\n";
const DERIVES_DEFAULT: &str = "#[derive(Clone, Debug, Default, PartialEq, Serialize)]\n";

/// The members of a structure that stand in it: events follow it one by one.
fn members<'a>(facts: &Facts, shape: Shape<'a>) -> Vec<Member<'a>> {
    let mut members = shape.members();
    members.retain(|member| !facts.shape(member.shape).is_event_stream());
    members
}

fn structure(facts: &Facts, shape: Shape<'_>) -> String {
    let members = members(facts, shape);
    let derives = match has_default(facts, shape) {
        _ if shape.is_packed() => derives_packed(facts, shape),
        true => DERIVES_DEFAULT.to_owned(),
        false => DERIVES.to_owned(),
    };
    let packing = match shape.is_packed() {
        true => packing(facts, shape),
        false => String::new(),
    };
    let fields: String = members
        .iter()
        .map(|member| field(facts, shape, member))
        .collect();
    format!(
        "{derives}pub struct {}{} {{\n{fields}}}\n{packing}",
        type_name(facts, shape.name),
        open(facts, shape, ["B", "T"])
    )
}

fn derives_packed(facts: &Facts, shape: Shape<'_>) -> String {
    let bounds = parameters(facts, shape, ["B: AsRef<[u8]>", "T: Serialize"]);
    format!(
        "#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]\n\
         #[serde(bound(serialize = \"{bounds}\"))]\n"
    )
}

/// How a structure is packed and unpacked.
fn packing(facts: &Facts, shape: Shape<'_>) -> String {
    let name = shape.name;
    let each = |blob: &str, text: &str| -> String {
        let fields = shape.members().into_iter().map(|member| {
            let field = names::field(member.name);
            let kind = member_type(facts, shape, &member);
            match (kind.as_str(), member.required) {
                ("B", true) => format!("{field}: {},", blob.replace('@', &field)),
                ("T", false) => format!("{field}: {},", text.replace('@', &field)),
                _ => panic!("no structure with a member like {field} has been packed so far"),
            }
        });
        fields.collect()
    };
    let packed = each(
        "arena.put_blob(|blobs| { blobs.extend_from_slice(unpacked.@); Ok::<_, Infallible>(()) })\
         .unwrap_or_else(|never| match never {})",
        "unpacked.@.map(|text| arena.put_text(text))",
    );
    let unpacked = each("arena.blob(self.@)", "self.@.map(|slot| arena.text(slot))");
    let filled = |types| format!("{name}{}", open(facts, shape, types));
    let (ours, any) = (filled(["&'a [u8]", "&'a str"]), filled(["&[u8]", "&str"]));
    let slots = filled(SLOTS);
    format!(
        "impl Pack for {slots} {{\n\
         type Unpacked<'a> = {ours};\n\
         fn pack(unpacked: {any}, arena: &mut Arena) -> Self {{ {name} {{ {packed} }} }}\n\
         fn unpack<'a>(&self, arena: &'a Arena) -> {ours} {{ {name} {{ {unpacked} }} }}\n}}\n"
    )
}

/// Whether every required member has a default.
fn has_default(facts: &Facts, shape: Shape<'_>) -> bool {
    members(facts, shape)
        .iter()
        .filter(|member| member.required)
        .all(|member| {
            let inner = facts.shape(member.shape);
            match inner.kind() {
                "string" => inner.values().is_empty(),
                "structure" => has_default(facts, inner),
                _ => true,
            }
        })
}

fn field(facts: &Facts, shape: Shape<'_>, member: &Member<'_>) -> String {
    let kind = member_type(facts, shape, member);
    let in_body = member.location.is_none() && shape.payload() != Some(member.name);
    let given = if member.required { "" } else { "_if_given" };
    let mut serde = Vec::new();
    if in_body {
        serde.push(format!("rename = \"{}\"", member.name));
        if !member.required {
            serde.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        }
        match kind.as_str() {
            "Timestamp" => serde.push(format!("serialize_with = \"wire::moment{given}\"")),
            "Bytes" | "B" => serde.push(format!("serialize_with = \"wire::blob{given}\"")),
            "Vec<Bytes>" => serde.push("serialize_with = \"wire::blobs_if_given\"".to_owned()),
            _ => {}
        }
    } else {
        serde.push("skip".to_owned());
    }
    let kind = if member.required {
        kind
    } else {
        format!("Option<{kind}>")
    };
    format!(
        "#[serde({})]\npub {}: {kind},\n",
        serde.join(", "),
        names::field(member.name)
    )
}

fn event_stream(facts: &Facts, shape: Shape<'_>) -> String {
    let name = shape.name;
    let (mut variants, mut arms, mut froms) = (String::new(), String::new(), String::new());
    for member in shape.members() {
        let (variant, kind) = (member.name, member.shape);
        froms += &format!(
            "impl From<{kind}> for {name} {{\n\
             fn from(inner: {kind}) -> {name} {{ {name}::{variant}(inner) }}\n}}\n"
        );
        if facts.shape(kind).is_exception() {
            variants += &format!("#[serde(skip)]\n{variant}({kind}),\n");
            arms += &format!("{name}::{variant}(inner) => Streamed::Exception(inner.failure()),\n");
        } else {
            variants += &format!("{variant}({kind}),\n");
            arms += &format!("{name}::{variant}(_) => Streamed::Event(\"{variant}\"),\n");
        }
    }
    format!(
        "{DERIVES}#[serde(untagged)]\npub enum {name} {{\n{variants}}}\n\
         impl StreamedEvent for {name} {{\n\
         fn streamed(&self) -> Streamed {{ match self {{\n{arms}}} }}\n}}\n{froms}"
    )
}

/// What the model lists for an enum that is read as a text.
fn listed(shape: Shape<'_>) -> String {
    let values: String = shape
        .listed()
        .iter()
        .map(|value| format!("\"{value}\","))
        .collect();
    let name = names::rules(shape.name).replace("RULES_", "LISTED_");
    format!("pub static {name}: &[&str] = &[{values}];\n")
}

fn enumeration(shape: Shape<'_>) -> String {
    let name = shape.name;
    let values = shape.values();
    let variants: String = values
        .iter()
        .map(|value| {
            format!(
                "#[serde(rename = \"{value}\")]\n{},\n",
                names::variant(value)
            )
        })
        .collect();
    let arms: String = values
        .iter()
        .map(|value| format!("{name}::{} => \"{value}\",\n", names::variant(value)))
        .collect();
    let all: String = values
        .iter()
        .map(|value| format!("{name}::{},", names::variant(value)))
        .collect();
    format!(
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]\n\
         pub enum {name} {{\n{variants}}}\n\
         impl {name} {{\n\
         pub const ALL: &'static [{name}] = &[{all}];\n\
         pub fn as_str(self) -> &'static str {{ match self {{\n{arms}}} }}\n\
         pub fn parse(text: &str) -> Option<{name}> {{\n\
         {name}::ALL.iter().copied().find(|value| value.as_str() == text)\n}}\n}}\n"
    )
}
