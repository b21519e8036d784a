//! How a request of the page leaves: by `fetch` in the browser, as a call of the API's router in the same process on
//! the server. One data path and one set of handlers either way. What the server asked for to draw a page goes along
//! in the document, and answers the same questions there.

use serde::{Deserialize, Serialize};

#[cfg(not(feature = "ssr"))]
mod browser;
#[cfg(feature = "ssr")]
mod server;

#[cfg(not(feature = "ssr"))]
pub(crate) use browser::send;
#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
pub(crate) use browser::take_over_answers;
#[cfg(feature = "ssr")]
pub use server::ApiRouter;
#[cfg(feature = "ssr")]
pub(crate) use server::{Answers, send};

/// Of the element in the document that holds what the server was answered.
const ANSWERS_ELEMENT: &str = "answers";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query, from `/api`.
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) json: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) synced_at: Option<String>,
    pub(crate) body: String,
}

/// What was answered to a GET of that URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    url: String,
    response: Response,
}

/// No answer came: the server or the network is away, or the time was up.
#[derive(Debug)]
pub(crate) struct NoAnswer;
