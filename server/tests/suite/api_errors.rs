//! What every call has in common when it says no, and what the process tells those who watch it.

use crate::test_app::{PASSWORD, TestApp};
use axum::body::Body;
use axum::http::Method;
use serde_json::json;
use server::config::Secret;

#[tokio::test]
async fn errors_are_problems_with_a_stable_code() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for path in ["/api", "/api/", "/api/nothing", "/api/job/42/nothing", "/api/job/x", "/api/job/42", "/api/job/-1"] {
        let answer = ada.get(path).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert_eq!(answer.code(), "not_found", "{path}");
    }
    let wrong_method = ada.send(Method::PUT, "/api/job/42", Body::empty()).await;
    assert_eq!(wrong_method.code(), "method_not_allowed");
    assert!(wrong_method.header("allow").contains("GET") && wrong_method.header("allow").contains("DELETE"));

    let malformed = ada.send(Method::POST, "/api/submit_job", Body::from("{")).await;
    assert_eq!(malformed.code(), "malformed_json");
    let not_utf8 = Body::from(b"{\"branch_name\":\"\xff\",\"scenarios\":[\"a\"]}".to_vec());
    assert_eq!(ada.send(Method::POST, "/api/submit_job", not_utf8).await.code(), "malformed_json");
    let listed = app.anybody().post("/api/login", json!(["ada", PASSWORD])).await;
    assert_eq!(listed.code(), "invalid_input");
    let too_large = ada.send(Method::POST, "/api/submit_job", Body::from(vec![b' '; 1_024 * 1_024 + 1])).await;
    assert_eq!(too_large.code(), "too_large");
    let typo = ada.post("/api/submit_job", json!({"branch_name": "main", "scenarios": ["a"], "enviroment": "b"})).await;
    assert_eq!(typo.code(), "invalid_input");
    assert!(typo.problem().fields.unwrap()["enviroment"].contains("unknown field"));
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_safe_headers() {
    let app = TestApp::start().await;
    for path in ["/api/me", "/api/nothing", "/healthz", "/login"] {
        let answer = app.anybody().get(path).await;
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
    }
    let named = app.anybody().with("x-request-id", "mine").get("/api/me").await;
    assert_eq!(named.header("x-request-id"), "mine");
    assert_eq!(named.header("cache-control"), "no-store");
}

#[tokio::test]
async fn health_and_figures_are_told() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    assert_eq!(app.anybody().get("/healthz").await.body, "ok\n");
    assert_eq!(app.anybody().get("/readyz").await.body, "ok\n");
    ada.get("/api/job/1").await.expect(200);
    let metrics = app.anybody().get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    for line in [
        "testarena_jobs{status=\"waiting\"} 1",
        "testarena_jobs{status=\"passed\"} 0",
        "testarena_http_request_duration_seconds_count{method=\"GET\",route=\"/api/job/{id}\",status=\"200\"} 1",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line} is not in {}", metrics.body);
    }
}

#[tokio::test]
async fn figures_are_only_for_those_with_the_token_if_there_is_one() {
    let app = TestApp::with_config(|config| config.metrics_token = Some(Secret::new("s3cret".into()))).await;
    assert_eq!(app.anybody().get("/metrics").await.status, 401);
    assert_eq!(app.anybody().with("authorization", "Bearer s3cre").get("/metrics").await.status, 401);
    assert_eq!(app.anybody().with("authorization", "Bearer s3cret").get("/metrics").await.status, 200);
}
