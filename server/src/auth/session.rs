//! Sessions: who is signed in at the page. The secret leaves the server in the cookie alone.
//! One ends when it is signed out, when its time is up, when it lies idle, or with its user's password.

use super::memory::Memory;
use super::secret::{SecretHash, new_session_secret};
use super::{Auth, USE_NOTE_LIMIT, carried_through, unauthenticated};
use crate::error::ApiResult;
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::sessions::{self, NewSession, find_live_session};
use crate::store::users::User;
use protocol::Timestamp;
use protocol::api::{AuditAction, SESSION_COOKIE, Via};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A session's use is noted at most so often.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

/// A sign-in that was found right.
pub struct SignIn {
    pub user: Arc<User>,
    /// How it was found right: by the form's password, or by the single sign-on provider.
    pub via: Via,
    pub address: Option<IpAddr>,
    /// What the browser had before, which ends now.
    pub replaces: Vec<SecretHash>,
}

/// A session that has begun.
pub struct Started {
    /// As the sign-in left the user.
    pub user: User,
    /// The `Set-Cookie` value that carries the session.
    pub cookie: String,
}

impl Auth {
    pub async fn start_session(&self, sign_in: SignIn) -> ApiResult<Started> {
        let auth = self.clone();
        carried_through(async move { auth.begin(sign_in).await }).await
    }

    async fn begin(&self, SignIn { user, via, address, replaces }: SignIn) -> ApiResult<Started> {
        let config = &self.0.config;
        let (secret, hash) = new_session_secret();
        let now = Timestamp::now();
        let new = NewSession {
            token_hash: hash.to_text(),
            user_id: user.id,
            password_hash: (via == Via::Page).then(|| user.password_hash.clone()),
            expires_at: now.plus(config.session_lifetime),
            replaces: replaces.iter().map(|hash| hash.to_text()).collect(),
        };
        let audit = AuditEntry::by_nobody(via, AuditAction::SignIn, format!("user:{}", user.id), &json!({}))
            .by(Some(user.username.clone()), address);
        let started = self.0.store.write(move |connection| {
            let is_started = sessions::insert_session(connection, new, now)?;
            if is_started {
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(is_started)
        });
        if !started.await? {
            return Err(unauthenticated("the user has just been changed; sign in again"));
        }
        for hash in replaces {
            self.0.memory.forget_session(hash);
        }
        // What is remembered has an older sign-in.
        self.0.memory.forget_user(user.id);
        let cookie = self.session_cookie(&secret, config.session_lifetime);
        Ok(Started { user: User { last_login_at: Some(now), ..User::clone(&user) }, cookie })
    }

    /// Ends what is live of these sessions, here and now; other replicas notice within a second.
    pub async fn end_sessions(&self, hashes: Vec<SecretHash>, address: Option<IpAddr>) -> ApiResult<()> {
        let auth = self.clone();
        carried_through(async move {
            for hash in hashes {
                auth.end(hash, address).await?;
            }
            Ok(())
        })
        .await
    }

    async fn end(&self, hash: SecretHash, address: Option<IpAddr>) -> ApiResult<()> {
        let Some(user) = self.find_session(hash).await? else {
            return Ok(());
        };
        let (ended, now) = (hash.to_text(), Timestamp::now());
        let audit = AuditEntry::by_nobody(Via::Page, AuditAction::SignOut, format!("user:{}", user.id), &json!({}))
            .by(Some(user.username.clone()), address);
        let removed = self.0.store.write(move |connection| {
            if sessions::remove_session(connection, &ended)? {
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(())
        });
        removed.await?;
        self.0.memory.forget_session(hash);
        Ok(())
    }

    /// The living user of a session, which is used herewith.
    pub(super) async fn find_session(&self, hash: SecretHash) -> ApiResult<Option<Arc<User>>> {
        let memory: &Memory = &self.0.memory;
        if let Some(user) = memory.session(hash, Instant::now()) {
            return Ok(Some(user));
        }
        let ticket = memory.ticket();
        let (wanted, now, idle_since) = (hash.to_text(), Timestamp::now(), self.idle_since(Timestamp::now()));
        let found = self.0.store.read(move |connection| find_live_session(connection, &wanted, now, idle_since));
        let Some((user, last_seen_at)) = found.await? else {
            return Ok(None);
        };
        self.note_use(hash, last_seen_at, now).await;
        let user = Arc::new(user);
        memory.remember_session(hash, Arc::clone(&user), ticket, Instant::now());
        Ok(Some(user))
    }

    async fn note_use(&self, hash: SecretHash, last_seen_at: Timestamp, now: Timestamp) {
        let due_before = now.minus(USE_NOTED_EVERY.min(self.0.config.session_idle / 10));
        if last_seen_at > due_before {
            return;
        }
        let hash = hash.to_text();
        let noted = self.0.store.write(move |connection| sessions::note_use(connection, &hash, due_before, now));
        // Whoever asks is signed in, whether or not it can be noted now: a later request notes it.
        if let Ok(Err(error)) = tokio::time::timeout(USE_NOTE_LIMIT, noted).await {
            tracing::warn!(%error, "a session's use could not be noted");
        }
    }

    /// Takes the cookie out of the browser.
    pub fn clear_session(&self) -> String {
        self.session_cookie("", Duration::ZERO)
    }

    fn session_cookie(&self, secret: &str, lifetime: Duration) -> String {
        let secure = if self.0.config.public_url.starts_with("http://") { "" } else { "; Secure" };
        let max_age = lifetime.as_secs();
        format!("{SESSION_COOKIE}={secret}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age}{secure}")
    }

    /// A session that was last used before this has ended.
    pub fn idle_since(&self, now: Timestamp) -> Timestamp {
        now.minus(self.0.config.session_idle)
    }
}
