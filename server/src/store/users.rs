//! Rows of `users`. A deleted user's row stays, without a login, so that old jobs keep showing the name
//! and a later user of the same name owns nothing of theirs.

use super::oidc::remove_accounts;
use super::schema::{counters, tokens, users};
use super::sessions::end_sessions;
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
    /// Goes up with the name: what shows a user's name is another version then.
    pub revision: i64,
}

impl User {
    /// Users who came by single sign-on have none until an administrator sets one.
    pub fn has_password(&self) -> bool {
        !self.password_hash.is_empty()
    }
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
    take_turn(connection)?;
    if find_user_by_login(connection, &new.username)?.is_some() {
        return Ok(None);
    }
    let user = User {
        id: UserId(next_id(connection, "user")?),
        login: Some(new.username.clone()),
        username: new.username,
        password_hash: new.password_hash,
        is_admin: new.is_admin,
        must_change_password: new.must_change_password,
        created_at: now,
        last_login_at: None,
        deleted_at: None,
        revision: 1,
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

pub fn find_user(connection: &mut AnyConnection, id: UserId) -> QueryResult<Option<User>> {
    users::table.find(id.0).filter(users::login.is_not_null()).first(connection).optional()
}

/// `false` if the user has been deleted, or has another password than the one that was checked.
pub fn note_login(
    connection: &mut AnyConnection,
    id: UserId,
    password_hash: Option<&str>,
    now: Timestamp,
) -> QueryResult<bool> {
    let living = users::table.filter(users::id.eq(id.0)).filter(users::login.is_not_null());
    let noted = users::last_login_at.eq(now.0);
    let moved = match password_hash {
        Some(hash) => diesel::update(living.filter(users::password_hash.eq(hash))).set(noted).execute(connection)?,
        None => diesel::update(living).set(noted).execute(connection)?,
    };
    Ok(moved == 1)
}

/// A user's password as it is to be.
pub struct NewPassword {
    pub hash: String,
    pub must_change: bool,
    /// The session that does not end, as the others do.
    pub kept_session: Option<String>,
}

/// Replaces the password and ends the user's sessions; `false` if there is no such living user.
pub fn set_password(connection: &mut AnyConnection, id: UserId, new: NewPassword) -> QueryResult<bool> {
    let living = users::table.filter(users::id.eq(id.0)).filter(users::login.is_not_null());
    let changed = (users::password_hash.eq(new.hash), users::must_change_password.eq(new.must_change));
    let moved = diesel::update(living).set(changed).execute(connection)?;
    if moved == 1 {
        end_sessions(connection, id, new.kept_session.as_deref())?;
    }
    Ok(moved == 1)
}

/// Stores the same password under stronger parameters, unless it has changed meanwhile.
pub fn raise_hash(connection: &mut AnyConnection, id: UserId, old: &str, new: &str) -> QueryResult<bool> {
    let same = users::table.filter(users::id.eq(id.0)).filter(users::password_hash.eq(old));
    diesel::update(same).set(users::password_hash.eq(new)).execute(connection).map(|moved| moved == 1)
}

/// What is to become of a user; what is `None` stays.
#[derive(Default)]
pub struct UserChange {
    /// Valid and in lower case.
    pub username: Option<String>,
    pub is_admin: Option<bool>,
    pub password: Option<NewPassword>,
}

/// Why users did not become what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    NotFound,
    NameTaken,
    LastAdmin,
}

/// A user as it was, and as it is now.
pub struct Changed {
    pub before: User,
    pub user: User,
}

/// Changes a user; every refusal comes before the first change.
pub fn change_user(
    connection: &mut AnyConnection,
    id: UserId,
    change: UserChange,
) -> QueryResult<Result<Changed, Refused>> {
    take_turn(connection)?;
    let Some(before) = find_user(connection, id)? else {
        return Ok(Err(Refused::NotFound));
    };
    if change.is_admin == Some(false) && is_last_admin(connection, &before)? {
        return Ok(Err(Refused::LastAdmin));
    }
    let row = users::table.find(id.0);
    if let Some(username) = change.username.filter(|name| *name != before.username) {
        if find_user_by_login(connection, &username)?.is_some() {
            return Ok(Err(Refused::NameTaken));
        }
        let renamed =
            (users::username.eq(&username), users::login.eq(&username), users::revision.eq(users::revision + 1));
        diesel::update(row).set(renamed).execute(connection)?;
    }
    if let Some(is_admin) = change.is_admin {
        diesel::update(row).set(users::is_admin.eq(is_admin)).execute(connection)?;
    }
    if let Some(password) = change.password {
        set_password(connection, id, password)?;
    }
    let user = find_user(connection, id)?;
    Ok(user.map(|user| Changed { before, user }).ok_or(Refused::NotFound))
}

/// Frees the name, ends sessions and tokens and forgets the password. The user's jobs stay.
pub fn remove_user(connection: &mut AnyConnection, id: UserId, now: Timestamp) -> QueryResult<Result<User, Refused>> {
    take_turn(connection)?;
    let Some(user) = find_user(connection, id)? else {
        return Ok(Err(Refused::NotFound));
    };
    if is_last_admin(connection, &user)? {
        return Ok(Err(Refused::LastAdmin));
    }
    let gone = (
        users::login.eq(None::<String>),
        users::password_hash.eq(""),
        users::is_admin.eq(false),
        users::deleted_at.eq(now.0),
    );
    diesel::update(users::table.find(id.0)).set(gone).execute(connection)?;
    end_sessions(connection, id, None)?;
    diesel::delete(tokens::table.filter(tokens::user_id.eq(id.0))).execute(connection)?;
    remove_accounts(connection, id)?;
    Ok(Ok(user))
}

/// Changes of users wait for each other here, so that of two administrators who unmake each other one stays,
/// and of two who take the same name one gets it.
fn take_turn(connection: &mut AnyConnection) -> QueryResult<()> {
    let counter = counters::table.find("user");
    diesel::update(counter).set(counters::value.eq(counters::value)).execute(connection).map(drop)
}

fn is_last_admin(connection: &mut AnyConnection, user: &User) -> QueryResult<bool> {
    let admins = users::table.filter(users::is_admin.eq(true)).filter(users::login.is_not_null());
    let others: i64 = admins.filter(users::id.ne(user.id.0)).count().get_result(connection)?;
    Ok(user.is_admin && others == 0)
}
