//! Metrics and the web pages.
