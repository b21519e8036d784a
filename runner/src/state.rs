//! What the scheduler, the HTTP side and the SSH side share: configuration, store, and who is at work on which queue.
//! Nothing in here needs to survive a restart; the store has what does.

use crate::config::Config;
use crate::layout::Layout;
use crate::no_room::NoRoom;
use crate::store::Store;
use crate::workspace::Repository;
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Queues that are checked against the repository at once: each check is a few git processes.
const MAX_CHECKS: usize = 8;

#[derive(Clone)]
pub struct State(Arc<Inner>);

pub struct Inner {
    pub config: Config,
    pub layout: Layout,
    pub store: Store,
    pub repository: Repository,
    /// Rung when the scheduler should look again.
    pub bell: Notify,
    /// Slots that are taken.
    pub busy: AtomicU32,
    /// Held while a queue that was handed in is checked against the repository.
    pub checks: Semaphore,
    /// Held from the last look whether an id is free until its queue is stored.
    pub accepting: tokio::sync::Mutex<()>,
    /// The runner stops.
    pub stop: CancellationToken,
    pub no_room: NoRoom,
    active: Active,
}

impl std::ops::Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl State {
    pub fn new(config: Config, layout: Layout, store: Store, stop: CancellationToken) -> Self {
        let (bell, busy, active) = (Notify::new(), AtomicU32::new(0), Active::default());
        let (checks, accepting) = (Semaphore::new(MAX_CHECKS), tokio::sync::Mutex::default());
        let repository = Repository::new(&config);
        let no_room = NoRoom::new(&layout);
        Self(Arc::new(Inner {
            config,
            layout,
            store,
            repository,
            bell,
            busy,
            checks,
            accepting,
            stop,
            no_room,
            active,
        }))
    }

    /// Marks work on a queue. Enter before the store is asked whether the work is still wanted: an abort
    /// that the store then does not know of yet will find the entry.
    pub fn enter(&self, queue: i64) -> InUse {
        let mut queues = self.active.lock();
        let entry = queues.entry(queue).or_default();
        entry.users += 1;
        InUse { abort: entry.abort.clone(), queue, state: self.clone() }
    }

    /// Cuts off all work on a queue.
    pub fn cut_off(&self, queue: i64) {
        if let Some(entry) = self.active.lock().get(&queue) {
            entry.abort.cancel();
        }
        self.bell.notify_one();
    }

    /// Waits until nobody works on a queue.
    pub async fn wait_idle(&self, queue: i64) {
        let mut left = self.active.left.subscribe();
        while self.active.lock().contains_key(&queue) {
            if left.changed().await.is_err() {
                return;
            }
        }
    }

    /// Which disk is full, in words, if one is or was just now.
    pub async fn find_full_disk(&self) -> Option<String> {
        if let Some(words) = self.no_room.words(Instant::now()) {
            return Some(words);
        }
        let layout = self.layout.clone();
        tokio::task::spawn_blocking(move || layout.find_full_disk()).await.unwrap_or_default()
    }

    /// A queue's files are gone, so that there may be room for another's.
    pub fn note_removal(&self) {
        self.no_room.note_removal(Instant::now());
        self.bell.notify_one();
    }

    /// Adds a line to a queue's own log.
    pub async fn note(&self, queue_id: &str, text: String) {
        let path = self.layout.queue_log(queue_id);
        let line = format!("{} {text}\n", protocol::Timestamp::now());
        let written = tokio::task::spawn_blocking(move || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(line.as_bytes())
        })
        .await;
        if let Err(error) = written.map_err(std::io::Error::from).flatten() {
            tracing::error!(queue = queue_id, %error, "the log of queue {queue_id} could not be written");
        }
    }
}

#[derive(Default)]
struct Active {
    queues: Mutex<HashMap<i64, Entry>>,
    left: watch::Sender<()>,
}

impl Active {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Entry>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Entry {
    abort: CancellationToken,
    users: usize,
}

/// Somebody works on a queue until this is dropped.
pub struct InUse {
    pub abort: CancellationToken,
    queue: i64,
    state: State,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut queues = self.state.active.lock();
        if let Some(entry) = queues.get_mut(&self.queue) {
            entry.users -= 1;
            if entry.users == 0 {
                queues.remove(&self.queue);
            }
        }
        drop(queues);
        self.state.active.left.send_replace(());
    }
}
