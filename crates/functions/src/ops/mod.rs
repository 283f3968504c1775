//! The operations, one file and one public function each.

mod code;
mod create_function;
mod delete_function;
mod get_function;
mod get_function_configuration;
mod invoke;
mod list_functions;
mod update_function_code;
mod update_function_configuration;

pub use create_function::create_function;
pub use delete_function::delete_function;
pub use get_function::get_function;
pub use get_function_configuration::get_function_configuration;
pub use invoke::invoke;
pub use list_functions::list_functions;
pub use update_function_code::update_function_code;
pub use update_function_configuration::update_function_configuration;
