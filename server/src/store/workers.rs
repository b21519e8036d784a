//! The threads on which queries run, each with a connection of its own, and the queue that feeds them.
//! Nobody waits for long: a call that no thread has taken within `WAIT_LIMIT` is answered with "busy".

use super::connector::Connector;
use super::group::{Mode, Work, work};
use super::held::Held;
use super::{AnyConnection, Outage, QueryResult, StoreError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a caller waits for a thread that is free.
const WAIT_LIMIT: Duration = Duration::from_secs(2);
/// More calls than this do not wait at all; far more than can be served within the limit.
const MAX_WAITING: usize = 20_000;
/// After a connection could not be had, calls are refused at once for so long.
const REFUSED_FOR: Duration = Duration::from_secs(1);

struct Call {
    /// By the thread that works on it, or by a caller who does not wait any longer.
    taken: Arc<AtomicBool>,
    work: Work,
}

/// A queue and its threads. They end when it is dropped and all that waited is done.
pub(super) struct Lane(Arc<Queue>);

struct Queue {
    connector: Arc<Connector>,
    mode: Mode,
    calls: Mutex<Calls>,
    arrived: Condvar,
    busy: AtomicUsize,
    /// Threads that have a connection.
    open: AtomicUsize,
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<Call>,
    is_closed: bool,
    /// When the last connection could not be had, and why.
    refused: Option<(Instant, StoreError)>,
}

impl Calls {
    fn recent_refusal(&self) -> Option<&(Instant, StoreError)> {
        self.refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSED_FOR)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// `name` is the threads' in the operating system's lists.
    pub(super) fn start(name: &str, threads: usize, mode: Mode, connector: &Arc<Connector>) -> Self {
        let queue = Arc::new(Queue {
            connector: Arc::clone(connector),
            mode,
            calls: Mutex::default(),
            arrived: Condvar::new(),
            busy: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let lane = Self(Arc::clone(&queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&queue));
            // At the start of the process: a machine that has no threads left can't run a server.
            started.expect("a thread for the database could not be started");
        }
        lane
    }

    /// Runs a query on one of the threads; `after` only if it holds, and also when the caller has gone away.
    pub(super) async fn call<T, F, A>(&self, query: F, after: A) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
        T: Send + 'static,
    {
        let (sender, mut answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        let some_take_none = {
            let mut calls = self.0.lock();
            if calls.waiting.len() >= MAX_WAITING {
                return Err(StoreError::unavailable(Outage::Busy, &"too many calls are waiting"));
            }
            calls.waiting.push_back(Call { taken: Arc::clone(&taken), work: work(query, after, sender) });
            calls.recent_refusal().is_some()
        };
        if some_take_none {
            self.0.arrived.notify_all();
        } else {
            self.0.arrived.notify_one();
        }
        match tokio::time::timeout(WAIT_LIMIT, &mut answer).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Interrupted)),
            Err(_) if !taken.swap(true, Ordering::AcqRel) => {
                Err(StoreError::unavailable(Outage::Busy, &"no connection was free in time"))
            }
            Err(_) => answer.await.unwrap_or(Err(StoreError::Interrupted)),
        }
    }

    /// How many calls are being worked on, and how many wait.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.0.busy.load(Ordering::Relaxed), self.0.lock().waiting.len())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.arrived.notify_all();
    }
}

fn run(queue: &Queue) {
    let mut held = Held::new(Arc::clone(&queue.connector));
    let mut is_counted = false;
    while let Some(group) = next_group(queue, &mut held, &mut is_counted) {
        queue.busy.fetch_add(group.len(), Ordering::Relaxed);
        let count = group.len();
        let known = queue.lock().recent_refusal().cloned();
        let failed = match known {
            Some((_, error)) if !held.is_open() => {
                refuse(group, &error);
                None
            }
            _ => perform(&mut held, group, queue.mode),
        };
        if let Some(error) = failed {
            queue.lock().refused = Some((Instant::now(), error));
        }
        count_open(queue, &held, &mut is_counted);
        queue.busy.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Waits for what is to be done next; `None` when nothing will come any more. A thread that has no connection and gets none
/// leaves the calls to those that have one: a server may have but few for us.
fn next_group(queue: &Queue, held: &mut Held, is_counted: &mut bool) -> Option<Vec<Call>> {
    let most = match queue.mode {
        Mode::Transaction { group } => group,
        Mode::Plain => 1,
    };
    let mut calls = queue.lock();
    loop {
        let may_leave_it = !held.is_open() && queue.open.load(Ordering::Relaxed) > 0;
        if !calls.waiting.is_empty() && may_leave_it {
            if let Some((at, _)) = calls.recent_refusal() {
                let pause = REFUSED_FOR.saturating_sub(at.elapsed());
                calls = queue.arrived.wait_timeout(calls, pause).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            drop(calls);
            let connected = held.connect(queue.mode);
            count_open(queue, held, is_counted);
            calls = queue.lock();
            if let Err(error) = connected {
                calls.refused = Some((Instant::now(), error));
                queue.arrived.notify_all();
                continue;
            }
        }
        let mut group = Vec::new();
        while group.len() < most {
            let Some(call) = calls.waiting.pop_front() else { break };
            if !call.taken.swap(true, Ordering::AcqRel) {
                group.push(call);
            }
        }
        if !group.is_empty() {
            return Some(group);
        }
        if calls.is_closed {
            return None;
        }
        calls = queue.arrived.wait(calls).unwrap_or_else(PoisonError::into_inner);
    }
}

fn count_open(queue: &Queue, held: &Held, is_counted: &mut bool) {
    match (held.is_open(), std::mem::replace(is_counted, held.is_open())) {
        (true, false) => {
            queue.open.fetch_add(1, Ordering::Relaxed);
        }
        (false, true) => {
            queue.open.fetch_sub(1, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// Runs calls that wait together; the error if no connection could be had for them.
fn perform(held: &mut Held, group: Vec<Call>, mode: Mode) -> Option<StoreError> {
    if let Err(error) = held.connect(mode) {
        refuse(group, &error);
        return Some(error);
    }
    held.perform(group.into_iter().map(|call| call.work).collect(), mode);
    None
}

fn refuse(group: Vec<Call>, error: &StoreError) {
    for call in group {
        (call.work)(Err(error.clone()));
    }
}
