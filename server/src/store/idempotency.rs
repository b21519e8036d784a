//! Rows of `idempotency_keys`: which job a user's key has made, so that a retry gets the same one.
//! A key outlives its job, so that a retry learns that the job was deleted.

use super::schema::idempotency_keys;
use super::values::JobKey;
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{JobId, Timestamp, UserId};
use std::time::Duration;

/// How long a key is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KeyUse {
    pub request_hash: String,
    #[diesel(deserialize_as = JobKey)]
    pub job_id: JobId,
}

/// What a key made, if it is still remembered.
pub fn find_key_use(
    connection: &mut AnyConnection,
    user: UserId,
    key: &str,
    now: Timestamp,
) -> QueryResult<Option<KeyUse>> {
    idempotency_keys::table
        .find((user.0, key))
        .filter(idempotency_keys::created_at.gt(now.minus(REMEMBERED_FOR).0))
        .select((idempotency_keys::request_hash, idempotency_keys::job_id))
        .first(connection)
        .optional()
}

/// Clears away what is remembered no longer: a write for a transaction to begin with.
pub fn forget_old_keys(connection: &mut AnyConnection, now: Timestamp) -> QueryResult<()> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.le(now.minus(REMEMBERED_FOR).0));
    diesel::delete(old).execute(connection)?;
    bring_back_keys(connection, now)
}

/// Whether a key was used at a time that is still to come, by a clock that was put back since.
pub fn has_keys_ahead(connection: &mut AnyConnection, now: Timestamp) -> QueryResult<bool> {
    let ahead = idempotency_keys::table.filter(idempotency_keys::created_at.gt(now.0));
    diesel::select(diesel::dsl::exists(ahead)).get_result(connection)
}

/// What was used at a time that is still to come counts as used now: it is remembered for as long as any other, and not
/// until that time.
pub fn bring_back_keys(connection: &mut AnyConnection, now: Timestamp) -> QueryResult<()> {
    diesel::update(idempotency_keys::table.filter(idempotency_keys::created_at.gt(now.0)))
        .set(idempotency_keys::created_at.eq(now.0))
        .execute(connection)
        .map(drop)
}

/// The clock, which stood at `before`, was set by `step` milliseconds. Ahead: what was remembered by then is so for as long
/// as it was to be. Back: it is brought back where it is met, because others may have noted some of it by a right clock.
pub fn shift_times(connection: &mut AnyConnection, before: Timestamp, step: i64) -> QueryResult<()> {
    if step < 0 {
        return Ok(());
    }
    let remembered = idempotency_keys::table
        .filter(idempotency_keys::created_at.gt(before.minus(REMEMBERED_FOR).0))
        .filter(idempotency_keys::created_at.le(before.0));
    diesel::update(remembered)
        .set(idempotency_keys::created_at.eq(idempotency_keys::created_at + step))
        .execute(connection)
        .map(drop)
}

/// Notes what a key made. A key in use is a unique violation, which undoes the transaction with its job.
pub fn insert_key_use(
    connection: &mut AnyConnection,
    user: UserId,
    key: &str,
    made: &KeyUse,
    now: Timestamp,
) -> QueryResult<()> {
    let row = (
        idempotency_keys::user_id.eq(user.0),
        idempotency_keys::idempotency_key.eq(key),
        idempotency_keys::request_hash.eq(&made.request_hash),
        idempotency_keys::job_id.eq(made.job_id.0),
        idempotency_keys::created_at.eq(now.0),
    );
    diesel::insert_into(idempotency_keys::table).values(row).execute(connection).map(drop)
}
