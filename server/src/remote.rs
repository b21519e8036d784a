//! What TestArena says to a remote test server and what can come of it.
//! One small trait stands between the poller and the world; `Server` is the real one, over HTTP and SSH.

mod check;
mod commands;
mod environment;
mod failure;
mod host_key;
mod http;
mod known_hosts;
mod listing;
mod memory;
mod odd_json;
mod output;
mod quote;
mod refusal;
mod repository;
mod server;
mod shell;
mod silence;
mod ssh;
mod ssh_state;
mod transfer;
mod words;

pub use environment::{Environment, require_files};
pub use failure::{Failure, Reach};
pub(crate) use http::{segment, with_tls};
pub use listing::ScenarioList;
pub use repository::{QuestionError, Repository};
pub use server::Server;
pub use ssh_state::{Fared, SshStatus};

use crate::logs::Part;
use protocol::Timestamp;
use protocol::remote::{Changes, HealthBody, QueueBody, QueueRequest, RemoteFile, TaskBody};
use std::future::Future;
use std::time::Duration;

/// Why a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Nobody can say what is true at the server: try again, not before `retry_after` if it named one.
    #[error("{message}")]
    Transient { message: Failure, retry_after: Option<Duration> },
    /// The server has spoken, and asking again would change nothing.
    #[error("{0}")]
    Permanent(Refusal),
}

/// The server's final words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the remote server does not know this id")]
    UnknownId,
    #[error("this id was deleted or aborted at the remote server before")]
    Gone,
    #[error("this id belongs to another TestArena, which uses this server as well: {}", SET_PREFIX)]
    OtherInstance,
    #[error("this id is taken at the remote server{}; if another TestArena uses it as well, {}", words_after(.0), SET_PREFIX)]
    IdTaken(String),
    #[error("the remote server can't run it: {}", reason_in(.0))]
    Rejected(String),
}

/// What an administrator can do where two installations share a server.
const SET_PREFIX: &str = "set queue_id_prefix for this environment";

fn reason_in(said: &str) -> &str {
    if said.is_empty() {
        "it gives no reason in the words of the contract; TestArena's log has its answer"
    } else {
        said
    }
}

fn words_after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// An answer and the server's clock when it gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    pub body: T,
    /// From the `Date` header.
    pub server_now: Option<Timestamp>,
    pub etag: Option<String>,
}

/// What the changes feed says of a queue.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangedQueue {
    Status(QueueBody),
    /// Something that is not of the contract; a plain question about it tells what.
    Odd {
        id: String,
    },
}

/// A piece of a log, and what the server says of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPiece {
    pub bytes: Vec<u8>,
    /// Bytes of the whole log; `None`: not said.
    pub total: Option<u64>,
}

/// Which queue a call is about, and under which installation it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRef<'a> {
    pub instance: &'a str,
    pub queue_id: &'a str,
}

/// A remote test server as the poller needs it.
pub trait Remote: Send + Sync + 'static {
    /// Idempotent: the queue id is the key.
    fn submit(&self, instance: &str, request: &QueueRequest) -> impl Future<Output = Result<(), RemoteError>> + Send;

    /// `None`: unchanged since `etag`.
    fn queue_status(
        &self,
        queue: QueueRef<'_>,
        etag: Option<&str>,
    ) -> impl Future<Output = Result<Option<Answer<QueueBody>>, RemoteError>> + Send;

    fn task_status(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
    ) -> impl Future<Output = Result<Answer<TaskBody>, RemoteError>> + Send;

    /// What the server then says of the queue. `None`: it said yes and nothing of the contract, which confirms nothing.
    fn abort(&self, queue: QueueRef<'_>)
    -> impl Future<Output = Result<Option<Answer<QueueBody>>, RemoteError>> + Send;

    /// Success also where the server does not know the queue.
    fn delete(&self, queue: QueueRef<'_>) -> impl Future<Output = Result<(), RemoteError>> + Send;

    /// The bytes of a log (of a task, or the queue's own) from offset `from`, at most a few MiB; empty: nothing new.
    /// `None`: if the server knows the id, it keeps no such log.
    fn log_piece(
        &self,
        queue: QueueRef<'_>,
        log_id: &str,
        from: u64,
    ) -> impl Future<Output = Result<Option<LogPiece>, RemoteError>> + Send;

    /// `None`: if the server knows the id, it keeps no results.
    fn results(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
    ) -> impl Future<Output = Result<Option<Vec<RemoteFile>>, RemoteError>> + Send;

    /// Writes one result file into `part`. `false`: the server does not have it, though it may list it.
    fn fetch_result(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
        listed: &RemoteFile,
        part: &mut Part,
    ) -> impl Future<Output = Result<bool, RemoteError>> + Send;

    /// Removes the queue's workspace.
    fn clean_up(&self, queue_id: &str) -> impl Future<Output = Result<(), RemoteError>> + Send;

    /// `None`: the server is an older one that does not say.
    fn health(&self, instance: &str) -> impl Future<Output = Result<Option<HealthBody>, RemoteError>> + Send;

    /// Waits up to `wait` for changes since `cursor`.
    fn changes(
        &self,
        instance: &str,
        cursor: Option<&str>,
        wait: Duration,
    ) -> impl Future<Output = Result<Answer<Changes<ChangedQueue>>, RemoteError>> + Send;
}

impl RemoteError {
    /// `message` holds nothing that is not for everybody, or is a `Failure` with two texts.
    pub fn transient(message: impl Into<Failure>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }

    /// One text for everybody and one for admins and the log.
    pub fn told_apart(public: impl Into<String>, private: impl Into<String>) -> Self {
        Self::transient(Failure::new(public, private))
    }

    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        match self {
            Self::Transient { message, retry_after } => {
                Self::Transient { message: message.reaching(reach), retry_after }
            }
            Self::Permanent(refusal) => Self::Permanent(refusal),
        }
    }

    pub fn reach(&self) -> Reach {
        match self {
            Self::Transient { message, .. } => message.reach(),
            Self::Permanent(_) => Reach::Answered,
        }
    }

    /// For admins and the log.
    pub fn private(&self) -> String {
        match self {
            Self::Transient { message, .. } => message.private().to_owned(),
            Self::Permanent(refusal) => refusal.to_string(),
        }
    }
}
