//! What was last reckoned of each environment's waiting line, for as long as it is good. Those who ask at the same time
//! have it reckoned once.

use crate::kept::locked;
use crate::store::StoreError;
use crate::together::Together;
use protocol::JobId;
use protocol::api::Estimate;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a reckoning is good: the page asks as often.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// What one look at the line has come to.
#[derive(Default)]
pub(crate) struct Reckoning {
    pub(crate) by_job: HashMap<JobId, Estimate>,
    /// Of those that stood in the line.
    pub(crate) newest: Option<JobId>,
}

impl Reckoning {
    fn of(&self, job: JobId) -> Estimate {
        self.by_job.get(&job).copied().unwrap_or_default()
    }
}

struct Kept {
    at: Instant,
    reckoning: Arc<Reckoning>,
    /// Of those that were there when the line was looked at, in it or too far behind to be reckoned with.
    newest: Option<JobId>,
}

/// The last reckoning of each environment. Cheap to clone; all clones share one memory.
#[derive(Clone, Default)]
pub struct Estimates {
    kept: Arc<Mutex<HashMap<String, Kept>>>,
    together: Together<String, Result<Arc<Reckoning>, StoreError>>,
}

impl Estimates {
    /// Of a job in the environment's line, which is looked at by `reckon` where that was too long ago or the job has joined
    /// it since.
    pub(crate) async fn of<F>(
        &self,
        environment: &str,
        job: JobId,
        reckon: impl Fn() -> F + Clone + Send + 'static,
    ) -> Result<Estimate, StoreError>
    where
        F: Future<Output = Result<Reckoning, StoreError>> + Send + 'static,
    {
        if let Some(estimate) = self.known(environment, job) {
            return Ok(estimate);
        }
        let reckon_one = move || {
            let reckoning = reckon();
            async move { reckoning.await.map(Arc::new) }
        };
        let reckoned = self.together.ask(environment.to_owned(), reckon_one).await;
        let reckoning = reckoned.unwrap_or(Err(StoreError::Interrupted))?;
        let estimate = reckoning.of(job);
        self.keep(environment, job, reckoning);
        Ok(estimate)
    }

    fn known(&self, environment: &str, job: JobId) -> Option<Estimate> {
        let kept = locked(&self.kept);
        let kept = kept.get(environment).filter(|kept| kept.at.elapsed() < KEPT_FOR)?;
        kept.newest.is_some_and(|newest| job <= newest).then(|| kept.reckoning.of(job))
    }

    /// A job that was there and is in no reckoning is no reason to look again and again.
    fn keep(&self, environment: &str, job: JobId, reckoning: Arc<Reckoning>) {
        let mut kept = locked(&self.kept);
        match kept.get_mut(environment) {
            Some(same) if Arc::ptr_eq(&same.reckoning, &reckoning) => same.newest = same.newest.max(Some(job)),
            _ => {
                let newest = reckoning.newest.max(Some(job));
                kept.insert(environment.to_owned(), Kept { at: Instant::now(), reckoning, newest });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn those_who_ask_at_once_have_the_line_reckoned_once() {
        let (estimates, count) = (Estimates::default(), Arc::new(AtomicU32::new(0)));
        let reckon = {
            let count = Arc::clone(&count);
            move || {
                let count = Arc::clone(&count);
                async move {
                    tokio::task::yield_now().await;
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok(Reckoning { newest: Some(JobId(3)), ..Reckoning::default() })
                }
            }
        };
        let ask = |job| estimates.of("bench-a", JobId(job), reckon.clone());
        for estimate in futures_util::future::join_all((1..=200).map(ask)).await {
            assert_eq!(estimate.unwrap(), Estimate::default());
        }
        let asked = count.load(Ordering::Relaxed);
        assert!(asked <= 2, "{asked}");
        ask(200).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), asked, "it is known, though it stood in no line");
        ask(201).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), asked + 1, "it has come since");
    }
}
