//! The one shape of a refused call: a status and `{"code","message"}`.
//! What went wrong inside is logged here and not told.

use crate::store::StoreError;
use crate::workspace::Refusal;
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::remote::{ErrorBody, code};

#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// Seconds until a call that failed for a reason of the moment is worth another try.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn unknown_id(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code::UNKNOWN_ID, format!("\"{id}\" is not known here"))
    }

    pub fn other_instance(id: &str) -> Self {
        let message = format!("\"{id}\" belongs to another TestArena instance than the one that asks");
        Self::new(StatusCode::CONFLICT, code::OTHER_INSTANCE, message)
    }

    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = ErrorBody { code: self.code.to_owned(), message: self.message };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
        }
        response
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a call failed at the database");
        Self::unavailable("unavailable", "the test server's database can't be used now; its log says why")
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "a call failed at a file");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "a file of the test server can't be used; its log says why",
        )
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownBranch(_) => Self::invalid("unknown_branch", refusal.to_string()),
            Refusal::UnknownCommit { .. } => Self::invalid("unknown_commit", refusal.to_string()),
            Refusal::Git(error) => {
                tracing::error!(%error, "the repository could not be asked");
                Self::unavailable("repository_unavailable", format!("the repository can't be asked now: {error}"))
            }
        }
    }
}
