//! Connections over HTTP: how many there may be, and how long one may take to say what it wants.

use crate::connections::{ACCEPT_AGAIN_AFTER, Connections};
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
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

/// Serves connections until the runner stops, and then until those under way have been answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, open_files: usize) {
    let room = (open_files.saturating_sub(FILES_FOR_OTHERS) / FILES_EACH).clamp(16, MAX_CONNECTIONS);
    let graceful = GracefulShutdown::new();
    let mut open = Connections::default();
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
        if !open.make_room(room) {
            tracing::warn!("a connection was refused: {room} are open and in use");
            continue;
        }
        add(&mut open, stream, &router, &graceful);
    }
    drop(listener);
    open.close_silent_ones();
    graceful.shutdown().await;
}

fn add(open: &mut Connections, stream: TcpStream, router: &Router, graceful: &GracefulShutdown) {
    let router = router.clone();
    open.spawn(|guest| {
        let speaker = guest.clone();
        let service = service_fn(move |request| {
            speaker.speak();
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
        async move {
            let ended = tokio::select! {
                () = guest.asked_to_leave() => return,
                ended = connection => ended,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    });
}
