//! The client for scripts: its commands, its exit codes, and the process around them.
//! It knows an address and a token and nothing of a server's configuration; what it does, it does through the JSON API.

mod account;
mod api;
mod catalog;
mod failure;
mod jobs;
mod listing;
mod log;
mod out;
mod patience;
mod patterns;
mod settings;
mod shell;
mod submit;
mod tail;
mod view;
mod wait;
mod words;

use crate::config::Variables;
use api::Api;
use clap::{Args, Subcommand};
use failure::Failure;
use out::{Out, note};
use std::io::Write;
use std::process::ExitCode;

/// Exit codes, which scripts rely on. What was asked for is done, or the job that was waited for has passed.
const DONE: u8 = 0;
const JOB_FAILED: u8 = 1;
/// The job ended as error or aborted.
const JOB_ENDED_BADLY: u8 = 2;
/// Wrong usage, or the server refused (4xx).
const REFUSED: u8 = 3;
/// The server can't be reached, or says 5xx.
const UNREACHABLE: u8 = 4;

type CodeResult = Result<u8, Failure>;

#[derive(Subcommand)]
pub(super) enum ClientCommand {
    /// Sign in: make a token for this machine and keep it
    Login(account::LoginOptions),
    /// Sign out: delete the token and the file that keeps it
    Logout(Format),
    /// Submit jobs, wait for them, read what they left behind
    #[command(subcommand)]
    Job(jobs::JobCommand),
    /// The environments that jobs run on
    #[command(subcommand)]
    Env(catalog::EnvCommand),
    /// List an environment's branches
    Branches(catalog::BranchesOptions),
    /// List a branch's scenarios
    Scenarios(catalog::ScenariosOptions),
    /// Print completions for a shell
    Completions {
        /// The shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual, or the page of one command
    Man {
        /// Such as: job submit
        command: Vec<String>,
    },
}

impl ClientCommand {
    /// `None`: it prints nothing that the API says.
    fn format(&self) -> Option<&Format> {
        match self {
            Self::Login(options) => Some(&options.format),
            Self::Logout(format) | Self::Env(catalog::EnvCommand::List(format)) => Some(format),
            Self::Job(command) => Some(command.format()),
            Self::Branches(options) => Some(&options.format),
            Self::Scenarios(options) => Some(&options.format),
            Self::Completions { .. } | Self::Man { .. } => None,
        }
    }
}

/// How answers are printed.
#[derive(Args)]
pub(super) struct Format {
    /// Print the API's own JSON, one body to a line
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: ClientCommand) -> ExitCode {
    match start(command) {
        Ok(code) => code.into(),
        Err(failure) => failure.tell(),
    }
}

/// Tells what is wrong with the command line, or the help that was asked for.
pub(super) fn tell_usage(refusal: &clap::Error) -> ExitCode {
    // A reader who has gone away has read enough.
    let _unread = refusal.print();
    if refusal.use_stderr() { REFUSED.into() } else { ExitCode::SUCCESS }
}

fn start(command: ClientCommand) -> CodeResult {
    // Not from `.env`: scripts run in checkouts, whose files are other people's.
    let variables = Variables::of_process().map_err(|error| Failure::Usage(error.to_string()))?;
    variables.refuse_typos(&[]).map_err(|error| Failure::Usage(error.to_string()))?;
    super::log::start_in_place(&variables).map_err(|error| Failure::Usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Local(format!("can't start: {error}")))?;
    let result = runtime.block_on(run(command, &variables));
    runtime.shutdown_timeout(super::LAST_WORK_LIMIT);
    // What is still in the buffer may be all that there was.
    result.and_then(|code| std::io::stdout().flush().map_err(Failure::of_output).map(|()| code))
}

async fn run(command: ClientCommand, variables: &Variables) -> CodeResult {
    let is_json = command.format().is_some_and(|format| format.json);
    let result = match command {
        ClientCommand::Login(options) => account::login(options, variables).await,
        ClientCommand::Logout(format) => account::logout(&format).await,
        ClientCommand::Job(command) => jobs::run(command, variables).await,
        ClientCommand::Env(command) => catalog::environments(command, variables).await,
        ClientCommand::Branches(options) => catalog::branches(options, variables).await,
        ClientCommand::Scenarios(options) => catalog::scenarios(options, variables).await,
        ClientCommand::Completions { shell } => shell::completions(shell),
        ClientCommand::Man { command } => shell::man(&command),
    };
    result.inspect_err(|failure| {
        if is_json {
            failure.print_body();
        }
    })
}

/// The server to talk to, and where answers go.
fn open(format: &Format, variables: &Variables) -> Result<(Api, Out), Failure> {
    Ok((settings::find(variables)?.api()?, Out::new(format.json)))
}
