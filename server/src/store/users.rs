//! Rows of `users`. A deleted user's row stays, without a login, so that old jobs keep showing the name
//! and a later user of the same name owns nothing of theirs.

use super::schema::{sessions, users};
use super::values::{Millis, OptionalMillis, UserKey};
use super::{AnyConnection, QueryResult, next_id};
use diesel::prelude::*;
use protocol::{Timestamp, UserId};

#[derive(Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = users)]
pub struct User {
    #[diesel(deserialize_as = UserKey, serialize_as = UserKey)]
    pub id: UserId,
    pub username: String,
    /// The name while the user lives; `None` after a delete.
    pub login: Option<String>,
    pub password_hash: String,
    pub is_admin: bool,
    pub must_change_password: bool,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub last_login_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub deleted_at: Option<Timestamp>,
}

/// What it takes to make a user. The name is valid and in lower case.
pub struct NewUser {
    pub username: String,
    pub password_hash: String,
    pub is_admin: bool,
    pub must_change_password: bool,
}

/// Stores a user; `None` if the name is taken.
pub fn insert_user(connection: &mut AnyConnection, new: NewUser, now: Timestamp) -> QueryResult<Option<User>> {
    let id = UserId(next_id(connection, "user")?);
    if find_user_by_login(connection, &new.username)?.is_some() {
        return Ok(None);
    }
    let user = User {
        id,
        login: Some(new.username.clone()),
        username: new.username,
        password_hash: new.password_hash,
        is_admin: new.is_admin,
        must_change_password: new.must_change_password,
        created_at: now,
        last_login_at: None,
        deleted_at: None,
    };
    diesel::insert_into(users::table).values(user.clone()).execute(connection)?;
    Ok(Some(user))
}

pub fn find_user_by_login(connection: &mut AnyConnection, login: &str) -> QueryResult<Option<User>> {
    users::table.filter(users::login.eq(login)).first(connection).optional()
}

/// The living users by name.
pub fn list_users(connection: &mut AnyConnection) -> QueryResult<Vec<User>> {
    users::table.filter(users::login.is_not_null()).order(users::username).load(connection)
}

pub fn note_login(connection: &mut AnyConnection, id: UserId, now: Timestamp) -> QueryResult<()> {
    let user = users::table.find(id.0);
    diesel::update(user).set(users::last_login_at.eq(now.0)).execute(connection).map(drop)
}

/// Replaces the password and ends the user's sessions; `false` if there is no such living user.
pub fn set_password(
    connection: &mut AnyConnection,
    id: UserId,
    password_hash: &str,
    must_change_password: bool,
) -> QueryResult<bool> {
    let living = users::table.filter(users::id.eq(id.0)).filter(users::login.is_not_null());
    let moved = diesel::update(living)
        .set((users::password_hash.eq(password_hash), users::must_change_password.eq(must_change_password)))
        .execute(connection)?;
    end_sessions(connection, id)?;
    Ok(moved == 1)
}

/// Frees the name, ends the sessions and forgets the password; `false` if there is no such living user.
pub fn remove_user(connection: &mut AnyConnection, id: UserId, now: Timestamp) -> QueryResult<bool> {
    let living = users::table.filter(users::id.eq(id.0)).filter(users::login.is_not_null());
    let moved = diesel::update(living)
        .set((users::login.eq(None::<String>), users::password_hash.eq(""), users::deleted_at.eq(now.0)))
        .execute(connection)?;
    end_sessions(connection, id)?;
    Ok(moved == 1)
}

fn end_sessions(connection: &mut AnyConnection, id: UserId) -> QueryResult<()> {
    diesel::delete(sessions::table.filter(sessions::user_id.eq(id.0))).execute(connection).map(drop)
}
