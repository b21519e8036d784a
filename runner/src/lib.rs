//! The reference remote test server: takes queues over HTTP, runs each task as a process of a git checkout,
//! and keeps logs and results. `docs/runner.md` tells how to run it, `docs/remote-protocol.md` what it speaks.

mod boot;
mod config;
mod connections;
mod http;
mod layout;
mod no_room;
mod process;
mod queue;
mod results;
mod scheduler;
mod server;
mod ssh;
mod state;
mod store;
mod workspace;

pub use config::{Config, ConfigError, MAX_QUEUE_OVERTIME, SshConfig, Token};
pub use server::{RunError, Runner, Running, run};
pub use ssh::client_key;
