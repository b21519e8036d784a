//! The command line: words, options, and the process around them (log, signals, exit code).
//! Each command is one file below `cli/` and a thin caller of the library.

pub mod serve;

mod check;
mod client;
mod demo;
mod hold;
mod log;
mod migrate;
mod password;
mod runner;
mod say;
mod signals;
mod user;

use crate::config::Variables;
use clap::{Args, Parser, Subcommand};
use say::{PIPE_CLOSED, Unsaid};
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long the process waits for blocking work (a database call) that nobody needs any more.
const LAST_WORK_LIMIT: Duration = Duration::from_secs(1);

/// A command's failure, in words for the one who typed it.
pub type CommandResult = Result<(), Box<dyn Error + Send + Sync>>;

/// Runs automated tests on remote hardware setups for a team.
#[derive(Parser)]
#[command(name = "testarena", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Server(ServerCommand),
    #[command(flatten)]
    Client(client::ClientCommand),
}

#[derive(Subcommand)]
enum ServerCommand {
    /// Run the server; brings the database up to date first
    Serve(ConfigFile),
    /// Run everything on this machine, to try it
    Demo(demo::DemoOptions),
    /// Run the reference remote test server
    Runner(ConfigFile),
    /// Manage users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Bring the database up to date
    Migrate(ConfigFile),
    /// Try database, storage and every environment, and say how to mend what is wrong
    Check(ConfigFile),
}

#[derive(Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(Cli { command: Command::Client(command) }) => return client::main(command),
        Ok(Cli { command: Command::Server(command) }) => command,
        Err(refusal) => return client::tell_usage(&refusal),
    };
    match start(command) {
        Ok(code) => code,
        Err(error) => {
            let _unheard = writeln!(io::stderr(), "{}", failure_words(&*error));
            ExitCode::FAILURE
        }
    }
}

fn failure_words(error: &(dyn Error + Send + Sync)) -> String {
    format!("testarena: {error}")
}

fn start(command: ServerCommand) -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let log = log::start(&Variables::read()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(command));
    runtime.shutdown_timeout(LAST_WORK_LIMIT);
    let Err(error) = result else { return Ok(ExitCode::SUCCESS) };
    if matches!(error.downcast_ref(), Some(Unsaid::PipeClosed)) {
        return Ok(PIPE_CLOSED.into());
    }
    // Through the log, whose reader may have stalled.
    log.say(&failure_words(&*error));
    Ok(ExitCode::FAILURE)
}

async fn run(command: ServerCommand) -> CommandResult {
    match command {
        ServerCommand::Serve(file) => serve::from_file(&file.config).await,
        ServerCommand::Demo(options) => demo::run(options).await,
        ServerCommand::Runner(file) => runner::run(&file.config).await,
        ServerCommand::User(command) => user::run(command).await,
        ServerCommand::Migrate(file) => migrate::run(&file.config).await,
        ServerCommand::Check(file) => check::run(&file.config).await,
    }
}
