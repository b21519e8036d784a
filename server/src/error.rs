//! How the API says no: `ApiError`, its only way to become an answer, and the extractors that refuse in the same shape.
//! A 500 tells the client nothing; its cause is logged once, with the request's id.

mod extract;
mod query;
mod stray;
mod words;

pub use extract::{Form, Json, NoBody, OptionalJson, Path, too_large};
pub use query::{Filter, Query, given, id};
pub use stray::{NoQuery, refuse_stray_query};

use crate::store::StoreError;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::api::{ErrorCode, FieldErrors, Problem, REQUEST_ID_HEADER};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

pub type ApiResult<T> = Result<T, ApiError>;

/// When to come again to what can't be done now, where nothing else is known.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// Why a call did not do what was asked.
#[derive(Clone, Debug)]
pub struct ApiError {
    code: ErrorCode,
    /// For people; says what to do.
    detail: String,
    fields: Option<FieldErrors>,
    retry_after: Option<Duration>,
    /// How to say who one is, where that is missing.
    challenge: Option<&'static str>,
    /// What the client is not told.
    cause: Option<Cause>,
}

type Cause = Arc<dyn std::error::Error + Send + Sync>;

impl ApiError {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let retry_after = (code == ErrorCode::Unavailable).then_some(COME_AGAIN);
        Self { code, detail: detail.into(), fields: None, retry_after, challenge: None, cause: None }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, detail)
    }

    /// One field of the input is wrong.
    pub fn invalid(field: &str, why: impl Into<String>) -> Self {
        let why = why.into();
        let detail = format!("{field}: {why}");
        Self {
            fields: Some(FieldErrors::from([(field.to_owned(), why)])),
            ..Self::new(ErrorCode::InvalidInput, detail)
        }
    }

    pub fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        let told = "something went wrong here; the server's log says more under this answer's X-Request-Id";
        Self { cause: Some(Arc::new(cause)), ..Self::new(ErrorCode::Internal, told) }
    }

    #[must_use]
    pub fn with_field(mut self, field: &str, why: impl Into<String>) -> Self {
        self.fields.get_or_insert_default().insert(field.to_owned(), why.into());
        self
    }

    #[must_use]
    pub fn retry_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }

    #[must_use]
    pub fn with_challenge(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub const fn code(&self) -> ErrorCode {
        self.code
    }
}

/// With its cause, for the log.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        self.cause.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let Some(outage) = error.outage() {
            let told = format!("{outage}; try again in a moment");
            return Self { cause: Some(Arc::new(error)), ..Self::new(ErrorCode::Unavailable, told) };
        }
        Self::internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem { fields: self.fields, ..Problem::new(self.code, self.detail) };
        let mut response = (status, axum::Json(problem)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(pause) = self.retry_after {
            // Rounded up, so that whoever waits so long is not refused again.
            let seconds = pause.as_millis().div_ceil(1_000).to_string();
            response.headers_mut().extend(HeaderValue::try_from(seconds).map(|value| (RETRY_AFTER, value)).ok());
        }
        let challenge = self.challenge.map(HeaderValue::from_static);
        response.headers_mut().extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

/// Logs what the client was not told. An error is something somebody must act on; a database that is away is a warning,
/// since the poller says so too.
pub async fn log_cause(request: Request, next: Next) -> Response {
    // Cheap to clone, unlike their texts: nearly no request needs them.
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let id = request.headers().get(REQUEST_ID_HEADER).cloned();
    let response = next.run(request).await;
    if let Some(cause) = response.extensions().get::<Cause>() {
        let (path, status) = (uri.path(), response.status().as_u16());
        let id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%method, path, request.id = id, status, cause = %cause, "{method} {path} failed");
        } else {
            tracing::warn!(%method, path, request.id = id, status, cause = %cause, "{method} {path} was put off");
        }
    }
    response
}

/// For paths below `/api` that lead nowhere.
pub async fn no_such_path() -> ApiError {
    ApiError::not_found("there is nothing at this path")
}

pub async fn wrong_method() -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        "this path does not take that method; the Allow header names those it takes",
    )
}
