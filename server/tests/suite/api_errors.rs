//! What every call has in common when it says no, and what the process tells those who watch it.

use crate::api_document;
use crate::test_app::{Client, PASSWORD, TestApp};
use axum::body::Body;
use axum::http::Method;
use protocol::Timestamp;
use serde_json::json;
use server::config::Secret;
use std::time::Duration;

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

    let ada = ada.with_json();
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
async fn a_wrong_method_is_a_problem_outside_of_the_api_as_well() {
    let app = TestApp::start().await;
    for (method, path, allowed) in [
        (Method::POST, "/healthz", "GET"),
        (Method::PUT, "/readyz", "GET"),
        (Method::DELETE, "/metrics", "GET"),
        (Method::GET, "/logout", "POST"),
        (Method::PUT, "/login", "POST"),
    ] {
        let answer = app.anybody().send(method.clone(), path, Body::empty()).await;
        assert_eq!(answer.code(), "method_not_allowed", "{method} {path}");
        assert!(answer.header("allow").contains(allowed), "{method} {path}: {answer:?}");
    }
    // Of the sign-in the page has the other method.
    assert_eq!(app.anybody().get("/login").await.status, 200);
}

#[tokio::test]
async fn a_body_as_windows_writes_it_is_read_or_refused_in_words() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await.with_json();
    let submit = async |body: Vec<u8>| ada.send(Method::POST, "/api/submit_job", Body::from(body)).await;
    let text = "{\r\n\"branch_name\": \"main\",\r\n\"scenarios\": []\r\n}\r\n";
    // It is read: what is wrong is what it says.
    let marked = submit(format!("\u{feff}{text}").into_bytes()).await;
    assert!(marked.problem().fields.unwrap().contains_key("scenarios"));
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let utf16 = submit(format!("\u{feff}{text}").encode_utf16().flat_map(order).collect()).await;
        assert_eq!(utf16.code(), "malformed_json");
        assert!(utf16.problem().detail.contains("it is UTF-16; send UTF-8"), "{}", utf16.problem().detail);
    }
}

#[tokio::test]
async fn a_name_that_no_query_has_is_refused_everywhere() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    app.store_job("root", "bench-a", "main", &["smoke/boot"]).await;
    for (method, template) in api_document::document_of(app.router()).await.calls() {
        if !template.starts_with("/api/") {
            continue;
        }
        let path =
            template.replace("{id}", "1").replace("{task_id}", "1-1").replace("{name}", "a").replace("{path}", "a");
        let method: Method = method.parse().unwrap();
        let send = async |client: &Client, method: &Method| {
            client.clone().with_json().send(method.clone(), &format!("{path}?stauts=failed"), Body::empty()).await
        };
        let problem = send(&root, &method).await.problem();
        assert_eq!(problem.code.as_str(), "invalid_input", "{method} {path}");
        assert!(problem.fields.unwrap().contains_key("stauts"), "{method} {path}");
        // Who may not ask, or not so, hears that first.
        let is_open =
            ["/api/login", "/api/login/options", "/api/openapi.json", "/api/docs"].contains(&template.as_str());
        let expected = if is_open { "invalid_input" } else { "unauthenticated" };
        assert_eq!(send(&app.anybody(), &method).await.code(), expected, "{method} {path}");
        assert_eq!(send(&root, &Method::PUT).await.code(), "method_not_allowed", "{path}");
    }
    root.get("/api/me?").await.expect(200);
}

#[tokio::test]
async fn a_character_that_no_database_takes_never_reaches_one() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for field in ["search", "branch", "environment", "status", "cursor", "limit"] {
        let problem = ada.get(&format!("/api/jobs?{field}=a%00b")).await.problem();
        assert!(problem.fields.unwrap().contains_key(field), "{field}");
    }
    for path in
        ["job/1/log/search?q=%00", "branches?environment=%00", "scenarios?branch=%00", "job/1?wait=%00", "jobs?%00"]
    {
        assert_eq!(ada.get(&format!("/api/{path}")).await.code(), "invalid_input", "{path}");
    }
    for path in ["tasks/%00/log", "tasks/1-1%00/results", "tasks/1-1/results/%00", "tasks/1-1/results/a%00b"] {
        assert_eq!(ada.get(&format!("/api/job/1/{path}")).await.code(), "not_found", "{path}");
    }
    let named = app.anybody().with_password("a\0da", PASSWORD).get("/api/me").await;
    assert_eq!(named.code(), "unauthenticated");
    for (path, body) in [
        ("login", json!({"username": "a\0", "password": PASSWORD})),
        ("submit_job", json!({"branch_name": "a\0", "scenarios": ["smoke/boot"]})),
        ("submit_job", json!({"branch_name": "main", "scenarios": ["smoke/\0"]})),
        ("submit_job", json!({"branch_name": "main", "environment": "\0", "scenarios": ["smoke/boot"]})),
        ("validate_branch", json!({"branch_name": "\0"})),
    ] {
        let refused = ada.post(&format!("/api/{path}"), body).await;
        assert!(matches!(refused.status.as_u16(), 401 | 422), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let send = async |kind: Option<&'static str>, path: &str, body: &'static str| {
        let client = kind.map_or(ada.clone(), |kind| ada.clone().with("content-type", kind));
        client.send(Method::POST, path, Body::from(body)).await.code()
    };
    for kind in [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx"), None] {
        for path in ["/api/submit_job", "/api/validate_branch", "/api/login", "/api/job/1/rerun"] {
            assert_eq!(send(kind, path, "{}").await, "unsupported_media_type", "{path} {kind:?}");
        }
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        assert_eq!(send(Some(kind), "/api/submit_job", "{}").await, "invalid_input", "{kind}");
    }
    // Without a body there is no type to be wrong.
    ada.send_nothing("/api/job/1/abort").await.expect(202);
    assert_eq!(ada.send_nothing("/api/job/1/rerun").await.code(), "environment_not_found");
    assert_eq!(ada.send_nothing("/api/submit_job").await.code(), "malformed_json");
}

/// What has its place in the query, or in another call, does not pass silently.
#[tokio::test]
async fn a_body_where_none_is_needed_may_say_nothing() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    root.post("/api/tokens", json!({"name": "ci"})).await.expect(201);
    let (plain, json) = (root.clone().with("content-type", "text/plain"), root.clone().with_json());
    for (method, path, status) in [
        (Method::POST, "/api/job/1/abort", 202),
        (Method::DELETE, "/api/job/2", 204),
        (Method::DELETE, "/api/tokens/1", 204),
        (Method::DELETE, "/api/users/2", 204),
        (Method::POST, "/api/logout", 204),
        (Method::POST, "/api/environments/bench-a/check", 404),
    ] {
        let send =
            async |client: &Client, body: &'static str| client.send(method.clone(), path, Body::from(body)).await;
        let asking = send(&json, "{\"force\":true}").await.problem();
        assert!(asking.fields.unwrap()["force"].contains("unknown field"), "{method} {path}");
        assert_eq!(send(&json, "[]").await.code(), "invalid_input", "{method} {path}");
        assert_eq!(send(&json, "{").await.code(), "malformed_json", "{method} {path}");
        assert_eq!(send(&plain, "{}").await.code(), "unsupported_media_type", "{method} {path}");
        assert_eq!(send(&json, "{}").await.status, status, "{method} {path}");
        // What is gone is not found, and no more is wrong with the request.
        for (client, body) in [(&root, ""), (&plain, ""), (&json, ""), (&json, " null\n"), (&json, "{ }")] {
            let again = send(client, body).await;
            assert!(matches!(again.status.as_u16(), 202 | 204 | 404 | 409), "{method} {path} {body}: {again:?}");
        }
    }
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
    let next_week = Timestamp::now().plus(Duration::from_hours(24 * 7));
    app.sql(format!("UPDATE jobs SET next_at = {}", next_week.0)).await;
    let metrics = app.anybody().get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    assert!(!metrics.body.contains("testarena_environment_jobs_due{"), "nothing is due before its time");
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
    let refused = app.anybody().get("/metrics").await;
    assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (401, "Bearer realm=\"TestArena\""));
    for (authorization, status) in [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("BEARER  s3cret ", 200),
        ("Bearer s3cre", 401),
        ("Bearer S3cret", 401),
        ("Bearer", 401),
        ("Bearers3cret", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
    ] {
        let answer = app.anybody().with("authorization", authorization).get("/metrics").await;
        assert_eq!(answer.status, status, "{authorization}");
    }
}
