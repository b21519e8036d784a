//! Checking a user name and a password: the same work and the same answer whether the name, the password or both are
//! wrong, a limit on how often it may fail, and a memory that spares scripts the slow hash.

use super::memory::PasswordMark;
use super::password::{HashError, Turn, is_too_long};
use super::{Auth, CurrentUser, carried_through, unauthenticated};
use crate::error::{ApiError, ApiResult};
use crate::store::audit::{AuditEntry, insert_lone_entry};
use crate::store::users::{self, User, find_user_by_login};
use protocol::api::{AuditAction, ErrorCode, Via};
use protocol::{Timestamp, names};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One try at a password.
struct Attempt {
    login: String,
    user: Option<Arc<User>>,
    password: String,
    mark: PasswordMark,
    via: Via,
    /// Sent with every call, as scripts do: remembered, and noted once. Anything else is hashed and limited each time.
    is_repeated: bool,
    address: Option<IpAddr>,
}

impl Auth {
    /// Checks a user name and password. Unknown users cost the same time as wrong passwords.
    pub async fn check_password(
        &self,
        username: &str,
        password: &str,
        via: Via,
        address: Option<IpAddr>,
    ) -> ApiResult<Arc<User>> {
        let attempt = self.attempt(username, password, via, address).await?;
        self.check(Attempt { is_repeated: via == Via::Basic, ..attempt }).await
    }

    async fn attempt(&self, username: &str, password: &str, via: Via, address: Option<IpAddr>) -> ApiResult<Attempt> {
        // What is too long for either is wrong, and not worth a hash over all of it.
        let login =
            if username.len() > 2 * names::MAX_USERNAME_BYTES { String::new() } else { username.to_ascii_lowercase() };
        let found = self.find_user(&login).await?;
        let is_possible = !is_too_long(password);
        let user = found.filter(|user| is_possible && user.has_password());
        let password = if is_possible { password.to_owned() } else { String::new() };
        let mark = self.0.memory.mark(user.as_deref(), &password, address);
        Ok(Attempt { login, user, password, mark, via, is_repeated: false, address })
    }

    /// Whether this is the password now of who is asking, under the same limits as a sign-in.
    pub async fn check_own_password(&self, asking: &CurrentUser, password: &str) -> ApiResult<bool> {
        let login = asking.user.login.as_deref().unwrap_or_default();
        let attempt = self.attempt(login, password, asking.via, asking.address).await?;
        match self.check(attempt).await {
            Ok(found) => Ok(found.id == asking.id()),
            Err(error) if error.code() == ErrorCode::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn check(&self, attempt: Attempt) -> ApiResult<Arc<User>> {
        let inner = &self.0;
        let remembered = || {
            let is_known = attempt.is_repeated && inner.memory.knows_password(&attempt.mark, Instant::now());
            attempt.user.as_ref().filter(|_| is_known).map(Arc::clone)
        };
        if let Some(user) = remembered() {
            return Ok(user);
        }
        inner.limits.check(Some(&attempt.login), attempt.address, Instant::now()).map_err(too_many_attempts)?;
        let turn = inner.hasher.take_turn().await?;
        // Others may have tried meanwhile: with the right password, or too often with wrong ones.
        if let Some(user) = remembered() {
            return Ok(user);
        }
        // Counted before it is checked, so that many at once do not all pass while none of them has failed yet;
        // whoever hangs up has still failed if the password was wrong, and not if it was right.
        let counted_at = Instant::now();
        inner.limits.count(Some(&attempt.login), attempt.address, counted_at).map_err(too_many_attempts)?;
        let auth = self.clone();
        carried_through(async move { auth.verify(turn, attempt, counted_at).await }).await
    }

    async fn verify(&self, turn: Turn, attempt: Attempt, counted_at: Instant) -> ApiResult<Arc<User>> {
        let inner = &self.0;
        let hash = attempt.user.as_ref().map(|user| user.password_hash.clone());
        let verdict = turn.verify(attempt.password.clone(), hash).await.map_err(ApiError::internal)?;
        let Some(user) = attempt.user.clone().filter(|_| verdict.is_right) else {
            self.note(&attempt, AuditAction::SignInFailed).await;
            return Err(unauthenticated("the user name or the password is wrong"));
        };
        inner.limits.take_back(Some(&attempt.login), attempt.address, counted_at);
        let user = match verdict.stronger_hash {
            Some(hash) => self.raise_hash(user, hash).await,
            None => user,
        };
        let mark = inner.memory.mark(Some(&user), &attempt.password, attempt.address);
        inner.memory.remember_password(mark, Instant::now());
        if attempt.is_repeated {
            self.note(&attempt, AuditAction::SignIn).await;
        }
        Ok(user)
    }

    /// Stores the password under stronger parameters; what can't be stored now is tried again at the next sign-in.
    async fn raise_hash(&self, user: Arc<User>, hash: String) -> Arc<User> {
        let (id, old, new) = (user.id, user.password_hash.clone(), hash.clone());
        let raised = self.0.store.write(move |connection| users::raise_hash(connection, id, &old, &new)).await;
        match raised {
            Ok(true) => {
                self.forget_user(id);
                Arc::new(User { password_hash: hash, ..User::clone(&user) })
            }
            Ok(false) => user,
            Err(error) => {
                tracing::warn!(%error, user.id = %id, "the password of user {id} could not be stored anew");
                user
            }
        }
    }

    /// Notes an attempt. A name that nobody has is not noted: now and then it is a password in the wrong field.
    async fn note(&self, attempt: &Attempt, action: AuditAction) {
        let user = attempt.user.as_ref();
        let is_done = action == AuditAction::SignIn;
        let object = user.map_or("user:unknown".to_owned(), |user| format!("user:{}", user.id));
        let detail = user.filter(|_| !is_done).map_or(json!({}), |user| json!({ "username": user.username }));
        let actor = user.filter(|_| is_done).map(|user| user.username.clone());
        let entry = AuditEntry::by_nobody(attempt.via, action, object, &detail).by(actor, attempt.address);
        let now = Timestamp::now();
        let noted = self.0.store.write(move |connection| insert_lone_entry(connection, entry, now));
        if let Err(error) = noted.await {
            tracing::warn!(%error, %action, "a sign-in could not be noted in the audit log");
        }
    }

    pub(super) async fn find_user(&self, login: &str) -> ApiResult<Option<Arc<User>>> {
        if !names::is_username(login) {
            return Ok(None);
        }
        let memory = &self.0.memory;
        if let Some(user) = memory.user(login, Instant::now()) {
            return Ok(user);
        }
        let ticket = memory.ticket();
        let wanted = login.to_owned();
        let found = self.0.store.read(move |connection| find_user_by_login(connection, &wanted)).await?;
        let found = found.map(Arc::new);
        memory.remember_user(login.to_owned(), found.clone(), ticket, Instant::now());
        Ok(found)
    }
}

pub(super) fn too_many_attempts(pause: Duration) -> ApiError {
    let told = "too many failed sign-ins; wait a little and try again";
    ApiError::new(ErrorCode::RateLimited, told).retry_after(pause)
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::TooMany(pause) => {
                let told = "too many sign-ins are under way; try again in a moment";
                Self::new(ErrorCode::Unavailable, told).retry_after(pause)
            }
            other => Self::internal(other),
        }
    }
}
