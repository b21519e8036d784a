//! The server's way: the API's own router, called in the same process with the visitor's cookie and address.
//! No socket to ourselves, and the same answers that a browser would get.

use super::{Answer, Method, NoAnswer, Patience, Request, Response};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HOST};
use axum::http::request::Parts;
use axum::http::{self, HeaderName, Request as HttpRequest};
use leptos::prelude::use_context;
use protocol::api::{PAGE_HEADER, SYNCED_AT_HEADER};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt;

/// The complete API, put into the context by the server for each page that it renders.
#[derive(Clone)]
pub struct ApiRouter(pub Router);

/// What of the visitor's own request says who and where they are.
const HANDED_ON: [HeaderName; 7] = [
    AUTHORIZATION,
    COOKIE,
    HOST,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-request-id"),
];

/// What was answered while one page is drawn.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Vec<Answer>>>);

impl Answers {
    fn add(&self, url: String, response: Result<Response, NoAnswer>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Answer { url, response });
    }

    fn find(&self, url: &str) -> Option<Result<Response, NoAnswer>> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().find(|answer| answer.url == url).map(|answer| answer.response.clone())
    }

    pub(crate) fn to_parts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().flat_map(Answer::to_parts).collect()
    }
}

/// Not `async fn`: the context belongs to the moment of the call and is gone after the first await.
pub(crate) fn send(request: Request) -> impl Future<Output = Result<Response, NoAnswer>> + Send {
    let api = use_context::<ApiRouter>();
    let answers = use_context::<Answers>();
    let built = build(&request, use_context::<Parts>().as_ref());
    async move {
        // One page is made of one answer to each question.
        if let Some(answered) = answers.as_ref().and_then(|answers| answers.find(&request.url)) {
            return answered;
        }
        let response = match (api, built) {
            (Some(api), Ok(built)) => call(api, built).await,
            _ => Err(NoAnswer),
        };
        if let Some(answers) = answers {
            answers.add(request.url, response.clone());
        }
        response
    }
}

/// Puts a question before the drawing does.
pub(crate) async fn ask(api: ApiRouter, visitor: &Parts, url: &str, answers: &Answers) {
    let request = Request {
        method: Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        json: None,
        patience: Patience::Short,
    };
    let response = match build(&request, Some(visitor)) {
        Ok(built) => call(api, built).await,
        Err(_) => Err(NoAnswer),
    };
    answers.add(request.url, response);
}

async fn call(ApiRouter(api): ApiRouter, request: HttpRequest<Body>) -> Result<Response, NoAnswer> {
    let Ok(response) = api.oneshot(request).await;
    read(response).await
}

/// The browser's question: a page that is being drawn is the newest.
pub(crate) async fn is_served(_path: &str) -> Option<bool> {
    None
}

fn build(request: &Request, visitor: Option<&Parts>) -> http::Result<HttpRequest<Body>> {
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    };
    let mut builder = HttpRequest::builder().method(method).uri(&request.url).header(PAGE_HEADER, "1");
    if let Some(visitor) = visitor {
        for name in &HANDED_ON {
            for value in visitor.headers.get_all(name) {
                builder = builder.header(name, value);
            }
        }
        if let Some(peer) = visitor.extensions.get::<ConnectInfo<SocketAddr>>() {
            builder = builder.extension(*peer);
        }
    }
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    match &request.json {
        Some(json) => builder.header(CONTENT_TYPE, "application/json").body(Body::from(json.clone())),
        None => builder.body(Body::empty()),
    }
}

async fn read(response: http::Response<Body>) -> Result<Response, NoAnswer> {
    let (parts, body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, etag, synced_at) = (parts.status.as_u16(), header(ETAG.as_str()), header(SYNCED_AT_HEADER));
    // Our own answer, whose size its handler has already bounded.
    let body = to_bytes(body, usize::MAX).await.map_err(|_| NoAnswer)?;
    Ok(Response { status, etag, synced_at, body: String::from_utf8_lossy(&body).into_owned() })
}
