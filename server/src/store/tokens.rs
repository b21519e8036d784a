//! Rows of `tokens`: personal API tokens. The token itself is told once, to its owner; here stands its hash,
//! so that a stolen database lets nobody in.

use super::schema::{tokens, users};
use super::users::User;
use super::values::{Millis, OptionalMillis, TokenKey, TokenScopeText, UserKey};
use super::{AnyConnection, QueryResult, latest_begin, next_id};
use diesel::prelude::*;
use protocol::api::TokenScope;
use protocol::{Timestamp, TokenId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = tokens)]
pub struct Token {
    #[diesel(deserialize_as = TokenKey, serialize_as = TokenKey)]
    pub id: TokenId,
    #[diesel(deserialize_as = UserKey, serialize_as = UserKey)]
    pub user_id: UserId,
    pub name: String,
    pub token_hash: String,
    #[diesel(deserialize_as = TokenScopeText, serialize_as = TokenScopeText)]
    pub scope: TokenScope,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub expires_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub last_used_at: Option<Timestamp>,
}

/// What it takes to make a token.
pub struct NewToken {
    pub user_id: UserId,
    pub name: String,
    pub token_hash: String,
    pub scope: TokenScope,
    pub expires_at: Option<Timestamp>,
}

/// Stores a token; `None` if its user has just been deleted.
pub fn insert_token(connection: &mut AnyConnection, new: NewToken, now: Timestamp) -> QueryResult<Option<Token>> {
    let id = TokenId(next_id(connection, "token")?);
    let owner = users::table.filter(users::id.eq(new.user_id.0)).filter(users::login.is_not_null());
    if owner.count().get_result::<i64>(connection)? == 0 {
        return Ok(None);
    }
    let token = Token {
        id,
        user_id: new.user_id,
        name: new.name,
        token_hash: new.token_hash,
        scope: new.scope,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    diesel::insert_into(tokens::table).values(token.clone()).execute(connection)?;
    Ok(Some(token))
}

/// A user's tokens, oldest first.
pub fn list_tokens(connection: &mut AnyConnection, user: UserId) -> QueryResult<Vec<Token>> {
    tokens::table.filter(tokens::user_id.eq(user.0)).order(tokens::id).load(connection)
}

/// A token that has not expired, and its living owner. Of one that was made at a time to come no end can be believed.
pub fn find_live_token(
    connection: &mut AnyConnection,
    token_hash: &str,
    now: Timestamp,
) -> QueryResult<Option<(Token, User)>> {
    tokens::table
        .inner_join(users::table)
        .filter(tokens::token_hash.eq(token_hash))
        .filter(
            tokens::expires_at.is_null().or(tokens::expires_at.gt(now.0).and(tokens::created_at.le(latest_begin(now)))),
        )
        .filter(users::login.is_not_null())
        .select((tokens::all_columns, users::all_columns))
        .first(connection)
        .optional()
}

/// Notes a use, unless one was noted after `before`.
pub fn note_use(connection: &mut AnyConnection, id: TokenId, before: Timestamp, now: Timestamp) -> QueryResult<()> {
    let due = tokens::last_used_at.is_null().or(tokens::last_used_at.le(before.0));
    let token = tokens::table.filter(tokens::id.eq(id.0)).filter(due);
    diesel::update(token).set(tokens::last_used_at.eq(now.0)).execute(connection).map(drop)
}

/// Removes one of a user's own tokens; `false` if there is no such one.
pub fn remove_token(connection: &mut AnyConnection, user: UserId, id: TokenId) -> QueryResult<bool> {
    let token = tokens::table.filter(tokens::id.eq(id.0)).filter(tokens::user_id.eq(user.0));
    diesel::delete(token).execute(connection).map(|removed| removed == 1)
}
