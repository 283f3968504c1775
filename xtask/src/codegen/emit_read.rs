//! Reading inputs: the rules of each shape, and `FromWire` of each structure and enum.

use super::emit_types::{member_type, open, type_name};
use super::facts::{Facts, Shape};
use super::names;

/// Everything that reads the inputs.
pub fn readers(facts: &Facts) -> String {
    let mut text = String::new();
    for name in facts.read_shapes() {
        let shape = facts.shape(name);
        text += &rules(facts, shape);
        match shape.kind() {
            "structure" => text += &structure(facts, shape),
            "string" if !shape.values().is_empty() => text += &enumeration(shape),
            _ => {}
        }
    }
    let all: String = facts
        .read_shapes()
        .into_iter()
        .filter(|name| has_rules(facts.shape(name)))
        .map(|name| format!("&{},", names::rules(name)))
        .collect();
    text += &format!("#[cfg(test)]\npub(crate) static ALL_RULES: &[&Rules] = &[{all}];\n");
    for operation in facts
        .supported()
        .filter(|operation| operation.input().is_none())
    {
        text += &empty_structure(&format!("{}Input", operation.name));
    }
    text
}

/// Whether a shape has rules of its own: structures and enums check themselves.
fn has_rules(shape: Shape<'_>) -> bool {
    shape.kind() != "structure" && shape.values().is_empty()
}

fn rules(facts: &Facts, shape: Shape<'_>) -> String {
    if !has_rules(shape) {
        return String::new();
    }
    let number = |key: &str| match shape.facts.get(key).and_then(|value| value.as_f64()) {
        // Bounds beyond i64 are no bounds.
        Some(bound) if bound.abs() < 9e18 => format!("Some({})", bound as i64),
        _ => "None".to_owned(),
    };
    // Look-around is not a regular expression; the members that have it are refused by name anyway.
    let pattern = shape.facts.get("pattern").and_then(|value| value.as_str());
    let pattern = match pattern.filter(|text| !text.contains("(?!") && !text.contains("(?<!")) {
        Some(text) => format!("Some(Pattern::new(r#\"{text}\"#))"),
        None => "None".to_owned(),
    };
    let inner = |parts: &[&str]| {
        let found = parts.iter().find_map(|part| shape.inner(part));
        let found = found.filter(|inner| has_rules(facts.shape(inner)));
        found.map_or("None".to_owned(), |inner| {
            format!("Some(&{})", names::rules(inner))
        })
    };
    format!(
        "static {}: Rules = Rules {{ min: {}, max: {}, pattern: {pattern}, sensitive: {}, \
         element: {}, value: {} }};\n",
        names::rules(shape.name),
        number("min"),
        number("max"),
        shape.facts.get("sensitive").is_some(),
        inner(&["member", "key"]),
        inner(&["value"]),
    )
}

fn structure(facts: &Facts, shape: Shape<'_>) -> String {
    let members = shape.members();
    let name = type_name(facts, shape.name);
    if members.is_empty() {
        return empty_structure(&name);
    }
    let list = |each: &dyn Fn(usize, &super::facts::Member<'_>) -> String| -> String {
        members
            .iter()
            .enumerate()
            .map(|(index, member)| each(index, member))
            .collect()
    };
    let known = list(&|_, member| format!("\"{}\",", member.name));
    let holders = list(&|_, member| {
        let kind = member_type(facts, shape, member);
        format!(
            "let mut {}: Field<{kind}> = Field::Absent;\n",
            names::field(member.name)
        )
    });
    let arms = list(&|index, member| {
        format!(
            "Some({index}) => {} = wire::member(&mut map, \"{}\", &{}, check)?,\n",
            names::field(member.name),
            names::lower_camel(member.name),
            rules_of(facts, member.shape),
        )
    });
    let settled = list(&|_, member| {
        let field = names::field(member.name);
        if member.required {
            let spelled = names::lower_camel(member.name);
            format!("let {field} = wire::required({field}, \"{spelled}\", check);\n")
        } else {
            format!("let {field} = wire::optional({field});\n")
        }
    });
    let unwrapped = list(&|_, member| {
        let field = names::field(member.name);
        format!("let Some({field}) = {field} else {{ return Ok(Field::Broken) }};\n")
    });
    let fields = list(&|_, member| format!("{},", names::field(member.name)));
    let built = format!("{settled}{unwrapped}Ok(Field::Given({name} {{ {fields} }}))\n");
    let body = format!(
        "{holders}while let Some(member) = wire::next_member(&mut map, &[{known}])? {{\n\
         match member {{\n{arms}_ => wire::skip(&mut map)?,\n}}\n}}\n{built}"
    );
    let texts = list(&|_, member| {
        let (field, rules) = (names::field(member.name), rules_of(facts, member.shape));
        format!("let {field} = wire::next_text(&mut texts, &{rules}, check)?;\n")
    });
    let from_texts = match shape.is_packed() {
        true => from_texts(&known, &format!("{texts}{built}")),
        false => String::new(),
    };
    let bounds = open(facts, shape, ["B: FromWire", "T: FromWire"]);
    let name = format!("{name}{}", open(facts, shape, ["B", "T"]));
    from_wire(&bounds, &name, "mut map", "check", &body, &from_texts)
}

/// How a structure of nothing but blobs and texts is read at once.
fn from_texts(known: &str, body: &str) -> String {
    format!(
        "const TEXTS: &'static [&'static str] = &[{known}];\n\
         #[inline(always)]\n\
         fn from_texts<'de, A: SeqAccess<'de>>(mut texts: A, check: &mut Checker) \
         -> Result<Field<Self>, A::Error> {{\n{body}}}\n"
    )
}

/// The name of a shape's rules; structures and enums have none of their own.
fn rules_of(facts: &Facts, name: &str) -> String {
    if has_rules(facts.shape(name)) {
        names::rules(name)
    } else {
        "Rules::NONE".to_owned()
    }
}

fn empty_structure(name: &str) -> String {
    let body = format!(
        "while wire::next_member(&mut map, &[])?.is_some() {{\nwire::skip(&mut map)?;\n}}\n\
         Ok(Field::Given({name} {{}}))\n"
    );
    from_wire("", name, "mut map", "_", &body, "")
}

fn from_wire(
    open: &str,
    name: &str,
    map: &str,
    check: &str,
    body: &str,
    from_texts: &str,
) -> String {
    format!(
        "impl{open} FromWire for {name} {{\n\
         fn from_token(_: Token<'_>, _: &Rules, _: &mut Checker) -> Result<Field<Self>, String> {{\n\
         Err(\"Expected null\".to_owned())\n}}\n\
         fn from_map<'de, A: MapAccess<'de>>({map}: A, _: &Rules, {check}: &mut Checker) \
         -> Result<Field<Self>, A::Error> {{\n{body}}}\n{from_texts}}}\n"
    )
}

fn enumeration(shape: Shape<'_>) -> String {
    let name = shape.name;
    let values: String = shape
        .values()
        .iter()
        .map(|value| format!("\"{value}\","))
        .collect();
    format!(
        "impl FromWire for {name} {{\n\
         fn from_token(token: Token<'_>, _: &Rules, check: &mut Checker) \
         -> Result<Field<Self>, String> {{\n\
         let Field::Given(text) = String::from_token(token, &Rules::NONE, check)? else {{\n\
         return Ok(Field::Broken);\n}};\n\
         Ok(match {name}::parse(&text) {{\n\
         Some(value) => Field::Given(value),\n\
         None => {{\ncheck.not_of_enum(&text, &[{values}]);\nField::Broken\n}}\n}})\n}}\n}}\n"
    )
}
