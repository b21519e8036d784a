//! Queues and their tasks as rows: accepting one and looking one up.
//! What is written about a queue also gives it a new place in the changes feed.

use super::gone::is_gone;
use super::marks::mark_changed;
use super::schema::{queues, tasks};
use super::{Store, StoreResult};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use protocol::{QueueStatus, TaskStatus, Timestamp};
use std::str::FromStr;

/// A status as its word in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow)]
pub struct Word<T>(pub T);

impl<T: FromStr<Err = protocol::UnknownWord>> FromSql<Text, Sqlite> for Word<T> {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let word = <String as FromSql<Text, Sqlite>>::from_sql(bytes)?;
        Ok(Self(word.parse()?))
    }
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = queues, check_for_backend(Sqlite))]
pub struct QueueRow {
    pub number: i64,
    pub queue_id: String,
    pub instance: String,
    pub branch: String,
    pub commit_hash: String,
    pub timeout_s: i64,
    pub status: Word<QueueStatus>,
    pub message: String,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub changed: i64,
    pub prepared: bool,
    pub abort_requested: bool,
    /// In milliseconds on the clock that nobody sets.
    pub started_on_clock: Option<i64>,
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Sqlite))]
pub struct TaskRow {
    pub n: i32,
    pub scenario: String,
    pub path: String,
    pub status: Word<TaskStatus>,
    pub progress: Option<f64>,
    pub message: String,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub exit_code: Option<i32>,
    pub log_size: i64,
}

/// A queue with everything that its status shows.
#[derive(Clone, Debug)]
pub struct QueueView {
    pub queue: QueueRow,
    pub tasks: Vec<TaskRow>,
    /// 1-based, of a waiting queue.
    pub position: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct NewQueue {
    pub queue_id: String,
    pub instance: String,
    pub branch: String,
    pub commit: String,
    pub submitted_by: String,
    pub timeout_s: u64,
    pub tasks: Vec<NewTask>,
}

#[derive(Clone, Debug)]
pub struct NewTask {
    pub scenario: String,
    /// The scenario's file, relative to the checkout.
    pub path: String,
}

/// What became of a queue that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    New,
    /// Handed in before, just so.
    Known(QueueStatus),
    Taken,
    OtherInstance,
    Gone,
}

/// An answer about a queue of the asking instance.
#[derive(Clone, Debug)]
pub enum OfInstance<T> {
    Unknown,
    OtherInstance,
    Known(T),
}

impl Store {
    /// What a request for this id would meet now; `None`: the id is free.
    pub async fn probe(
        &self,
        id: String,
        instance: String,
        commit: String,
        scenarios: Vec<String>,
    ) -> StoreResult<Option<Acceptance>> {
        self.read(move |connection| probe(connection, &id, &instance, &commit, &scenarios)).await
    }

    /// Stores a queue with its tasks. When this returns, the commit is on the disk.
    pub async fn accept(&self, new: NewQueue, now: Timestamp) -> StoreResult<Acceptance> {
        self.write(move |connection| accept(connection, &new, now)).await
    }

    /// A queue whoever it belongs to, for a caller who has the whole server's trust.
    pub async fn queue(&self, id: String) -> StoreResult<Option<QueueRow>> {
        self.read(move |connection| find(connection, &id)).await
    }

    pub async fn view(&self, id: String, instance: String) -> StoreResult<OfInstance<QueueView>> {
        self.read(move |connection| {
            Ok(match find_owned(connection, &id, &instance)? {
                OfInstance::Unknown => OfInstance::Unknown,
                OfInstance::OtherInstance => OfInstance::OtherInstance,
                OfInstance::Known(queue) => OfInstance::Known(view(connection, queue)?),
            })
        })
        .await
    }

    /// One task, with its queue.
    pub async fn task(&self, id: String, n: u32, instance: String) -> StoreResult<OfInstance<(QueueRow, TaskRow)>> {
        self.read(move |connection| {
            let queue = match find_owned(connection, &id, &instance)? {
                OfInstance::Unknown => return Ok(OfInstance::Unknown),
                OfInstance::OtherInstance => return Ok(OfInstance::OtherInstance),
                OfInstance::Known(queue) => queue,
            };
            let key = (queue.number, i32::try_from(n).unwrap_or(i32::MAX));
            let task = tasks::table.find(key).select(TaskRow::as_select()).first(connection).optional()?;
            Ok(task.map_or(OfInstance::Unknown, |task| OfInstance::Known((queue, task))))
        })
        .await
    }

    pub async fn count_waiting(&self) -> StoreResult<u32> {
        self.read(|connection| count_waiting_to(connection, i64::MAX)).await
    }
}

fn find(connection: &mut SqliteConnection, id: &str) -> StoreResult<Option<QueueRow>> {
    Ok(queues::table.filter(queues::queue_id.eq(id)).select(QueueRow::as_select()).first(connection).optional()?)
}

pub(super) fn find_owned(
    connection: &mut SqliteConnection,
    id: &str,
    instance: &str,
) -> StoreResult<OfInstance<QueueRow>> {
    Ok(match find(connection, id)? {
        None => OfInstance::Unknown,
        Some(queue) if queue.instance != instance => OfInstance::OtherInstance,
        Some(queue) => OfInstance::Known(queue),
    })
}

pub(super) fn view(connection: &mut SqliteConnection, queue: QueueRow) -> StoreResult<QueueView> {
    let tasks = tasks_of(connection, queue.number)?;
    let position = match queue.status.0 {
        QueueStatus::Waiting => Some(count_waiting_to(connection, queue.number)?),
        _ => None,
    };
    Ok(QueueView { queue, tasks, position })
}

pub(super) fn tasks_of(connection: &mut SqliteConnection, queue: i64) -> StoreResult<Vec<TaskRow>> {
    let of_queue = tasks::table.filter(tasks::queue.eq(queue)).order(tasks::n);
    Ok(of_queue.select(TaskRow::as_select()).load(connection)?)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn queues_waiting_to(number: i64) -> _ {
    let waiting: &'static str = QueueStatus::Waiting.as_str();
    queues::table.filter(queues::status.eq(waiting)).filter(queues::number.le(number))
}

fn count_waiting_to(connection: &mut SqliteConnection, number: i64) -> StoreResult<u32> {
    let waiting: i64 = queues_waiting_to(number).count().get_result(connection)?;
    Ok(u32::try_from(waiting).unwrap_or(u32::MAX))
}

fn probe(
    connection: &mut SqliteConnection,
    id: &str,
    instance: &str,
    commit: &str,
    scenarios: &[String],
) -> StoreResult<Option<Acceptance>> {
    let found = find_owned(connection, id, instance)?;
    if matches!(found, OfInstance::OtherInstance) {
        return Ok(Some(Acceptance::OtherInstance));
    }
    if is_gone(connection, id, instance)? {
        return Ok(Some(Acceptance::Gone));
    }
    let OfInstance::Known(queue) = found else {
        return Ok(None);
    };
    let known = tasks_of(connection, queue.number)?;
    let is_same = queue.commit_hash == commit && known.iter().map(|task| &task.scenario).eq(scenarios);
    Ok(Some(if is_same { Acceptance::Known(queue.status.0) } else { Acceptance::Taken }))
}

fn accept(connection: &mut SqliteConnection, new: &NewQueue, now: Timestamp) -> StoreResult<Acceptance> {
    let scenarios: Vec<String> = new.tasks.iter().map(|task| task.scenario.clone()).collect();
    if let Some(met) = probe(connection, &new.queue_id, &new.instance, &new.commit, &scenarios)? {
        return Ok(met);
    }
    let number: i64 = diesel::insert_into(queues::table)
        .values((
            queues::queue_id.eq(&new.queue_id),
            queues::instance.eq(&new.instance),
            queues::branch.eq(&new.branch),
            queues::commit_hash.eq(&new.commit),
            queues::submitted_by.eq(&new.submitted_by),
            queues::timeout_s.eq(i64::try_from(new.timeout_s).unwrap_or(i64::MAX)),
            queues::status.eq(QueueStatus::Waiting.as_str()),
            queues::message.eq(""),
            queues::created_at.eq(now.0),
            queues::changed.eq(0),
            queues::prepared.eq(false),
            queues::abort_requested.eq(false),
            queues::delete_requested.eq(false),
        ))
        .returning(queues::number)
        .get_result(connection)?;
    for (n, task) in (1_i32..).zip(&new.tasks) {
        diesel::insert_into(tasks::table)
            .values((
                tasks::queue.eq(number),
                tasks::n.eq(n),
                tasks::scenario.eq(&task.scenario),
                tasks::path.eq(&task.path),
                tasks::status.eq(TaskStatus::Waiting.as_str()),
                tasks::message.eq(""),
                tasks::log_size.eq(0),
            ))
            .execute(connection)?;
    }
    mark_changed(connection, number)?;
    Ok(Acceptance::New)
}
