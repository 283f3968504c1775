//! ListFunctions: the functions of an account in a region, page by page.

use tidemill_model::Caller;
use tidemill_shapes::lambda::{
    InvalidParameterValueException, ListFunctionsError, ListFunctionsInput, ListFunctionsOutput,
};

use crate::described::{self, Shown};
use crate::functions::Functions;
use crate::limits::LIST_PAGE_MAX;

/// Lists functions. A marker is the last name of its page, in base64.
pub async fn list_functions(
    functions: &Functions,
    caller: &Caller,
    input: ListFunctionsInput,
) -> Result<ListFunctionsOutput, ListFunctionsError> {
    if input.master_region.is_some() {
        let message = "The parameter MasterRegion is not supported by this version of Tidemill: leave it out.";
        return Err(InvalidParameterValueException::new(message).into());
    }
    let after = match input.marker.as_deref().filter(|marker| !marker.is_empty()) {
        Some(marker) => Some(name_of(marker)?),
        None => None,
    };
    let asked = input
        .max_items
        .and_then(|count| usize::try_from(count).ok());
    let count = asked.unwrap_or(LIST_PAGE_MAX).clamp(1, LIST_PAGE_MAX);
    let (page, more) = functions
        .catalog()
        .read(|catalog| catalog.list(&caller.account, &caller.region, after.as_deref(), count));
    let last = page
        .last()
        .map(|function| &function.latest.configuration.arn.name);
    let next_marker = last.filter(|_| more).map(|name| marker_of(name));
    let shown = Shown::Listed(functions.now());
    // With versions listed too, a function's own entry is that of its version $LATEST.
    let qualified = input.function_version.is_some();
    let described = page
        .iter()
        .map(|function| described::configuration(function, shown, qualified));
    Ok(ListFunctionsOutput {
        functions: Some(described.collect()),
        next_marker,
    })
}

fn marker_of(name: &str) -> String {
    base64_simd::STANDARD.encode_to_string(name)
}

fn name_of(marker: &str) -> Result<String, InvalidParameterValueException> {
    let bytes = base64_simd::STANDARD.decode_to_vec(marker).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| InvalidParameterValueException::new("Invalid pagination token."))
}
