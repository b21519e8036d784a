//! Tries all that TestArena needs of one remote test server, part by part, and says how to mend what does not work.
//! It changes nothing there; `testarena check` and administrators of the page ask for the same.

use super::environment::Environment;
use super::output::describe_exit;
use super::silence::believe_ends;
use super::ssh::Output;
use super::ssh_state::Purpose;
use super::{QueueRef, Remote, RemoteError};
use protocol::Timestamp;
use protocol::api::{Branch, Check, CheckedPart};
use std::time::Duration;
use tokio::time::Instant;

/// Of all parts together: below the minute after which many proxies and clients give up.
const TIME_LIMIT: Duration = Duration::from_secs(45);
/// Clocks that differ by more make times on the page puzzling. Time limits do not suffer: they are reckoned on the
/// server's own clock.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_mins(1);
/// What a shell exits with for a command that it does not have or does not allow.
const REFUSED: [u32; 2] = [126, 127];
/// Most host keys and problems that are listed.
const MAX_LISTED: usize = 5;

type Outcome = Result<String, String>;

impl Environment {
    /// All parts, in their order. What can't be tried because of an earlier part says so.
    pub async fn check(&self, instance: &str) -> Vec<Check> {
        let deadline = Instant::now() + TIME_LIMIT;
        let (http, clock, ssh) = tokio::join!(
            in_time(deadline, self.check_http(instance)),
            in_time(deadline, self.check_clock(instance)),
            in_time(deadline, self.check_ssh())
        );
        let untried = || Err("not tried, because SSH does not work".to_owned());
        let (repository, scenarios, workspace) = if ssh.is_ok() {
            let mut first = None;
            let repository = in_time(deadline, self.check_repository(&mut first)).await;
            let scenarios = match first {
                Some(branch) => in_time(deadline, self.check_scenarios(&branch)).await,
                None => Err("not tried, because there is no branch to read".to_owned()),
            };
            (repository, scenarios, in_time(deadline, self.check_workspace()).await)
        } else {
            (untried(), untried(), untried())
        };
        let found = |what, outcome: Outcome| {
            let ok = outcome.is_ok();
            Check { what, ok, detail: outcome.unwrap_or_else(|why| why) }
        };
        vec![
            found(CheckedPart::Http, http),
            found(CheckedPart::Ssh, ssh),
            found(CheckedPart::Repository, repository),
            found(CheckedPart::Scenarios, scenarios),
            found(CheckedPart::Workspace, workspace),
            found(CheckedPart::Clock, clock),
        ]
    }

    async fn check_http(&self, instance: &str) -> Outcome {
        let said = self.server.health(instance).await.map_err(|error| error.private())?;
        let Some(health) = said else {
            self.check_status(instance).await?;
            return Ok(format!("answers at {}; it offers no /api/health, as older servers do", self.config.url));
        };
        if health.status != "ok" {
            return Err(format!("the server says that it is {:?}; see its log", health.status));
        }
        let features = if health.features.is_empty() { "none".to_owned() } else { health.features.join(", ") };
        Ok(format!("{} answers at {}; optional features: {features}", health.name, self.config.url))
    }

    /// Whether the server answers as the contract has it where it is asked for a queue that is none: any web server answers
    /// 404 to what it does not offer.
    async fn check_status(&self, instance: &str) -> Result<(), String> {
        // Jobs count from 1.
        let queue_id = format!("{}0", self.config.queue_id_prefix);
        match self.server.queue_status(QueueRef { instance, queue_id: &queue_id }, None).await {
            Ok(_) | Err(RemoteError::Permanent(_)) => Ok(()),
            Err(error) => Err(format!(
                "{} has neither /api/health nor the calls of a remote test server: check url and paths ({})",
                self.config.url,
                error.private()
            )),
        }
    }

    async fn check_ssh(&self) -> Outcome {
        let (connected, keys) = tokio::join!(self.try_to_connect(), self.host_keys());
        let keys = keys.unwrap_or_default();
        let keys = if keys.is_empty() { String::new() } else { format!("; its host keys are {}", listed(&keys)) };
        let ssh = &self.config.ssh;
        match connected {
            Ok(()) => Ok(format!("signed in as {} at {}:{}{keys}", ssh.user, ssh.host, ssh.port)),
            Err(failure) => Err(format!("{}{keys}", failure.private())),
        }
    }

    async fn check_repository(&self, first_branch: &mut Option<Branch>) -> Outcome {
        let path = &self.config.ssh.repository;
        let branches = self.repository.branches_now().await.map_err(|error| error.private())?;
        let Some(first) = branches.first() else {
            return Err(format!("{path} has no branches: push one to its origin"));
        };
        *first_branch = Some(first.clone());
        Ok(format!("{path} has {} branches, {} first", branches.len(), first.name))
    }

    async fn check_scenarios(&self, branch: &Branch) -> Outcome {
        let read = Box::pin(self.repository.read_branch(&branch.name)).await;
        let (_, list) = read.map_err(|error| error.private())?;
        let folder = &self.config.ssh.scenario_dir;
        let problems = if list.problems.is_empty() { String::new() } else { format!("; {}", listed(&list.problems)) };
        if list.scenarios.is_empty() {
            return Err(format!(
                "branch {} has no executable file below {folder}{problems}; check ssh.scenario_dir, and the files' mode \
                 (git update-index --chmod=+x)",
                branch.name
            ));
        }
        Ok(format!("branch {} has {} scenarios below {folder}{problems}", branch.name, list.scenarios.len()))
    }

    /// A server that takes only the contract's commands refuses the questions, which is fine.
    async fn check_workspace(&self) -> Outcome {
        let root = &self.config.ssh.workspace_root;
        let told = believe_ends(self.shell(), self.commands(), Purpose::Question).await;
        told.map_err(|failure| failure.private().to_owned())?;
        let commands = self.commands().workspace_checks();
        for (command, wrong) in commands.into_iter().zip([
            "does not exist there, or is no folder: make it, or correct ssh.workspace_root",
            "can't be written by the SSH user: what jobs leave there could not be removed",
        ]) {
            let ask = |output: &Output| match output.exit_status {
                0 => Ok(Ok(true)),
                1 => Ok(Err(format!("{root} {wrong}"))),
                status if REFUSED.contains(&status) => Ok(Ok(false)),
                _ => Err(describe_exit(&command, output)),
            };
            let answer = self.run(Purpose::Question, command.clone(), ask).await;
            let answers = answer.map_err(|failure| failure.private().to_owned())??;
            if !answers {
                return Ok(format!("{root} can't be looked at: the server runs only the contract's commands"));
            }
        }
        Ok(format!("{root} is there and can be written"))
    }

    async fn check_clock(&self, instance: &str) -> Outcome {
        let before = Timestamp::now();
        let said = self.server.clock(instance).await.map_err(|error| error.private())?;
        let Some(said) = said else {
            return Ok("the server's answers have no Date, so that running times are reckoned here".to_owned());
        };
        // The header counts whole seconds, and the answer took some time.
        let difference = if said > before { said.since(before) } else { before.since(said) };
        let seconds = difference.as_secs();
        let side = if said > before { "ahead of" } else { "behind" };
        if difference > MAX_CLOCK_DIFFERENCE {
            return Err(format!("its clock is {seconds} s {side} ours; let both be set by NTP"));
        }
        Ok(if seconds <= 1 { "its clock is right".to_owned() } else { format!("its clock is {seconds} s {side} ours") })
    }
}

async fn in_time(deadline: Instant, part: impl Future<Output = Outcome>) -> Outcome {
    let told =
        || format!("not known yet after {} s in all; try again, and see the server's load", TIME_LIMIT.as_secs());
    tokio::time::timeout_at(deadline, part).await.unwrap_or_else(|_| Err(told()))
}

fn listed(all: &[String]) -> String {
    let shown = all.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > MAX_LISTED { format!("{shown}; and {} more", all.len() - MAX_LISTED) } else { shown }
}
