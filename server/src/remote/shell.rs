//! Runs commands on a remote test server over one kept SSH connection, a few at a time.
//! A broken connection is replaced; a command that fell to it is tried once more, since all are idempotent.

use super::Failure;
use super::ssh::{self, Connection, OfferedKey, Output, SshError};
use super::ssh_state::{Purpose, SshState};
use crate::config::SshConfig;
use crate::metrics::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{AcquireError, Mutex, Semaphore};
use tokio::time::Instant;

/// Commands at once per environment, by the contract.
const MAX_COMMANDS: u32 = 4;
/// Clean-ups among them: people wait for the answers to the others.
const MAX_CLEAN_UPS: usize = 2;
/// Where the server takes fewer sessions than that: pauses in which it lets go of one that has ended.
const SESSION_PAUSES: [Duration; 5] = [Duration::ZERO, ms(50), ms(100), ms(400), ms(1_000)];

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Cheap to clone; all clones share the connection.
#[derive(Clone)]
pub struct Shell(Arc<Inner>);

struct Inner {
    environment: String,
    config: SshConfig,
    kept: Mutex<Kept>,
    slots: Semaphore,
    slots_of_clean_ups: Semaphore,
    offered: OfferedKey,
    state: SshState,
    tells_ends: AtomicBool,
}

#[derive(Default)]
struct Kept {
    connection: Option<Arc<Connection>>,
    failure: Option<(Instant, SshError)>,
}

impl Shell {
    pub fn new(environment: &str, config: SshConfig) -> Self {
        Self(Arc::new(Inner {
            environment: environment.to_owned(),
            config,
            kept: Mutex::default(),
            slots: Semaphore::new(MAX_COMMANDS as usize),
            slots_of_clean_ups: Semaphore::new(MAX_CLEAN_UPS),
            offered: OfferedKey::default(),
            state: SshState::default(),
            tells_ends: AtomicBool::new(false),
        }))
    }

    /// The environment's.
    pub fn name(&self) -> &str {
        &self.0.environment
    }

    pub fn state(&self) -> &SshState {
        &self.0.state
    }

    /// Whether it has been seen over this connection that a command which fails says so.
    pub fn tells_ends(&self) -> bool {
        self.0.tells_ends.load(Ordering::Relaxed)
    }

    pub fn note_tells_ends(&self, tells: bool) {
        self.0.tells_ends.store(tells, Ordering::Relaxed);
    }

    /// Connects anew, beside what is kept, and lets go again.
    pub async fn try_to_connect(&self) -> Result<(), Failure> {
        let connected = Connection::open(&self.0.config, &self.0.offered).await;
        connected.map(drop).map_err(|error| {
            let failure = self.0.unreachable(error.failure());
            self.0.state.no_connection(&failure, self.0.offered_host_key());
            failure
        })
    }

    /// All host keys that the server has, each with its kind; none of them is trusted by it.
    pub async fn host_keys(&self) -> Result<Vec<String>, Failure> {
        match ssh::host_keys(&self.0.config).await {
            Ok(keys) => Ok(keys.iter().map(ToString::to_string).collect()),
            Err(error) => Err(self.0.unreachable(error.failure())),
        }
    }

    /// Runs a command to its end, whatever its exit status, and has its output read. What `read` refuses is a failure
    /// of the server's, told as a reason.
    pub async fn run<T>(
        &self,
        purpose: Purpose,
        command: String,
        read: impl FnOnce(&Output) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (inner, started) = (Arc::clone(&self.0), Instant::now());
        // In a task of its own, so that the server's session is closed in order also when the asker goes away.
        let task = tokio::spawn(async move { inner.run(purpose, &command).await });
        let ran = task.await.unwrap_or_else(|_| Err(Stop::Busy("the command was cut off".into())));
        let count = |outcome| process::ssh_call(&self.0.environment, outcome, started.elapsed());
        match ran {
            Ok(output) => {
                let answer = read(&output).map_err(|reason| self.0.unable(purpose, &reason));
                count(if answer.is_ok() { "ok" } else { "failed" });
                self.0.state.ran(purpose, answer.as_ref().map(drop), self.0.offered_host_key());
                answer
            }
            Err(Stop::Busy(reason)) => {
                count("busy");
                Err(self.0.unreachable(&reason))
            }
            Err(Stop::Ssh(error)) => {
                count("unreachable");
                let failure = self.0.unreachable(error.failure());
                self.0.state.no_connection(&failure, self.0.offered_host_key());
                Err(failure)
            }
        }
    }

    /// That what was asked did not come of it, though each command by itself did what it should.
    pub fn failed(&self, purpose: Purpose, reason: &Failure) -> Failure {
        let failure = self.0.unable(purpose, reason);
        self.0.state.ran(purpose, Err(&failure), None);
        failure
    }
}

/// Why a command did not run to its end.
enum Stop {
    /// It was not even begun, for a reason of ours.
    Busy(Failure),
    Ssh(SshError),
}

impl Inner {
    async fn run(&self, purpose: Purpose, command: &str) -> Result<Output, Stop> {
        let share = match purpose {
            Purpose::CleanUp => Some(self.in_time(self.slots_of_clean_ups.acquire()).await?),
            Purpose::Question => None,
        };
        let slot = self.in_time(self.slots.acquire()).await?;
        let mut result = self.run_once_more(command).await;
        if matches!(result, Err(SshError::NoSession(_))) {
            // With none of ours beside it. Those who wait for all of them keep none meanwhile.
            drop(slot);
            let _all = self.in_time(self.slots.acquire_many(MAX_COMMANDS)).await?;
            for pause in SESSION_PAUSES {
                tokio::time::sleep(pause).await;
                result = self.run_once_more(command).await;
                if !matches!(result, Err(SshError::NoSession(_))) {
                    break;
                }
            }
            if matches!(result, Err(SshError::NoSession(_))) {
                // It takes none although none of ours is open: over a new connection it may.
                self.kept.lock().await.connection = None;
            }
        }
        drop(share);
        result.map_err(Stop::Ssh)
    }

    async fn in_time<T>(&self, turn: impl Future<Output = Result<T, AcquireError>>) -> Result<T, Stop> {
        let limit = self.config.timeout;
        // The semaphores are never closed.
        let turn = tokio::time::timeout(limit, turn).await.ok().and_then(Result::ok);
        turn.ok_or_else(|| Stop::Busy(format!("other commands kept it busy for {} s", limit.as_secs_f64()).into()))
    }

    /// A command that fell to a broken connection is tried once more, over a new one.
    async fn run_once_more(&self, command: &str) -> Result<Output, SshError> {
        let (connection, was_kept) = self.connection().await?;
        let result = connection.run(command, self.config.timeout).await;
        if matches!(result, Ok(_) | Err(SshError::NoSession(_))) {
            return result;
        }
        // Also after a mere time-out: the connection may be half dead.
        self.forget(&connection).await;
        if !was_kept || !matches!(result, Err(SshError::Lost(_))) {
            return result;
        }
        tracing::debug!(host = %self.config.host, "ssh.reconnect: The kept connection was broken");
        let (connection, _) = self.connection().await?;
        connection.run(command, self.config.timeout).await
    }

    /// The connection, and whether it was there before.
    async fn connection(&self) -> Result<(Arc<Connection>, bool), SshError> {
        let asked_at = Instant::now();
        let mut kept = self.kept.lock().await;
        if let Some(connection) = kept.connection.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok((Arc::clone(connection), true));
        }
        // Those who waited while it failed share the failure instead of trying one after another.
        if let Some((_, error)) = kept.failure.as_ref().filter(|(failed_at, _)| *failed_at >= asked_at) {
            return Err(error.clone());
        }
        match Connection::open(&self.config, &self.offered).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                kept.connection = Some(Arc::clone(&connection));
                self.tells_ends.store(false, Ordering::Relaxed);
                Ok((connection, false))
            }
            Err(error) => {
                kept.connection = None;
                kept.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn forget(&self, broken: &Arc<Connection>) {
        let mut kept = self.kept.lock().await;
        if kept.connection.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, broken)) {
            kept.connection = None;
        }
    }

    fn offered_host_key(&self) -> Option<String> {
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.as_ref().map(|key| key.fingerprint.clone())
    }

    /// The whole sentence from a reason.
    fn unreachable(&self, reason: &Failure) -> Failure {
        Failure::new(format!("{} can't be reached over SSH: {reason}", self.environment), reason.private())
    }

    fn unable(&self, purpose: Purpose, reason: &Failure) -> Failure {
        let public = match purpose {
            Purpose::Question => format!("{} could not answer over SSH: {reason}", self.environment),
            Purpose::CleanUp => format!("the workspace at {} could not be removed: {reason}", self.environment),
        };
        Failure::new(public, reason.private())
    }
}
