//! Event source mappings: the pure machine and its driver.
