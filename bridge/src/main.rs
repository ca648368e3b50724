//! `horizon`: an event bridge. It stores a microservice's private domain events and, by contract and after schema checks,
//! republishes a chosen few of them as public CloudEvents over MQTT and AMQP.
//!
//! `main` only chooses a command; [`daemon`] is the one place where the parts of the daemon are put together, started and
//! stopped in order.

mod access;
mod address;
mod client;
mod clock;
mod commands;
mod config;
mod contract_changes;
mod crossing;
mod daemon;
mod http;
mod https;
mod intake;
mod loaded;
mod outlets;
mod parked;
mod patience;
mod pauses;
mod relay;
mod replays;
mod runtime;
mod server;
mod status;
mod stored;
mod telemetry;
mod told;
mod unparking;
mod why;

use std::process::ExitCode;

use clap::Parser as _;

use commands::Command;

/// An append allocates over a hundred times, often on one thread to free on another: this one does it in less time than the C library's,
/// in hardly more memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Stores private domain events and publishes a chosen few of them, by contract, as CloudEvents over MQTT and AMQP.
#[derive(Debug, clap::Parser)]
#[command(name = "horizon", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    CommandLine::parse().command.run()
}
