//! `testarena serve`: the web server and the poller, until somebody asks them to end or one of them breaks.
//! A part that ends by itself takes the process with it, loudly, so that a supervisor starts it again.

use super::signals::shutdown_on_signal;
use super::{CommandResult, hold};
use crate::config::Config;
use crate::housekeeping;
use crate::listener::{self, Limits, raise_open_files};
use crate::poller::{self, Breaker, Chance, Clock, Lease, Poller, Signals};
use crate::remote::{Server, require_files};
use crate::restored;
use crate::ssh_watch;
use crate::state::{AppState, Parts, StateError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Supervisors kill after 10 s; what is still under way then is cut off before that, cleanly.
const STOP_LIMIT: Duration = Duration::from_secs(7);

/// Why the server did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("can't lock {file}: {source}")]
    Lock { file: String, source: io::Error },
    #[error(
        "another server is at work there (it holds {0}); end it first, or give this one a database_url and a data_dir of its own"
    )]
    InUse(String),
    #[error("can't listen at {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the {0} ended by itself: {1}")]
    PartEnded(&'static str, String),
}

pub(super) async fn from_file(file: &Path) -> CommandResult {
    let config = Config::load(file)?;
    raise_open_files();
    for environment in &config.environments {
        require_files(environment).await?;
    }
    let shutdown = shutdown_on_signal()?;
    Ok(run(config, shutdown).await?)
}

/// Puts everything together and serves until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), ServeError> {
    let _held = hold::take(&config).await?;
    let address = config.listen;
    // Before the database is brought up to date: a server that can't start changes nothing under another one.
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let state = AppState::new(config).await?;
    serve(state, listener, shutdown).await
}

/// Serves at a listener that is open already, until `shutdown`, and for as long as what is under way then may take (`STOP_LIMIT`).
pub async fn serve(state: AppState, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
    let state = AppState::from(Parts { shutdown: shutdown.clone(), ..Parts::clone(&state) });
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, public_url = state.config.public_url, "serving at {address}");
    }
    sweep_meanwhile(&state);
    let mut parts = JoinSet::new();
    let pollers = poller::run(pollers(&state), shutdown.clone());
    parts.spawn(async move { ("poller", pollers.await.map_err(|error| error.to_string())) });
    let housekeeping = housekeeping::run(state.clone(), shutdown.clone());
    parts.spawn(async move {
        housekeeping.await;
        ("housekeeping", Ok(()))
    });
    let marking =
        restored::keep_mark(state.store.clone(), state.logs.clone(), state.last_job.clone(), shutdown.clone());
    parts.spawn(async move {
        marking.await;
        ("mark of the last job", Ok(()))
    });
    let watch = ssh_watch::run(state.clone(), shutdown.clone());
    parts.spawn(async move {
        watch.await;
        ("watch over SSH", Ok(()))
    });
    let limits = Limits::new(&state.config);
    let server = listener::serve(listener, crate::build(state), limits, shutdown.clone());
    parts.spawn(async move {
        server.await;
        ("web server", Ok(()))
    });

    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        ended = parts.join_next() => ended,
    };
    let failure = ended.filter(|_| !shutdown.is_cancelled()).map(|ended| match ended {
        Ok((part, result)) => {
            ServeError::PartEnded(part, result.err().unwrap_or_else(|| "without a reason".to_owned()))
        }
        Err(panic) => ServeError::PartEnded("server", panic.to_string()),
    });
    shutdown.cancel();
    stop(parts).await;
    failure.map_or(Ok(()), Err)
}

/// Beside the work, since a large `data_dir` takes long to look through and nobody waits for it.
fn sweep_meanwhile(state: &AppState) {
    let (store, logs, shutdown) = (state.store.clone(), state.logs.clone(), state.shutdown.clone());
    let swept = shutdown.run_until_cancelled_owned(async move {
        if let Err(error) = poller::sweep(&store, &logs).await {
            tracing::error!(%error, "data_dir could not be swept of what is left of jobs that are gone");
        }
    });
    tokio::spawn(swept);
}

/// Dropping the set afterwards cuts off what is still there.
async fn stop(mut parts: JoinSet<(&'static str, Result<(), String>)>) {
    let all_ended = async {
        while let Some(ended) = parts.join_next().await {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((part, Err(error))) => tracing::error!(error, "the {part} broke while it was ending"),
                Err(error) => tracing::error!(%error, "a part broke while it was ending"),
            }
        }
    };
    if tokio::time::timeout(STOP_LIMIT, all_ended).await.is_err() {
        tracing::warn!("cut off what was still under way after {} s", STOP_LIMIT.as_secs());
    }
}

/// One poller for each environment.
pub fn pollers(state: &AppState) -> Vec<Arc<Poller<Server>>> {
    let process = uuid::Uuid::new_v4().to_string();
    let of_environment = |environment: &Arc<crate::remote::Environment>| Poller {
        store: state.store.clone(),
        logs: state.logs.clone(),
        bell: state.bell.clone(),
        instance: Arc::clone(&state.instance),
        environment: Arc::clone(&environment.config),
        poll_interval: state.config.poll_interval,
        remote: Arc::clone(&environment.server),
        clock: Clock::system(),
        chance: Chance::default(),
        lanes: Arc::default(),
        marks: Arc::default(),
        breaker: Breaker::default(),
        lease: Lease::new(&environment.config.name, &process, state.config.database_url.is_shared()),
        signals: Signals::default(),
    };
    state.environments.values().map(of_environment).map(Arc::new).collect()
}
