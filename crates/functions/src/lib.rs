//! Functions, their execution environments, the Runtime API and asynchronous invocation.
