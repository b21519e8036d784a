//! Which process polls an environment, where several share one database: the one that holds the environment's lease.
//! The others take it over when its holder has been silent for some time on their own clocks; what the old holder still
//! saves is refused by the fence. A database of one process (`SQLite`) is taken over at once.

use crate::store::{Store, StoreError, leases};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two beats of the holder, and two looks of the others.
const BEAT: Duration = Duration::from_secs(2);
/// A holder that has not beaten for so long is taken for dead; longer than any hiccup of the database.
const SILENCE: Duration = Duration::from_secs(12);
/// Of one who holds no lease and needs none.
const NO_FENCE: i64 = i64::MAX;

pub struct Lease {
    environment: String,
    /// Names this process.
    holder: String,
    /// Whether other processes may share the database.
    is_shared: bool,
    fence: AtomicI64,
}

impl Lease {
    pub fn new(environment: &str, holder: &str, is_shared: bool) -> Self {
        Self {
            environment: environment.to_owned(),
            holder: holder.to_owned(),
            is_shared,
            fence: AtomicI64::new(NO_FENCE),
        }
    }

    /// What every save of the poller is checked against.
    pub(super) fn fence(&self) -> i64 {
        self.fence.load(Ordering::Acquire)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Until this process holds the lease; `false` if `shutdown` came first.
    pub(super) async fn acquire(&self, store: &Store, shutdown: &CancellationToken) -> bool {
        let mut seen: Option<(leases::Lease, Instant)> = None;
        while !shutdown.is_cancelled() {
            match self.try_to_take(store, &mut seen).await {
                Ok(true) => return true,
                Ok(false) => {}
                // Another process inserted the first row: the next look sees it.
                Err(error) if error.is_duplicate() => continue,
                Err(error) => {
                    tracing::error!(environment = self.environment, %error, "poller.lease of {}: no database", self.environment);
                }
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        false
    }

    async fn try_to_take(
        &self,
        store: &Store,
        seen: &mut Option<(leases::Lease, Instant)>,
    ) -> Result<bool, StoreError> {
        let name = self.environment.clone();
        let found = store.read(move |c| leases::find_lease(c, &name)).await?;
        let is_free = found.as_ref().is_none_or(|lease| lease.holder.is_empty()) || !self.is_shared;
        let is_silent = match (&found, &*seen) {
            (Some(found), Some((before, since))) if found == before => since.elapsed() >= SILENCE,
            _ => false,
        };
        if !is_free && !is_silent {
            if seen.as_ref().map(|(before, _)| before) != found.as_ref() {
                *seen = found.map(|found| (found, Instant::now()));
            }
            return Ok(false);
        }
        let (name, holder) = (self.environment.clone(), self.holder.clone());
        let taken = store.write(move |c| leases::take_lease(c, &name, &holder, found.as_ref())).await?;
        if let Some(fence) = taken {
            tracing::info!(
                environment = self.environment,
                fence,
                "poller.lease: this process polls {}",
                self.environment
            );
            self.fence.store(fence, Ordering::Release);
        }
        Ok(taken.is_some())
    }

    /// Keeps the lease until `term` ends, which it ends itself when the lease is lost.
    pub(super) async fn keep(&self, store: &Store, term: &CancellationToken) {
        let mut beaten_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = term.cancelled() => return,
                () = tokio::time::sleep(BEAT) => {}
            }
            let (name, fence) = (self.environment.clone(), self.fence());
            match store.write(move |c| leases::beat(c, &name, fence)).await {
                Ok(true) => beaten_at = Instant::now(),
                Ok(false) => return self.lose(term, "another process took it over"),
                // The others see no beat either. Better to stop in time than to be fenced off.
                Err(_) if self.is_shared && beaten_at.elapsed() >= SILENCE => {
                    return self.lose(term, "the database could not be reached");
                }
                Err(error) => tracing::warn!(environment = self.environment, %error, "poller.lease: no beat"),
            }
        }
    }

    fn lose(&self, term: &CancellationToken, why: &str) {
        tracing::warn!(environment = self.environment, "poller.lease of {} lost: {why}", self.environment);
        term.cancel();
    }

    pub(super) async fn give_back(&self, store: &Store) {
        let (name, fence) = (self.environment.clone(), self.fence());
        if let Err(error) = store.write(move |c| leases::give_back(c, &name, fence)).await {
            tracing::warn!(environment = self.environment, %error, "poller.lease was not given back; it runs out by itself");
        }
    }
}
