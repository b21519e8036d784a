//! Rows of `oidc_accounts`: which user somebody is who comes by single sign-on, by the provider's own name for them.
//! The subject never changes and is never given to somebody else; user names are, so they decide nothing here.

use super::schema::{oidc_accounts, users};
use super::users::{NewUser, Refused, User, UserChange, change_user, insert_user};
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{Timestamp, UserId};

/// Somebody whom the provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    pub issuer: String,
    pub subject: String,
    /// Valid and in lower case; wanted for a user who is made now.
    pub username: Option<String>,
    /// Where the provider decides who is an administrator.
    pub is_admin: Option<bool>,
}

/// What became of a visitor.
#[derive(Clone, PartialEq, Eq)]
pub enum Welcome {
    Known(User),
    /// Known, and an administrator since now, or no longer, as the provider says.
    Changed(User),
    Made(User),
    /// Not known, and the provider's name for them is none that a user can have.
    NoName,
    NameTaken,
}

/// Finds the visitor's user, or makes one at the first visit. Somebody who has that name here already is somebody else.
pub fn welcome(connection: &mut AnyConnection, visitor: &Visitor, now: Timestamp) -> QueryResult<Welcome> {
    // The write that the transaction begins with.
    forget_deleted(connection, visitor)?;
    if let Some(user) = find_user(connection, visitor)? {
        return update(connection, user, visitor);
    }
    let Some(username) = visitor.username.clone() else {
        return Ok(Welcome::NoName);
    };
    let new = NewUser {
        username,
        // No password fits.
        password_hash: String::new(),
        is_admin: visitor.is_admin.unwrap_or(false),
        must_change_password: false,
    };
    let Some(user) = insert_user(connection, new, now)? else {
        return Ok(Welcome::NameTaken);
    };
    let row = (
        oidc_accounts::issuer.eq(&visitor.issuer),
        oidc_accounts::subject.eq(&visitor.subject),
        oidc_accounts::user_id.eq(user.id.0),
        oidc_accounts::created_at.eq(now.0),
    );
    diesel::insert_into(oidc_accounts::table).values(row).execute(connection)?;
    Ok(Welcome::Made(user))
}

fn find_user(connection: &mut AnyConnection, visitor: &Visitor) -> QueryResult<Option<User>> {
    let account = oidc_accounts::table.find((&visitor.issuer, &visitor.subject));
    account.inner_join(users::table).select(users::all_columns).first(connection).optional()
}

/// The last administrator stays one, whatever the provider says.
fn update(connection: &mut AnyConnection, user: User, visitor: &Visitor) -> QueryResult<Welcome> {
    if visitor.is_admin.is_none_or(|is_admin| is_admin == user.is_admin) {
        return Ok(Welcome::Known(user));
    }
    let change = UserChange { is_admin: visitor.is_admin, ..UserChange::default() };
    match change_user(connection, user.id, change)? {
        Ok(changed) => Ok(Welcome::Changed(changed.user)),
        Err(Refused::LastAdmin | Refused::NameTaken | Refused::NotFound) => Ok(Welcome::Known(user)),
    }
}

/// A deleted user does not come back; who comes again is somebody new.
fn forget_deleted(connection: &mut AnyConnection, visitor: &Visitor) -> QueryResult<()> {
    let living = users::table.filter(users::login.is_not_null()).select(users::id);
    let account = oidc_accounts::table.find((&visitor.issuer, &visitor.subject));
    diesel::delete(account.filter(oidc_accounts::user_id.ne_all(living))).execute(connection).map(drop)
}

/// With their user.
pub fn remove_accounts(connection: &mut AnyConnection, user: UserId) -> QueryResult<()> {
    diesel::delete(oidc_accounts::table.filter(oidc_accounts::user_id.eq(user.0))).execute(connection).map(drop)
}
