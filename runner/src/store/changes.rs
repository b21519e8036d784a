//! The changes feed: each change of a queue gets the next number of one sequence, in commit order.
//! A cursor is such a number with the epoch of the database that it comes from.

use super::queues::{QueueRow, QueueView, view};
use super::schema::{feed, queues};
use super::{Store, StoreResult};
use diesel::prelude::*;
use protocol::remote::MAX_CHANGES;
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    epoch: String,
    seq: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

#[derive(Debug)]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (epoch, seq) = text.split_once('.').ok_or(NotACursor)?;
        Ok(Self { epoch: epoch.to_owned(), seq: seq.parse().map_err(|_| NotACursor)? })
    }
}

/// One answer's worth of the feed.
#[derive(Debug)]
pub struct FeedPage {
    pub cursor: Cursor,
    pub reset: bool,
    pub queues: Vec<QueueView>,
}

impl Store {
    /// What changed for this instance since the cursor; without one that belongs here, every unfinished queue.
    pub async fn changes(&self, instance: String, since: Option<Cursor>) -> StoreResult<FeedPage> {
        self.read(move |connection| changes(connection, &instance, since)).await
    }
}

fn changes(connection: &mut SqliteConnection, instance: &str, since: Option<Cursor>) -> StoreResult<FeedPage> {
    let (epoch, last): (String, i64) = feed::table.select((feed::epoch, feed::seq)).first(connection)?;
    // A cursor from the future belongs to a database that has since been put back to an older state.
    let since =
        since.filter(|cursor| cursor.epoch == epoch && (0..=last).contains(&cursor.seq)).map(|cursor| cursor.seq);
    let of_instance = queues::table.filter(queues::instance.eq(instance)).select(QueueRow::as_select());
    let page = i64::try_from(MAX_CHANGES).unwrap_or(i64::MAX);
    let rows: Vec<QueueRow> = match since {
        Some(seq) => of_instance.filter(queues::changed.gt(seq)).order(queues::changed).limit(page).load(connection)?,
        None => of_instance
            // The words stand in the text of the query, so that the index over unfinished queues serves it.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status IN ('waiting', 'running')"))
            .order(queues::changed)
            .limit(page)
            .load(connection)?,
    };
    let mut is_full = rows.len() >= MAX_CHANGES;
    let (mut queues, mut size) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        let view = view(connection, row)?;
        size += size_of(&view);
        // One that is larger than a page by itself still has to go out.
        if size > PAGE_BYTES && !queues.is_empty() {
            is_full = true;
            break;
        }
        queues.push(view);
    }
    let seq = queues.last().filter(|_| is_full).map_or(last, |view: &QueueView| view.queue.changed);
    Ok(FeedPage { cursor: Cursor { epoch, seq }, reset: since.is_none(), queues })
}

/// Where a page ends that has not had its number of queues yet: half of what a client takes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// A queue's and a task's fields around their texts, in bytes of JSON.
const AROUND_TEXTS: usize = 260;

/// About how many bytes of JSON a queue's status is.
fn size_of(view: &QueueView) -> usize {
    let id = view.queue.queue_id.len();
    let tasks = view.tasks.iter().map(|task| AROUND_TEXTS + id + task.scenario.len() + task.message.len());
    AROUND_TEXTS + id + view.queue.message.len() + tasks.sum::<usize>()
}
