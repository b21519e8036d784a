//! The pages and the site's built files. The only file that names `app`: it gives each page that is drawn here the
//! API's router to talk to, and its scripts under the names that the build gave them.

use app::{ApiRouter, Document, PAGES, SiteAssets, render};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::PathBuf;
use std::sync::Arc;

mod files;

use files::{File, Files};

/// The names under `/pkg/` carry a hash of their content: what was fetched once is good for ever (a year, in HTTP).
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Icons and the like: an hour old is new enough.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// Pages show what only their reader may see, as it is now.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("private, no-cache");

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
    let assets = Arc::new(files.manifest().map(files::Manifest::assets).unwrap_or_default());
    let page = move |request: Request| draw(ApiRouter(api.clone()), request, assets.clone());
    let unknown = page.clone();
    let mut router = Router::new();
    for path in PAGES {
        router = router.route(path, get(page.clone()));
    }
    let other = move |State(files): State<Files>, request: Request| async move {
        match files.find(request.uri().path(), accepts_brotli(request.headers())).await {
            Some(file) => send(file, &request),
            None => unknown(request).await,
        }
    };
    router.fallback(get(other)).with_state(files)
}

async fn draw(api: ApiRouter, request: Request, assets: Arc<SiteAssets>) -> Response {
    let nonce = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let (visitor, _) = request.into_parts();
    let response = match render(api, visitor, &assets, &nonce).await {
        Document::Elsewhere(path) => (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response(),
        Document::Page { status, html } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Html(html)).into_response()
        }
    };
    (page_headers(&nonce), response).into_response()
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| coding.trim() == "br")
}

fn send(file: File, request: &Request) -> Response {
    let cache_control = if request.uri().path().starts_with("/pkg/") { FOR_EVER } else { AN_HOUR };
    let fixed = [
        (CACHE_CONTROL, cache_control),
        (VARY, HeaderValue::from_static("accept-encoding")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let etag = [(ETAG, file.etag.clone())];
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.etag) {
        return (StatusCode::NOT_MODIFIED, fixed, etag).into_response();
    }
    let encoding = file.is_brotli.then_some([(CONTENT_ENCODING, HeaderValue::from_static("br"))]);
    let mut response = (fixed, etag, [(CONTENT_TYPE, file.content_type)], file.bytes).into_response();
    response.headers_mut().extend(encoding.into_iter().flatten());
    response
}

/// Scripts run only from here, or with the nonce of this very answer. Style attributes are how progress and the
/// place of a log's lines are drawn on the server; style sheets come from files alone.
fn page_headers(nonce: &str) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         style-src-attr 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    let fixed: [(HeaderName, HeaderValue); 4] = [
        (CACHE_CONTROL, NOT_KEPT),
        // Not `no-referrer`, which would make the sign-in form's post carry `Origin: null`.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ];
    let policy = HeaderValue::from_str(&policy).ok().map(|policy| (CONTENT_SECURITY_POLICY, policy));
    fixed.into_iter().chain(policy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_is_sent_only_to_those_who_take_it() {
        let headers = |value: &'static str| HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert!(accepts_brotli(&headers("gzip, deflate, br")));
        assert!(!accepts_brotli(&headers("gzip")));
        assert!(!accepts_brotli(&HeaderMap::new()));
    }
}
