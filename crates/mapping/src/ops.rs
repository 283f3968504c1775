//! The API operations, one file each. What they share: [`checks`], which refuse, and [`configuration`],
//! which answers.
//!
//! What must hold: an operation checks what can be checked without the catalog in AWS's order; what
//! depends on other mappings is decided where the command is applied.

pub mod filter_pattern;
pub mod checks;
pub mod configuration;
pub mod create_event_source_mapping;
pub mod delete_event_source_mapping;
pub mod get_event_source_mapping;
pub mod list_event_source_mappings;
pub mod update_event_source_mapping;

pub use create_event_source_mapping::create_event_source_mapping;
pub use delete_event_source_mapping::delete_event_source_mapping;
pub use get_event_source_mapping::get_event_source_mapping;
pub use list_event_source_mappings::list_event_source_mappings;
pub use update_event_source_mapping::update_event_source_mapping;
