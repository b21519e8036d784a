//! Who may do what: every call of the API by its owner, by another user, by an administrator and by nobody.
//! A new call is one more line: the table is held against the OpenAPI document, so that none is forgotten.

use crate::api_document;
use crate::test_app::{Client, PASSWORD, TestApp};
use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What each gets: owner, another user, an administrator. Nobody gets 401, unless the call is for anybody.
struct Case {
    method: Method,
    path: &'static str,
    body: Value,
    expected: [u16; 3],
}

/// Without a body.
fn plain(method: Method, path: &'static str, expected: [u16; 3]) -> Case {
    Case { method, path, body: Value::Null, expected }
}

fn get(path: &'static str, expected: [u16; 3]) -> Case {
    plain(Method::GET, path, expected)
}

fn post(path: &'static str, body: Value, expected: [u16; 3]) -> Case {
    Case { method: Method::POST, path, body, expected }
}

/// Job 1 is the owner's and waits for an environment that is not configured, so that what is allowed ends at 404 or 422.
fn cases() -> Vec<Case> {
    let branch = json!({"environment": "none", "branch_name": "main"});
    let job = json!({"environment": "none", "branch_name": "main", "scenarios": ["smoke/boot"]});
    vec![
        get("/api/me", [200; 3]),
        post("/api/me/password", json!({"current_password": "wrong horse", "new_password": "another horse"}), [422; 3]),
        get("/api/tokens", [200; 3]),
        post("/api/tokens", json!({"name": "ci"}), [201; 3]),
        plain(Method::DELETE, "/api/tokens/999", [404; 3]),
        get("/api/environments", [200; 3]),
        get("/api/branches?environment=none", [422; 3]),
        post("/api/validate_branch", branch, [422; 3]),
        get("/api/scenarios?environment=none&branch=main", [422; 3]),
        post("/api/submit_job", job, [422; 3]),
        get("/api/jobs", [200; 3]),
        get("/api/jobs?search=owner", [200; 3]),
        get("/api/job/1", [200; 3]),
        get("/api/job/1/log", [200; 3]),
        get("/api/job/1/log/lines?tail=10", [200; 3]),
        get("/api/job/1/log/search?q=x", [200; 3]),
        get("/api/job/1/tasks/1-1/log", [200; 3]),
        get("/api/job/1/tasks/1-1/log/lines?tail=10", [200; 3]),
        get("/api/job/1/tasks/1-1/log/search?q=x", [200; 3]),
        get("/api/job/1/tasks/1-1/results", [200; 3]),
        get("/api/job/1/tasks/1-1/results/none.txt", [404; 3]),
        get("/api/job/1/junit.xml", [200; 3]),
        plain(Method::POST, "/api/job/1/rerun", [422; 3]),
        plain(Method::POST, "/api/job/1/abort", [202, 403, 202]),
        plain(Method::POST, "/api/job/1/abort?force=true", [403, 403, 202]),
        plain(Method::POST, "/api/job/1/abort?force=1", [422, 403, 422]),
        plain(Method::DELETE, "/api/job/1?force=true", [403, 403, 204]),
        plain(Method::DELETE, "/api/job/1?froce=true", [422, 403, 422]),
        plain(Method::DELETE, "/api/job/1", [204, 403, 204]),
        get("/api/users", [403, 403, 200]),
        post("/api/users", json!({"username": "new", "password": "a good password"}), [403, 403, 201]),
        Case {
            method: Method::PATCH,
            path: "/api/users/1",
            body: json!({"username": "renamed"}),
            expected: [403, 403, 200],
        },
        plain(Method::DELETE, "/api/users/2", [403, 403, 204]),
        get("/api/audit", [403, 403, 200]),
        get("/api/audit?limit=0", [403, 403, 422]),
        get("/api/scenarios/history?environment=none&scenario=smoke/boot", [200; 3]),
        get("/api/scenarios/history?environment=unknown&scenario=smoke/boot", [422; 3]),
        get("/api/scenarios/stats?environment=none", [200; 3]),
        get("/api/compare?a=1&b=1", [200; 3]),
        plain(Method::POST, "/api/environments/none/check", [403, 403, 404]),
        get("/api/nothing", [404; 3]),
        plain(Method::POST, "/api/logout", [204; 3]),
    ]
}

async fn answer(client: &Client, case: &Case) -> u16 {
    let body = if case.body.is_null() { Body::empty() } else { Body::from(case.body.to_string()) };
    client
        .clone()
        .with("content-type", "application/json")
        .send(case.method.clone(), case.path, body)
        .await
        .status
        .as_u16()
}

#[tokio::test]
async fn every_call_is_for_whom_it_is_meant() {
    // Each case finds everything as it was, since some of them change it.
    for case in cases() {
        for (who, expected) in case.expected.into_iter().enumerate() {
            let app = TestApp::start().await;
            let people = [app.user("owner").await, app.user("other").await, app.admin("root").await];
            app.store_job("owner", "none", "main", &["smoke/boot"]).await;
            let who_says = ["the owner", "another user", "an administrator"][who];
            assert_eq!(answer(&people[who], &case).await, expected, "{} {} by {who_says}", case.method, case.path);
            if who == 0 {
                let nobody = if case.path == "/api/nothing" { 404 } else { 401 };
                assert_eq!(answer(&app.anybody(), &case).await, nobody, "{} {} by nobody", case.method, case.path);
            }
        }
    }
}

/// Or else who may not do it at all is sent to mend a request that will never be good.
#[tokio::test]
async fn who_may_not_hears_that_whatever_else_is_wrong() {
    let app = TestApp::start().await;
    let people = [app.user("owner").await, app.user("other").await, app.admin("root").await, app.anybody()];
    app.store_job("owner", "none", "main", &["smoke/boot"]).await;
    for case in cases().into_iter().filter(|case| case.expected.contains(&403)) {
        let answers =
            case.expected.into_iter().chain([401]).zip(&people).filter(|(status, _)| [401, 403].contains(status));
        for (expected, client) in answers {
            let send = async |path: &str, kind: &'static str, body: &'static str| {
                let client = client.clone().with("content-type", kind);
                client.send(case.method.clone(), path, Body::from(body)).await.status.as_u16()
            };
            for body in ["", "{}", "{\"x\":1}", "{", "[]", "null"] {
                for kind in ["application/json", "text/plain"] {
                    let told = send(case.path, kind, body).await;
                    assert_eq!(told, expected, "{} {} {kind} {body:?}", case.method, case.path);
                }
            }
            // Of one with a query the table itself has a line.
            if !case.path.contains('?') {
                let told = send(&format!("{}?stauts=failed", case.path), "application/json", "{").await;
                assert_eq!(told, expected, "{} {}?stauts=failed", case.method, case.path);
            }
        }
    }
}

const FOR_ANYBODY: [&str; 6] =
    ["/healthz", "/readyz", "/metrics", "/api/login/options", "/api/openapi.json", "/api/docs"];

#[tokio::test]
async fn what_is_for_anybody_asks_nobody_who_they_are() {
    let app = TestApp::start().await;
    for path in FOR_ANYBODY.into_iter().chain(["/login"]) {
        assert_eq!(app.anybody().get(path).await.status, 200, "{path}");
    }
    app.user("ada").await;
    app.anybody().post("/api/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200);
}

#[tokio::test]
async fn no_call_of_the_document_is_missing_in_this_table() {
    let app = TestApp::start().await;
    let document = api_document::document_of(app.router()).await;
    let template = |path: &str| document.template_of(path.split('?').next().unwrap()).unwrap_or_default().to_owned();
    let mut tried: BTreeSet<(String, String)> =
        cases().iter().map(|case| (case.method.to_string(), template(case.path))).collect();
    tried.extend(FOR_ANYBODY.map(|path| ("GET".to_owned(), template(path))));
    tried.insert(("POST".to_owned(), template("/api/login")));
    let missing: Vec<_> = document.calls().into_iter().filter(|call| !tried.contains(call)).collect();
    assert!(missing.is_empty(), "nobody tries who may do this: {missing:?}");
}
