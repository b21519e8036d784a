//! Keeps in the store how each environment's SSH fares, so that every replica can tell, and after a restart too.
//! A row that could not be written is written later: nobody waits for it.

use crate::remote::{Environment, SshStatus};
use crate::state::AppState;
use crate::store::ssh_status::{SshStatusChange, SshStatusRow, save_ssh_status};
use crate::store::{Store, StoreError};
use protocol::Timestamp;
use protocol::api::SshHealth;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Between two writes about one environment, however fast its commands fail.
const PAUSE: Duration = Duration::from_secs(1);
/// After the store has refused one.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Until `shutdown`; what is known then is written before.
pub async fn run(state: AppState, shutdown: CancellationToken) {
    let mut watches = JoinSet::new();
    for environment in state.environments.values() {
        watches.spawn(watch(state.store.clone(), Arc::clone(environment), shutdown.clone()));
    }
    shutdown.cancelled().await;
    watches.join_all().await;
}

async fn watch(store: Store, environment: Arc<Environment>, shutdown: CancellationToken) {
    let name = environment.config.name.as_str();
    let mut told = environment.ssh_state().watch();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            changed = told.changed() => if changed.is_err() { return },
        }
        let status = told.borrow_and_update().clone();
        let mut pause = PAUSE;
        if let Err(error) = save(&store, name, status).await {
            tracing::warn!(environment = name, %error, "ssh.watch: How {name}'s SSH fares could not be kept");
            told.mark_changed();
            pause = LONG_PAUSE;
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn save(store: &Store, environment: &str, status: SshStatus) -> Result<(), StoreError> {
    let Some(at) = status.at else { return Ok(()) };
    let name = environment.to_owned();
    let change = SshStatusChange {
        at,
        connection_error: status.connection,
        question_error: status.questions,
        cleanup_error: status.cleanups,
        host_key: status.host_key,
    };
    store.write(move |connection| save_ssh_status(connection, &name, change)).await
}

/// What administrators see of an environment's SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshFacts {
    pub health: SshHealth,
    pub error: Option<String>,
    pub host_key: Option<String>,
}

/// From what all replicas have kept and what this one has seen since.
pub fn facts(kept: Option<&SshStatusRow>, seen: SshStatus) -> SshFacts {
    let mut row = kept.cloned().unwrap_or(SshStatusRow {
        environment: String::new(),
        at: Timestamp(0),
        connection_error: None,
        question_error: None,
        cleanup_error: None,
        host_key: None,
    });
    let is_known = kept.is_some() || seen.at.is_some();
    if seen.at.is_some_and(|at| at >= row.at) {
        row.connection_error = seen.connection.unwrap_or(row.connection_error);
        row.question_error = seen.questions.unwrap_or(row.question_error);
        row.cleanup_error = seen.cleanups.unwrap_or(row.cleanup_error);
        row.host_key = seen.host_key.or(row.host_key);
    }
    let error = row.connection_error.or(row.question_error).or(row.cleanup_error);
    let health = match &error {
        Some(_) => SshHealth::Failing,
        None if is_known => SshHealth::Ok,
        None => SshHealth::Unknown,
    };
    SshFacts { health, error, host_key: row.host_key }
}
