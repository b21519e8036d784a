//! Rows of `sessions`: who is signed in at the page. The token itself is only in the browser's cookie;
//! here stands its hash, so that a stolen database signs nobody in.

use super::schema::{sessions, users};
use super::users::{User, note_login};
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{Timestamp, UserId};

/// Stores a session, notes the sign-in, and clears away what has expired.
pub fn insert_session(
    connection: &mut AnyConnection,
    token_hash: &str,
    user: UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> QueryResult<()> {
    diesel::delete(sessions::table.filter(sessions::expires_at.le(now.0))).execute(connection)?;
    let row = (
        sessions::token_hash.eq(token_hash),
        sessions::user_id.eq(user.0),
        sessions::created_at.eq(now.0),
        sessions::expires_at.eq(expires_at.0),
    );
    diesel::insert_into(sessions::table).values(row).execute(connection)?;
    note_login(connection, user, now)
}

/// The living user of a session that has not expired.
pub fn find_session_user(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> QueryResult<Option<User>> {
    sessions::table
        .inner_join(users::table)
        .filter(sessions::token_hash.eq(token_hash))
        .filter(sessions::expires_at.gt(now.0))
        .filter(users::login.is_not_null())
        .select(users::all_columns)
        .first(connection)
        .optional()
}

pub fn remove_session(connection: &mut AnyConnection, token_hash: &str) -> QueryResult<()> {
    diesel::delete(sessions::table.find(token_hash)).execute(connection).map(drop)
}
