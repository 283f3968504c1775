//! The load generator, the floors and the reports.
