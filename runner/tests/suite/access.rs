//! Who gets in, and how the server says no.
//! Every refusal has one shape, whatever layer it comes from.

use crate::test_runner::{TestRunner, refusal};
use reqwest::Method;
use runner::Token;
use serde_json::json;

#[tokio::test]
async fn health_tells_what_the_server_offers() {
    let server = TestRunner::start(&[]).await;
    let health =
        json!({"status": "ok", "name": "bench-a", "slots": 2, "busy": 0, "waiting": 0, "features": ["changes"]});
    assert_eq!(server.client.get_json("/api/health").await, health);
}

#[tokio::test]
async fn where_a_token_is_set_only_its_bearer_gets_in() {
    let server = TestRunner::start_with(&[], |config| config.token = Some(Token::new("s3cret"))).await;
    for header in
        [None, Some("Bearer wrong"), Some("Bearer s3cret2"), Some("Basic s3cret"), Some("s3cret"), Some("Bearer ")]
    {
        for path in ["/api/health", "/api/status/42", "/api/none"] {
            let request = server.client.request(Method::GET, path);
            let request = header.into_iter().fold(request, |request, header| request.header("Authorization", header));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert_eq!(refusal(answer).await, (401, "unauthenticated".into()), "{header:?}");
        }
    }
    let answer = server.client.request(Method::GET, "/api/health").bearer_auth("s3cret").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!format!("{:?}", server.config).contains("s3cret"));
}

#[tokio::test]
async fn every_refusal_has_the_contracts_shape() {
    let server = TestRunner::start(&[]).await;
    for (method, path, expected) in [
        (Method::GET, "/", (404, "unknown_path")),
        (Method::GET, "/api/none", (404, "unknown_path")),
        (Method::GET, "/api/queue", (405, "method_not_allowed")),
        (Method::GET, "/api/abort/42", (405, "method_not_allowed")),
        (Method::GET, "/api/status/42", (404, "unknown_id")),
        (Method::GET, "/api/status/..%2F..", (404, "unknown_id")),
        (Method::GET, "/api/status/%FF", (404, "unknown_id")),
        (Method::GET, "/api/logs/42-1", (404, "unknown_id")),
        (Method::POST, "/api/abort/42-1", (422, "not_a_queue")),
        (Method::GET, "/api/changes?wait=soon", (422, "bad_wait")),
        (Method::GET, "/api/changes?wait=%FF", (422, "bad_wait")),
    ] {
        let (status, code) = refusal(server.client.send(method, path).await).await;
        assert_eq!((status, code.as_str()), expected, "{path}");
    }
    let post = |body: &'static str| server.client.request(Method::POST, "/api/queue").body(body).send();
    assert_eq!(refusal(post("{").await.unwrap()).await, (400, "malformed_json".into()));
    assert_eq!(refusal(post("[]").await.unwrap()).await, (422, "invalid_input".into()));
    assert_eq!(refusal(post("{\"queue_id\": 42}").await.unwrap()).await, (422, "invalid_input".into()));
    let large =
        server.client.request(Method::POST, "/api/queue").body("x".repeat(5 * 1024 * 1024)).send().await.unwrap();
    assert_eq!(refusal(large).await, (413, "too_large".into()));
}

#[tokio::test]
async fn half_sent_headers_shut_nobody_out() {
    let server = TestRunner::start(&[]).await;
    let address = server.running.as_ref().unwrap().http_addr;
    let mut silent = Vec::new();
    for _ in 0..1_100 {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let _closed = stream.write_all(b"GET /api/health HTTP/1.1\r\nHost: x\r\n").await;
        silent.push(stream);
    }
    assert_eq!(server.client.get("/api/health").await.status(), 200);
    drop(silent);
}
