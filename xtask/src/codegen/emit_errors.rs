//! Exceptions, and the error enum of each operation.

use super::facts::{Facts, Shape};
use super::names;

/// All exceptions and error enums.
pub fn errors(facts: &Facts) -> String {
    let mut text = String::new();
    let mut has_validation = false;
    for shape in facts.shapes().filter(Shape::is_exception) {
        has_validation |= shape.name == "ValidationException";
        text += &exception(facts, shape);
    }
    if !has_validation {
        text += &exception_struct("ValidationException", 400, true, "message", &[], facts);
    }
    for operation in facts.supported() {
        text += &error_enum(facts, operation.name, &operation.errors());
    }
    text
}

fn exception(facts: &Facts, shape: Shape<'_>) -> String {
    let fault = shape.facts.get("fault").is_some();
    let declared = shape
        .facts
        .get("error")
        .and_then(|error| error.get("httpStatusCode"));
    let status = declared
        .and_then(|code| code.as_u64())
        .unwrap_or(if fault { 500 } else { 400 });
    let members = shape.members();
    let message = members
        .iter()
        .find(|member| member.name.eq_ignore_ascii_case("message"));
    let others: Vec<_> = members
        .iter()
        .filter(|member| !member.name.eq_ignore_ascii_case("message") && member.name != "Type")
        .filter(|member| facts.shape(member.shape).kind() == "string")
        .map(|member| {
            (
                member.name,
                member.location_name,
                member.location == Some("header"),
                member.shape,
            )
        })
        .collect();
    let key = message.map_or("message", |member| member.name);
    exception_struct(shape.name, status, !fault, key, &others, facts)
}

fn exception_struct(
    name: &str,
    status: u64,
    sender: bool,
    message_key: &str,
    others: &[(&str, &str, bool, &str)],
    _facts: &Facts,
) -> String {
    let each = |write: &dyn Fn(&(&str, &str, bool, &str)) -> String| -> String {
        others.iter().map(write).collect()
    };
    let fields = each(&|(member, ..)| format!("pub {}: Option<String>,\n", names::field(member)));
    let nones = each(&|(member, ..)| format!(", {}: None", names::field(member)));
    let put = |in_header: bool| -> String {
        let chosen = others
            .iter()
            .filter(|(_, _, header, _)| *header == in_header);
        let pairs = chosen.map(|(member, located, ..)| {
            let field = names::field(member);
            format!("self.{field}.clone().map(|text| (\"{located}\", text)),")
        });
        let pairs: String = pairs.collect();
        if pairs.is_empty() {
            "Vec::new()".to_owned()
        } else {
            format!("[{pairs}].into_iter().flatten().collect()")
        }
    };
    let (members, headers) = (put(false), put(true));
    format!(
        "#[derive(Clone, Debug, Default, PartialEq)]\n\
         pub struct {name} {{\npub message: String,\n{fields}}}\n\
         impl {name} {{\n\
         pub fn new(message: impl Into<String>) -> {name} {{\n\
         {name} {{ message: message.into(){nones} }}\n}}\n\
         pub fn failure(&self) -> Failure {{\n\
         Failure {{ code: \"{name}\", status: {status}, sender: {sender}, \
         message_key: \"{message_key}\", message: self.message.clone(), members: {members}, \
         headers: {headers} }}\n}}\n}}\n"
    )
}

fn error_enum(facts: &Facts, operation: &str, declared: &[&str]) -> String {
    let name = format!("{operation}Error");
    let mut exceptions = declared.to_vec();
    if !exceptions.contains(&"ValidationException") {
        exceptions.push("ValidationException");
    }
    let each = |write: &dyn Fn(&str) -> String| -> String {
        exceptions
            .iter()
            .map(|exception| write(exception))
            .collect()
    };
    let variants = each(&|exception| format!("{exception}({exception}),\n"));
    let arms = each(&|exception| format!("{name}::{exception}(inner) => inner.failure(),\n"));
    let froms = each(&|exception| {
        format!(
            "impl From<{exception}> for {name} {{\n\
             fn from(inner: {exception}) -> {name} {{ {name}::{exception}(inner) }}\n}}\n"
        )
    });
    let (code, key) = match facts.protocol() {
        "rest-json" => ("ServiceException", "Message"),
        _ => ("InternalFailure", "message"),
    };
    format!(
        "#[derive(Clone, Debug, PartialEq)]\n\
         pub enum {name} {{\n{variants}Storage(StorageFailure),\n}}\n\
         impl OperationError for {name} {{\n\
         fn failure(&self) -> Failure {{ match self {{\n{arms}\
         {name}::Storage(inner) => inner.failure(\"{code}\", \"{key}\"),\n}} }}\n}}\n\
         impl From<StorageFailure> for {name} {{\n\
         fn from(inner: StorageFailure) -> {name} {{ {name}::Storage(inner) }}\n}}\n{froms}"
    )
}
