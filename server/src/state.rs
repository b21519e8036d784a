//! What every handler can reach: configuration, store, logs, environments and the memory of who is signed in.
//! Cheap to clone, since each request does so several times; knows nothing of the pages.

use crate::auth::Auth;
use crate::bell::Bell;
use crate::clock::Clock;
use crate::config::Config;
use crate::estimates::Estimates;
use crate::kept::{KeptBodies, Looks};
use crate::key_locks::KeyedLocks;
use crate::logs::{KeepLimits, LogStore};
use crate::metrics::Metrics;
use crate::remote::Environment;
use crate::restored::{self, LastJob, MarkError};
use crate::store::listing::JobFilter;
use crate::store::{DatabaseUrl, Store, StoreError, installation, jobs};
use crate::turns::{Rules, Turns};
use crate::version::{Known, Looked};
use crate::waiters::Waiters;
use crate::wishes::Wishes;
use axum::extract::FromRef;
use protocol::{JobId, Timestamp};
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A search keeps a core and a disk busy for up to 10 s.
const SEARCHES: Rules = Rules {
    what: "searches",
    at_once: 2,
    at_once_of_a_user: 1,
    most_of_a_user: 4,
    most: 40,
    patience: Duration::from_secs(5),
};
/// Lines are found in milliseconds, unless they are very long.
const WINDOWS: Rules = Rules {
    what: "readers of logs",
    at_once: 16,
    at_once_of_a_user: 8,
    most_of_a_user: 100,
    most: 500,
    patience: Duration::from_secs(5),
};

#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// What the state is made of.
#[derive(Clone)]
pub struct Parts {
    pub config: Arc<Config>,
    pub store: Store,
    pub logs: LogStore,
    /// By name.
    pub environments: Arc<BTreeMap<String, Arc<Environment>>>,
    pub bell: Bell,
    /// By which what is remembered of idempotency keys ages.
    pub clock: Clock,
    /// Under which new jobs are made; it goes with every call to a remote server.
    pub instance: Arc<str>,
    /// No new job gets an id that was given out before.
    pub last_job: LastJob,
    pub auth: Auth,
    /// Requests with the same idempotency key wait for each other here.
    pub keys_in_use: KeyedLocks,
    /// Who may search a log, or read lines of one.
    pub searches: Turns,
    pub windows: Turns,
    pub metrics: Arc<Metrics>,
    pub estimates: Estimates,
    /// Who waits for a job to change.
    pub waiters: Waiters,
    /// Bodies of jobs as they were last written.
    pub kept: Arc<KeptBodies>,
    /// Looks at jobs, by job and what the client has of it, shared by those who ask for the same.
    pub job_looks: Looks<(JobId, Known), Arc<Looked>>,
    /// The same of lists, by filter, how many at most, and what the client has.
    pub list_looks: Looks<((JobFilter, usize), Known), Arc<Looked>>,
    /// Cancelled when the server is about to end: those who wait for a job to change get their answer.
    pub shutdown: CancellationToken,
}

impl From<Parts> for AppState {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why the server could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the folder {folder} can't be made: {source}")]
    Folder { folder: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Mark(#[from] MarkError),
    #[error("{0}")]
    Environment(String),
    #[error("{0}")]
    SingleSignOn(String),
}

impl AppState {
    /// Opens the database, brings it up to date, and makes ready for every environment; talks to none of them yet.
    /// What is at work with it ends with `shutdown`.
    pub async fn new(config: Config, shutdown: CancellationToken) -> Result<Self, StateError> {
        make_folder(&config.data_dir)?;
        let store = open_store(&config).await?;
        let limits = KeepLimits { log_bytes: config.max_log_bytes, results_bytes: config.max_results_bytes };
        let logs = LogStore::new(config.data_dir.clone(), limits);
        let last_job = restored::look(&store, &logs).await?;
        let instance = instance_id(&store).await?;
        let mut environments = BTreeMap::new();
        for environment in &config.environments {
            let made = Environment::new(environment.clone()).map_err(StateError::Environment)?;
            environments.insert(environment.name.clone(), Arc::new(made));
        }
        let config = Arc::new(config);
        let parts = Parts {
            logs,
            auth: Auth::new(Arc::clone(&config), store.clone()).map_err(StateError::SingleSignOn)?,
            config,
            store,
            environments: Arc::new(environments),
            bell: Bell::default(),
            clock: Clock::system(),
            instance: instance.into(),
            last_job,
            keys_in_use: KeyedLocks::default(),
            searches: Turns::new(SEARCHES),
            windows: Turns::new(WINDOWS),
            metrics: Arc::default(),
            estimates: Estimates::default(),
            waiters: Waiters::default(),
            kept: Arc::default(),
            job_looks: Looks::default(),
            list_looks: Looks::default(),
            shutdown,
        };
        Ok(parts.into())
    }
}

impl AppState {
    pub fn wishes(&self) -> Wishes {
        Wishes { store: self.store.clone(), logs: self.logs.clone(), bell: self.bell.clone() }
    }

    /// Notes that somebody is looking at a job that has not ended, so that it is asked about more often. Nobody waits
    /// for that, and a look that is lost costs nothing but some seconds.
    pub fn look_at(&self, job: JobId, environment: &str) {
        if !self.bell.begins_to_look(job) {
            return;
        }
        let (store, bell, environment) = (self.store.clone(), self.bell.clone(), environment.to_owned());
        tokio::spawn(async move {
            let noted = store.write(move |connection| jobs::watch(connection, job, Timestamp::now())).await;
            match noted {
                Ok(()) => bell.ring_look(&environment),
                Err(error) => tracing::debug!(job = job.0, %error, "a look at job {job} was not noted"),
            }
        });
    }
}

impl FromRef<AppState> for Auth {
    fn from_ref(state: &AppState) -> Self {
        state.auth.clone()
    }
}

/// Replicas that start at once for the very first time may both make one: the database takes the first.
async fn instance_id(store: &Store) -> Result<String, StoreError> {
    let fresh = uuid::Uuid::new_v4().to_string();
    let find_or_make = || {
        let fresh = fresh.clone();
        store.write(move |connection| installation::instance_id(connection, &fresh))
    };
    match find_or_make().await {
        Err(error) if error.is_duplicate() => find_or_make().await,
        made => made,
    }
}

/// Opens the database and brings its schema up to date; an embedded one is made where there is none.
pub async fn open_store(config: &Config) -> Result<Store, StateError> {
    if let DatabaseUrl::Sqlite(file) = &config.database_url {
        make_folder(file.parent().unwrap_or(Path::new(".")))?;
    }
    let store = Store::open(&config.database_url);
    store.migrate().await?;
    Ok(store)
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Folder { folder: folder.display().to_string(), source };
    // What is made here is for the owner alone; a folder that is there already stays as somebody has made it.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)
}
