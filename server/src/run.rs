//! The server at work: all its parts beside each other, until it is told to end or one of them breaks.
//! A part that ends by itself takes the process with it, loudly, so that a supervisor starts it again.

use crate::housekeeping;
use crate::listener::{self, Limits};
use crate::poller::{self, Breaker, Chance, Clock, Lease, Poller, Signals};
use crate::remote::{Environment, Server};
use crate::restored;
use crate::ssh_watch;
use crate::state::AppState;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Supervisors kill after 10 s; what is still under way then is cut off before that, cleanly.
const STOP_LIMIT: Duration = Duration::from_secs(7);

/// By name, each with what it ends with.
type Parts = JoinSet<(&'static str, Result<(), String>)>;

/// Nobody had told it to.
#[derive(Debug, thiserror::Error)]
#[error("the {0} ended by itself: {1}")]
pub struct PartEnded(&'static str, String);

/// Serves at a listener that is open already, until the state's `shutdown`, and for as long as what is under way then may
/// take.
pub async fn serve(state: AppState, listener: TcpListener) -> Result<(), PartEnded> {
    let shutdown = state.shutdown.clone();
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, public_url = state.config.public_url, "serving at {address}");
    }
    sweep_meanwhile(&state);
    let mut parts = JoinSet::new();
    let pollers = poller::run(pollers(&state), shutdown.clone());
    parts.spawn(async move { ("poller", pollers.await.map_err(|error| error.to_string())) });
    spawn(&mut parts, "housekeeping", housekeeping::run(state.clone(), shutdown.clone()));
    let (store, logs, last_job) = (state.store.clone(), state.logs.clone(), state.last_job.clone());
    spawn(&mut parts, "mark of the last job", restored::keep_mark(store, logs, last_job, shutdown.clone()));
    spawn(&mut parts, "watch over SSH", ssh_watch::run(state.clone(), shutdown.clone()));
    let limits = Limits::new(&state.config);
    spawn(&mut parts, "web server", listener::serve(listener, crate::build(state), limits, shutdown.clone()));

    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        ended = parts.join_next() => ended,
    };
    let failure = ended.filter(|_| !shutdown.is_cancelled()).map(|ended| match ended {
        Ok((part, result)) => PartEnded(part, result.err().unwrap_or_else(|| "without a reason".to_owned())),
        Err(panic) => PartEnded("server", panic.to_string()),
    });
    shutdown.cancel();
    stop(parts).await;
    failure.map_or(Ok(()), Err)
}

fn spawn(parts: &mut Parts, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
    parts.spawn(async move {
        part.await;
        (name, Ok(()))
    });
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
async fn stop(mut parts: Parts) {
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
    let of_environment = |environment: &Arc<Environment>| Poller {
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
