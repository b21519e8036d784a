//! The browser's way: `fetch`, with a time limit, marked as the page's own so that no password dialog opens.
//! The cookie goes along by itself.

use super::{Answer, Method, NoAnswer, Patience, Request, Response};
use crate::browser;
use js_sys::{Function, Reflect, Uint8Array};
use leptos::prelude::window;
use protocol::Timestamp;
use protocol::api::{NOW_HEADER, PAGE_HEADER, SYNCED_AT_HEADER};
use std::cell::RefCell;
use wasm_bindgen_futures::JsFuture;
use web_sys::wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, AbortSignal, RequestCache, RequestInit, TextDecoder};

/// An answer that takes longer is as good as lost; the next question may find the server well again.
const SHORT_LIMIT_MS: u32 = 10_000;
/// A question that goes on to a remote server over SSH may take half a minute there, a check of all its parts 45 s.
const LONG_LIMIT_MS: u32 = 50_000;

thread_local! {
    /// What the server was answered when it drew this page. Each answer is taken once, while the page comes alive:
    /// later it would be old.
    static ANSWERS: RefCell<Vec<Answer>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn take_over(answers: Vec<Answer>) {
    ANSWERS.set(answers);
}

pub(crate) fn forget_answers() {
    ANSWERS.take();
}

fn answered_before(request: &Request) -> Option<Result<Response, NoAnswer>> {
    ANSWERS.with_borrow_mut(|answers| {
        let at = answers.iter().position(|answer| answer.url == request.url)?;
        (request.method == Method::Get).then(|| answers.swap_remove(at).response)
    })
}

pub(crate) async fn send(request: Request) -> Result<Response, NoAnswer> {
    match answered_before(&request) {
        Some(response) => response,
        None => fetch(request).await.map_err(|_| NoAnswer),
    }
}

/// A question to which nobody waits for the answer any more, since another one followed or its view was left, is over
/// at the server and on the network as well. What changes something is left to its end.
struct Waiting(AbortController);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn fetch(request: Request) -> Result<Response, JsValue> {
    let ended = AbortController::new()?;
    let built = build(&request, &ended)?;
    let _waiting = (request.method == Method::Get).then(|| Waiting(ended));
    let answer = JsFuture::from(window().fetch_with_request(&built)).await?;
    let answer: web_sys::Response = answer.dyn_into()?;
    let headers = answer.headers();
    if let Some(now) = headers.get(NOW_HEADER)?.and_then(|now| now.parse().ok()) {
        browser::set_clock(Timestamp(now));
    }
    Ok(Response {
        status: answer.status(),
        etag: headers.get("etag")?,
        synced_at: headers.get(SYNCED_AT_HEADER)?,
        body: read(&answer).await?,
    })
}

/// As a browser shows the file itself: by its byte order mark, else by what the answer says of itself.
async fn read(answer: &web_sys::Response) -> Result<String, JsValue> {
    let bytes = Uint8Array::new(&JsFuture::from(answer.array_buffer()?).await?);
    let kind = answer.headers().get("content-type")?.unwrap_or_default();
    let encoding = match (bytes.get_index(0), bytes.get_index(1)) {
        (0xFF, 0xFE) => "utf-16le",
        (0xFE, 0xFF) => "utf-16be",
        _ => kind.split_once("charset=").map_or("utf-8", |(_, named)| named),
    };
    let decoder = TextDecoder::new_with_label(encoding).or_else(|_| TextDecoder::new())?;
    decoder.decode_with_buffer_source(&bytes)
}

/// None where that can't be told.
pub(crate) async fn is_served(path: &str) -> Option<bool> {
    let init = RequestInit::new();
    init.set_method("HEAD");
    init.set_cache(RequestCache::NoStore);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(SHORT_LIMIT_MS)));
    let answer = JsFuture::from(window().fetch_with_str_and_init(path, &init)).await.ok()?;
    match answer.dyn_into::<web_sys::Response>().ok()?.status() {
        200 => Some(true),
        404 => Some(false),
        _ => None,
    }
}

/// Ends by itself when the time for it is over.
fn build(request: &Request, ended: &AbortController) -> Result<web_sys::Request, JsValue> {
    let init = RequestInit::new();
    init.set_method(match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    });
    // The page asks with its own ETag; a second cache below it would only hide the 304.
    init.set_cache(RequestCache::NoStore);
    let limit_ms = match request.patience {
        Patience::Short => SHORT_LIMIT_MS,
        Patience::Long => LONG_LIMIT_MS,
    };
    let abort: Function = Reflect::get(ended, &"abort".into())?.dyn_into()?;
    AbortSignal::timeout_with_u32(limit_ms).set_onabort(Some(&abort.bind0(ended)));
    init.set_signal(Some(&ended.signal()));
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
