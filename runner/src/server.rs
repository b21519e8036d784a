//! Starting and stopping: what a start finds left over, the long-lived tasks, and the order in which they end.
//! When one of those tasks ends by itself, the whole runner does, loudly.

use crate::boot::Boot;
use crate::config::Config;
use crate::http;
use crate::layout::{Layout, remove_tree};
use crate::process::{family, kill_leftovers, mark_of_task};
use crate::scheduler;
use crate::ssh;
use crate::state::State;
use crate::store::{Store, StoreError};
use protocol::Timestamp;
use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Calls under way have this long to end when the runner stops; tasks need less.
const STOP_WAIT: Duration = Duration::from_secs(8);
/// How often a damaged clone is looked over after the start until it is whole.
const LOOKS: u32 = 12;
/// Longer than the pause after which the objects of a clone are fetched anew once more.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(310);
/// A runner that is just ending gives its data folder free within this time.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_TRY_EVERY: Duration = Duration::from_millis(50);

/// Why a runner does not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("another runner works on {}; stop it, or give this one a data_dir of its own", .0.display())]
    InUse(PathBuf),
    #[error("{0}")]
    Defect(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a part of the runner ended by itself: {0}")]
    Ended(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> RunError {
    let what = what.into();
    move |source| RunError::Io { what, source }
}

/// Starts runners.
pub struct Runner;

/// A runner at work. Dropping it stops everything at once, as a crash would.
pub struct Running {
    /// Where it listens; tells the port when the configuration says 0.
    pub http_addr: SocketAddr,
    pub ssh_addr: Option<SocketAddr>,
    /// `SHA256:…`, to be pinned by clients.
    pub ssh_host_key_fingerprint: Option<String>,
    parts: JoinSet<Result<(), String>>,
    stop: CancellationToken,
    _lock: File,
}

impl Runner {
    /// Brings the database up to date, ends what a former run left over, and starts to listen and to run queues.
    pub async fn start(config: Config) -> Result<Running, RunError> {
        let layout = Layout::new(&config);
        let (lock, store) = open(layout.clone()).await?;
        let stop = CancellationToken::new();
        let state = State::new(config, layout, store, stop.clone());
        family::prepare_process();
        if let Some(defect) = state.repository.defect().await {
            return Err(RunError::Defect(defect));
        }
        recover(&state).await?;
        tokio::spawn(look_over_clone(state.clone()));

        let listen = state.config.listen;
        let listener = TcpListener::bind(listen).await.map_err(io_error(format!("can't listen on {listen}")))?;
        let http_addr = listener.local_addr().map_err(io_error("the listening socket has no address"))?;
        let mut parts = JoinSet::new();
        parts.spawn(family::reap(state.stop.clone()));
        parts.spawn(serve_http(state.clone(), listener));
        tracing::info!(address = %http_addr, "the runner listens on http://{http_addr}");
        let (mut ssh_addr, mut ssh_host_key_fingerprint) = (None, None);
        if let Some(config) = &state.config.ssh {
            let ssh = ssh::listen(config).await.map_err(io_error("can't start the SSH server"))?;
            let (address, key) = (ssh.address, ssh.fingerprint.clone());
            tracing::info!(%address, key, "the runner's SSH server listens on {address}, host key {key}");
            (ssh_addr, ssh_host_key_fingerprint) = (Some(address), Some(key));
            let state = state.clone();
            parts.spawn(async move {
                ssh.serve(state).await;
                Ok(())
            });
        }
        parts.spawn(async move { scheduler::run(state).await.map_err(|error| format!("scheduler: {error}")) });
        Ok(Running { http_addr, ssh_addr, ssh_host_key_fingerprint, parts, stop, _lock: lock })
    }
}

impl Running {
    /// Stops taking calls, kills running tasks and stores that they did not end by themselves.
    /// Takes at most about 10 s.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let all_ended = async { while self.parts.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WAIT, all_ended).await.is_err() {
            tracing::warn!("some calls did not end in time and were cut off");
        }
        self.parts.shutdown().await;
    }

    /// Waits until a part of the runner ends by itself, which none should.
    pub async fn failed(&mut self) -> RunError {
        match self.parts.join_next().await {
            Some(Ok(Err(error))) => RunError::Ended(error),
            Some(Err(error)) => RunError::Ended(error.to_string()),
            Some(Ok(Ok(()))) | None => RunError::Ended("it had nothing more to do".to_owned()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs until `shutdown` is ready, then stops in good order.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let mut running = Runner::start(config).await?;
    let result = tokio::select! {
        () = shutdown => Ok(()),
        error = running.failed() => Err(error),
    };
    running.shutdown().await;
    result
}

async fn open(layout: Layout) -> Result<(File, Store), RunError> {
    let opened = tokio::task::spawn_blocking(move || {
        layout.create().map_err(io_error("can't make the runner's folders"))?;
        let lock = lock(layout.lock())?;
        let store = Store::open(&layout.database())?;
        Ok((lock, store))
    });
    opened.await.map_err(StoreError::from)?
}

fn lock(path: PathBuf) -> Result<File, RunError> {
    let failed = || io_error(format!("can't lock {}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed())?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed()(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_WAIT => return Err(RunError::InUse(path)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_TRY_EVERY),
        }
    }
}

/// Ends what a former run left over: its processes, its running tasks, its unfinished deletions.
async fn recover(state: &State) -> Result<(), RunError> {
    // First of all: a checkout that a killed runner left at work would go on in a folder that is made anew.
    let git = state.repository.git.clone();
    let killed = tokio::task::spawn_blocking(move || git.kill_leftovers()).await.map_err(StoreError::from)?;
    if killed > 0 {
        tracing::warn!(killed, "ended git that a former run had left at work");
    }
    let boot = Boot::now().map(|boot| boot.id).unwrap_or_default();
    let noted = tokio::fs::read_to_string(state.layout.boot()).await.unwrap_or_default();
    let is_same_boot = !boot.is_empty() && boot == noted;
    // Before it is noted that they run no more: who dies in between starts with them again, and nobody else looks for them.
    let mut interrupted = Vec::new();
    for (id, n) in state.store.running_tasks().await? {
        let mark = mark_of_task(&state.layout.results(&id, n));
        let leftovers = tokio::task::spawn_blocking(move || kill_leftovers(&mark)).await.map_err(StoreError::from)?;
        interrupted.push((id, n, leftovers));
    }
    let recovered = state.store.recover(state.layout.clone(), is_same_boot, Timestamp::now()).await?;
    // A note that is not there, or only half, is of no use to anybody: then it is taken for another start's.
    if let Err(error) = tokio::fs::write(state.layout.boot(), boot).await {
        tracing::warn!(%error, "the machine's start could not be noted; checkouts will be made anew after the next");
    }
    for (id, n, leftovers) in interrupted {
        state.note(&id, format!("the test server was restarted while task {id}-{n} was running")).await;
        if let Some(complaint) = leftovers.complaint() {
            state.note(&id, format!("of task {id}-{n} {complaint}")).await;
        }
        tracing::warn!(
            queue = id,
            killed = leftovers.killed,
            "task {id}-{n} was running when the runner ended; it is now an error"
        );
    }
    let half_done = recovered.half_done;
    let layout = state.layout.clone();
    tokio::task::spawn_blocking(move || remove_half_done(&layout, &half_done)).await.map_err(StoreError::from)?;
    if let Err(error) = state.repository.put_holds_right(recovered.held, &state.config.data_dir).await {
        tracing::error!(%error, "the refs that hold queues' commits could not be put right");
    }
    for (number, id) in recovered.to_delete {
        let state = state.clone();
        tokio::spawn(async move {
            if let Err(error) = http::remove_queue(&state, number, id.clone()).await {
                tracing::error!(queue = id, ?error, "queue {id} could not be removed; delete it again");
            }
        });
    }
    Ok(())
}

/// A queue that was aborted during its checkout has no use for what there is of it. Blocks.
fn remove_half_done(layout: &Layout, queues: &[String]) {
    for id in queues {
        if let Err(error) = remove_tree(&layout.workspace(id)) {
            tracing::warn!(queue = id, %error, "half a checkout could not be removed");
        }
    }
}

/// Mends a clone that a power cut has damaged. The source may come back later than the bench.
async fn look_over_clone(state: State) {
    for _ in 0..LOOKS {
        let looked = tokio::select! {
            () = state.stop.cancelled() => return,
            looked = state.repository.look_over() => looked,
        };
        let Err(error) = looked else { return };
        tracing::error!(%error, "the clone could not be looked over, or not be mended");
        tokio::select! {
            () = state.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_AGAIN_AFTER) => {}
        }
    }
}

async fn serve_http(state: State, listener: TcpListener) -> Result<(), String> {
    let stop = state.stop.clone();
    http::serve(listener, http::router(state), stop, family::open_files()).await;
    Ok(())
}
