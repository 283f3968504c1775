//! Where functions meet the machine: their processes and the directories they run in.
//!
//! The only module that knows `nix`, and one of the two that hold `unsafe` code. What a process is
//! kept from here: the server's variables, its open files, its input, a core dump, and outliving the
//! server. It is not kept from the file system, the network, memory or the user it runs as.

pub mod code_directory;
pub mod processes;
