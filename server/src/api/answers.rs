//! Answers that are more than a body, each a type of its own, so that the OpenAPI document can be made from what
//! handlers return. `Conditional` and `Download` stand beside what makes them.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// 201, and where the new thing is if it has a place of its own.
pub(super) struct Created<T> {
    pub(super) body: T,
    pub(super) location: Option<String>,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let created = (StatusCode::CREATED, Json(self.body));
        match self.location {
            Some(location) => ([(LOCATION, location)], created).into_response(),
            None => created.into_response(),
        }
    }
}

/// 201 with what was made, or 200 with what an earlier attempt has made.
pub(super) struct CreatedOnce<T> {
    pub(super) body: T,
    pub(super) location: String,
    pub(super) is_new: bool,
}

impl<T: Serialize> IntoResponse for CreatedOnce<T> {
    fn into_response(self) -> Response {
        let status = if self.is_new { StatusCode::CREATED } else { StatusCode::OK };
        (status, [(LOCATION, self.location)], Json(self.body)).into_response()
    }
}

/// 202: noted, and carried through later.
pub(super) struct Accepted<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

/// 204 when it is gone, 202 with the thing when that takes longer.
pub(super) enum Removed<T> {
    Gone,
    Later(T),
}

impl<T: Serialize> IntoResponse for Removed<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Gone => StatusCode::NO_CONTENT.into_response(),
            Self::Later(body) => Accepted(body).into_response(),
        }
    }
}

/// 200 with a cookie that carries the session.
pub(super) struct SignedIn<T> {
    pub(super) body: T,
    pub(super) cookie: String,
}

impl<T: Serialize> IntoResponse for SignedIn<T> {
    fn into_response(self) -> Response {
        ([(SET_COOKIE, self.cookie)], Json(self.body)).into_response()
    }
}

/// 204 with a cookie that ends the session in the browser as well.
pub(super) struct SignedOut {
    pub(super) cookie: String,
}

impl IntoResponse for SignedOut {
    fn into_response(self) -> Response {
        (StatusCode::NO_CONTENT, [(SET_COOKIE, self.cookie)]).into_response()
    }
}

/// 200, `application/xml`.
pub(super) struct Xml(pub(super) String);

impl IntoResponse for Xml {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/xml; charset=utf-8")], self.0).into_response()
    }
}

/// 200, in the text format of Prometheus.
pub(super) struct Figures(pub(super) String);

impl IntoResponse for Figures {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4")], self.0).into_response()
    }
}
