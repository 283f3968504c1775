//! `ListEventSourceMappings`: the caller's mappings, page by page.
//!
//! What must hold: the marker is the id of the last mapping shown, and pages go by id, so that a
//! mapping that exists all the while is shown exactly once.

use tidemill_model::{Caller, FunctionArn};
use tidemill_shapes::lambda::{
    ListEventSourceMappingsError, ListEventSourceMappingsInput, ListEventSourceMappingsOutput,
};

use super::configuration::{configuration, is_of};
use crate::catalog::Mapping;
use crate::limits::PAGE_SIZE_MAX;
use crate::mappings::Mappings;

/// Shows one page of mappings.
pub async fn list_event_source_mappings(
    mappings: &Mappings,
    caller: &Caller,
    input: ListEventSourceMappingsInput,
) -> Result<ListEventSourceMappingsOutput, ListEventSourceMappingsError> {
    let now = mappings.parts().clock.now();
    let function = input
        .function_name
        .as_deref()
        .map(|name| function(mappings, caller, name));
    let after = input.marker.unwrap_or_default();
    let is_shown = |mapping: &&Mapping| {
        let stream = mapping.stream.to_string();
        is_of(mapping, caller)
            && mapping.uuid > after
            && input
                .event_source_arn
                .as_ref()
                .is_none_or(|arn| *arn == stream)
            && function
                .as_ref()
                .is_none_or(|function| *function == mapping.function)
            && mapping.state(now).is_some()
    };
    let asked = input
        .max_items
        .and_then(|items| usize::try_from(items).ok());
    let page_size = asked.unwrap_or(PAGE_SIZE_MAX).clamp(1, PAGE_SIZE_MAX);
    let mut page: Vec<Mapping> = mappings.parts().catalog.read(|catalog| {
        catalog
            .mappings()
            .filter(is_shown)
            .take(page_size + 1)
            .cloned()
            .collect()
    });
    let has_more = page.len() > page_size;
    page.truncate(page_size);
    let next_marker = page
        .last()
        .filter(|_| has_more)
        .map(|mapping| mapping.uuid.clone());
    let shown = page.into_iter().filter_map(|mapping| {
        let state = mapping.state(now)?;
        Some(configuration(mappings, mapping, state))
    });
    Ok(ListEventSourceMappingsOutput {
        event_source_mappings: Some(shown.collect()),
        next_marker,
    })
}

/// The ARN that `name` stands for, also when the function is gone: its mappings outlive it.
fn function(mappings: &Mappings, caller: &Caller, name: &str) -> FunctionArn {
    let resolved = mappings
        .parts()
        .invoker
        .resolve(&caller.account, &caller.region, name);
    match (resolved, name.parse()) {
        (Ok(facts), _) => facts.arn,
        (Err(_), Ok(arn)) => arn,
        (Err(_), Err(_)) => FunctionArn {
            region: caller.region.clone(),
            account: caller.account.clone(),
            name: name.to_owned(),
            qualifier: None,
        },
    }
}
