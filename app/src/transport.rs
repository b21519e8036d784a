//! How a request of the page leaves: by `fetch` in the browser, as a call of the API's router in the same process on
//! the server. One data path and one set of handlers either way.

#[cfg(not(feature = "ssr"))]
mod browser;
#[cfg(feature = "ssr")]
mod server;

#[cfg(not(feature = "ssr"))]
pub(crate) use browser::send;
#[cfg(feature = "ssr")]
pub use server::ApiRouter;
#[cfg(feature = "ssr")]
pub(crate) use server::send;

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

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) synced_at: Option<String>,
    pub(crate) body: String,
}

/// No answer came: the server or the network is away, or the time was up.
#[derive(Debug)]
pub(crate) struct NoAnswer;
