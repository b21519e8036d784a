//! Scripts that wait for a job to change. One look a moment asks the store about all jobs that are waited for and wakes
//! those whose job is another than the one they know, so a waiter costs nothing until then, whoever saved the job.

use crate::state::AppState;
use crate::store::listing::{Head, find_heads};
use protocol::{JobId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// What another replica has saved rings no bell here and is seen after this at the latest.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks, however many jobs are saved.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const MOST_OF_A_USER: usize = 50;
const MOST: usize = 2_000;

/// Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Waiters(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    begun: Notify,
}

#[derive(Default)]
struct Waiting {
    jobs: HashMap<JobId, Waited>,
    of_user: HashMap<UserId, usize>,
    total: usize,
    /// Somebody looks for all of them.
    is_looked_after: bool,
}

struct Waited {
    /// The version that is known here.
    seen: String,
    changed: watch::Sender<()>,
    waiters: usize,
}

/// A place among the waiters, until it is dropped.
pub struct Place {
    waiters: Waiters,
    job: JobId,
    user: UserId,
    changed: watch::Receiver<()>,
}

impl Place {
    /// Returns when the job may have changed.
    pub async fn changed(&mut self) {
        // The sender lives for as long as this place does.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiters.lock();
        waiting.total -= 1;
        if let Some(count) = waiting.of_user.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                waiting.of_user.remove(&self.user);
            }
        }
        if let Some(waited) = waiting.jobs.get_mut(&self.job) {
            waited.waiters -= 1;
            if waited.waiters == 0 {
                waiting.jobs.remove(&self.job);
            }
        }
    }
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.lock().total
    }

    /// Waits for a job to become another than the version that is known; `None` if too many wait already.
    pub fn begin(&self, state: &AppState, user: UserId, job: JobId, known: &str) -> Option<Place> {
        let mut waiting = self.lock();
        let of_user = waiting.of_user.get(&user).copied().unwrap_or_default();
        if waiting.total >= MOST || of_user >= MOST_OF_A_USER {
            return None;
        }
        waiting.total += 1;
        waiting.of_user.insert(user, of_user + 1);
        let waited = waiting.jobs.entry(job).or_insert_with(|| Waited {
            seen: known.to_owned(),
            changed: watch::Sender::default(),
            waiters: 0,
        });
        waited.waiters += 1;
        if waited.seen != known {
            // Of two versions either may be the newer one: whoever waits looks again.
            known.clone_into(&mut waited.seen);
            waited.changed.send_replace(());
        }
        let changed = waited.changed.subscribe();
        if !waiting.is_looked_after {
            waiting.is_looked_after = true;
            tokio::spawn(look_after(self.clone(), state.clone()));
        }
        drop(waiting);
        // The job may have been saved between the caller's look and now.
        self.0.begun.notify_one();
        Some(Place { waiters: self.clone(), job, user, changed })
    }

    /// The jobs that are waited for, or `None`, and then nobody looks after them any more.
    fn ids(&self) -> Option<Vec<JobId>> {
        let mut waiting = self.lock();
        waiting.is_looked_after = !waiting.jobs.is_empty();
        waiting.is_looked_after.then(|| waiting.jobs.keys().copied().collect())
    }

    /// Wakes those whose job has changed or is gone.
    fn compare(&self, asked: &[JobId], found: Vec<Head>, is_configured: impl Fn(&str) -> bool) {
        let mut versions: HashMap<_, _> =
            found.into_iter().map(|head| (head.id, head.version(is_configured(&head.environment)))).collect();
        let mut waiting = self.lock();
        for id in asked {
            let Some(waited) = waiting.jobs.get_mut(id) else { continue };
            let version = versions.remove(id).unwrap_or_default();
            if version != waited.seen {
                waited.seen = version;
                waited.changed.send_replace(());
            }
        }
    }
}

/// Looks for all who wait, until nobody does.
async fn look_after(waiters: Waiters, state: AppState) {
    let mut saved = state.bell.listen_for_saved();
    let mut looked_at = Instant::now();
    loop {
        tokio::select! {
            _ = saved.changed() => {}
            () = waiters.0.begun.notified() => {}
            () = sleep(LOOK_INTERVAL) => {}
        }
        sleep_until(looked_at + SHORTEST_PAUSE).await;
        let Some(ids) = waiters.ids() else { return };
        looked_at = Instant::now();
        let asked = ids.clone();
        // A store that does not answer is asked again; meanwhile nobody knows of a change.
        if let Ok(found) = state.store.read(move |connection| find_heads(connection, &ids)).await {
            waiters.compare(&asked, found, |environment| state.environments.contains_key(environment));
        }
    }
}
