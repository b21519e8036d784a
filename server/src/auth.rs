//! Who is asking, and whether they may: passwords, sessions, and the `CurrentUser` that handlers take.
//! What has been checked is remembered for a moment, so that a busy script does not pay for every call.

mod credentials;
mod current_user;
mod memory;
mod origin;
mod password;
mod session;
mod sign_in_limits;
mod visitor;

pub use current_user::{CurrentUser, Via, offer_basic};
pub use origin::{refuse_cross_site, require_for_cookie};
pub use password::{Hasher, check_rules};
pub use session::{clearing_cookie, session_of};
pub use visitor::Visitor;

use crate::config::Config;
use crate::error::{ApiError, ApiResult};
use crate::store::Store;
use crate::store::users::{User, find_user_by_login};
use crate::store::{sessions, sessions::find_session_user};
use ipnet::IpNet;
use memory::Memory;
use protocol::api::ErrorCode;
use protocol::{Timestamp, UserId, names};
use session::session_hash;
use sign_in_limits::SignInLimits;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Cheap to clone; all clones share one memory.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    store: Store,
    hasher: Hasher,
    memory: Memory,
    limits: SignInLimits,
}

impl Auth {
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        Self(Arc::new(Inner {
            config,
            store,
            hasher: Hasher::default(),
            memory: Memory::default(),
            limits: SignInLimits::default(),
        }))
    }

    /// For new passwords; hashing takes turns with the sign-ins.
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.config.trusted_proxies
    }

    /// Forgets what is remembered of a user, whose password, name or rights have changed or who is gone.
    pub fn forget_user(&self, id: UserId) {
        self.0.memory.forget_user(id);
    }

    /// Checks a user name and password. Unknown users cost the same time as wrong passwords.
    pub async fn check_password(
        &self,
        username: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> ApiResult<Arc<User>> {
        let Inner { hasher, memory, limits, .. } = &*self.0;
        let login = username.to_lowercase();
        let user = self.find_user(&login).await?;
        let is_remembered =
            || user.as_deref().is_some_and(|user| memory.knows_password(user, password, Instant::now()));
        if let Some(user) = user.as_ref().filter(|_| is_remembered()) {
            return Ok(Arc::clone(user));
        }
        limits.check(&login, address, Instant::now()).map_err(too_many_attempts)?;
        let turn = hasher.take_turn().await;
        // Others may have tried meanwhile: with the right password, or too often with wrong ones.
        if let Some(user) = user.as_ref().filter(|_| is_remembered()) {
            return Ok(Arc::clone(user));
        }
        // Counted before it is checked, so that many at once do not all pass while none of them has failed yet.
        let counted_at = Instant::now();
        limits.count(&login, address, counted_at).map_err(too_many_attempts)?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = turn.verify(password.to_owned(), hash).await.map_err(ApiError::internal)?;
        let Some(user) = user.filter(|_| is_right) else {
            return Err(ApiError::new(ErrorCode::Unauthenticated, "the user name or the password is wrong"));
        };
        limits.take_back(&login, address, counted_at);
        memory.remember_password(&user, password, Instant::now());
        Ok(user)
    }

    async fn find_user(&self, login: &str) -> ApiResult<Option<Arc<User>>> {
        if !names::is_username(login) {
            return Ok(None);
        }
        let memory = &self.0.memory;
        if let Some(user) = memory.user(login, Instant::now()) {
            return Ok(Some(user));
        }
        let ticket = memory.ticket();
        let wanted = login.to_owned();
        let found = self.0.store.read(move |connection| find_user_by_login(connection, &wanted)).await?;
        Ok(found.map(|user| memory.remember_user(user, ticket, Instant::now())))
    }

    /// Starts a session and returns the `Set-Cookie` value that carries it.
    pub async fn start_session(&self, user: UserId) -> ApiResult<String> {
        let lifetime = self.0.config.session_lifetime;
        let (token, hash) = session::new_token();
        let now = Timestamp::now();
        let expires_at = now.plus(lifetime);
        self.0
            .store
            .write(move |connection| sessions::insert_session(connection, &hash, user, now, expires_at))
            .await?;
        let is_secure = !self.0.config.public_url.starts_with("http://");
        Ok(session::cookie(&token, lifetime, is_secure))
    }

    /// Ends a session here and now; other replicas notice within a second.
    pub async fn end_session(&self, hash: String) -> ApiResult<()> {
        let ended = hash.clone();
        self.0.store.write(move |connection| sessions::remove_session(connection, &ended)).await?;
        self.0.memory.forget_session(&hash);
        Ok(())
    }

    /// The user of a session cookie.
    async fn find_session(&self, hash: &str) -> ApiResult<Option<Arc<User>>> {
        let memory = &self.0.memory;
        if let Some(user) = memory.session(hash, Instant::now()) {
            return Ok(Some(user));
        }
        let ticket = memory.ticket();
        let (wanted, now) = (hash.to_owned(), Timestamp::now());
        let found = self.0.store.read(move |connection| find_session_user(connection, &wanted, now)).await?;
        Ok(found.map(|user| memory.remember_session(hash, user, ticket, Instant::now())))
    }
}

fn too_many_attempts(pause: Duration) -> ApiError {
    let told = "too many failed sign-ins; wait a little and try again";
    ApiError::new(ErrorCode::RateLimited, told).retry_after(pause)
}
