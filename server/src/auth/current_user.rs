//! The extractor that handlers take to know who is asking; without a valid answer the handler is not reached.
//! Beside it `offer_basic`, which makes clients ask for a password where no page of ours is asking.

use super::credentials::Credentials;
use super::{Auth, Visitor, origin, session_hash};
use crate::error::{ApiError, ApiResult};
use crate::store::audit::AuditEntry;
use crate::store::users::User;
use axum::extract::{FromRef, FromRequestParts, Request};
use axum::http::header::{ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use protocol::UserId;
use protocol::api::{ErrorCode, PAGE_HEADER};
use std::net::IpAddr;
use std::sync::Arc;

const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"TestArena\"");

/// How somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// By the session cookie.
    Page,
    Basic,
}

impl Via {
    /// The word in the audit log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Basic => "basic",
        }
    }
}

/// A living user whose credentials have been checked.
#[derive(Clone)]
pub struct CurrentUser {
    pub user: Arc<User>,
    pub via: Via,
    pub address: Option<IpAddr>,
}

impl CurrentUser {
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// Refuses all but the owner and admins.
    pub fn require_owner(&self, owner: UserId) -> ApiResult<()> {
        if self.user.is_admin || self.user.id == owner {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::Forbidden, "only the job's owner or an administrator may do this"))
    }

    pub fn require_admin(&self) -> ApiResult<()> {
        if self.user.is_admin {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::Forbidden, "only an administrator may do this"))
    }

    /// A line of the audit log about what this user does.
    pub fn audit(&self, action: &'static str, object: String, detail: &serde_json::Value) -> AuditEntry {
        AuditEntry {
            actor: Some(self.user.username.clone()),
            via: self.via.as_str(),
            address: self.address.map(|address| address.to_string()),
            action,
            object,
            detail: detail.to_string(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let auth = Auth::from_ref(state);
        let address = Visitor::of(parts, auth.trusted_proxies()).address;
        match Credentials::of(&parts.headers) {
            Credentials::Basic { username, password } => {
                let user = auth.check_password(&username, &password, address).await?;
                Ok(CurrentUser { user, via: Via::Basic, address })
            }
            Credentials::Session(token) => {
                origin::require_for_cookie(parts)?;
                match auth.find_session(&session_hash(&token)).await? {
                    Some(user) => Ok(CurrentUser { user, via: Via::Page, address }),
                    None => Err(unauthenticated("the session has ended; sign in again")),
                }
            }
            Credentials::Token(_) => Err(unauthenticated("the API token is not known")),
            Credentials::Malformed => Err(unauthenticated("the Authorization header can't be read")),
            Credentials::None => Err(unauthenticated("sign in, or send a user name and password with HTTP Basic")),
        }
    }
}

fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, detail)
}

/// Adds to a 401 what makes browsers and tools ask for a password, unless a page is asking, which has its own way.
pub async fn offer_basic(request: Request, next: Next) -> Response {
    let from_page = request.headers().contains_key(ORIGIN) || request.headers().contains_key(PAGE_HEADER);
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED && !from_page {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}
