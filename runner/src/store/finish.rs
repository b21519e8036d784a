//! How queues and tasks end: by themselves, by an abort, by a failed checkout, by being deleted.
//! A final status is never changed again.

use super::gone::remember_gone;
use super::marks::{mark_changed, mark_line_changed};
use super::queues::{OfInstance, QueueRow, QueueView, find_owned, tasks_of, view};
use super::schema::{queues, tasks};
use super::{Store, StoreResult};
use crate::queue::{Verdict, final_status};
use diesel::prelude::*;
use protocol::{QueueStatus, TaskStatus, Timestamp};

/// How a task ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub verdict: Verdict,
    /// The last that it reported.
    pub progress: Option<(f64, String)>,
    /// Bytes in its log.
    pub log_size: u64,
}

impl Store {
    /// Writes down how a running task ended, and what its queue has become by it.
    pub async fn finish_task(&self, number: i64, n: i32, finished: Finished, now: Timestamp) -> StoreResult<()> {
        self.write(move |connection| finish_task(connection, number, n, finished, now)).await
    }

    /// Ends a queue that can't be run at all.
    pub async fn fail_queue(&self, number: i64, message: String, now: Timestamp) -> StoreResult<()> {
        self.write(move |connection| fail_queue(connection, number, &message, now)).await
    }

    /// Records an abort: waiting tasks have ended with it, running ones are the caller's to kill.
    /// An unknown id is remembered, so that it is not accepted later.
    pub async fn abort(&self, id: String, instance: String, now: Timestamp) -> StoreResult<OfInstance<QueueView>> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let queue = match find_owned(connection, &id, &instance)? {
                OfInstance::OtherInstance => return Ok(OfInstance::OtherInstance),
                OfInstance::Unknown => {
                    remember_gone(connection, &id, &instance, clock.reading())?;
                    return Ok(OfInstance::Unknown);
                }
                OfInstance::Known(queue) => queue,
            };
            abort(connection, queue.number, "aborted on request", now)?;
            let queue = queues::table.find(queue.number).select(QueueRow::as_select()).first(connection)?;
            Ok(OfInstance::Known(view(connection, queue)?))
        })
        .await
    }

    /// The server's own abort of a queue, with its reason.
    pub async fn abort_number(&self, number: i64, reason: String, now: Timestamp) -> StoreResult<()> {
        self.write(move |connection| abort(connection, number, &reason, now)).await
    }

    /// Records that a queue shall go, and that its id is gone; tells its number if it is known.
    pub async fn request_delete(&self, id: String, instance: String, now: Timestamp) -> StoreResult<OfInstance<i64>> {
        let clock = self.clock.clone();
        self.write(move |connection| {
            let found = find_owned(connection, &id, &instance)?;
            if matches!(found, OfInstance::OtherInstance) {
                return Ok(OfInstance::OtherInstance);
            }
            remember_gone(connection, &id, &instance, clock.reading())?;
            let OfInstance::Known(queue) = found else {
                return Ok(OfInstance::Unknown);
            };
            diesel::update(queues::table.find(queue.number))
                .set(queues::delete_requested.eq(true))
                .execute(connection)?;
            abort(connection, queue.number, "deleted", now)?;
            Ok(OfInstance::Known(queue.number))
        })
        .await
    }

    /// Removes a queue's rows, after its files are gone.
    pub async fn forget(&self, number: i64) -> StoreResult<()> {
        self.write(move |connection| {
            diesel::delete(queues::table.find(number)).execute(connection)?;
            Ok(())
        })
        .await
    }
}

fn finish_task(
    connection: &mut SqliteConnection,
    number: i64,
    n: i32,
    finished: Finished,
    now: Timestamp,
) -> StoreResult<()> {
    let Finished { verdict, progress, log_size } = finished;
    let (value, said) = progress.unzip();
    let value = if verdict.status == TaskStatus::Passed { Some(1.0) } else { value };
    let running = tasks::table.find((number, n)).filter(tasks::status.eq(TaskStatus::Running.as_str()));
    let moved = diesel::update(running)
        .set((
            tasks::status.eq(verdict.status.as_str()),
            tasks::exit_code.eq(verdict.exit_code),
            tasks::finished_at.eq(now.0),
            tasks::progress.eq(value),
            tasks::message.eq(verdict.message.or(said).unwrap_or_default()),
            tasks::log_size.eq(i64::try_from(log_size).unwrap_or(i64::MAX)),
        ))
        .execute(connection)?;
    if moved == 0 {
        return Ok(());
    }
    mark_changed(connection, number)?;
    close_if_ended(connection, number, now)
}

/// Gives a queue its final status when all its tasks have theirs.
pub(super) fn close_if_ended(connection: &mut SqliteConnection, number: i64, now: Timestamp) -> StoreResult<()> {
    let statuses: Vec<TaskStatus> = tasks_of(connection, number)?.iter().map(|task| task.status.0).collect();
    match final_status(&statuses) {
        Some(status) => end_queue(connection, number, status, now),
        None => Ok(()),
    }
}

fn end_queue(connection: &mut SqliteConnection, number: i64, status: QueueStatus, now: Timestamp) -> StoreResult<()> {
    let open = [QueueStatus::Waiting.as_str(), QueueStatus::Running.as_str()];
    diesel::update(queues::table.find(number).filter(queues::status.eq_any(open)))
        .set((queues::status.eq(status.as_str()), queues::finished_at.eq(now.0)))
        .execute(connection)?;
    // What ended by itself before an abort took hold is no aborted queue, and says nothing of one.
    if status == QueueStatus::Finished {
        diesel::update(queues::table.find(number)).set(queues::message.eq("")).execute(connection)?;
    }
    Ok(())
}

fn end_waiting_tasks(
    connection: &mut SqliteConnection,
    number: i64,
    status: TaskStatus,
    message: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let of_queue = tasks::table.filter(tasks::queue.eq(number));
    diesel::update(of_queue.filter(tasks::status.eq(TaskStatus::Waiting.as_str())))
        .set((tasks::status.eq(status.as_str()), tasks::message.eq(message), tasks::finished_at.eq(now.0)))
        .execute(connection)?;
    Ok(())
}

fn abort(connection: &mut SqliteConnection, number: i64, reason: &str, now: Timestamp) -> StoreResult<()> {
    let open = [QueueStatus::Waiting.as_str(), QueueStatus::Running.as_str()];
    let unfinished = queues::table.find(number).filter(queues::status.eq_any(open));
    let moved = diesel::update(unfinished.filter(queues::abort_requested.eq(false)))
        .set((queues::abort_requested.eq(true), queues::message.eq(reason)))
        .execute(connection)?;
    if moved == 0 {
        return Ok(());
    }
    let was_waiting = queues::table.find(number).select(queues::started_at).first::<Option<i64>>(connection)?.is_none();
    end_waiting_tasks(connection, number, TaskStatus::Aborted, "", now)?;
    close_if_ended(connection, number, now)?;
    mark_changed(connection, number)?;
    if was_waiting {
        mark_line_changed(connection, number)?;
    }
    Ok(())
}

fn fail_queue(connection: &mut SqliteConnection, number: i64, message: &str, now: Timestamp) -> StoreResult<()> {
    let running = queues::table.find(number).filter(queues::status.eq(QueueStatus::Running.as_str()));
    let moved = diesel::update(running.filter(queues::abort_requested.eq(false)))
        .set(queues::message.eq(message))
        .execute(connection)?;
    if moved == 0 {
        return Ok(());
    }
    end_waiting_tasks(connection, number, TaskStatus::Error, message, now)?;
    let statuses: Vec<TaskStatus> = tasks_of(connection, number)?.iter().map(|task| task.status.0).collect();
    if final_status(&statuses).is_some() {
        end_queue(connection, number, QueueStatus::Error, now)?;
    }
    mark_changed(connection, number)
}
