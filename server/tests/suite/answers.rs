//! What all answers have in common: safe headers, compression for those who take it, an id, and a handler's panic told
//! like any other failure. And how the site's files are sent.

use crate::kept::{Answer, Kept, send};
use crate::remote_bench::Bench;
use crate::test_app::{PASSWORD, TestApp};
use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{Method, Request};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use protocol::Timestamp;
use server::around::wrap;
use server::site::{self, SiteOptions};
use std::io::Read;
use tempfile::TempDir;

fn asking(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let basic = format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}")));
    let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, basic);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty()).unwrap()
}

async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(router, asking(Method::GET, path, headers)).await
}

fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn what_is_read_is_compressed_for_those_who_take_it() {
    let app = TestApp::start().await;
    let _ada = app.user("ada").await;
    for _ in 0..5 {
        app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
    }
    let router = server::build(app.state.clone());
    for path in ["/api/jobs", "/api/job/1", "/login", "/", "/api/openapi.json", "/metrics"] {
        let plain = ask(&router, path, &[]).await;
        assert_eq!((plain.status.as_u16(), plain.header(CONTENT_ENCODING)), (200, ""), "{path}");
        for refusing in ["gzip;q=0", "identity", "br", "*;q=0"] {
            let plain = ask(&router, path, &[("accept-encoding", refusing)]).await;
            assert_eq!(plain.header(CONTENT_ENCODING), "", "{path} {refusing}");
        }
        let packed = ask(&router, path, &[("accept-encoding", "gzip, deflate, br, zstd")]).await;
        if plain.body.len() < 1_024 {
            continue;
        }
        assert_eq!(packed.header(CONTENT_ENCODING), "gzip", "{path}");
        assert!(packed.body.len() < plain.body.len() / 2 + 512, "{path}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"));
        let length = packed.header("content-length");
        assert!(length.is_empty() || length == packed.body.len().to_string(), "{path}");
        for answer in [&plain, &packed] {
            assert_eq!(answer.header(VARY), "accept-encoding", "{path}");
        }
        if path.starts_with("/api/job") {
            assert_eq!(unpacked(&packed), plain.text());
            // The same tag for the same thing, and it is found again in either form.
            assert!(packed.header(ETAG).starts_with("W/") && packed.header(ETAG) == plain.header(ETAG));
            let known = [("accept-encoding", "gzip"), ("if-none-match", packed.header(ETAG))];
            let unchanged = ask(&router, path, &known).await;
            assert_eq!((unchanged.status.as_u16(), unchanged.header(VARY)), (304, "accept-encoding"));
            assert!(unchanged.body.is_empty());
        }
    }
    let short = ask(&router, "/healthz", &[("accept-encoding", "gzip")]).await;
    assert_eq!((short.text(), short.header(CONTENT_ENCODING)), ("ok\n", ""));
    let head = send(&router, asking(Method::HEAD, "/api/jobs", &[("accept-encoding", "gzip")])).await;
    assert!(head.body.is_empty() && head.status == 200);
}

#[tokio::test]
async fn every_list_has_a_version_and_is_not_sent_to_those_who_have_it() {
    let bench = Bench::start();
    let config = bench.config_with(|_| {});
    let name = config.name.clone();
    let app = TestApp::with_environments(vec![config]).await;
    let root = app.admin("root").await;
    let job = app.store_job("root", &name, "main", &["smoke/boot"]).await;
    root.get("/api/branches").await.expect(200);
    for path in [
        "/api/environments",
        "/api/branches",
        "/api/scenarios?branch=main",
        "/api/scenarios/history?scenario=smoke/boot",
        "/api/scenarios/stats",
        "/api/users",
        "/api/tokens",
        "/api/audit",
        "/api/jobs",
        &format!("/api/job/{job}"),
        &format!("/api/job/{job}/tasks/{job}-1/results"),
    ] {
        let ask = async |known: &str| root.clone().with("if-none-match", known).get(path).await;
        let first = ask("W/\"another\"").await;
        first.expect(200);
        let etag = first.header("etag");
        assert!(etag.starts_with("W/\""), "{path}: {etag}");
        for known in [etag, &etag[2..], &format!("\"x\", {etag}"), "*"] {
            let unchanged = ask(known).await;
            assert_eq!((unchanged.status.as_u16(), unchanged.body.as_str()), (304, ""), "{path} {known}");
            for header in ["etag", "cache-control"] {
                assert_eq!(unchanged.header(header), first.header(header), "{path} {known}");
            }
        }
    }
    let users = async || root.get("/api/users").await.header("etag").to_owned();
    let before = users().await;
    app.user("ada").await;
    assert_ne!(users().await, before);
    // Refusals and what is no list have none.
    for path in ["/api/me", "/api/users?x=1", "/api/login/options"] {
        let answer = root.clone().with("if-none-match", "*").get(path).await;
        assert!(answer.status != 304 && answer.header("etag").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn logs_and_files_go_as_they_are() {
    let kept = Kept::new().await;
    kept.append(server::logs::LogId::Queue, "line\n".repeat(10_000)).await;
    kept.keep_result("out.txt", "text/plain", &b"line\n".repeat(10_000)).await;
    let router = server::build(kept.state.clone());
    let basic = STANDARD.encode("ada:a good password");
    for path in ["/api/job/1/log", "/api/job/1/tasks/a.1-1/results/out.txt"] {
        for range in [None, Some("bytes=10-19")] {
            let mut request = Request::get(path).header(AUTHORIZATION, format!("Basic {basic}"));
            request = request.header(ACCEPT_ENCODING, "gzip, br");
            if let Some(range) = range {
                request = request.header("range", range);
            }
            let answer = send(&router, request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.header(CONTENT_ENCODING), "", "{path}");
            assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{path}");
            assert_eq!(answer.body.len(), if range.is_some() { 10 } else { 50_000 }, "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_doing_more_with_it_than_is_meant() {
    let app = TestApp::with_config(|config| config.public_url = "https://arena.example".to_owned()).await;
    let _ada = app.user("ada").await;
    let router = server::build(app.state.clone());
    for path in ["/api/me", "/api/nothing", "/healthz", "/login", "/", "/nothing", "/api/jobs?x=1", "/metrics"] {
        let answer = ask(&router, path, &[]).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    // A browser that comes by plain http has nothing to remember.
    let app = TestApp::start().await;
    let plain = ask(&server::build(app.state.clone()), "/login", &[]).await;
    assert_eq!(plain.header("strict-transport-security"), "");
}

#[tokio::test]
async fn a_page_runs_no_script_but_its_own() {
    let folder = site_folder();
    let app = TestApp::start().await;
    let router = site_in(&folder, &app);
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = ask(&router, "/login", &[]).await;
        let policy = page.header("content-security-policy").to_owned();
        let scripts = policy.split(';').find_map(|rule| rule.trim().strip_prefix("script-src ")).unwrap();
        let nonce = scripts.split('\'').find_map(|word| word.strip_prefix("nonce-")).unwrap().to_owned();
        assert_eq!(scripts, format!("'nonce-{nonce}' 'wasm-unsafe-eval'"));
        assert!(nonce.len() >= 22, "{nonce}");
        let scripts: Vec<&str> = page.text().split("<script").skip(1).collect();
        assert!(!scripts.is_empty());
        for script in scripts {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains(&nonce) || tag.contains("application/json"), "{tag}");
        }
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

fn site_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pkg")).unwrap();
    for (name, content) in [
        ("manifest.json", r#"{"js":"pkg/a.js","wasm":"pkg/a.wasm","css":"pkg/a.css"}"#),
        ("pkg/a.js", "plain"),
        ("pkg/a.js.br", "smallest"),
        ("pkg/a.js.gz", "small"),
        ("pkg/a.css", "lone"),
        ("favicon.svg", "<svg/>"),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn site_in(folder: &TempDir, app: &TestApp) -> Router {
    let options = SiteOptions { folder: Some(folder.path().to_owned()) };
    let api = server::api::routes(app.state.clone());
    wrap(api.clone().merge(site::routes(api, options)), &app.state)
}

#[tokio::test]
async fn a_file_of_the_site_goes_in_the_most_welcome_form_and_only_once() {
    let folder = site_folder();
    let app = TestApp::start().await;
    let router = site_in(&folder, &app);
    for (accepted, coding, content) in [
        ("br, gzip", "br", "smallest"),
        ("br;q=1.0", "br", "smallest"),
        ("br;q=0, gzip", "gzip", "small"),
        ("*", "br", "smallest"),
        ("br;q=0", "", "plain"),
        ("br;q=0, *;q=0", "", "plain"),
    ] {
        let file = ask(&router, "/pkg/a.js", &[("accept-encoding", accepted)]).await;
        assert_eq!((file.header(CONTENT_ENCODING), file.text()), (coding, content), "{accepted}");
        assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(file.header(VARY), "accept-encoding");
        let known = [("accept-encoding", accepted), (IF_NONE_MATCH.as_str(), file.header(ETAG))];
        let unchanged = ask(&router, "/pkg/a.js", &known).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
        assert_eq!(unchanged.header(ETAG), file.header(ETAG));
        let head = send(&router, asking(Method::HEAD, "/pkg/a.js", &[("accept-encoding", accepted)])).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.header(CONTENT_ENCODING), coding);
    }
    let lone = ask(&router, "/pkg/a.css", &[("accept-encoding", "br")]).await;
    assert_eq!((lone.header(CONTENT_ENCODING), lone.text()), ("", "lone"));
    assert_eq!(ask(&router, "/favicon.svg", &[]).await.header("cache-control"), "public, max-age=3600");
    assert_eq!(ask(&router, "/pkg/none.js", &[]).await.status, 404);
}

#[tokio::test]
async fn a_handler_that_panics_answers_like_any_failure() {
    let app = TestApp::start().await;
    let defect = Router::new().route("/defect", get(async || -> String { panic!("a defect\nof ours") }));
    let router = wrap(defect, &app.state);
    for id in ["mine", "not mine"] {
        let answer = ask(&router, "/defect", &[("x-request-id", id)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (500, "application/problem+json"));
        assert_eq!(answer.json()["code"], "internal");
        assert!(!answer.text().contains("of ours"));
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("x-request-id") == id, id == "mine");
    }
}

#[tokio::test]
async fn an_id_of_the_callers_is_taken_only_where_it_is_a_plain_word() {
    let app = TestApp::start().await;
    let router = server::build(app.state.clone());
    let id_for =
        async |id: &str| ask(&router, "/healthz", &[("x-request-id", id)]).await.header("x-request-id").to_owned();
    for good in ["mine", "A.b_c-9", &"x".repeat(64)] {
        assert_eq!(id_for(good).await, good);
    }
    for bad in ["", "a b", "a,b", "a\"b", "a;b=c", "<a>", "\t", &"x".repeat(65), &"x".repeat(5_000)] {
        let id = id_for(bad).await;
        assert!(id != bad && (1..=64).contains(&id.len()), "{bad}: {id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
    }
    let twice = ask(&router, "/healthz", &[("x-request-id", "one"), ("x-request-id", "two")]).await;
    assert!(!["one", "two"].contains(&twice.header("x-request-id")));
    assert_eq!(twice.headers.get_all("x-request-id").iter().count(), 1);
    let (one, two) = (ask(&router, "/healthz", &[]).await, ask(&router, "/healthz", &[]).await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    // Where it is refused as a whole, it has a name all the same.
    let unknown = ask(&router, "/api/nothing", &[("x-request-id", "lost")]).await;
    assert_eq!((unknown.status.as_u16(), unknown.header("x-request-id")), (404, "lost"));
}

#[tokio::test]
async fn the_page_is_told_the_time_whatever_a_proxy_makes_of_the_date() {
    let app = TestApp::start().await;
    let _ada = app.user("ada").await;
    let router = server::build(app.state.clone());
    let answer = ask(&router, "/api/jobs", &[("testarena-page", "1")]).await;
    let told: i64 = answer.header("testarena-now").parse().unwrap();
    assert!((told - Timestamp::now().0).abs() < 60_000, "{told}");
    let etag = answer.header(ETAG).to_owned();
    let same = ask(&router, "/api/jobs", &[("testarena-page", "1"), (IF_NONE_MATCH.as_str(), &etag)]).await;
    assert_eq!((same.status.as_u16(), same.header("testarena-now").is_empty()), (304, false));
    assert_eq!(ask(&router, "/api/jobs", &[]).await.header("testarena-now"), "", "scripts have the Date");
}
