//! The gateway, the wiring of ports to services, and the start and stop of the whole.
