//! Personal API tokens: made and told once, good for what their scope says, and gone with a word or with their owner.

use crate::test_app::{Client, PASSWORD, TestApp, redact_times};
use protocol::{Timestamp, UserId};
use serde_json::{Value, json};
use server::store::users::{self, UserChange};

async fn token_of(user: &Client, body: Value) -> String {
    user.post("/api/tokens", body).await.expect(201)["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_told_once_and_then_stands_for_its_owner() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let made =
        ada.post("/api/tokens", json!({"name": " ci ", "scope": "read", "expires_in_days": 30})).await.expect(201);
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("ta_") && token.len() == 52, "{token}");
    let expected = json!({
        "id": 1, "name": "ci", "scope": "read", "expires_at": "…", "created_at": "…", "last_used_at": null,
    });
    let listed = ada.get("/api/tokens").await;
    assert!(!listed.body.contains("ta_"));
    assert_eq!(redact_times(listed.expect(200)), json!({ "tokens": [expected] }));

    let script = app.anybody().with_token(&token);
    assert_eq!(script.get("/api/me").await.expect(200)["username"], "ada");
    let listed = script.get("/api/tokens").await.expect(200);
    assert!(listed["tokens"][0]["last_used_at"].is_string(), "{listed}");
    let second = ada.post("/api/tokens", json!({"name": "laptop"})).await.expect(201);
    assert_eq!((&second["id"], &second["scope"], &second["expires_at"]), (&json!(2), &json!("submit"), &Value::Null));

    ada.delete("/api/tokens/1").await.expect(204);
    assert_eq!(script.get("/api/me").await.code(), "unauthenticated");
    assert_eq!(ada.delete("/api/tokens/1").await.code(), "not_found");
}

#[tokio::test]
async fn a_token_goes_before_a_cookie_and_needs_no_origin() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.admin("bob").await);
    let token = token_of(&ada, json!({"name": "ci", "scope": "admin"})).await;
    let session = bob.post("/api/login", json!({"username": "bob", "password": PASSWORD})).await;
    let both = app.anybody().with_session(&session).with_token(&token);
    assert_eq!(both.get("/api/me").await.expect(200)["username"], "ada");
    let foreign = both.with("origin", "https://evil.example").with("sec-fetch-site", "cross-site");
    foreign.post("/api/tokens", json!({"name": "another"})).await.expect(201);
    for unknown in ["ta_", "ta_x", "", &token.replace("ta_", "tb_"), &format!("{token}x")] {
        let answer = app.anybody().with_session(&session).with_token(unknown).get("/api/me").await;
        assert_eq!(answer.code(), "unauthenticated", "{unknown}");
    }
}

#[tokio::test]
async fn a_tokens_scope_says_what_it_is_good_for() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    app.user("ada").await;
    let ada = app.anybody().with_password("ada", PASSWORD);
    let own = app.store_job("root", "bench-a", "main", &["smoke/boot"]).await;
    let others = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let mut by_scope = Vec::new();
    for scope in ["read", "submit", "admin"] {
        by_scope.push(app.anybody().with_token(&token_of(&root, json!({"name": scope, "scope": scope})).await));
    }
    let [read, submit, admin] = by_scope.try_into().unwrap_or_else(|_| panic!("three"));
    let branch = json!({"environment": "none", "branch_name": "main"});
    let job = json!({"environment": "none", "branch_name": "main", "scenarios": ["a"]});

    for token in [&read, &submit, &admin] {
        for path in ["/api/me", "/api/tokens", "/api/jobs", "/api/environments", &format!("/api/job/{others}")] {
            token.get(path).await.expect(200);
        }
        assert_eq!(token.post("/api/validate_branch", branch.clone()).await.code(), "environment_not_found");
    }
    let own_abort = format!("/api/job/{own}/abort");
    assert_eq!(read.post("/api/submit_job", job.clone()).await.code(), "forbidden");
    assert_eq!(read.send_nothing(&own_abort).await.code(), "forbidden");
    assert_eq!(read.send_nothing(&format!("/api/job/{own}/rerun")).await.code(), "forbidden");
    assert_eq!(read.delete(&format!("/api/job/{own}")).await.code(), "forbidden");

    assert_eq!(submit.post("/api/submit_job", job).await.code(), "environment_not_found");
    assert_eq!(submit.send_nothing(&format!("/api/job/{others}/rerun")).await.code(), "environment_not_found");
    assert_eq!(submit.send_nothing(&format!("/api/job/{others}/abort")).await.code(), "forbidden");
    assert_eq!(submit.delete(&format!("/api/job/{others}")).await.code(), "forbidden");
    assert_eq!(submit.send_nothing(&format!("{own_abort}?force=true")).await.code(), "forbidden");
    submit.send_nothing(&own_abort).await.expect(202);
    for token in [&read, &submit] {
        assert_eq!(token.post("/api/tokens", json!({"name": "more", "scope": "admin"})).await.code(), "forbidden");
        assert_eq!(token.delete("/api/tokens/3").await.code(), "forbidden");
        assert_eq!(token.send_nothing("/api/logout").await.code(), "forbidden");
        let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
        assert_eq!(token.post("/api/me/password", change).await.code(), "forbidden");
    }
    admin.send_nothing(&format!("/api/job/{others}/abort")).await.expect(202);
    admin.delete(&format!("/api/job/{others}?force=true")).await.expect(204);
    assert_eq!(ada.get(&format!("/api/job/{others}")).await.code(), "not_found");
    // Whoever holds a token may give it up.
    read.delete("/api/tokens/1").await.expect(204);
    assert_eq!(read.get("/api/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_token_is_its_owners_alone() {
    let app = TestApp::start().await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    token_of(&ada, json!({"name": "ci"})).await;
    assert_eq!(root.get("/api/tokens").await.expect(200), json!({"tokens": []}));
    assert_eq!(root.delete("/api/tokens/1").await.code(), "not_found");
    for path in ["/api/tokens/0", "/api/tokens/-1", "/api/tokens/x", "/api/tokens/9223372036854775808"] {
        assert_eq!(ada.delete(path).await.code(), "not_found", "{path}");
    }
}

#[tokio::test]
async fn what_becomes_of_the_owner_holds_for_the_token_at_once() {
    let app = TestApp::start().await;
    let (ada, root) = (app.admin("ada").await, app.admin("root").await);
    let job = app.store_job("root", "bench-a", "main", &["smoke/boot"]).await;
    let script = app.anybody().with_token(&token_of(&ada, json!({"name": "ci", "scope": "admin"})).await);
    script.send_nothing(&format!("/api/job/{job}/abort")).await.expect(202);
    let demote = UserChange { is_admin: Some(false), ..UserChange::default() };
    let changed = app.state.store.write(|connection| users::change_user(connection, UserId(1), demote)).await.unwrap();
    assert!(!changed.unwrap().user.is_admin);
    app.state.auth.forget_user(UserId(1));
    assert_eq!(script.delete(&format!("/api/job/{job}")).await.code(), "forbidden");
    app.state.store.write(|connection| users::remove_user(connection, UserId(1), Timestamp(1))).await.unwrap().unwrap();
    app.state.auth.forget_user(UserId(1));
    assert_eq!(script.get("/api/me").await.code(), "unauthenticated");
    root.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn a_token_deleted_on_another_replica_is_refused_within_a_second() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let script = app.anybody().with_token(&token_of(&ada, json!({"name": "ci"})).await);
    script.get("/api/me").await.expect(200);
    let elsewhere = app.replica().await;
    elsewhere.with_password("ada", PASSWORD).delete("/api/tokens/1").await.expect(204);
    let deleted_at = std::time::Instant::now();
    loop {
        // What counts is when it is shown, however long the answer takes.
        let shown_after = deleted_at.elapsed();
        if script.get("/api/me").await.status != 200 {
            break;
        }
        assert!(shown_after.as_millis() < 1_500, "still good after more than a second");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_and_still_listed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let token = token_of(&ada, json!({"name": "ci", "expires_in_days": 1})).await;
    app.sql("UPDATE tokens SET expires_at = 1").await;
    assert_eq!(app.anybody().with_token(&token).get("/api/me").await.code(), "unauthenticated");
    assert_eq!(ada.get("/api/tokens").await.expect(200)["tokens"][0]["expires_at"], "1970-01-01T00:00:00.001Z");
}

#[tokio::test]
async fn what_a_token_can_not_be_is_refused_by_field() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": "a".repeat(101)}), "name"),
        (json!({"name": "ci", "scope": "root"}), "scope"),
        (json!({"name": "ci", "expires_in_days": 0}), "expires_in_days"),
        (json!({"name": "ci", "expires_in_days": 3_651}), "expires_in_days"),
        (json!({"name": "ci", "expires_in_days": -1}), "expires_in_days"),
        (json!({"name": "ci", "expiry": 1}), "expiry"),
    ] {
        let problem = ada.post("/api/tokens", body.clone()).await.problem();
        assert_eq!(problem.code.as_str(), "invalid_input", "{body}");
        assert!(problem.fields.unwrap().contains_key(field), "{body}");
    }
    assert_eq!(app.anybody().get("/api/tokens").await.code(), "unauthenticated");
}
