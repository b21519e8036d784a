//! Runs commands on a remote test server over one kept SSH connection, a few at a time.
//! A broken connection is replaced; a command that fell to it is tried once more, since all are idempotent.

use super::ssh::{Connection, OfferedKey, Output, SshError};
use crate::config::SshConfig;
use std::sync::{Arc, PoisonError};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

/// Commands at once per environment, by the contract.
const MAX_COMMANDS: usize = 4;
/// Most of a command's stderr that goes into an error message, in bytes.
const MAX_STDERR_BYTES: usize = 1_000;

/// Cheap to clone; all clones share the connection.
#[derive(Clone)]
pub struct Shell(Arc<Inner>);

struct Inner {
    config: SshConfig,
    kept: Mutex<Kept>,
    slots: Semaphore,
    offered: OfferedKey,
}

#[derive(Default)]
struct Kept {
    connection: Option<Arc<Connection>>,
    failure: Option<(Instant, SshError)>,
}

impl Shell {
    pub fn new(config: SshConfig) -> Self {
        Self(Arc::new(Inner {
            config,
            kept: Mutex::default(),
            slots: Semaphore::new(MAX_COMMANDS),
            offered: OfferedKey::default(),
        }))
    }

    /// The fingerprint of the host key that the server showed last, trusted or not.
    pub fn offered_host_key(&self) -> Option<String> {
        self.0.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes sure that there is a connection.
    pub async fn connect(&self) -> Result<(), SshError> {
        self.0.connection().await.map(drop)
    }

    /// Runs a command and gives back its output, whatever its exit status.
    pub async fn run(&self, command: String) -> Result<Output, SshError> {
        let inner = Arc::clone(&self.0);
        // In a task of its own, so that the server's session is closed in order also when the asker goes away.
        let task = tokio::spawn(async move { inner.run(&command).await });
        task.await.unwrap_or_else(|error| Err(SshError::Failed(format!("the command was cut off: {error}"))))
    }

    /// Runs a command that must end with exit status 0, and gives back its stdout.
    pub async fn run_successfully(&self, command: String) -> Result<Vec<u8>, SshError> {
        let output = self.run(command.clone()).await?;
        if output.exit_status != 0 {
            return Err(SshError::Failed(describe_failure(&command, &output)));
        }
        Ok(output.stdout)
    }
}

impl Inner {
    async fn run(&self, command: &str) -> Result<Output, SshError> {
        let time_limit = self.config.timeout;
        let Ok(Ok(_slot)) = tokio::time::timeout(time_limit, self.slots.acquire()).await else {
            let seconds = time_limit.as_secs_f64();
            return Err(SshError::Failed(format!(
                "{MAX_COMMANDS} other commands kept the server busy for {seconds} s"
            )));
        };
        let (connection, was_kept) = self.connection().await?;
        let result = connection.run(command, time_limit).await;
        if result.is_ok() {
            return result;
        }
        // Also after a mere time-out: the connection may be half dead.
        self.forget(&connection).await;
        if !was_kept || !matches!(result, Err(SshError::Lost(_))) {
            return result;
        }
        tracing::debug!(host = %self.config.host, "ssh.reconnect: The kept connection was broken");
        let (connection, _) = self.connection().await?;
        connection.run(command, time_limit).await
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
        match Connection::open(&self.config, Arc::clone(&self.offered)).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                kept.connection = Some(Arc::clone(&connection));
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
}

/// What is said of a command that ended with another exit status than 0.
pub fn describe_failure(command: &str, output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stderr = stderr.trim();
    let start = stderr.ceil_char_boundary(stderr.len().saturating_sub(MAX_STDERR_BYTES));
    let words = if stderr.is_empty() { "it wrote no reason" } else { &stderr[start..] };
    format!("`{command}` ended with exit status {}: {words}", output.exit_status)
}
