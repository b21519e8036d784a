//! How handlers and poller wake each other inside one process. A ring carries no data:
//! what is to be done, and what was done, stands in the store, so a lost ring costs one interval and nothing else.

use protocol::JobId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

/// Between two errands of the poller for what has been submitted meanwhile.
const WORK_PACE: Duration = Duration::from_millis(200);
/// Who goes on looking at a job is noted in the store again after so long.
const NOTED_FOR: Duration = Duration::from_secs(15);
/// Most jobs of which is remembered that somebody looks at them; past that all are noted anew.
const MOST_LOOKED_AT: usize = 10_000;

/// Cheap to clone; all clones are one bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

struct Inner {
    /// Wakes who listens in the order in which they began to, which a `watch` does not.
    work: broadcast::Sender<()>,
    saved: watch::Sender<()>,
    /// When each was last noted in the store as looked at.
    looked_at: Mutex<HashMap<JobId, Instant>>,
    /// By environment: rings when one of its jobs begins to be looked at.
    looks: Mutex<HashMap<String, watch::Sender<()>>>,
}

impl Default for Inner {
    fn default() -> Self {
        // A ring carries nothing, so that the last one stands for all.
        let work = broadcast::Sender::new(1);
        Self { work, saved: watch::Sender::default(), looked_at: Mutex::default(), looks: Mutex::default() }
    }
}

impl Bell {
    /// Tells the poller that the store holds something new to do.
    pub fn ring_work(&self) {
        // Nobody listens where no poller runs.
        let _ = self.0.work.send(());
    }

    pub fn listen_for_work(&self) -> Listener {
        Listener { rings: self.0.work.subscribe(), has_rung: false, heard_at: None }
    }

    /// Tells waiting readers that some job changed.
    pub fn ring_saved(&self) {
        self.0.saved.send_replace(());
    }

    pub fn listen_for_saved(&self) -> watch::Receiver<()> {
        self.0.saved.subscribe()
    }

    /// Whether that somebody is looking at a job is to be noted in the store now, as nobody has for some time.
    pub fn begins_to_look(&self, job: JobId) -> bool {
        let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at.get(&job).is_some_and(|noted| noted.elapsed() < NOTED_FOR) {
            return false;
        }
        if looked_at.len() >= MOST_LOOKED_AT {
            looked_at.clear();
        }
        looked_at.insert(job, Instant::now());
        true
    }

    /// Tells an environment's loop that one of its jobs is looked at.
    pub fn ring_look(&self, environment: &str) {
        self.looks_of(environment).send_replace(());
    }

    /// Rings when one of an environment's jobs begins to be looked at.
    pub fn listen_for_looks(&self, environment: &str) -> watch::Receiver<()> {
        self.looks_of(environment).subscribe()
    }

    fn looks_of(&self, environment: &str) -> watch::Sender<()> {
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.entry(environment.to_owned()).or_default().clone()
    }
}

/// Hears of new work, at most every `WORK_PACE`: many who submit at once are one errand.
pub struct Listener {
    rings: broadcast::Receiver<()>,
    /// It has rung, and the listener has not been told.
    has_rung: bool,
    heard_at: Option<Instant>,
}

impl Listener {
    /// Returns at the first ring at once, and at those that follow it together. Whoever stops listening in the pause
    /// before those has not heard them.
    ///
    /// # Errors
    /// When the bell is gone and nothing will ever ring again.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        while !self.has_rung {
            match self.rings.recv().await {
                Ok(()) | Err(RecvError::Lagged(_)) => self.has_rung = true,
                Err(RecvError::Closed) => return Err(RecvError::Closed),
            }
        }
        if let Some(heard_at) = self.heard_at {
            sleep_until(heard_at + WORK_PACE).await;
        }
        self.rings = self.rings.resubscribe();
        (self.has_rung, self.heard_at) = (false, Some(Instant::now()));
        Ok(())
    }

    /// Whether it has rung since.
    pub fn has_changed(&self) -> bool {
        self.has_rung || !self.rings.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_rings_are_heard_as_one_after_the_first() {
        let bell = Bell::default();
        let mut work = bell.listen_for_work();
        let start = Instant::now();
        bell.ring_work();
        work.changed().await.unwrap();
        for _ in 0..3 {
            bell.ring_work();
            // As where another branch of a select is first.
            assert!(futures_util::poll!(Box::pin(work.changed())).is_pending());
        }
        work.changed().await.unwrap();
        assert!(start.elapsed() >= WORK_PACE);
        assert!(!work.has_changed(), "all of them were heard at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_is_noted_at_most_once_in_a_while() {
        let bell = Bell::default();
        assert!(bell.begins_to_look(JobId(7)) && !bell.begins_to_look(JobId(7)) && bell.begins_to_look(JobId(8)));
        tokio::time::advance(NOTED_FOR).await;
        assert!(bell.begins_to_look(JobId(7)));
    }
}
