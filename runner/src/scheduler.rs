//! The loop that gives free slots to the oldest queues: it looks, decides (`queue`), starts, and waits for a change.
//! A failing database only delays it; what it has started goes on.

mod work;

use crate::queue::{Checkout, Step, is_overdue, next_step};
use crate::state::State;
use crate::store::{StoreError, StoreResult};
use protocol::Timestamp;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use work::Ended;

/// The bell rings for everything that happens; this is for what happens by the clock alone (queues past their limit).
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often old memories of deleted ids are dropped.
const PRUNE_EVERY: Duration = Duration::from_hours(1);
/// For each power cut a queue may run so much longer than its limit.
const NOTE_CLOCK_EVERY: Duration = Duration::from_secs(30);

/// Runs until the runner stops and all that was started has ended. An error is a defect: a worker panicked.
pub async fn run(state: State) -> Result<(), JoinError> {
    let mut scheduler = Scheduler {
        is_taken: vec![false; state.config.slots.len()],
        preparing: HashSet::new(),
        work: JoinSet::new(),
        is_disk_full: false,
        state,
    };
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    let mut note_clock = tokio::time::interval(NOTE_CLOCK_EVERY);
    note_clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = scheduler.state.stop.clone();
    while !stop.is_cancelled() {
        if let Err(error) = scheduler.tick(Timestamp::now()).await {
            tracing::error!(%error, "the queue could not be read or written; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = scheduler.state.bell.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = prune.tick() => scheduler.prune().await,
            // While nothing runs it can be behind.
            _ = note_clock.tick(), if scheduler.is_taken.contains(&true) => scheduler.note_clock().await,
            Some(ended) = scheduler.work.join_next() => scheduler.free(ended?),
        }
        while let Some(ended) = scheduler.work.try_join_next() {
            scheduler.free(ended?);
        }
    }
    while let Some(ended) = scheduler.work.join_next().await {
        scheduler.free(ended?);
    }
    scheduler.note_clock().await;
    Ok(())
}

struct Scheduler {
    state: State,
    is_taken: Vec<bool>,
    preparing: HashSet<i64>,
    work: JoinSet<Ended>,
    /// At the last look.
    is_disk_full: bool,
}

impl Scheduler {
    async fn tick(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.end_overdue(now).await?;
        while self.start_one().await? {}
        Ok(())
    }

    async fn end_overdue(&self, now: Timestamp) -> StoreResult<()> {
        for queue in self.state.store.running().await? {
            let timeout_s = u64::try_from(queue.timeout_s).unwrap_or(0);
            if !is_overdue(self.state.store.ran_for(&queue), timeout_s, self.state.config.queue_overtime) {
                continue;
            }
            let reason = format!("ended by the test server: it ran for longer than its limit of {} s", queue.timeout_s);
            self.state.note(&queue.queue_id, reason.clone()).await;
            self.state.store.abort_number(queue.number, reason, now).await?;
            self.state.cut_off(queue.number);
        }
        Ok(())
    }

    /// Gives one free slot to somebody; false when there is none of either.
    async fn start_one(&mut self) -> StoreResult<bool> {
        let Some(slot) = self.is_taken.iter().position(|is_taken| !is_taken) else {
            return Ok(false);
        };
        let free = self.is_taken.iter().filter(|is_taken| !**is_taken).count();
        // Those under checkout hold a slot each, so this list always reaches the one that may start.
        let no_room = &self.state.no_room;
        let aside = no_room.queues();
        let mut candidates = self.state.store.candidates(self.is_taken.len() + 1 + aside.len()).await?;
        for queue in aside {
            // It has ended, or is a younger one than those that are looked at.
            if !candidates.iter().any(|candidate| candidate.number == queue) {
                no_room.forget(queue);
            }
        }
        for candidate in &mut candidates {
            if self.preparing.contains(&candidate.number) {
                candidate.checkout = Checkout::Running;
            }
        }
        let now = Instant::now();
        candidates.retain(|candidate| {
            candidate.checkout != Checkout::Missing || !self.state.no_room.waits(candidate.number, now)
        });
        let mut step = next_step(&candidates, free);
        let has_to_wait = self.state.no_room.is_tight() && !self.preparing.is_empty();
        if matches!(step, Some(Step::Prepare { .. })) && (has_to_wait || self.look_at_disk().await) {
            // A checkout would fail for no fault of the queue's. What has begun goes on, since its clock runs.
            candidates.retain(|candidate| candidate.checkout != Checkout::Missing);
            step = next_step(&candidates, free);
        }
        match step {
            None => Ok(false),
            Some(Step::Prepare { queue }) => self.prepare(slot, queue).await,
            Some(Step::Start { queue, n }) => self.start(slot, queue, n).await,
        }
    }

    async fn look_at_disk(&mut self) -> bool {
        let full = self.state.find_full_disk().await;
        let was_full = std::mem::replace(&mut self.is_disk_full, full.is_some());
        match full {
            Some(words) if !was_full => tracing::error!("{words}: queues wait until there is room"),
            None if was_full => tracing::info!("there is room on the disk again: queues go on"),
            _ => {}
        }
        self.is_disk_full
    }

    async fn prepare(&mut self, slot: usize, number: i64) -> StoreResult<bool> {
        let in_use = self.state.enter(number);
        let Some(queue) = self.state.store.start_queue(number, Timestamp::now()).await? else {
            return Ok(false);
        };
        self.preparing.insert(number);
        self.take(slot);
        self.work.spawn(work::prepare(self.state.clone(), in_use, slot, queue));
        Ok(true)
    }

    async fn start(&mut self, slot: usize, number: i64, n: i32) -> StoreResult<bool> {
        let in_use = self.state.enter(number);
        let Some((queue, task)) = self.state.store.start_task(number, n, Timestamp::now()).await? else {
            return Ok(false);
        };
        self.take(slot);
        self.work.spawn(work::run_task(self.state.clone(), in_use, slot, queue, task));
        Ok(true)
    }

    fn take(&mut self, slot: usize) {
        self.is_taken[slot] = true;
        self.state.busy.fetch_add(1, Ordering::Relaxed);
    }

    fn free(&mut self, ended: Ended) {
        self.is_taken[ended.slot] = false;
        self.state.busy.fetch_sub(1, Ordering::Relaxed);
        if let Some(number) = ended.prepared {
            self.preparing.remove(&number);
        }
    }

    async fn note_clock(&self) {
        if let Err(error) = self.state.store.note_clock().await {
            tracing::warn!(%error, "how long queues have run could not be noted");
        }
    }

    async fn prune(&self) {
        match self.state.store.prune_gone().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "forgot ids that were deleted long ago"),
            Err(error) => tracing::error!(%error, "ids that were deleted long ago could not be forgotten"),
        }
        if let Err(error) = self.state.store.keep_room().await {
            tracing::error!(%error, "the database could not be asked for its room");
        }
    }
}
