//! The one binary. Reads the command line, runs one command, ends with its status.

mod allocator;
mod args;
mod output;
mod progress;
mod logging;
mod connection;
mod start;
mod ledger;
mod views;
mod bench;
mod log;
mod demo;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::args::{Arguments, Command};
use crate::output::OrTry;

fn main() -> ExitCode {
    allocator::do_without_huge_pages();
    tidemill_log::when_idle(allocator::give_back);
    let command = Arguments::parse().command;
    let (name, json) = match &command {
        Command::Start(_) => ("start", false),
        Command::Demo(options) => ("demo", options.json),
        Command::Ledger(options) => ("ledger", options.json),
        Command::Views(command) => command.name_and_json(),
        Command::Bench(options) => options.name_and_json(),
        Command::Log(args::Log::Verify(options)) => ("log verify", options.json),
        Command::Log(args::Log::Dump(options)) => ("log dump", options.json),
    };
    logging::begin(if name == "start" { "info" } else { "error" });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime
        .context("no threads could be started")
        .or_try("ulimit -u")
    {
        Ok(runtime) => runtime,
        Err(failed) => return output::finish(name, json, Err(failed)),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Start(options) => start::run(options).await,
            Command::Demo(options) => demo::run(options).await,
            Command::Ledger(options) => ledger::run(options).await,
            Command::Views(command) => views::run(command).await,
            Command::Bench(options) => bench::run(options).await,
            Command::Log(command) => log::run(command).await,
        }
    });
    output::finish(name, json, result)
}
