//! Rows of `sessions`: who is signed in at the page. The token itself is only in the browser's cookie;
//! here stands its hash, so that a stolen database signs nobody in.

use super::schema::{sessions, users};
use super::users::{User, note_login};
use super::{AnyConnection, QueryResult, latest_begin};
use diesel::prelude::*;
use protocol::{Timestamp, UserId};

/// Browsers that one user may be signed in with; the longest unused one gives way.
const MAX_PER_USER: i64 = 50;

/// What it takes to start a session.
pub struct NewSession {
    pub token_hash: String,
    pub user_id: UserId,
    /// What the user's password was checked against, if it was.
    pub password_hash: Option<String>,
    pub expires_at: Timestamp,
    /// Sessions that the same browser had before.
    pub replaces: Vec<String>,
}

/// Stores a session and notes the sign-in; `false` if the user has been deleted or given another password meanwhile.
pub fn insert_session(connection: &mut AnyConnection, new: NewSession, now: Timestamp) -> QueryResult<bool> {
    if !note_login(connection, new.user_id, new.password_hash.as_deref(), now)? {
        return Ok(false);
    }
    for old in &new.replaces {
        remove_session(connection, old)?;
    }
    let row = (
        sessions::token_hash.eq(new.token_hash),
        sessions::user_id.eq(new.user_id.0),
        sessions::created_at.eq(now.0),
        sessions::expires_at.eq(new.expires_at.0),
        sessions::last_seen_at.eq(now.0),
    );
    diesel::insert_into(sessions::table).values(row).execute(connection)?;
    let own = sessions::table.filter(sessions::user_id.eq(new.user_id.0)).select(sessions::token_hash);
    let newest_first = (sessions::last_seen_at.desc(), sessions::created_at.desc());
    let too_many: Vec<String> = own.order(newest_first).offset(MAX_PER_USER).limit(MAX_PER_USER).load(connection)?;
    for old in &too_many {
        remove_session(connection, old)?;
    }
    Ok(true)
}

/// The living user of a session that has neither expired nor been idle since `idle_since`, and when it was last used. One
/// that began at a time to come has no end that can be believed, and is none.
pub fn find_live_session(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
    idle_since: Timestamp,
) -> QueryResult<Option<(User, Timestamp)>> {
    let found: Option<(User, i64)> = sessions::table
        .inner_join(users::table)
        .filter(sessions::token_hash.eq(token_hash))
        .filter(sessions::expires_at.gt(now.0))
        .filter(sessions::created_at.le(latest_begin(now)))
        .filter(sessions::last_seen_at.gt(idle_since.0))
        .filter(users::login.is_not_null())
        .select((users::all_columns, sessions::last_seen_at))
        .first(connection)
        .optional()?;
    Ok(found.map(|(user, last_seen_at)| (user, Timestamp(last_seen_at))))
}

/// Notes a use, unless one was noted after `before`.
pub fn note_use(
    connection: &mut AnyConnection,
    token_hash: &str,
    before: Timestamp,
    now: Timestamp,
) -> QueryResult<()> {
    let session = sessions::table.find(token_hash).filter(sessions::last_seen_at.le(before.0));
    diesel::update(session).set(sessions::last_seen_at.eq(now.0)).execute(connection).map(drop)
}

/// Ends a session; `false` if it had ended already.
pub fn remove_session(connection: &mut AnyConnection, token_hash: &str) -> QueryResult<bool> {
    diesel::delete(sessions::table.find(token_hash)).execute(connection).map(|removed| removed == 1)
}

/// Ends a user's sessions, but for the one that is kept.
pub fn end_sessions(connection: &mut AnyConnection, user: UserId, kept: Option<&str>) -> QueryResult<()> {
    let others =
        sessions::table.filter(sessions::user_id.eq(user.0)).filter(sessions::token_hash.ne(kept.unwrap_or("")));
    diesel::delete(others).execute(connection).map(drop)
}

/// Clears away what has expired or lain idle.
pub fn sweep_sessions(connection: &mut AnyConnection, now: Timestamp, idle_since: Timestamp) -> QueryResult<usize> {
    let over = sessions::expires_at.le(now.0).or(sessions::last_seen_at.le(idle_since.0));
    diesel::delete(sessions::table.filter(over)).execute(connection)
}
