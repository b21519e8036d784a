//! The pages and the site's built files. The only file that names `app` and leptos: it gives each page that is drawn
//! here the API's router to talk to, and its scripts under the names that the build gave them.

use any_spawner::Executor;
use app::{ApiRouter, SiteAssets, Visit, route_paths, shell};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::nonce::Nonce;
use leptos::prelude::{expect_context, provide_context};
use leptos_axum::{ResponseOptions, ResponseParts, render_app_async_with_context};
use std::path::PathBuf;

mod files;
mod kept_pages;

use files::{File, Files};
use kept_pages::{Drawn, KeptPages, Request as Asked};

/// What the build makes.
const BUILT: &str = "/pkg/";
/// Its names carry a hash of their content: what was fetched once is good for ever (a year, in HTTP).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// Icons and the like: an hour old is new enough.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// Pages show what only their reader may see, as it is now. Only what was never kept is asked for again by "Back": a
/// browser takes it neither from its disk nor from memory, so that it shows nobody who has signed out.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Clone, Debug, Default)]
pub struct SiteOptions {
    /// Where the built site is, if it is not inside the binary; by default `target/site`, seen from the working
    /// folder or from the binary.
    pub folder: Option<PathBuf>,
}

/// The pages and static files, to be merged with everything else; its fallback answers all that nobody else knows.
/// `api` is the complete API with its state, as the pages ask it in this process.
pub fn routes(api: Router, options: SiteOptions) -> Router {
    let files = Files::open(options.folder);
    let assets = files.manifest().map(files::Manifest::assets).unwrap_or_default();
    let pages = KeptPages::default();
    let page = move |request: Request| show(ApiRouter(api.clone()), request, assets.clone(), pages.clone());
    let unknown = page.clone();
    let other = move |State(files): State<Files>, request: Request| async move {
        match files.find(request.uri().path(), request.headers()).await {
            Some(file) => send(&files, file, request.uri().path(), request.headers()).await,
            // Of another version of the site: whoever has that page is to load it anew, not to sign in.
            None if request.uri().path().starts_with(BUILT) => StatusCode::NOT_FOUND.into_response(),
            None => unknown(request).await,
        }
    };
    // Fails when another router of this process has done it already, which is as good. leptos_axum would do it with
    // its default features, which bring WebSockets and server functions along.
    let _ = Executor::init_tokio();
    let mut router = Router::new();
    for path in route_paths() {
        router = router.route(&path, get(page.clone()));
    }
    router.fallback(get(other)).with_state(files)
}

async fn show(api: ApiRouter, request: Request, assets: SiteAssets, pages: KeptPages) -> Response {
    let (request, body) = request.into_parts();
    let visit = match Visit::begin(api, &request).await {
        Ok(visit) => visit,
        Err(sign_in) => return (StatusCode::SEE_OTHER, page_headers(None), [(LOCATION, sign_in)]).into_response(),
    };
    let (asked, nonce) = (Asked::of(&request), Nonce::new());
    if let Some(kept) = pages.find(asked)
        && visit.is_told_again(&kept.told, &request).await
    {
        let html = [(CONTENT_TYPE, HTML)];
        return (page_headers(Some(&nonce)), html, kept.with_nonce(&nonce)).into_response();
    }
    let drawn = draw(&visit, Request::from_parts(request, body), assets, nonce.clone()).await;
    let (parts, body) = drawn.into_parts();
    // All of it is there: sent whole, it has a length and can be compressed.
    let Ok(html) = to_bytes(body, usize::MAX).await else {
        tracing::error!("a page could not be drawn");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if parts.status == StatusCode::OK
        && let Ok(html) = std::str::from_utf8(&html)
    {
        pages.keep(asked, Drawn::new(visit.told(), html, &nonce));
    }
    Response::from_parts(parts, Body::from(html))
}

async fn draw(visit: &Visit, request: Request, assets: SiteAssets, nonce: Nonce) -> Response {
    let context = {
        let visit = visit.clone();
        move || {
            visit.provide();
            let headers = page_headers(Some(&nonce));
            provide_context(nonce.clone());
            expect_context::<ResponseOptions>().overwrite(ResponseParts { headers, status: None });
        }
    };
    let render = render_app_async_with_context(context, move || shell(assets.clone()));
    let mut response = render(request).await;
    *response.status_mut() = StatusCode::from_u16(visit.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

async fn send(files: &Files, file: File, path: &str, request: &HeaderMap) -> Response {
    let cache_control = if path.starts_with(BUILT) { FOR_EVER } else { AN_HOUR };
    let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, cache_control)]);
    headers.extend(HeaderValue::try_from(&file.etag).map(|etag| (ETAG, etag)).ok());
    if file.has_forms {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    if known.any(|tag| tag == "*" || tag == file.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let Some(bytes) = files.read(&file).await else {
        // Gone since it was found.
        return StatusCode::NOT_FOUND.into_response();
    };
    headers.extend(file.coding.header().map(|coding| (CONTENT_ENCODING, coding)));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    (headers, bytes).into_response()
}

/// Scripts run only with the nonce of this very answer, which what they import inherits: nothing else that can be had
/// here, such as a test's result file, ever becomes one. Style attributes are how progress and the
/// place of a log's lines are drawn on the server; style sheets come from files alone.
fn page_headers(nonce: Option<&Nonce>) -> HeaderMap {
    let nonce = nonce.map(|nonce| format!("'nonce-{nonce}' ")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src {nonce}'wasm-unsafe-eval'; style-src 'self'; \
         style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let fixed: [(HeaderName, HeaderValue); 5] = [
        (CACHE_CONTROL, NOT_KEPT),
        // Not `no-referrer`, which would make the sign-in form's post carry `Origin: null`.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    let policy = HeaderValue::from_str(&policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy));
    fixed.into_iter().chain(policy).collect()
}
