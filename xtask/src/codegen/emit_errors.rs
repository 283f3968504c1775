//! Exceptions, and the error enum of each operation.

use super::facts::{Facts, Member, Shape};
use super::names;

/// All exceptions and error enums.
pub fn errors(facts: &Facts) -> String {
    let mut text = String::new();
    let mut has_validation = false;
    for shape in facts.shapes().filter(Shape::is_exception) {
        has_validation |= shape.name == "ValidationException";
        text += &exception_struct(&exception(facts, shape));
    }
    if !has_validation {
        // The front end refuses with it, whether or not an operation declares it.
        let validation = Exception {
            name: "ValidationException",
            status: 400,
            sender: true,
            message_key: "message",
            others: Vec::new(),
        };
        text += &exception_struct(&validation);
    }
    for operation in facts.supported() {
        text += &error_enum(facts, operation.name, &operation.errors());
    }
    text
}

/// What is known of an exception.
struct Exception<'a> {
    name: &'a str,
    status: u64,
    /// Whether the caller is to blame.
    sender: bool,
    message_key: &'a str,
    /// The members beside message and type.
    others: Vec<Member<'a>>,
}

fn exception<'a>(facts: &'a Facts, shape: Shape<'a>) -> Exception<'a> {
    let fault = shape.facts.get("fault").is_some();
    let declared = shape
        .facts
        .get("error")
        .and_then(|error| error.get("httpStatusCode"));
    let status = declared.and_then(|code| code.as_u64());
    let is_message = |member: &Member<'_>| member.name.eq_ignore_ascii_case("message");
    let members = shape.members();
    let message_key = members
        .iter()
        .find(|member| is_message(member))
        .map(|member| member.name);
    let others = members
        .into_iter()
        .filter(|member| !is_message(member) && member.name != "Type")
        .filter(|member| facts.shape(member.shape).kind() == "string")
        .collect();
    Exception {
        name: shape.name,
        status: status.unwrap_or(if fault { 500 } else { 400 }),
        sender: !fault,
        message_key: message_key.unwrap_or("message"),
        others,
    }
}

fn exception_struct(exception: &Exception<'_>) -> String {
    let Exception {
        name,
        status,
        sender,
        message_key,
        others,
    } = exception;
    let each = |write: &dyn Fn(&str) -> String| -> String {
        others
            .iter()
            .map(|member| write(&names::field(member.name)))
            .collect()
    };
    let fields = each(&|field| format!("pub {field}: Option<String>,\n"));
    let nones = each(&|field| format!(", {field}: None"));
    let put = |in_header: bool| -> String {
        let chosen = others
            .iter()
            .filter(|member| (member.location == Some("header")) == in_header);
        let pairs = chosen.map(|member| {
            let (field, located) = (names::field(member.name), member.location_name);
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
