//! What the scheduler reads and writes: what may start, what has started, how far it is.
//! Every change of state is one conditional update, so that an abort in between wins.

use super::clock::put_starts_right;
use super::finish::close_if_ended;
use super::marks::{mark_changed, mark_line_changed};
use super::queues::{QueueRow, TaskRow, tasks_of};
use super::schema::{queues, tasks};
use super::{Store, StoreResult};
use crate::layout::Layout;
use crate::queue::{Candidate, Checkout, RUNNER_STOPPED};
use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use protocol::{QueueStatus, TaskStatus, Timestamp};
use std::collections::HashMap;

/// What a start of the runner found left over.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Queues whose deletion had begun.
    pub to_delete: Vec<(i64, String)>,
    /// Queues that ended before their checkout was whole.
    pub half_done: Vec<String>,
    /// All queues' ids and the commits they need.
    pub held: HashMap<String, String>,
}

impl Store {
    /// The oldest queues with waiting tasks.
    pub async fn candidates(&self, limit: usize) -> StoreResult<Vec<Candidate>> {
        self.read(move |connection| candidates(connection, limit)).await
    }

    /// Makes a queue a running one; `None` if it was aborted meanwhile.
    pub async fn start_queue(&self, number: i64, now: Timestamp) -> StoreResult<Option<QueueRow>> {
        let clock = self.clock.clone();
        self.write(move |connection| start_queue(connection, number, now, clock.reading())).await
    }

    pub async fn mark_prepared(&self, number: i64) -> StoreResult<()> {
        self.write(move |connection| {
            diesel::update(queues::table.find(number)).set(queues::prepared.eq(true)).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Lets a queue wait again whose checkout found no room. One of which a task has run goes on running.
    pub async fn put_back(&self, number: i64) -> StoreResult<()> {
        self.write(move |connection| put_back(connection, number)).await
    }

    /// Makes a task a running one; `None` if it was aborted meanwhile.
    pub async fn start_task(&self, number: i64, n: i32, now: Timestamp) -> StoreResult<Option<(QueueRow, TaskRow)>> {
        self.write(move |connection| start_task(connection, number, n, now)).await
    }

    /// How far a running task is.
    pub async fn update_task(
        &self,
        number: i64,
        n: i32,
        progress: Option<(f64, String)>,
        log_size: u64,
    ) -> StoreResult<()> {
        self.write(move |connection| {
            let log_size = i64::try_from(log_size).unwrap_or(i64::MAX);
            let running = tasks::table.find((number, n)).filter(tasks::status.eq(TaskStatus::Running.as_str()));
            let task = diesel::update(running);
            match progress {
                Some((value, message)) => task
                    .set((tasks::progress.eq(value), tasks::message.eq(message), tasks::log_size.eq(log_size)))
                    .execute(connection)?,
                None => task.set(tasks::log_size.eq(log_size)).execute(connection)?,
            };
            mark_changed(connection, number)
        })
        .await
    }

    /// Queues that run and shall go on.
    pub async fn running(&self) -> StoreResult<Vec<QueueRow>> {
        self.read(|connection| {
            let running = queues::table.filter(queues::status.eq(QueueStatus::Running.as_str()));
            Ok(running.filter(queues::abort_requested.eq(false)).select(QueueRow::as_select()).load(connection)?)
        })
        .await
    }

    /// Tasks that run, or did when the runner died: the queue's id and the task's number.
    pub async fn running_tasks(&self) -> StoreResult<Vec<(String, i32)>> {
        self.read(|connection| {
            let running = tasks::table.inner_join(queues::table).filter(tasks::status.eq(TaskStatus::Running.as_str()));
            Ok(running.select((queues::queue_id, tasks::n)).order((tasks::queue, tasks::n)).load(connection)?)
        })
        .await
    }

    /// Puts the state right after the runner died: what was running has ended as an error, what waited still will run.
    /// `is_same_boot`: the machine has run on since the runner's last start.
    pub async fn recover(&self, layout: Layout, is_same_boot: bool, now: Timestamp) -> StoreResult<Recovered> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            put_starts_right(connection, clock.reading())?;
            recover(connection, &layout, is_same_boot, now)
        })
        .await
    }
}

fn candidates(connection: &mut SqliteConnection, limit: usize) -> StoreResult<Vec<Candidate>> {
    let rows: Vec<(i64, i64, Option<i32>)> = tasks::table
        // In the text of the query, so that the index over waiting tasks serves it.
        .filter(sql::<Bool>("status = 'waiting'"))
        .group_by(tasks::queue)
        .select((tasks::queue, count_star(), min(tasks::n)))
        .order(tasks::queue)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for (number, waiting, first) in rows {
        let prepared: bool = queues::table.find(number).select(queues::prepared).first(connection)?;
        found.push(Candidate {
            number,
            waiting: usize::try_from(waiting).unwrap_or(0),
            next_task: first.unwrap_or(1),
            checkout: if prepared { Checkout::Done } else { Checkout::Missing },
        });
    }
    Ok(found)
}

fn start_queue(
    connection: &mut SqliteConnection,
    number: i64,
    now: Timestamp,
    now_on_clock: i64,
) -> StoreResult<Option<QueueRow>> {
    let waiting = queues::table.find(number).filter(queues::status.eq(QueueStatus::Waiting.as_str()));
    let moved = diesel::update(waiting)
        .set((
            queues::status.eq(QueueStatus::Running.as_str()),
            queues::started_at.eq(now.0),
            queues::started_on_clock.eq(now_on_clock),
        ))
        .execute(connection)?;
    if moved == 1 {
        mark_changed(connection, number)?;
        mark_line_changed(connection, number)?;
    }
    let running = queues::table.find(number).filter(queues::status.eq(QueueStatus::Running.as_str()));
    let wanted = running.filter(queues::abort_requested.eq(false));
    Ok(wanted.select(QueueRow::as_select()).first(connection).optional()?)
}

fn put_back(connection: &mut SqliteConnection, number: i64) -> StoreResult<()> {
    let is_untouched = tasks_of(connection, number)?.iter().all(|task| task.status.0 == TaskStatus::Waiting);
    if is_untouched {
        let running = queues::table.find(number).filter(queues::status.eq(QueueStatus::Running.as_str()));
        diesel::update(running)
            .set((queues::status.eq(QueueStatus::Waiting.as_str()), queues::started_at.eq(None::<i64>)))
            .execute(connection)?;
        mark_changed(connection, number)?;
        mark_line_changed(connection, number)?;
    }
    Ok(())
}

fn start_task(
    connection: &mut SqliteConnection,
    number: i64,
    n: i32,
    now: Timestamp,
) -> StoreResult<Option<(QueueRow, TaskRow)>> {
    let waiting = tasks::table.find((number, n)).filter(tasks::status.eq(TaskStatus::Waiting.as_str()));
    let moved = diesel::update(waiting)
        .set((tasks::status.eq(TaskStatus::Running.as_str()), tasks::started_at.eq(now.0)))
        .execute(connection)?;
    if moved == 0 {
        return Ok(None);
    }
    mark_changed(connection, number)?;
    let queue = queues::table.find(number).select(QueueRow::as_select()).first(connection)?;
    let task = tasks::table.find((number, n)).select(TaskRow::as_select()).first(connection)?;
    Ok(Some((queue, task)))
}

fn recover(
    connection: &mut SqliteConnection,
    layout: &Layout,
    is_same_boot: bool,
    now: Timestamp,
) -> StoreResult<Recovered> {
    let mut recovered = Recovered::default();
    let open = queues::table.filter(queues::status.eq(QueueStatus::Running.as_str()));
    let open: Vec<QueueRow> = open.select(QueueRow::as_select()).load(connection)?;
    for queue in open {
        for task in tasks_of(connection, queue.number)? {
            if task.status.0 == TaskStatus::Running {
                end_interrupted(connection, &queue, task.n, layout, now)?;
            }
        }
        mark_changed(connection, queue.number)?;
        close_if_ended(connection, queue.number, now)?;
        // Nobody syncs a checkout's files, so that a power cut may have emptied some.
        let has_workspace = is_same_boot && layout.workspace(&queue.queue_id).is_dir();
        if !has_workspace {
            let open = queues::table.find(queue.number).filter(queues::finished_at.is_null());
            diesel::update(open).set(queues::prepared.eq(false)).execute(connection)?;
        }
        if !has_workspace || !queue.prepared {
            // Its checkout may have to wait for room, and its time begins with that.
            put_back(connection, queue.number)?;
        }
    }
    let to_delete = queues::table.filter(queues::delete_requested.eq(true));
    recovered.to_delete = to_delete.select((queues::number, queues::queue_id)).load(connection)?;
    let ended = queues::table.filter(queues::prepared.eq(false)).filter(queues::finished_at.is_not_null());
    recovered.half_done = ended.select(queues::queue_id).load(connection)?;
    let all = queues::table.select((queues::queue_id, queues::commit_hash));
    recovered.held = all.load(connection)?.into_iter().collect();
    Ok(recovered)
}

fn end_interrupted(
    connection: &mut SqliteConnection,
    queue: &QueueRow,
    n: i32,
    layout: &Layout,
    now: Timestamp,
) -> StoreResult<()> {
    let (status, message) =
        if queue.abort_requested { (TaskStatus::Aborted, "") } else { (TaskStatus::Error, RUNNER_STOPPED) };
    let log_size = std::fs::metadata(layout.task_log(&queue.queue_id, n)).map_or(0, |metadata| metadata.len());
    diesel::update(tasks::table.find((queue.number, n)))
        .set((
            tasks::status.eq(status.as_str()),
            tasks::message.eq(message),
            tasks::finished_at.eq(now.0),
            tasks::log_size.eq(i64::try_from(log_size).unwrap_or(i64::MAX)),
        ))
        .execute(connection)?;
    Ok(())
}
