//! What may be asked at all: addresses, headers and bodies that are too long, too slow, endless or not what they say.
//! Over real sockets, since that is where they differ from what a library would send.

use crate::connections::{Site, rest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

struct Told {
    status: u16,
    header: String,
    body: String,
}

impl Told {
    #[track_caller]
    fn code(&self) -> String {
        assert!(self.header.contains("content-type: application/problem+json"), "{}", self.header);
        assert!(self.header.contains("x-request-id: "), "{}", self.header);
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        problem["code"].as_str().unwrap().to_owned()
    }
}

fn read(text: &str) -> Told {
    let (header, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = header.split(' ').nth(1).unwrap().parse().unwrap();
    Told { status, header: header.to_owned(), body: body.to_owned() }
}

async fn send(site: &Site, words: &str) -> Told {
    read(&rest(site.say(words).await).await)
}

fn basic() -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode("ada:correct horse"))
}

/// A request after which the connection ends.
fn request(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}{headers}\r\n", basic())
}

#[tokio::test]
async fn an_address_or_headers_without_end_are_refused() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    let long = |count: usize| "x".repeat(count);
    // As long as it can be read, what it says counts.
    let told = send(&site, &request(&format!("GET /api/jobs?search={}", long(60_000)), "")).await;
    assert!(matches!(told.status, 200 | 422), "{}", told.header);
    assert_eq!(send(&site, &request(&format!("GET /api/{}", long(60_000)), "")).await.code(), "not_found");
    assert_eq!(send(&site, &request(&format!("GET /{}", long(70_000)), "")).await.status, 414);
    let told = send(&site, &request("GET /api/me", &format!("X: {}\r\n", long(40_000)))).await;
    assert_eq!((told.status, told.code().as_str()), (431, "headers_too_large"));
    let told = send(&site, &request("GET /api/me", &"X: y\r\n".repeat(120))).await;
    assert_eq!((told.status, told.code().as_str()), (431, "headers_too_large"));
    assert_eq!(send(&site, &request("GET /api/me", &"X: y\r\n".repeat(200))).await.status, 431);
    assert_eq!(send(&site, &request("GET /api/me", &format!("X: {}\r\n", long(300_000)))).await.status, 431);
    // What people and their browsers send is far below that.
    let usual = send(&site, &request("GET /api/me", &format!("Cookie: a={}\r\n", long(8_000)))).await;
    assert_eq!(usual.status, 200);
    assert_eq!(send(&site, &request(&format!("GET /api/jobs?search={}", long(4_000)), "")).await.status, 200);
}

/// Some proxies hand on what a client sent beside what they wrote themselves.
#[tokio::test]
async fn of_two_headers_where_one_is_meant_none_is_believed() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    site.app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let abort = async |headers: &str| send(&site, &request("POST /api/job/1/abort", headers)).await;
    for (one, other) in [
        ("Origin: http://a\r\n", "Origin: http://evil.example\r\n"),
        ("Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: cross-site\r\n"),
    ] {
        for headers in [format!("{one}{other}"), format!("{other}{one}")] {
            assert_eq!(abort(&headers).await.code(), "cross_site", "{headers}");
        }
        assert_eq!(abort(one).await.status, 202);
    }
    assert_eq!(abort(&basic()).await.code(), "unauthenticated");
    let keys = "Content-Type: application/json\r\nContent-Length: 2\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n";
    let told = send(&site, &(request("POST /api/submit_job", keys) + "{}")).await;
    assert!(told.code() == "invalid_input" && told.body.contains("\"Idempotency-Key\""), "{}", told.body);
    for (ranges, status) in [("Range: bytes=5-\r\n", 416), ("Range: bytes=5-\r\nRange: bytes=0-\r\n", 200)] {
        assert_eq!(send(&site, &request("GET /api/job/1/log", ranges)).await.status, status, "{ranges}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whoever_would_have_read_it() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    site.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let calls = [
        "POST /api/submit_job",
        "POST /api/job/1/abort",
        "DELETE /api/job/1",
        "POST /api/logout",
        "GET /api/me",
        "GET /api/nothing",
        "POST /login",
        "GET /login",
    ];
    let body = "x".repeat(1_024 * 1_024 + 1);
    for call in calls {
        let json = "Content-Type: application/json\r\n";
        let announced = request(call, &format!("{json}Content-Length: {}\r\n", body.len()));
        let told = send(&site, &format!("{announced}{body}")).await;
        assert_eq!((told.status, told.code().as_str()), (413, "too_large"), "{call}");
        // Announced, and not sent unless it is wanted.
        let asked = request(call, &format!("{json}Content-Length: {}\r\nExpect: 100-continue\r\n", u64::MAX / 2));
        let told = send(&site, &asked).await;
        assert_eq!((told.status, told.code().as_str()), (413, "too_large"), "{call}");
        let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
        let pieces = request(call, &format!("{json}Transfer-Encoding: chunked\r\n"));
        let told = send(&site, &format!("{pieces}{}0\r\n\r\n", chunk.repeat(17))).await;
        assert_eq!((told.status, told.code().as_str()), (413, "too_large"), "{call}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    let mut stream = site
        .say(&request("POST /api/submit_job", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"))
        .await;
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
    let start = Instant::now();
    // It says no while more is still coming, and then takes no more.
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        assert!(start.elapsed() < Duration::from_mins(1), "it takes all that comes");
    }
}

#[tokio::test]
async fn a_body_where_none_is_read_is_no_trouble() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    let me = send(&site, &(request("GET /api/me", "Content-Length: 5\r\n") + "hello")).await;
    assert_eq!(me.status, 200);
    let pieces = request("GET /api/me", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(send(&site, &pieces).await.status, 200);
    // The next request on the same connection begins behind it.
    let first = format!("GET /api/me HTTP/1.1\r\nHost: a\r\n{}Content-Length: 5\r\n\r\nhello", basic());
    let both = rest(site.say(&(first + &request("GET /healthz", ""))).await).await;
    assert_eq!(both.matches("HTTP/1.1 200").count(), 2, "{both}");
}

#[tokio::test]
async fn a_request_says_once_to_which_host_it_goes() {
    let site = Site::start(|_| {}).await;
    let ask = async |line: &str, headers: &str| {
        let request = format!("{line}\r\nConnection: close\r\n{headers}\r\n");
        read(&rest(site.say(&request).await).await)
    };
    for path in ["/api/login/options", "/api/nothing", "/healthz", "/login"] {
        let line = format!("GET {path} HTTP/1.1");
        for wrong in [
            "",
            "Host: a\r\nHost: b\r\n",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: a, b\r\n",
            "Host: x@a\r\n",
            "Host: http://a\r\n",
            "Host: caf\u{e9}\r\n",
        ] {
            let told = ask(&line, wrong).await;
            assert_eq!((told.status, told.code().as_str()), (400, "malformed_request"), "{path} {wrong:?}");
        }
        for right in ["Host: a\r\n", "Host: a:3000\r\n", "host: [::1]:3000\r\n", "Host: 127.0.0.1\r\n", "Host:\r\n"] {
            assert_ne!(ask(&line, right).await.status, 400, "{path} {right:?}");
        }
        // An older client does not know of hosts, and two are wrong from it as well.
        let line = format!("GET {path} HTTP/1.0");
        assert_ne!(ask(&line, "").await.status, 400, "{path}");
        assert_eq!(ask(&line, "Host: a\r\nHost: b\r\n").await.code(), "malformed_request", "{path}");
    }
}

#[tokio::test]
async fn a_length_that_is_none_is_refused() {
    let site = Site::start(|_| {}).await;
    let _ada = site.app.user("ada").await;
    for wrong in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5x\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
    ] {
        let told = send(&site, &(request("POST /api/validate_branch", wrong) + "{}{}{}")).await;
        assert_eq!(told.status, 400, "{wrong}");
    }
    // Both lengths at once: the chunks count, and the connection ends, so that nothing can be smuggled behind.
    let both = "Content-Type: application/json\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    let kept = format!("POST /api/validate_branch HTTP/1.1\r\nHost: a\r\n{}{both}\r\n", basic());
    let told = rest(site.say(&format!("{kept}2\r\n{{}}\r\n0\r\n\r\n{WHOLE}")).await).await;
    assert!(told.matches("HTTP/1.1 ").count() <= 2, "{told}");
    // One that is cut off is answered by nobody being there any more.
    let mut cut =
        site.say(&(request("POST /api/validate_branch", "Content-Length: 50\r\n") + "{\"branch_name\"")).await;
    cut.shutdown().await.unwrap();
    let told = rest(cut).await;
    assert!(told.is_empty() || read(&told).status == 400, "{told}");
}

const WHOLE: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
