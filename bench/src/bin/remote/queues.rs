//! The queues of the bench's remote test server: running from the moment they are accepted until they are told to end.
//! All that changes gets a number, which is its `ETag` and its place in the feed.

use protocol::remote::{QueueBody, QueueRequest, QueueTask};
use protocol::{QueueStatus, TaskStatus, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

#[derive(Default)]
pub struct Queues {
    by_id: HashMap<String, Queue>,
    /// By the number of their last change.
    by_change: BTreeMap<u64, String>,
    last_change: u64,
    /// Share of the running ones that changes each second, and what of a change is left over.
    pace: f64,
    left_over: f64,
    calls: u64,
    asked: HashSet<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Questions about statuses since they were last forgotten, and how many queues are known.
#[derive(Serialize)]
pub struct Asked {
    known: usize,
    calls: u64,
    queues: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

pub struct Queue {
    scenarios: Vec<String>,
    status: QueueStatus,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    change: u64,
    progress: f64,
    files: usize,
}

impl Queue {
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.change)
    }

    pub fn has_ended(&self) -> bool {
        self.status != QueueStatus::Running
    }

    /// Result files of a task: the first one has them all.
    pub fn files(&self, n: u32) -> usize {
        if n == 1 { self.files } else { 0 }
    }

    pub fn body(&self, id: &str) -> QueueBody {
        let tasks = self.scenarios.iter().zip(1..).map(|(scenario, n)| self.task(id, scenario, n)).collect();
        QueueBody {
            id: id.to_owned(),
            status: self.status,
            position: None,
            created_at: Some(self.started_at),
            started_at: Some(self.started_at),
            finished_at: self.finished_at,
            message: String::new(),
            tasks: Some(tasks),
        }
    }

    fn task(&self, id: &str, scenario: &str, n: u32) -> QueueTask {
        let status = match self.status {
            QueueStatus::Running if n == 1 => TaskStatus::Running,
            QueueStatus::Running => TaskStatus::Waiting,
            QueueStatus::Finished => TaskStatus::Passed,
            _ => TaskStatus::Aborted,
        };
        let has_started = status != TaskStatus::Waiting;
        QueueTask {
            task_id: format!("{id}-{n}"),
            scenario: scenario.to_owned(),
            status,
            progress: has_started.then_some(self.progress),
            message: String::new(),
            log_size: Some(if self.has_ended() { super::LOG.len() as u64 } else { 0 }),
            started_at: has_started.then_some(self.started_at),
            finished_at: self.finished_at,
            exit_code: (status == TaskStatus::Passed).then_some(0),
        }
    }
}

impl Queues {
    pub fn accept(&mut self, request: QueueRequest) {
        if self.by_id.contains_key(&request.queue_id) {
            return;
        }
        let queue = Queue {
            scenarios: request.tasks.into_iter().map(|task| task.scenario).collect(),
            status: QueueStatus::Running,
            started_at: Timestamp::now(),
            finished_at: None,
            change: 0,
            progress: 0.0,
            files: 0,
        };
        self.by_id.insert(request.queue_id.clone(), queue);
        self.change(&request.queue_id, |_| {});
    }

    pub fn find(&self, id: &str) -> Option<&Queue> {
        self.by_id.get(id)
    }

    pub fn forget(&mut self, id: &str) {
        if let Some(queue) = self.by_id.remove(id) {
            self.by_change.remove(&queue.change);
        }
    }

    pub fn abort(&mut self, id: &str) {
        self.finish(id, QueueStatus::Aborted, 0);
    }

    /// Ends one of them, or all.
    pub fn end(&mut self, id: Option<&str>, files: usize) {
        let ids = id.map_or_else(|| self.by_id.keys().cloned().collect(), |id| vec![id.to_owned()]);
        for id in ids {
            self.finish(&id, QueueStatus::Finished, files);
        }
    }

    fn finish(&mut self, id: &str, status: QueueStatus, files: usize) {
        self.change(id, |queue| {
            if !queue.has_ended() {
                (queue.status, queue.finished_at, queue.files) = (status, Some(Timestamp::now()), files);
            }
        });
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Queue)) {
        let Some(queue) = self.by_id.get_mut(id) else { return };
        self.by_change.remove(&queue.change);
        self.last_change += 1;
        queue.change = self.last_change;
        change(queue);
        self.by_change.insert(self.last_change, id.to_owned());
    }

    pub fn set_pace(&mut self, share: f64) {
        self.pace = share;
    }

    /// As many as change in that time; whether any did.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn change_some(&mut self, time: Duration) -> bool {
        self.left_over += self.by_id.len() as f64 * self.pace * time.as_secs_f64();
        let count = self.left_over.floor();
        self.left_over -= count;
        // Those that have not changed for longest.
        let ids: Vec<String> = self.by_change.values().take(count as usize).cloned().collect();
        for id in &ids {
            self.change(id, |queue| queue.progress = (queue.progress + 0.01).min(1.0));
        }
        !ids.is_empty()
    }

    /// What has changed since a cursor, and the next cursor.
    pub fn since(&self, cursor: u64, most: usize) -> (u64, Vec<QueueBody>) {
        let newer: Vec<_> = self.by_change.range(cursor + 1..).take(most).collect();
        let last = newer.last().map_or(cursor, |(change, _)| **change);
        let bodies = newer.into_iter().filter_map(|(_, id)| Some(self.by_id.get(id)?.body(id))).collect();
        (last, bodies)
    }

    pub fn note_asked(&mut self, id: &str) {
        self.calls += 1;
        let now = Timestamp::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        if !self.asked.contains(id) {
            self.asked.insert(id.to_owned());
        }
    }

    pub fn asked(&self) -> Asked {
        Asked {
            known: self.by_id.len(),
            calls: self.calls,
            queues: self.asked.len(),
            first: self.first,
            last: self.last,
        }
    }

    pub fn forget_asked(&mut self) {
        (self.calls, self.first, self.last) = (0, None, None);
        self.asked.clear();
    }
}
