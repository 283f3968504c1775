//! Bodies in JSON: see [`read_body`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_fuzz::read_body;
use tidemill_protocol::aws_json::Dialect;
use tidemill_protocol::target::JsonService;

fuzz_target!(|data: &[u8]| read_body(Dialect::json(JsonService::Kinesis), data));
