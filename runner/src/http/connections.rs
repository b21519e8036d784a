//! The open connections: how many there may be, how long one may take to say what it wants, and which goes first
//! when there is no room. A client that never gets to the point shuts nobody out.

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// From the opening of a connection, or the end of the answer before, until a request's header is there.
/// Longer than a TestArena leaves a connection unused.
const HEADER_LIMIT: Duration = Duration::from_secs(30);
/// A client that does not take what it asked for is given up after this.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
/// More connections than this are no use to a test server.
const MAX_CONNECTIONS: usize = 4_096;
/// Files that other work may have open: the database, logs, git's pipes.
const FILES_FOR_OTHERS: usize = 256;
/// A connection may have a file open besides itself.
const FILES_EACH: usize = 2;
/// After a failed accept (out of file descriptors, mostly) there is no use in trying at once.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Serves connections until the runner stops, and then until those under way have been answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, open_files: usize) {
    let room = (open_files.saturating_sub(FILES_FOR_OTHERS) / FILES_EACH).clamp(16, MAX_CONNECTIONS);
    let graceful = GracefulShutdown::new();
    let mut open = Open::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                open.close_silent_one();
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        if open.count() >= room && !open.close_silent_one() {
            tracing::warn!("a connection was refused: {room} are open and in use");
            continue;
        }
        open.add(stream, &router, &graceful);
    }
    drop(listener);
    open.close_silent_ones();
    graceful.shutdown().await;
}

/// The open connections, oldest first.
#[derive(Default)]
struct Open(VecDeque<Connection>);

struct Connection {
    /// A request has come on it.
    has_spoken: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Open {
    fn count(&mut self) -> usize {
        self.0.retain(|connection| !connection.task.is_finished());
        self.0.len()
    }

    /// Closes the oldest connection on which no request has come yet; false when there is none.
    fn close_silent_one(&mut self) -> bool {
        let silent = self.0.iter().position(|one| !one.task.is_finished() && !one.has_spoken.load(Ordering::Relaxed));
        let Some(connection) = silent.and_then(|index| self.0.remove(index)) else {
            return false;
        };
        connection.task.abort();
        true
    }

    fn close_silent_ones(&mut self) {
        while self.close_silent_one() {}
    }

    fn add(&mut self, stream: TcpStream, router: &Router, graceful: &GracefulShutdown) {
        let has_spoken = Arc::new(AtomicBool::new(false));
        let (spoken, router) = (has_spoken.clone(), router.clone());
        let service = service_fn(move |request| {
            spoken.store(true, Ordering::Relaxed);
            router.clone().oneshot(request)
        });
        // Answers are small and whole; waiting for more to say would only delay them.
        let _unimportant = stream.set_nodelay(true);
        let io = TokioIo::new(super::patience::Patient::new(stream, WRITE_LIMIT));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .serve_connection(io, service);
        let connection = graceful.watch(connection);
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
        self.0.push_back(Connection { has_spoken, task: task.abort_handle() });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for connection in &self.0 {
            connection.task.abort();
        }
    }
}
