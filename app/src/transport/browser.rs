//! The browser's way: `fetch`, with a time limit, marked as the page's own so that no password dialog opens.
//! The cookie goes along by itself.

use super::{Method, NoAnswer, Request, Response};
use gloo_net::http::RequestBuilder;
use protocol::api::{PAGE_HEADER, SYNCED_AT_HEADER};
use send_wrapper::SendWrapper;
use web_sys::AbortSignal;

/// A question that goes on to a remote server over SSH may take half a minute there; then it is as good as lost.
const TIME_LIMIT_MS: u32 = 40_000;

pub(crate) fn send(request: Request) -> impl Future<Output = Result<Response, NoAnswer>> + Send {
    SendWrapper::new(async move { fetch(request).await.map_err(|_| NoAnswer) })
}

async fn fetch(request: Request) -> Result<Response, gloo_net::Error> {
    let method = match request.method {
        Method::Get => gloo_net::http::Method::GET,
        Method::Post => gloo_net::http::Method::POST,
        Method::Delete => gloo_net::http::Method::DELETE,
    };
    let time_limit = AbortSignal::timeout_with_u32(TIME_LIMIT_MS);
    let mut builder = RequestBuilder::new(&request.url)
        .method(method)
        // The page asks with its own ETag; a second cache below it would only hide the 304.
        .cache(web_sys::RequestCache::NoStore)
        .abort_signal(Some(&time_limit))
        .header(PAGE_HEADER, "1");
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let response = match request.json {
        Some(json) => builder.header("content-type", "application/json").body(json)?.send().await?,
        None => builder.send().await?,
    };
    let headers = response.headers();
    Ok(Response {
        status: response.status(),
        etag: headers.get("etag"),
        synced_at: headers.get(SYNCED_AT_HEADER),
        body: response.text().await?,
    })
}
