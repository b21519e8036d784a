//! A remote test server that runs nothing: what TestArena itself costs is measured against it.
//! `cargo run --release -p bench --bin remote -- 127.0.0.1:4001`; `POST /bench/…` says what happens next.

mod queues;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use protocol::names::split_task_id;
use protocol::remote::{
    Changes, ErrorBody, FEATURE_CHANGES, HealthBody, MAX_CHANGES, QueueAccepted, QueueRequest, RemoteFile, StatusBody,
    TaskResults, code,
};
use queues::{Asked, Queues};
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What every log says once its task has ended.
const LOG: &str = "one line of a log\n";
const RESULT_BYTES: usize = 200;
/// How often queues change while they are told to.
const PACE: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Remote {
    queues: Arc<Mutex<Queues>>,
    changed: Arc<tokio::sync::Notify>,
    has_feed: Arc<AtomicBool>,
}

impl Remote {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4001".to_owned());
    let remote = Remote { queues: Arc::default(), changed: Arc::default(), has_feed: Arc::default() };
    tokio::spawn(keep_changing(remote.clone()));
    let app = Router::new()
        .route("/api/queue", post(accept))
        .route("/api/status/{id}", get(tell_status))
        .route("/api/abort/{id}", post(abort))
        .route("/api/delete/{id}", delete(forget))
        .route("/api/logs/{id}", get(read_log))
        .route("/api/results/{id}", get(list_results))
        .route("/api/results/{id}/{*path}", get(read_result))
        .route("/api/health", get(tell_health))
        .route("/api/changes", get(tell_changes))
        .route("/bench/asked", get(show_asked).post(forget_asked))
        .route("/bench/feed", post(offer_feed))
        .route("/bench/pace", post(set_pace))
        .route("/bench/end", post(end))
        .with_state(remote);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("remote server at {}", listener.local_addr()?);
    axum::serve(listener, app).await
}

async fn keep_changing(remote: Remote) {
    loop {
        tokio::time::sleep(PACE).await;
        if remote.lock().change_some(PACE) {
            remote.changed.notify_waiters();
        }
    }
}

async fn accept(State(remote): State<Remote>, Json(request): Json<QueueRequest>) -> Response {
    let accepted = QueueAccepted { queue_id: request.queue_id.clone(), status: protocol::QueueStatus::Running };
    remote.lock().accept(request);
    remote.changed.notify_waiters();
    (StatusCode::ACCEPTED, Json(accepted)).into_response()
}

async fn tell_status(State(remote): State<Remote>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut queues = remote.lock();
    queues.note_asked(&id);
    let Some(queue) = queues.find(&id) else { return unknown() };
    let etag = queue.etag();
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response();
    }
    ([(ETAG, etag)], Json(StatusBody::Queue(queue.body(&id)))).into_response()
}

async fn abort(State(remote): State<Remote>, Path(id): Path<String>) -> Response {
    let mut queues = remote.lock();
    queues.abort(&id);
    let Some(queue) = queues.find(&id) else { return unknown() };
    let told = Json(StatusBody::Queue(queue.body(&id)));
    remote.changed.notify_waiters();
    told.into_response()
}

async fn forget(State(remote): State<Remote>, Path(id): Path<String>) -> StatusCode {
    remote.lock().forget(&id);
    StatusCode::NO_CONTENT
}

fn unknown() -> Response {
    let body = ErrorBody { code: code::UNKNOWN_ID.to_owned(), message: String::new() };
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

async fn read_log(State(remote): State<Remote>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let queue_id = split_task_id(&id).map_or(&*id, |(queue, _)| queue);
    let Some(has_ended) = remote.lock().find(queue_id).map(queues::Queue::has_ended) else { return unknown() };
    let log = if has_ended { LOG } else { "" };
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-'));
    let from: usize = range.and_then(|from| from.parse().ok()).unwrap_or(0);
    let Some(rest) = log.get(from..).filter(|rest| !rest.is_empty()) else {
        let total = format!("bytes */{}", log.len());
        return (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, total)]).into_response();
    };
    let total = format!("bytes {from}-{}/{}", log.len() - 1, log.len());
    (StatusCode::PARTIAL_CONTENT, [(CONTENT_RANGE, total)], rest).into_response()
}

async fn list_results(State(remote): State<Remote>, Path(id): Path<String>) -> Response {
    let Some((queue_id, n)) = split_task_id(&id) else { return unknown() };
    let Some(files) = remote.lock().find(queue_id).map(|queue| queue.files(n)) else { return unknown() };
    let file = |n| RemoteFile {
        path: format!("out/{n:05}.txt"),
        size: RESULT_BYTES as u64,
        content_type: "text/plain".to_owned(),
    };
    Json(TaskResults { task_id: id, files: (0..files).map(file).collect() }).into_response()
}

async fn read_result(Path((_id, _path)): Path<(String, String)>) -> Response {
    ([(CONTENT_TYPE, "text/plain")], Body::from(vec![b'r'; RESULT_BYTES])).into_response()
}

async fn tell_health(State(remote): State<Remote>) -> Json<HealthBody> {
    let features = if remote.has_feed.load(Ordering::Relaxed) { vec![FEATURE_CHANGES.to_owned()] } else { Vec::new() };
    let (slots, busy, waiting) = (Some(4), None, None);
    Json(HealthBody { status: "ok".to_owned(), name: "bench".to_owned(), slots, busy, waiting, features })
}

#[derive(Deserialize)]
struct Since {
    since: Option<u64>,
    wait: Option<u64>,
}

async fn tell_changes(State(remote): State<Remote>, Query(query): Query<Since>) -> Response {
    if !remote.has_feed.load(Ordering::Relaxed) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let until = Instant::now() + Duration::from_secs(query.wait.unwrap_or(0));
    loop {
        let changed = remote.changed.notified();
        let (cursor, queues) = remote.lock().since(query.since.unwrap_or(0), MAX_CHANGES);
        if !queues.is_empty() || query.since.is_none() || timeout_at(until, changed).await.is_err() {
            let queues = queues.into_iter().map(StatusBody::Queue).collect();
            return Json(Changes { cursor: cursor.to_string(), reset: query.since.is_none(), queues }).into_response();
        }
    }
}

async fn show_asked(State(remote): State<Remote>) -> Json<Asked> {
    Json(remote.lock().asked())
}

async fn forget_asked(State(remote): State<Remote>) -> StatusCode {
    remote.lock().forget_asked();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Feed {
    offered: bool,
}

/// Whether it is a server with the changes feed.
async fn offer_feed(State(remote): State<Remote>, Query(feed): Query<Feed>) -> StatusCode {
    remote.has_feed.store(feed.offered, Ordering::Relaxed);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Pace {
    percent: f64,
}

/// So many percent of the running queues change each second from now on.
async fn set_pace(State(remote): State<Remote>, Query(pace): Query<Pace>) -> StatusCode {
    remote.lock().set_pace(pace.percent / 100.0);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct End {
    /// All of them where it is left out.
    queue: Option<String>,
    /// Result files of the first task.
    files: Option<usize>,
}

async fn end(State(remote): State<Remote>, Query(end): Query<End>) -> StatusCode {
    remote.lock().end(end.queue.as_deref(), end.files.unwrap_or(0));
    remote.changed.notify_waiters();
    StatusCode::NO_CONTENT
}
