//! The extractor that handlers take to know who is asking; without a valid answer the handler is not reached.
//! Beside it `offer_basic`, which makes clients ask for a password where no page of ours is asking.

use super::credentials::Credentials;
use super::secret::SecretHash;
use super::{Auth, Visitor, origin, token, unauthenticated};
use crate::error::{ApiError, ApiResult, refuse_stray_query};
use crate::store::audit::AuditEntry;
use crate::store::users::User;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use protocol::api::{AuditAction, DRAWN_FOR_HEADER, ErrorCode, PAGE_HEADER, TokenScope, Via};
use protocol::{TokenId, UserId};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"TestArena\"");
/// How often somebody who waits for an answer is looked at again: what was changed on another replica rings nothing here.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A living user whose credentials have been checked.
#[derive(Clone)]
pub struct CurrentUser {
    pub user: Arc<User>,
    pub via: Via,
    pub address: Option<IpAddr>,
    proof: Proof,
    /// A token that may not do all that its owner may leaves an administrator's power behind, but for reading.
    acts_as_admin: bool,
}

/// What the user showed.
#[derive(Clone)]
enum Proof {
    Session(SecretHash),
    Token(SecretHash, TokenId),
    Password,
}

impl CurrentUser {
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// The session in use, if it is one.
    pub fn session(&self) -> Option<SecretHash> {
        match self.proof {
            Proof::Session(hash) => Some(hash),
            _ => None,
        }
    }

    /// The token in use, if it is one.
    pub fn token(&self) -> Option<TokenId> {
        match self.proof {
            Proof::Token(_, id) => Some(id),
            _ => None,
        }
    }

    /// Refuses all but the owner and admins.
    pub fn require_owner(&self, owner: UserId) -> ApiResult<()> {
        if self.acts_as_admin || self.user.id == owner {
            return Ok(());
        }
        Err(self.forbidden("only the job's owner or an administrator may do this"))
    }

    pub fn require_admin(&self) -> ApiResult<()> {
        if self.acts_as_admin {
            return Ok(());
        }
        Err(self.forbidden("only an administrator may do this"))
    }

    fn forbidden(&self, why: &str) -> ApiError {
        if self.user.is_admin {
            return ApiError::new(ErrorCode::Forbidden, format!("{why}, with a token of scope admin"));
        }
        ApiError::new(ErrorCode::Forbidden, why)
    }

    /// A line of the audit log about what this user does.
    pub fn audit(&self, action: AuditAction, object: String, detail: &serde_json::Value) -> AuditEntry {
        AuditEntry::by_nobody(self.via, action, object, detail).by(Some(self.user.username.clone()), self.address)
    }
}

impl Auth {
    /// Who makes a request, and by what.
    async fn identify(&self, parts: &Parts) -> ApiResult<CurrentUser> {
        let address = Visitor::of(parts, self.trusted_proxies()).address;
        match Credentials::of(&parts.headers) {
            Credentials::Token(Some(hash)) => self.identify_token(parts, hash, address).await,
            Credentials::Basic { username, password } => {
                let user = self.check_password(&username, &password, Via::Basic, address).await?;
                let acts_as_admin = user.is_admin;
                Ok(CurrentUser { user, via: Via::Basic, address, proof: Proof::Password, acts_as_admin })
            }
            Credentials::Sessions(hashes) => {
                origin::require_for_cookie(parts, self)?;
                let (hash, user) = self.find_one_session(&hashes).await?;
                require_drawn_for(&parts.headers, user.id)?;
                let acts_as_admin = user.is_admin;
                Ok(CurrentUser { user, via: Via::Page, address, proof: Proof::Session(hash), acts_as_admin })
            }
            Credentials::Token(None) => Err(unauthenticated(NO_SUCH_TOKEN)),
            Credentials::Malformed => Err(unauthenticated("the Authorization header can't be read")),
            Credentials::None => {
                Err(unauthenticated("sign in, or send an API token, or a user name and password with HTTP Basic"))
            }
        }
    }

    async fn identify_token(&self, parts: &Parts, hash: SecretHash, address: Option<IpAddr>) -> ApiResult<CurrentUser> {
        let found = self.find_token(hash).await?.ok_or_else(|| unauthenticated(NO_SUCH_TOKEN))?;
        let needed = token::needed_scope(parts);
        if !found.scope.covers(needed) && !deletes_itself(parts, found.id) {
            let why = format!("this takes a token of scope {needed}; this one has {}", found.scope);
            return Err(ApiError::new(ErrorCode::Forbidden, why));
        }
        let has_all_power = found.scope == TokenScope::Admin || token::reads(&parts.method);
        Ok(CurrentUser {
            acts_as_admin: found.user.is_admin && has_all_power,
            user: found.user,
            via: Via::Token,
            address,
            proof: Proof::Token(hash, found.id),
        })
    }

    /// Where a browser shows several sessions, a page of a neighbouring host may have set one of them: whose the
    /// request is must then not be guessed.
    async fn find_one_session(&self, hashes: &[SecretHash]) -> ApiResult<(SecretHash, Arc<User>)> {
        let mut found: Option<(SecretHash, Arc<User>)> = None;
        for hash in hashes {
            let Some(user) = self.find_session(*hash).await? else { continue };
            if found.as_ref().is_some_and(|(_, first)| first.id != user.id) {
                return Err(unauthenticated("the browser shows the sessions of two users; sign in again"));
            }
            found.get_or_insert((*hash, user));
        }
        found.ok_or_else(|| unauthenticated("the session has ended; sign in again"))
    }

    /// Returns as soon as somebody who waits for an answer should not get it any more: signed out, deleted, changed.
    pub async fn until_gone(&self, asking: &CurrentUser) -> ApiError {
        let mut forgotten = self.0.memory.listen();
        loop {
            tokio::select! {
                _ = forgotten.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            // A database that is away says nothing about the user.
            if let Ok(false) = self.is_still_there(asking).await {
                return unauthenticated("you have been signed out meanwhile");
            }
        }
    }

    async fn is_still_there(&self, asking: &CurrentUser) -> ApiResult<bool> {
        Ok(match asking.proof {
            Proof::Session(hash) => self.find_session(hash).await?.is_some(),
            Proof::Token(hash, _) => self.find_token(hash).await?.is_some(),
            Proof::Password => {
                let found = self.find_user(asking.user.login.as_deref().unwrap_or_default()).await?;
                found.is_some_and(|now| now.id == asking.user.id && now.password_hash == asking.user.password_hash)
            }
        })
    }
}

/// A page that is open shows one user's facts under that user's name: when another has signed in meanwhile, in another
/// tab, it is neither told theirs nor acts for them.
fn require_drawn_for(headers: &HeaderMap, user: UserId) -> ApiResult<()> {
    let is_theirs =
        headers.get(DRAWN_FOR_HEADER).is_none_or(|drawn_for| drawn_for.as_bytes() == user.to_string().as_bytes());
    if is_theirs { Ok(()) } else { Err(unauthenticated("another user has signed in since the page was opened")) }
}

const NO_SUCH_TOKEN: &str = "the API token is not known, has expired, or was deleted";

/// Whoever holds a token may always give it up.
fn deletes_itself(parts: &Parts, id: TokenId) -> bool {
    parts.method == axum::http::Method::DELETE && parts.uri.path().ends_with(&format!("/tokens/{id}"))
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let user = Auth::from_ref(state).identify(parts).await?;
        refuse_stray_query(parts)?;
        Ok(user)
    }
}

/// An administrator. Who is none hears that before anything that is wrong with the query or the body, so handlers take
/// this before those.
pub struct Admin(pub CurrentUser);

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let user = Auth::from_ref(state).identify(parts).await?;
        user.require_admin()?;
        refuse_stray_query(parts)?;
        Ok(Self(user))
    }
}

/// Whether a client that is refused should be made to ask for a password; a page has its own way.
pub fn is_offered_basic(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN) && headers.get(PAGE_HEADER).is_none_or(|value| value != "1")
}

/// Adds to a 401 what makes browsers and tools ask for a password.
pub fn offer_basic(response: &mut Response) {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
}
