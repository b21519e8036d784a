//! What happens in a slot: a queue's checkout, or one task from its start to its stored verdict.
//! Nothing that has happened is lost to a database that fails for a while: its words are tried again.

use crate::layout::remove_tree;
use crate::process::{self, Limits, Outcome, Report};
use crate::queue::{End, Verdict, verdict};
use crate::results::Results;
use crate::state::{InUse, State};
use crate::store::{Finished, QueueRow, StoreResult, TaskRow};
use crate::workspace::{GitError, Wanted};
use protocol::size::in_units;
use protocol::{TaskStatus, Timestamp};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A change shows within a second, and a chatty scenario costs two small writes a second.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Between two tries to write down what has happened.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the end of a task may go on trying after the runner was told to stop.
const WRITE_AT_STOP: Duration = Duration::from_secs(3);

/// Tries to remove half a checkout.
const CLEAR_TRIES: u32 = 10;
const CLEAR_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A slot is free again.
pub struct Ended {
    pub slot: usize,
    /// The queue whose checkout this was.
    pub prepared: Option<i64>,
}

/// Checks a queue's commit out.
pub async fn prepare(state: State, in_use: InUse, slot: usize, queue: QueueRow) -> Ended {
    let (id, commit) = (&queue.queue_id, &queue.commit_hash);
    state.note(id, format!("checkout of {commit} (branch {})", queue.branch)).await;
    let start = Instant::now();
    let alone = Alone::begin(&state, id).await;
    let workspace = state.layout.workspace(id);
    let wanted = Wanted { branch: queue.branch.clone(), commit: commit.clone(), submodules: state.config.submodules };
    let checkout = state.repository.checkout(&workspace, &wanted);
    let result = tokio::select! {
        biased;
        () = in_use.abort.cancelled() => None,
        () = state.stop.cancelled() => None,
        result = checkout => Some(result),
    };
    let failure = match end_of(&state, id, alone, result).await {
        // Aborted: the store knows. Stopped: the next start of the runner begins again.
        CheckoutEnd::CutOff => {
            state.note(id, "the checkout was cut off".to_owned()).await;
            clear_away(&state, id).await;
            None
        }
        CheckoutEnd::Done(told) => {
            for line in told {
                state.note(id, line).await;
            }
            state.note(id, format!("checked out after {:.1} s", start.elapsed().as_secs_f64())).await;
            insist(&state, id, || state.store.mark_prepared(queue.number)).await;
            state.no_room.note_room(queue.number);
            None
        }
        CheckoutEnd::Waits(error) => {
            tracing::error!(queue = id, %error, "there was no room for the checkout of queue {id}; it waits");
            state
                .note(id, format!("there is no room for the checkout, so the queue waits until there is: {error}"))
                .await;
            clear_away(&state, id).await;
            state.no_room.note_failure(queue.number, Instant::now());
            insist(&state, id, || state.store.put_back(queue.number)).await;
            None
        }
        CheckoutEnd::NeedsTooMuch(error) => {
            tracing::error!(queue = id, %error, "the checkout of queue {id} needs more room than there is");
            let root = state.layout.workspace_root().display();
            Some(format!(
                "the checkout needs more room than there is at {root}, where no other queue has files: {error}"
            ))
        }
        CheckoutEnd::Failed(error) => {
            tracing::error!(queue = id, %error, "the checkout of queue {id} failed");
            Some(format!("the checkout failed: {error}"))
        }
    };
    if let Some(message) = failure {
        state.note(id, message.clone()).await;
        clear_away(&state, id).await;
        insist(&state, id, || state.store.fail_queue(queue.number, message.clone(), Timestamp::now())).await;
    }
    drop(in_use);
    Ended { slot, prepared: Some(queue.number) }
}

/// How a checkout has ended.
enum CheckoutEnd {
    CutOff,
    /// With what there is to tell of it.
    Done(Vec<String>),
    /// There was no room, and there may be when other queues are deleted.
    Waits(GitError),
    /// There was no room, and nothing to be deleted.
    NeedsTooMuch(GitError),
    Failed(GitError),
}

/// Asked before anything of the checkout is cleared away, and the disk has room again.
async fn end_of(
    state: &State,
    id: &str,
    alone: Option<Alone>,
    result: Option<Result<Vec<String>, GitError>>,
) -> CheckoutEnd {
    match result {
        None => CheckoutEnd::CutOff,
        Some(Ok(told)) => CheckoutEnd::Done(told),
        Some(Err(error)) if !error.is_for_want_of_room() && !is_out_of_room(state).await => CheckoutEnd::Failed(error),
        Some(Err(error)) => match alone {
            Some(alone) if alone.held(state, id).await => CheckoutEnd::NeedsTooMuch(error),
            _ => CheckoutEnd::Waits(error),
        },
    }
}

/// No other queue had files when a checkout began.
struct Alone {
    removals: u64,
}

impl Alone {
    async fn begin(state: &State, id: &str) -> Option<Self> {
        let removals = state.no_room.removals();
        has_all_room(state, id).await.then_some(Self { removals })
    }

    /// Whether none had any since. Those whose removal ends while the checkout fails have taken its room all the same.
    async fn held(&self, state: &State, id: &str) -> bool {
        has_all_room(state, id).await && state.no_room.removals() == self.removals
    }
}

/// Whether no other queue has files, so that no room can come of a deletion.
async fn has_all_room(state: &State, id: &str) -> bool {
    let (layout, id) = (state.layout.clone(), id.to_owned());
    tokio::task::spawn_blocking(move || layout.has_files_of_others(&id)).await.is_ok_and(|others| !others)
}

async fn is_out_of_room(state: &State) -> bool {
    let layout = state.layout.clone();
    tokio::task::spawn_blocking(move || layout.is_out_of_room()).await.unwrap_or(false)
}

/// Removes what there is of a checkout that will not be finished. Git, which was killed, may still be dying in it.
async fn clear_away(state: &State, id: &str) {
    state.no_room.note_begin_of_removal();
    let mut result = Ok(());
    for _ in 0..CLEAR_TRIES {
        let folder = state.layout.workspace(id);
        let removed = tokio::task::spawn_blocking(move || remove_tree(&folder)).await;
        result = removed.map_err(std::io::Error::from).flatten();
        if result.is_ok() {
            return;
        }
        tokio::time::sleep(CLEAR_AGAIN_AFTER).await;
    }
    if let Err(error) = result {
        tracing::warn!(queue = id, %error, "half a checkout of queue {id} could not be removed");
    }
}

/// Runs one task and stores how it ended.
pub async fn run_task(state: State, in_use: InUse, slot: usize, queue: QueueRow, task: TaskRow) -> Ended {
    let id = &queue.queue_id;
    let name = format!("{id}-{}", task.n);
    state.note(id, format!("task {name} ({}) starts in slot {slot}", task.scenario)).await;
    let start = Instant::now();
    let (reports, mut seen) = watch::channel(Report::default());
    let outcome = tokio::select! {
        outcome = run_process(&state, &in_use, slot, &queue, &task, reports) => outcome,
        never = pass_on_reports(&state, queue.number, task.n, seen.clone()) => match never {},
    };
    let results = state.layout.results(id, task.n);
    let find = move || {
        let found = Results::find(&results);
        let unsynced = found.sync(&results).err();
        (found, unsynced)
    };
    let (found, unsynced) = tokio::task::spawn_blocking(find).await.unwrap_or_default();
    if let Some(error) = unsynced {
        state.note(id, format!("the results of task {name} may not survive a power cut: {error}")).await;
    }
    if let Some(complaint) = found.complaint() {
        state.note(id, format!("of task {name} {complaint}")).await;
    }
    if outcome.as_ref().is_ok_and(|outcome| outcome.is_log_cut) {
        let limit = in_units(state.config.max_log_bytes);
        state.note(id, format!("the log of task {name} was cut at {limit} (max_log_bytes)")).await;
    }
    let still_runs = outcome.as_ref().ok().and_then(|outcome| outcome.still_runs.clone());
    let (mut verdict, log_size) = judge(outcome, &task);
    let progress = seen.borrow_and_update().progress.clone();
    if let Some(complaint) = still_runs {
        // The next task in this slot may find its device busy, and somebody should know why.
        let said = verdict.message.take().or_else(|| progress.clone().map(|(_, said)| said)).unwrap_or_default();
        let before = if said.is_empty() { said } else { format!("{said}; ") };
        verdict.message = Some(format!("{before}{complaint}"));
    }
    let code = verdict.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
    let words = verdict.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    let seconds = start.elapsed().as_secs_f64();
    state.note(id, format!("task {name} has ended: {}{code}, after {seconds:.1} s{words}", verdict.status)).await;
    let finished = Finished { verdict, progress, log_size };
    insist(&state, id, || state.store.finish_task(queue.number, task.n, finished.clone(), Timestamp::now())).await;
    drop(in_use);
    Ended { slot, prepared: None }
}

fn judge(outcome: std::io::Result<Outcome>, task: &TaskRow) -> (Verdict, u64) {
    let error = |message| Verdict { status: TaskStatus::Error, exit_code: None, message: Some(message) };
    match outcome {
        Err(cause) => (error(format!("{} could not be run: {cause}", task.path)), 0),
        Ok(Outcome { log_error: Some(cause), log_size, end, .. }) if end != End::Aborted => {
            (error(format!("its log could not be written: {cause}")), log_size)
        }
        Ok(outcome) => (verdict(outcome.end), outcome.log_size),
    }
}

async fn run_process(
    state: &State,
    in_use: &InUse,
    slot: usize,
    queue: &QueueRow,
    task: &TaskRow,
    reports: watch::Sender<Report>,
) -> std::io::Result<Outcome> {
    let (id, n) = (&queue.queue_id, task.n);
    let workspace = state.layout.workspace(id);
    let results = state.layout.results(id, n);
    tokio::fs::create_dir_all(&results).await?;
    tokio::fs::create_dir_all(state.layout.logs(id)).await?;
    let slot_env = state.config.slots[slot].iter().map(|(name, value)| (name.clone(), value.clone()));
    let own_env = [
        ("TESTARENA_QUEUE_ID", id.clone()),
        ("TESTARENA_TASK_ID", format!("{id}-{n}")),
        ("TESTARENA_SCENARIO", task.scenario.clone()),
        ("TESTARENA_BRANCH", queue.branch.clone()),
        ("TESTARENA_COMMIT", queue.commit_hash.clone()),
        ("TESTARENA_RESULTS", results.to_string_lossy().into_owned()),
        ("TESTARENA_SLOT", slot.to_string()),
    ];
    let task = process::Task {
        program: workspace.join(&task.path),
        workspace,
        env: slot_env.chain(own_env.map(|(name, value)| (name.to_owned(), value))).collect(),
        hidden_env: state.config.token_env.iter().cloned().collect(),
        log: state.layout.task_log(id, n),
        max_log_bytes: state.config.max_log_bytes,
        mark: process::mark_of_task(&results),
    };
    let limits = Limits { timeout: state.config.task_timeout, abort: in_use.abort.clone(), stop: state.stop.clone() };
    process::run(task, limits, reports).await
}

/// Stores what a task reports, for as long as it runs.
async fn pass_on_reports(state: &State, queue: i64, n: i32, mut reports: watch::Receiver<Report>) -> Infallible {
    while reports.changed().await.is_ok() {
        let report = reports.borrow_and_update().clone();
        if let Err(error) = state.store.update_task(queue, n, report.progress, report.log_size).await {
            tracing::warn!(%error, "a task's progress could not be stored");
        }
        tokio::time::sleep(REPORT_EVERY).await;
    }
    std::future::pending().await
}

/// Writes something down, however long the database fails.
async fn insist<F: Future<Output = StoreResult<()>>>(state: &State, queue_id: &str, write: impl Fn() -> F) {
    let mut stopped_at = None;
    while let Err(error) = write().await {
        tracing::error!(queue = queue_id, %error, "the state of queue {queue_id} could not be stored; trying again");
        if state.stop.is_cancelled() && stopped_at.get_or_insert_with(Instant::now).elapsed() > WRITE_AT_STOP {
            // The next start finds the task as one that was running, and ends it.
            return;
        }
        tokio::time::sleep(WRITE_AGAIN_AFTER).await;
    }
}
