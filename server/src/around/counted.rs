//! The count of requests, by method, route and status.

use crate::metrics::Metrics;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use std::time::Instant;

/// A request that is counted by method, route and status when it has its answer; a page asking its own API in the
/// process is not one.
pub(super) struct Counted {
    begun_at: Instant,
    method: &'static str,
    /// The route, not the path: ids would make a series each.
    route: Option<MatchedPath>,
}

impl Counted {
    pub(super) fn begin(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { begun_at: Instant::now(), method: known_method(request.method()), route }
    }

    pub(super) fn end(self, metrics: &Metrics, response: &Response) {
        let route = self.route.as_ref().map_or("other", MatchedPath::as_str);
        metrics.count_request(self.method, route, response.status().as_u16(), self.begun_at.elapsed());
    }
}

/// Clients may make up methods, and each would be a series of its own.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
