//! Clients that take their time, come in crowds, never get to the point or never take their answer: nobody else is shut
//! out, and the server ends when it is asked to. Over real sockets, with limits short enough for a test.

use crate::test_app::TestApp;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use server::listener::{Limits, serve};
use server::state::Parts;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Far more than anything here takes, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);
const HALF: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
const WHOLE: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

pub struct Site {
    pub address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    pub app: TestApp,
}

impl Site {
    pub async fn start(change: impl FnOnce(&mut Limits)) -> Self {
        Self::with(change, |router| router).await
    }

    async fn with(change: impl FnOnce(&mut Limits), add_to: impl FnOnce(Router) -> Router) -> Self {
        let app = TestApp::start().await;
        let shutdown = CancellationToken::new();
        let parts = Parts { shutdown: shutdown.clone(), ..Parts::clone(&app.state) };
        let router = server::build(parts.into());
        let mut limits = Limits::new(&app.state.config);
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, add_to(router), limits, shutdown.clone()));
        Self { address, shutdown, serving, app }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn say(&self, words: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(words.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads to the end of the connection, however that comes.
pub async fn rest(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    ended.expect("the connection stayed open").ok();
    String::from_utf8_lossy(&read).into_owned()
}

/// One answer without reading on: its header, and what has come of its body.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await.expect("no answer came").unwrap();
        assert!(count > 0, "the connection was closed: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn many_who_send_half_a_header_shut_nobody_out() {
    let site = Site::start(|limits| (limits.connections, limits.connections_of_an_address) = (40, 30)).await;
    let mut half = Vec::new();
    for _ in 0..120 {
        half.push(site.say(HALF).await);
        if half.len() % 40 == 0 {
            assert!(answer(&mut site.say(WHOLE).await).await.starts_with("HTTP/1.1 200"));
        }
    }
}

#[tokio::test]
async fn a_header_that_does_not_end_is_given_up_however_it_trickles() {
    let site = Site::start(|limits| limits.header = Duration::from_secs(1)).await;
    assert_eq!(rest(site.connect().await).await, "", "who says nothing");
    assert_eq!(rest(site.say(HALF).await).await, "", "who stops");
    let mut stream = site.say(HALF).await;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let start = Instant::now();
    while stream.write_all(b"X: y\r\n").await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "it may go on for ever");
        pace.tick().await;
    }
    // Also after a request that was whole.
    let mut stream = site.say(WHOLE).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    stream.write_all(HALF.as_bytes()).await.unwrap();
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_not_for_ever() {
    let short = Duration::from_secs(3);
    let site = Site::start(|limits| (limits.idle, limits.header) = (short, Duration::from_secs(1))).await;
    let mut stream = site.say(WHOLE).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    let since = Instant::now();
    stream.write_all(WHOLE.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(stream).await, "");
    assert!(since.elapsed() >= short, "the limit of headers holds for headers alone");
}

/// Tells when it is dropped.
struct Tells(mpsc::UnboundedSender<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _nobody_may_listen = self.0.send(());
    }
}

/// More than any buffer on the way holds.
const BIG: usize = 64 * 1_024 * 1_024;

/// An answer without an end, and the word when it is given up.
fn endless(router: Router) -> (Router, mpsc::UnboundedReceiver<()>) {
    let (sender, dropped) = mpsc::unbounded_channel();
    let body = move || {
        let tells = Tells(sender.clone());
        let pieces = stream::unfold((tells, 0), |(tells, sent)| async move {
            let piece = Bytes::from(vec![b'x'; 65_536]);
            (sent < BIG).then_some((io::Result::Ok(piece), (tells, sent + 65_536)))
        });
        async move { Body::from_stream(pieces) }
    };
    (router.route("/big", get(body)), dropped)
}

#[tokio::test]
async fn an_answer_that_nobody_takes_or_hardly_is_given_up() {
    let mut dropped = None;
    let site = Site::with(
        |limits| limits.write = Duration::from_secs(1),
        |router| {
            let (router, word) = endless(router);
            dropped = Some(word);
            router
        },
    )
    .await;
    let mut dropped = dropped.unwrap();
    let ask = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";
    let silent = site.say(ask).await;
    tokio::time::timeout(PATIENCE, dropped.recv()).await.expect("it is held for ever").unwrap();
    drop(silent);

    let mut sipping = site.say(ask).await;
    let sips = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while sipping.read_u8().await.is_ok() {
            pace.tick().await;
        }
    });
    tokio::time::timeout(PATIENCE, dropped.recv()).await.expect("it is held for ever").unwrap();
    sips.abort();

    // Who takes longer than the limit but goes on taking gets all of it.
    let mut steady = site.say(ask).await;
    let (mut piece, mut taken, start) = (vec![0; 1_024 * 1_024], 0, Instant::now());
    let mut pace = tokio::time::interval(Duration::from_millis(30));
    while taken < BIG {
        let count = steady.read(&mut piece).await.unwrap();
        assert!(count > 0, "cut off after {taken} bytes and {:?}", start.elapsed());
        taken += count;
        pace.tick().await;
    }
}

/// A route that answers only when it is told to.
fn gated(router: Router, gate: &Arc<Notify>) -> Router {
    let gate = Arc::clone(gate);
    router.route("/gated", get(move || async move { gate.notified().await }))
}

const GATED: &str = "GET /gated HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn who_finds_all_connections_at_work_is_told_to_come_again() {
    let gate = Arc::new(Notify::new());
    let few = |limits: &mut Limits| {
        (limits.connections, limits.connections_of_an_address) = (10, 2);
        // Who takes a place and says nothing gives it free soon.
        limits.header = Duration::from_secs(1);
    };
    let site = Site::with(few, |router| gated(router, &gate)).await;
    let mut busy = vec![site.say(GATED).await, site.say(GATED).await];
    // The two may still be on their way: until they are known to be at work, a third takes the place of one.
    let start = Instant::now();
    loop {
        let refused = rest(site.connect().await).await;
        if refused.starts_with("HTTP/1.1 503") {
            assert!(refused.contains("retry-after: ") && refused.ends_with('}'), "{refused}");
            assert!(refused.contains("\r\nx-request-id: "), "{refused}");
            let body = refused.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["code"], "unavailable");
            break;
        }
        assert!(start.elapsed() < PATIENCE);
        busy.push(site.say(GATED).await);
    }
    gate.notify_waiters();
}

#[tokio::test]
async fn a_proxy_comes_with_everybodys_requests() {
    let gate = Arc::new(Notify::new());
    let few = |limits: &mut Limits| {
        (limits.connections, limits.connections_of_an_address) = (10, 2);
        limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let site = Site::with(few, |router| gated(router, &gate)).await;
    let busy = [site.say(GATED).await, site.say(GATED).await, site.say(GATED).await];
    assert!(answer(&mut site.say(WHOLE).await).await.starts_with("HTTP/1.1 200"));
    gate.notify_waiters();
    drop(busy);
}

#[tokio::test]
async fn at_the_end_who_waits_is_answered_and_what_is_under_way_is_finished() {
    let gate = Arc::new(Notify::new());
    let site = Site::with(|_| {}, |router| gated(router, &gate)).await;
    let _ada = site.app.user("ada").await;
    let id = site.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "ada:correct horse");
    let ask = |query: &str, more: &str| {
        format!("GET /api/job/{id}{query} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\n{more}\r\n")
    };
    let mut stream = site.say(&ask("", "")).await;
    let first = answer(&mut stream).await;
    let etag = first.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let waiting = site.say(&ask("?wait=60", &format!("If-None-Match: {etag}\r\n"))).await;
    let under_way = site.say(GATED).await;
    let idle = stream;
    let half = site.say(HALF).await;
    let start = Instant::now();
    while site.app.state.waiters.count() == 0 {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    // Whatever was sent before has been taken up when this is answered.
    assert!(answer(&mut site.say(WHOLE).await).await.starts_with("HTTP/1.1 200"));
    site.shutdown.cancel();
    assert!(rest(waiting).await.starts_with("HTTP/1.1 304"));
    rest(idle).await;
    assert_eq!(rest(half).await, "");
    assert!(TcpStream::connect(site.address).await.is_err(), "it takes nobody new");
    gate.notify_one();
    assert!(rest(under_way).await.starts_with("HTTP/1.1 200"));
    tokio::time::timeout(PATIENCE, site.serving).await.expect("it never ends").unwrap();
}

#[tokio::test]
async fn at_the_end_nobody_is_waited_for_without_end() {
    let gate = Arc::new(Notify::new());
    let site = Site::with(|limits| limits.stop = Duration::from_millis(200), |router| gated(router, &gate)).await;
    let under_way = site.say(GATED).await;
    assert!(answer(&mut site.say(WHOLE).await).await.starts_with("HTTP/1.1 200"));
    site.shutdown.cancel();
    tokio::time::timeout(PATIENCE, site.serving).await.expect("it never ends").unwrap();
    assert_eq!(rest(under_way).await, "");
}
