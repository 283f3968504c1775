//! Queues, and the delivery of what was given up.
