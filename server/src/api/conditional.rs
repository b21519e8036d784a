//! Answers to conditional requests: the body, or 304.

use crate::version::Version;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::marker::PhantomData;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Version {
    pub(super) fn unchanged<T>(&self) -> Conditional<T> {
        Conditional::new((StatusCode::NOT_MODIFIED, self.headers()))
    }

    /// The body as it was written; it must be a `T`.
    pub(super) fn with_json<T>(&self, json: impl Into<axum::body::Body>) -> Conditional<T> {
        Conditional::new((self.headers(), [(CONTENT_TYPE, JSON)], json.into()))
    }
}

/// A body of type `T` with its version, or the word that the client has it already.
pub(super) struct Conditional<T> {
    response: Response,
    body: PhantomData<fn() -> T>,
}

impl<T> Conditional<T> {
    fn new(response: impl IntoResponse) -> Self {
        Self { response: response.into_response(), body: PhantomData }
    }
}

impl<T> IntoResponse for Conditional<T> {
    fn into_response(self) -> Response {
        self.response
    }
}
