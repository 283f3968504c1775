//! The gateway, the wiring of ports to services, and the start and stop of the whole.
//!
//! What must hold: nothing is answered before what it asked for is durable; the gateway is the only
//! code that speaks AWS over HTTP; `wiring` is the only place that knows more than one service. A
//! start is always a recovery: there is no second path.

pub mod config;
pub mod clock;
pub mod entropy;
pub mod wiring;
pub mod gateway;
pub mod running;

pub use config::{Config, Durability, LimitsMode, PaceMode, SqlPort, Storage, TlsMode};
pub use running::{Fatal, Running, StartError, start};
