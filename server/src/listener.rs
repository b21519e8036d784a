//! The open connections: how many there may be, in all and from one address, how long one may take, and which goes first
//! when there is no room. Whoever never gets to the point shuts nobody out.

mod answer;
mod open;
mod phase;
mod stream;

use crate::config::Config;
use answer::Answering;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use open::{Open, Place};
use phase::Phase;
use protocol::api::{ErrorCode, Problem, REQUEST_ID_HEADER};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use stream::Patient;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Files that other work may have open: the database, logs, connections to remote servers.
const FILES_FOR_OTHERS: usize = 256;
/// A connection may have a file open besides itself.
const FILES_EACH: usize = 2;
const FEWEST_CONNECTIONS: usize = 16;
const MOST_CONNECTIONS: usize = 8_192;
/// One address may have so much of the room.
const SHARE_OF_AN_ADDRESS: usize = 4;
/// Bytes of a request's header, and of an answer, that are held in memory for a connection.
const BUFFER_BYTES: usize = 128 * 1_024;
/// So many are read, more than are taken (`around/ask.rs`): who sends too many is told so in our own shape.
const MAX_HEADERS: usize = 128;
/// After a failed accept (out of file descriptors, mostly) there is no use in trying at once.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// What keeps failing is told so often.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// What somebody hears for whom there is no room: they need not have said anything yet.
static NO_ROOM: LazyLock<String> = LazyLock::new(|| {
    let problem = Problem::new(ErrorCode::Unavailable, "too many connections; come again in a moment".to_owned());
    serde_json::to_string(&problem).unwrap_or_default()
});
/// In seconds, when such a one may come again.
const COME_AGAIN_AFTER: u32 = 2;

/// What a connection may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first byte of a request, or the opening of the connection, until the whole header is there.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// For a piece of an answer that waits to be taken.
    pub write: Duration,
    /// For the requests that are under way when the server ends.
    pub stop: Duration,
    pub connections: usize,
    pub connections_of_an_address: usize,
    /// Proxies come with everybody's requests.
    pub trusted_proxies: Vec<IpNet>,
}

impl Limits {
    pub fn new(config: &Config) -> Self {
        let room = open_files().saturating_sub(FILES_FOR_OTHERS) / FILES_EACH;
        let connections = room.clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
        Self {
            header: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(6),
            connections,
            connections_of_an_address: connections.div_ceil(SHARE_OF_AN_ADDRESS),
            trusted_proxies: config.trusted_proxies.clone(),
        }
    }
}

/// Lets this process open as many files as it may allow itself: by default it is 1,024, whatever the machine can do.
pub fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

fn open_files() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Serves connections until `shutdown`, and then until those under way have been answered or `limits.stop` is over.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let open = Open::new(&limits);
    let mut told_at = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match open.make_room(peer.ip()) {
                Some(place) => answer_all(stream, peer, place, &router, &limits, &graceful),
                None => refuse(&stream, peer, &mut told_at),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tell(&mut told_at, || tracing::error!(%error, "a connection could not be accepted: {error}"));
                open.close_quiet_one();
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    drop(listener);
    open.close_quiet_ones();
    if tokio::time::timeout(limits.stop, graceful.shutdown()).await.is_err() {
        tracing::warn!("cut off {} requests that were still under way", open.count());
        open.close_all();
    }
}

/// It has gone away between its coming and our looking.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

fn refuse(stream: &TcpStream, peer: SocketAddr, told_at: &mut Option<Instant>) {
    let id = format!("{:032x}", rand::random::<u128>());
    tell(told_at, || {
        tracing::warn!(%peer, request.id = id, "a connection of {peer} was refused: all that there may be are in use");
    });
    // Nobody waits for one who may not even read it.
    let no_room: &str = &NO_ROOM;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {COME_AGAIN_AFTER}\r\nconnection: close\r\n\
         {REQUEST_ID_HEADER}: {id}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{no_room}",
        no_room.len()
    );
    let _unimportant = stream.try_write(answer.as_bytes());
}

fn tell(told_at: &mut Option<Instant>, what: impl FnOnce()) {
    if told_at.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
        *told_at = Some(Instant::now());
        what();
    }
}

fn answer_all(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: &Router,
    limits: &Limits,
    graceful: &GracefulShutdown,
) {
    // Answers are small and whole; waiting for more to say would only delay them.
    let _unimportant = stream.set_nodelay(true);
    let phase = Arc::clone(place.phase());
    let io = TokioIo::new(Patient::new(stream, Arc::clone(&phase), limits));
    let router = router.clone();
    let service = service_fn(move |request| answer(router.clone(), request, peer, &phase));
    let connection =
        http1::Builder::new().max_buf_size(BUFFER_BYTES).max_headers(MAX_HEADERS).serve_connection(io, service);
    let connection = graceful.watch(connection);
    let id = place.id();
    let open = place.open().clone();
    let task = tokio::spawn(async move {
        let _place = place;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
    open.ends_with(id, task.abort_handle());
}

fn answer(
    mut router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    phase: &Arc<Phase>,
) -> impl Future<Output = Result<hyper::Response<Answering>, Infallible>> + use<> {
    let under_way = Phase::begin_request(phase);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let answer = router.call(request);
    async move { answer.await.map(|response| response.map(|body| Answering::new(body, under_way))) }
}
