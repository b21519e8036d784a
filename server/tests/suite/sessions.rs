//! How sessions begin and end: by time, by idleness, by another sign-in, and while somebody waits for an answer.

use crate::test_app::{Client, PASSWORD, TestApp};
use protocol::Timestamp;
use serde_json::json;
use server::housekeeping::clear_away;
use std::time::Duration;

#[tokio::test]
async fn a_session_that_lies_idle_ends_and_one_in_use_does_not() {
    let app = TestApp::with_config(|config| config.session_idle = Duration::from_hours(1)).await;
    app.user("ada").await;
    let (used, idle) = (app.anybody().sign_in("ada").await, app.anybody().sign_in("ada").await);
    let minutes_later = async |minutes: u64| {
        let past = Timestamp::now().minus(Duration::from_mins(minutes)).0;
        app.sql(format!("UPDATE sessions SET last_seen_at = {past}")).await;
        app.forget_everything();
    };
    minutes_later(59).await;
    used.get("/api/me").await.expect(200);
    // The use was noted, so that only the other one is over now.
    app.sql(format!("UPDATE sessions SET last_seen_at = last_seen_at - {}", 120_000)).await;
    app.forget_everything();
    used.get("/api/me").await.expect(200);
    assert_eq!(idle.get("/api/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_session_ends_at_its_time_however_much_it_is_used() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.anybody().sign_in("ada").await;
    app.sql("UPDATE sessions SET expires_at = 1").await;
    app.forget_everything();
    assert_eq!(browser.get("/api/me").await.code(), "unauthenticated");
    assert_eq!(app.count("sessions").await, 1);
    clear_away(&app.state.store, &app.state.auth, &app.state.config, Timestamp::now()).await.unwrap();
    assert_eq!(app.count("sessions").await, 0);
}

/// Whose clock is right nobody can tell: it may have been wrong then, or be wrong now. What is well again once it is right
/// is not cleared away.
#[tokio::test]
async fn a_session_and_a_token_that_began_at_a_time_to_come_hold_for_as_long_as_that_is_so() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let browser = app.anybody().sign_in("ada").await;
    let mut tokens = Vec::new();
    for body in [json!({"name": "ends", "expires_in_days": 1}), json!({"name": "endless"})] {
        let made = ada.post("/api/tokens", body).await.expect(201);
        tokens.push(app.anybody().with_token(made["token"].as_str().unwrap()));
    }
    // As if made in a year in which the clock stood for a moment.
    let years = 74_i64 * 365 * 24 * 3_600_000;
    for (table, ends) in [
        ("sessions", ", last_seen_at = last_seen_at + {y}, expires_at = expires_at + {y}"),
        ("tokens", ", expires_at = expires_at + {y}"),
    ] {
        app.sql(format!(
            "UPDATE {table} SET created_at = created_at + {years}{}",
            ends.replace("{y}", &years.to_string())
        ))
        .await;
    }
    app.forget_everything();
    assert_eq!(browser.get("/api/me").await.code(), "unauthenticated");
    assert_eq!(tokens[0].get("/api/me").await.code(), "unauthenticated");
    tokens[1].get("/api/me").await.expect(200);
    clear_away(&app.state.store, &app.state.auth, &app.state.config, Timestamp::now()).await.unwrap();
    let back = format!("created_at = created_at - {years}, last_seen_at = last_seen_at - {years}");
    app.sql(format!("UPDATE sessions SET {back}, expires_at = expires_at - {years}")).await;
    app.forget_everything();
    browser.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn signing_in_again_ends_what_the_browser_had() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.user("bob").await;
    let first = app.anybody().sign_in("ada").await;
    first.get("/api/me").await.expect(200);
    let second = first.sign_in("bob").await;
    assert_eq!(first.get("/api/me").await.code(), "unauthenticated");
    assert_eq!(second.get("/api/me").await.expect(200)["username"], "bob");
}

#[tokio::test]
async fn the_longest_unused_of_too_many_sessions_gives_way() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let first = app.anybody().sign_in("ada").await;
    app.sql("UPDATE sessions SET last_seen_at = last_seen_at - 1000").await;
    for _ in 0..50 {
        app.anybody().sign_in("ada").await;
    }
    assert_eq!(app.count("sessions").await, 50);
    assert_eq!(first.get("/api/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_cookie_that_a_neighbour_set_changes_nothing() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.user("eve").await;
    let (ada, eve) = (app.anybody().sign_in("ada").await, app.anybody().sign_in("eve").await);
    let cookie = |client: &Client| client.header("cookie").to_owned();
    let dead = app.anybody().sign_in("eve").await;
    dead.send_nothing("/api/logout").await.expect(204);
    for stranger in ["testarena_session=x".to_owned(), "testarena_session=".to_owned(), cookie(&dead)] {
        for both in [format!("{}; {stranger}", cookie(&ada)), format!("{stranger}; {}", cookie(&ada))] {
            let browser = ada.clone().with("cookie", &both);
            assert_eq!(browser.get("/api/me").await.expect(200)["username"], "ada", "{both}");
        }
    }
    // Whose it is must not be guessed; signing in makes an end of both.
    let both = ada.clone().with("cookie", &format!("{}; {}", cookie(&ada), cookie(&eve)));
    assert_eq!(both.get("/api/me").await.code(), "unauthenticated");
    both.sign_in("ada").await.get("/api/me").await.expect(200);
    for ended in [&ada, &eve] {
        assert_eq!(ended.get("/api/me").await.code(), "unauthenticated");
    }
}

#[tokio::test]
async fn whoever_waits_for_a_job_learns_nothing_after_signing_out_or_being_deleted() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let id = app.store_job("root", "bench-a", "main", &["smoke/boot"]).await;
    let etag = root.get(&format!("/api/job/{id}")).await.header("etag").to_owned();
    let wait = |client: &Client| {
        let client = client.clone().with("if-none-match", &etag);
        let path = format!("/api/job/{id}?wait=60");
        Box::pin(async move { client.get(&path).await })
    };
    let browser = app.anybody().sign_in("ada").await;
    let mut waiting = wait(&browser);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    browser.send_nothing("/api/logout").await.expect(204);
    assert_eq!(soon(waiting).await, "unauthenticated");

    let token = ada.post("/api/tokens", json!({"name": "ci"})).await.expect(201)["token"].as_str().unwrap().to_owned();
    let mut by_token = wait(&app.anybody().with_token(&token));
    let mut by_basic = wait(&ada);
    for waiting in [&mut by_token, &mut by_basic] {
        assert!(futures_util::poll!(waiting).is_pending());
    }
    // On another replica, which rings nothing here.
    app.replica().await.with_password("root", PASSWORD).delete("/api/users/2").await.expect(204);
    assert_eq!(soon(by_token).await, "unauthenticated");
    assert_eq!(soon(by_basic).await, "unauthenticated");
}

async fn soon(waiting: impl Future<Output = crate::test_app::Answer>) -> &'static str {
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the wait goes on").code()
}

#[tokio::test]
async fn the_same_sign_in_is_told_everywhere() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    ada.get("/api/me").await.expect(200);
    let answer = app.anybody().post("/api/login", json!({"username": "ada", "password": PASSWORD})).await;
    let told = answer.expect(200);
    assert_eq!(app.anybody().with_session(&answer).get("/api/me").await.expect(200), told);
    assert_eq!(ada.get("/api/me").await.expect(200), told);
}
