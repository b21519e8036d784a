//! The browser's way: `fetch`, with a time limit, marked as the page's own so that no password dialog opens.
//! The cookie goes along by itself.

use super::{Method, NoAnswer, Request, Response};
use protocol::api::{PAGE_HEADER, SYNCED_AT_HEADER};
use send_wrapper::SendWrapper;
use web_sys::wasm_bindgen::JsValue;
use web_sys::{AbortSignal, RequestCache, RequestInit};

/// A question that goes on to a remote server over SSH may take half a minute there; then it is as good as lost.
const TIME_LIMIT_MS: u32 = 40_000;

pub(crate) fn send(request: Request) -> impl Future<Output = Result<Response, NoAnswer>> + Send {
    SendWrapper::new(async move { fetch(request).await.map_err(|_| NoAnswer) })
}

async fn fetch(request: Request) -> Result<Response, gloo_net::Error> {
    let response = gloo_net::http::Request::from(build(&request).map_err(js_error)?).send().await?;
    let headers = response.headers();
    Ok(Response {
        status: response.status(),
        etag: headers.get("etag"),
        synced_at: headers.get(SYNCED_AT_HEADER),
        body: response.text().await?,
    })
}

/// By hand, because gloo-net's builder parses every URL to write its query anew.
fn build(request: &Request) -> Result<web_sys::Request, JsValue> {
    let init = RequestInit::new();
    init.set_method(match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    });
    // The page asks with its own ETag; a second cache below it would only hide the 304.
    init.set_cache(RequestCache::NoStore);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(TIME_LIMIT_MS)));
    if let Some(json) = &request.json {
        init.set_body(&json.into());
    }
    let built = web_sys::Request::new_with_str_and_init(&request.url, &init)?;
    let headers = built.headers();
    headers.set(PAGE_HEADER, "1")?;
    if request.json.is_some() {
        headers.set("content-type", "application/json")?;
    }
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    Ok(built)
}

fn js_error(error: JsValue) -> gloo_net::Error {
    gloo_net::Error::GlooError(error.as_string().unwrap_or_default())
}
