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
        reckon: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Result<Estimate, StoreError>
    where
        F: Future<Output = Result<Reckoning, StoreError>> + Send + 'static,
    {
        if let Some(known) = self.known(environment, job) {
            return Ok(known.of(job));
        }
        let (estimates, name) = (self.clone(), environment.to_owned());
        // Kept by whoever reckons: those who asked for it may have gone.
        let reckon_one = move || {
            let (estimates, name, reckoning) = (estimates.clone(), name.clone(), reckon());
            async move {
                let reckoning = Arc::new(reckoning.await?);
                estimates.keep(&name, None, Arc::clone(&reckoning));
                Ok(reckoning)
            }
        };
        let alone = reckon_one.clone();
        // The reckoning for which it waited may have come after its time, or one before it that will do.
        let look_first = || async {
            match self.known(environment, job) {
                Some(known) => Ok(known),
                None => alone().await,
            }
        };
        let reckoned = self.together.ask_or(environment.to_owned(), reckon_one, look_first).await;
        let reckoning = reckoned.unwrap_or(Err(StoreError::Interrupted))?;
        let estimate = reckoning.of(job);
        self.keep(environment, Some(job), reckoning);
        Ok(estimate)
    }

    fn known(&self, environment: &str, job: JobId) -> Option<Arc<Reckoning>> {
        let kept = locked(&self.kept);
        let kept = kept.get(environment).filter(|kept| kept.at.elapsed() < KEPT_FOR)?;
        kept.newest.is_some_and(|newest| job <= newest).then(|| Arc::clone(&kept.reckoning))
    }

    /// A job that was there and is in no reckoning is no reason to look again and again.
    fn keep(&self, environment: &str, job: Option<JobId>, reckoning: Arc<Reckoning>) {
        let mut kept = locked(&self.kept);
        match kept.get_mut(environment) {
            Some(same) if Arc::ptr_eq(&same.reckoning, &reckoning) => same.newest = same.newest.max(job),
            _ => {
                let newest = reckoning.newest.max(job);
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

    #[tokio::test(start_paused = true)]
    async fn a_slow_reckoning_is_not_made_by_each_who_has_waited_for_long() {
        let (estimates, count) = (Estimates::default(), Arc::new(AtomicU32::new(0)));
        let reckon = {
            let count = Arc::clone(&count);
            move || {
                count.fetch_add(1, Ordering::Relaxed);
                async {
                    tokio::time::sleep(Duration::from_millis(1_500)).await;
                    Ok(Reckoning { newest: Some(JobId(300)), ..Reckoning::default() })
                }
            }
        };
        let ask = async |job: i64| {
            // All but the first come while its reckoning is under way.
            tokio::time::sleep(Duration::from_millis(u64::from(job > 1))).await;
            estimates.of("bench-a", JobId(job), reckon.clone()).await.unwrap();
        };
        futures_util::future::join_all((1..=200).map(ask)).await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
