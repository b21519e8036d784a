//! Rows of `idempotency_keys`: which job a user's key has made, so that a retry gets the same one.
//! A key outlives its job, so that a retry learns that the job was deleted.

use super::schema::idempotency_keys;
use super::values::JobKey;
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{JobId, Timestamp, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct KeyUse {
    pub request_hash: String,
    #[diesel(deserialize_as = JobKey)]
    pub job_id: JobId,
}

/// What a key made, if it was used after `since`.
pub fn find_key_use(
    connection: &mut AnyConnection,
    user: UserId,
    key: &str,
    since: Timestamp,
) -> QueryResult<Option<KeyUse>> {
    idempotency_keys::table
        .find((user.0, key))
        .filter(idempotency_keys::created_at.gt(since.0))
        .select((idempotency_keys::request_hash, idempotency_keys::job_id))
        .first(connection)
        .optional()
}

/// Clears away what was used before `since`: a write for a transaction to begin with.
pub fn forget_old_keys(connection: &mut AnyConnection, since: Timestamp) -> QueryResult<()> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.le(since.0));
    diesel::delete(old).execute(connection).map(drop)
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
