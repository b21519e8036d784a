//! Answers to conditional requests: the body, or 304.

use crate::error::ApiError;
use crate::version::{Known, Version};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
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

/// A list whose version is made of what it says, since nothing counts its changes: it saves the way, not the work. `send`
/// compares it with what the client has.
pub(super) struct Listed<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let json = match serde_json::to_vec(&self.0) {
            Ok(json) => json,
            Err(error) => return ApiError::internal(error).into_response(),
        };
        let version = Version::of_body(&json);
        let mut response = ([(CONTENT_TYPE, JSON)], json).into_response();
        response.extensions_mut().insert(version);
        response
    }
}

/// The answer as it goes out: of a list its version, and the list only to those who do not have it.
pub(super) fn send(mut response: Response, known: &Known) -> Response {
    let Some(version) = response.extensions_mut().remove::<Version>() else {
        return response;
    };
    let mut response = if known.has(&version) { StatusCode::NOT_MODIFIED.into_response() } else { response };
    response.headers_mut().extend(version.etag().map(|etag| (ETAG, etag)));
    response
}
