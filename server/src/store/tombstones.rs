//! Rows of `tombstones`: queues that no job follows any more and of which something is still wanted at their server.
//! One stays until that is done and no submission can be under way any more that would start the queue again.

use super::jobs::DUE_AT_ONCE;
use super::schema::tombstones;
use super::values::{Millis, WantedText};
use super::{AnyConnection, QueryResult, next_id};
use diesel::prelude::*;
use protocol::{Timestamp, UnknownWord};
use std::fmt;
use std::str::FromStr;

/// What is to become of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is to end; its logs stay at the server.
    Abort,
    /// It is to go, with its logs and its workspace.
    Delete,
}

impl Wanted {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for Wanted {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "abort" => Ok(Self::Abort),
            "delete" => Ok(Self::Delete),
            other => Err(UnknownWord(other.to_owned())),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = tombstones)]
pub struct Tombstone {
    pub id: i64,
    pub environment: String,
    pub instance: String,
    pub remote_queue_id: String,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub next_at: Timestamp,
    /// Looks so far; the pause before the next one is made from it.
    pub attempts: i64,
    pub error: Option<String>,
    #[diesel(deserialize_as = WantedText, serialize_as = WantedText)]
    pub wanted: Wanted,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub look_until: Timestamp,
}

/// Which queue, what is wanted of it, and how long it is looked for.
#[derive(Clone, Debug)]
pub struct NewTombstone {
    pub environment: String,
    pub instance: String,
    pub remote_queue_id: String,
    pub wanted: Wanted,
    pub look_until: Timestamp,
}

pub fn insert_tombstone(connection: &mut AnyConnection, new: NewTombstone, now: Timestamp) -> QueryResult<()> {
    let tombstone = Tombstone {
        id: next_id(connection, "tombstone")?,
        environment: new.environment,
        instance: new.instance,
        remote_queue_id: new.remote_queue_id,
        created_at: now,
        next_at: DUE_AT_ONCE,
        attempts: 0,
        error: None,
        wanted: new.wanted,
        look_until: new.look_until,
    };
    diesel::insert_into(tombstones::table).values(tombstone).execute(connection).map(drop)
}

pub fn list_due_tombstones(
    connection: &mut AnyConnection,
    environment: &str,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<Tombstone>> {
    tombstones::table
        .filter(tombstones::environment.eq(environment))
        .filter(tombstones::next_at.le(now.0))
        .order((tombstones::next_at, tombstones::id))
        .limit(limit)
        .load(connection)
}

/// When the next tombstone of an environment is due.
pub fn earliest_tombstone(connection: &mut AnyConnection, environment: &str) -> QueryResult<Option<Timestamp>> {
    let earliest: Option<i64> = tombstones::table
        .filter(tombstones::environment.eq(environment))
        .order(tombstones::next_at)
        .select(tombstones::next_at)
        .first(connection)
        .optional()?;
    Ok(earliest.map(Timestamp))
}

/// Whether a queue is still looked for.
pub fn is_looked_for(connection: &mut AnyConnection, environment: &str, queue_id: &str) -> QueryResult<bool> {
    let found = tombstones::table
        .filter(tombstones::environment.eq(environment))
        .filter(tombstones::remote_queue_id.eq(queue_id))
        .select(tombstones::id)
        .first::<i64>(connection);
    Ok(found.optional()?.is_some())
}

/// Whether a tombstone that was seen is still there.
pub fn is_there(connection: &mut AnyConnection, id: i64) -> QueryResult<bool> {
    let found = tombstones::table.find(id).select(tombstones::id).first::<i64>(connection);
    Ok(found.optional()?.is_some())
}

/// A queue is another's, so that nothing is wanted of it.
pub fn forget_queue(
    connection: &mut AnyConnection,
    environment: &str,
    instance: &str,
    queue_id: &str,
) -> QueryResult<()> {
    let of_queue = tombstones::table
        .filter(tombstones::environment.eq(environment))
        .filter(tombstones::instance.eq(instance))
        .filter(tombstones::remote_queue_id.eq(queue_id));
    diesel::delete(of_queue).execute(connection).map(drop)
}

/// A tombstone whose moments were not moved since it was seen, because the clock was set.
#[diesel::dsl::auto_type]
fn as_seen(id: i64, next_at: i64, look_until: i64) -> _ {
    tombstones::table.find(id).filter(tombstones::next_at.eq(next_at)).filter(tombstones::look_until.eq(look_until))
}

/// Looks again at `next_at`; one whose moments were moved meanwhile stays due.
pub fn postpone_tombstone(
    connection: &mut AnyConnection,
    seen: &Tombstone,
    next_at: Timestamp,
    error: Option<&str>,
) -> QueryResult<()> {
    diesel::update(as_seen(seen.id, seen.next_at.0, seen.look_until.0))
        .set((
            tombstones::attempts.eq(seen.attempts + 1),
            tombstones::next_at.eq(next_at.0),
            tombstones::error.eq(error),
        ))
        .execute(connection)
        .map(drop)
}

/// What was wanted is so; one whose moments were moved meanwhile stays due.
pub fn remove_tombstone(connection: &mut AnyConnection, seen: &Tombstone) -> QueryResult<()> {
    diesel::delete(as_seen(seen.id, seen.next_at.0, seen.look_until.0)).execute(connection).map(drop)
}

/// All of an environment's are due: what put them off may have been a clock that was put back since.
pub fn end_waits(connection: &mut AnyConnection, environment: &str, now: Timestamp) -> QueryResult<()> {
    let waiting =
        tombstones::table.filter(tombstones::environment.eq(environment)).filter(tombstones::next_at.gt(now.0));
    diesel::update(waiting).set(tombstones::next_at.eq(now.0)).execute(connection).map(drop)
}

/// The clock, which stood at `before`, was set by `step` milliseconds: what is looked for is looked for as long, and looked at
/// no later.
pub fn shift_times(connection: &mut AnyConnection, environment: &str, before: Timestamp, step: i64) -> QueryResult<()> {
    // Also those whose time is over: by a clock that was put back it would be to come again.
    let to_come = Timestamp(before.0.saturating_add(step.min(0)));
    let still_looked_for = tombstones::table.filter(tombstones::look_until.gt(to_come.0));
    diesel::update(still_looked_for.filter(tombstones::environment.eq(environment)))
        .set(tombstones::look_until.eq(tombstones::look_until + step))
        .execute(connection)?;
    end_waits(connection, environment, to_come)
}
