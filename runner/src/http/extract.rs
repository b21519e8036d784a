//! What handlers take from a request, refused in the contract's shape when it is wrong.
//! Ids are told apart here: only task ids contain `-`.

use super::error::Refused;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use protocol::names::{is_queue_id, split_task_id};
use protocol::remote::INSTANCE_HEADER;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A body that has not come by now is not coming.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// An instance is a UUID; anything short and plain is taken as a name of one.
const MAX_INSTANCE_BYTES: usize = 128;

/// The TestArena installation that asks. One that does not say so is the nameless one, with queues of its own.
pub struct Instance(pub String);

impl<S: Sync> FromRequestParts<S> for Instance {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let Some(value) = parts.headers.get(INSTANCE_HEADER) else {
            return Ok(Self(String::new()));
        };
        match value.to_str().map(str::trim) {
            Ok(text) if text.len() <= MAX_INSTANCE_BYTES => Ok(Self(text.to_owned())),
            _ => Err(Refused::new(StatusCode::BAD_REQUEST, "bad_instance", "TestArena-Instance must be a UUID")),
        }
    }
}

/// Parts of the path. What is no UTF-8 is no id that was ever given.
pub struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|_| Refused::unknown_id(parts.uri.path()))
    }
}

/// The query. One that can't be understood, such as a key given twice, is the caller's mistake.
pub struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let refuse =
            |rejection: QueryRejection| Refused::new(StatusCode::BAD_REQUEST, "bad_query", rejection.body_text());
        query.map(|Query(value)| Self(value)).map_err(refuse)
    }
}

pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let body = tokio::time::timeout(BODY_WAIT, axum::body::Bytes::from_request(request, state));
        let too_late = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not come in time");
        let bytes = body.await.map_err(too_late)?.map_err(refuse_body)?;
        let value: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, "malformed_json", error.to_string()))?;
        serde_json::from_value(value).map(Self).map_err(|error| Refused::invalid("invalid_input", error.to_string()))
    }
}

fn refuse_body(rejection: BytesRejection) -> Refused {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 4 MiB")
        }
        _ => Refused::new(StatusCode::BAD_REQUEST, "bad_body", "the body could not be read"),
    }
}

/// What an id in a path names.
pub enum Id<'a> {
    Queue(&'a str),
    Task { queue: &'a str, n: u32 },
}

impl<'a> Id<'a> {
    pub fn parse(id: &'a str) -> Result<Self, Refused> {
        if is_queue_id(id) {
            return Ok(Self::Queue(id));
        }
        match split_task_id(id) {
            Some((queue, n)) => Ok(Self::Task { queue, n }),
            None => Err(Refused::unknown_id(id)),
        }
    }
}

/// Whether `If-None-Match` names this entity tag.
pub fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(axum::http::header::IF_NONE_MATCH);
    let tags = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tags.map(str::trim).any(|offered| offered == "*" || offered.trim_start_matches("W/") == tag)
}
