//! The administration of users, and one's own password: what changes, for whom it ends, and what is refused.

use crate::test_app::{Client, PASSWORD, TestApp, redact_times};
use futures_util::future::join_all;
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "battery staple";

fn user(id: i64, name: &str, is_admin: bool, must_change: bool) -> Value {
    json!({
        "id": id, "username": name, "is_admin": is_admin, "must_change_password": must_change, "created_at": "…", "last_login_at": null,
    })
}

#[tokio::test]
async fn an_administrator_adds_lists_changes_and_deletes_users() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    let new = json!({"username": "Ada", "password": PASSWORD, "is_admin": true});
    let made = root.post("/api/users", new.clone()).await.expect(201);
    assert_eq!(redact_times(made), user(2, "ada", true, true));
    assert_eq!(root.post("/api/users", new).await.code(), "username_taken");
    let bob = root.post("/api/users", json!({"username": "bob", "password": PASSWORD})).await.expect(201);
    assert_eq!(redact_times(bob), user(3, "bob", false, true));

    let listed = redact_times(root.get("/api/users").await.expect(200));
    assert_eq!(
        listed,
        json!({"users": [user(2, "ada", true, true), user(3, "bob", false, true), user(1, "root", true, false)]})
    );
    let renamed = root.patch("/api/users/3", json!({"username": "Bobby"})).await.expect(200);
    assert_eq!(redact_times(renamed), user(3, "bobby", false, true));
    assert_eq!(root.patch("/api/users/3", json!({"username": "ada"})).await.code(), "username_taken");
    root.patch("/api/users/3", json!({"username": "bobby"})).await.expect(200);
    let raised = root.patch("/api/users/3", json!({"is_admin": true, "password": NEW_PASSWORD})).await.expect(200);
    assert_eq!(redact_times(raised), user(3, "bobby", true, true));
    app.anybody().with_password("bobby", NEW_PASSWORD).get("/api/users").await.expect(200);
    assert_eq!(redact_times(root.patch("/api/users/3", json!({})).await.expect(200)), user(3, "bobby", true, true));

    root.delete("/api/users/3").await.expect(204);
    for answer in [root.delete("/api/users/3").await, root.patch("/api/users/3", json!({"is_admin": false})).await] {
        assert_eq!(answer.code(), "not_found");
    }
    root.post("/api/users", json!({"username": "bobby", "password": PASSWORD})).await.expect(201);
}

#[tokio::test]
async fn what_a_user_can_not_be_is_refused_by_field() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for (body, field) in [
        (json!({"password": PASSWORD}), "username"),
        (json!({"username": "", "password": PASSWORD}), "username"),
        (json!({"username": "a b", "password": PASSWORD}), "username"),
        (json!({"username": "ä", "password": PASSWORD}), "username"),
        // The sign of the unit Kelvin, whose small letter is a plain k.
        (json!({"username": "\u{212a}", "password": PASSWORD}), "username"),
        (json!({"username": "a".repeat(33), "password": PASSWORD}), "username"),
        (json!({"username": "a", "password": "short"}), "password"),
        (json!({"username": "a", "password": "x".repeat(257)}), "password"),
        (json!({"username": "a", "password": PASSWORD, "admin": true}), "admin"),
        (json!({"username": "a", "password": PASSWORD, "is_admin": "yes"}), "is_admin"),
    ] {
        let problem = root.post("/api/users", body.clone()).await.problem();
        assert!(problem.code.as_str() == "invalid_input" && problem.fields.unwrap().contains_key(field), "{body}");
    }
    for (body, field) in
        [(json!({"username": "/"}), "username"), (json!({"password": ""}), "password"), (json!({"id": 7}), "id")]
    {
        let problem = root.patch("/api/users/1", body.clone()).await.problem();
        assert!(problem.code.as_str() == "invalid_input" && problem.fields.unwrap().contains_key(field), "{body}");
    }
}

#[tokio::test]
async fn only_administrators_manage_users() {
    let app = TestApp::start().await;
    app.admin("root").await;
    let (ada, nobody) = (app.user("ada").await, app.anybody());
    for (client, code) in [(&ada, "forbidden"), (&nobody, "unauthenticated")] {
        assert_eq!(client.get("/api/users").await.code(), code);
        assert_eq!(client.post("/api/users", json!({"username": "eve", "password": PASSWORD})).await.code(), code);
        assert_eq!(client.patch("/api/users/2", json!({"is_admin": true})).await.code(), code);
        assert_eq!(client.delete("/api/users/1").await.code(), code);
        assert_eq!(client.get("/api/audit").await.code(), code);
    }
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for answer in [root.delete("/api/users/1").await, root.patch("/api/users/1", json!({"is_admin": false})).await] {
        assert_eq!(answer.code(), "last_admin");
    }
    // A change is made as a whole or not at all.
    let both = root.patch("/api/users/1", json!({"username": "boss", "is_admin": false})).await;
    assert_eq!(both.code(), "last_admin");
    root.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn of_administrators_who_unmake_each_other_at_once_one_stays() {
    let app = TestApp::start().await;
    let mut admins = Vec::new();
    for name in ["a", "b", "c", "d"] {
        admins.push(app.admin(name).await);
    }
    for admin in &admins {
        admin.get("/api/me").await.expect(200);
    }
    // Each unmakes or deletes the next one, on replicas of their own.
    let deeds = (0..4).map(|n| {
        let (admin, path) = (admins[n].clone(), format!("/api/users/{}", (n + 1) % 4 + 1));
        let app = &app;
        async move {
            let elsewhere = app.replica().await.with_all_of(&admin);
            if n % 2 == 0 {
                elsewhere.delete(&path).await
            } else {
                elsewhere.patch(&path, json!({"is_admin": false})).await
            }
        }
    });
    join_all(deeds).await;
    let mut left = 0;
    for admin in &admins {
        app.forget_everything();
        left += usize::from(admin.get("/api/users").await.status == 200);
    }
    assert!(left >= 1, "nobody administers any more");
}

#[tokio::test]
async fn a_renamed_user_keeps_jobs_and_sessions_and_every_list_shows_the_name() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let browser = app.anybody().sign_in("ada").await;
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let job = format!("/api/job/{id}");
    let (before, list_before) = (browser.get(&job).await, browser.get("/api/jobs").await);
    root.patch("/api/users/2", json!({"username": "lovelace"})).await.expect(200);

    let after = browser.clone().with("if-none-match", before.header("etag")).get(&job).await;
    assert_eq!(after.expect(200)["user"], json!({"id": 2, "username": "lovelace"}));
    let list = browser.clone().with("if-none-match", list_before.header("etag")).get("/api/jobs").await.expect(200);
    assert_eq!(list["jobs"][0]["user"]["username"], "lovelace");
    assert_eq!(browser.get("/api/me").await.expect(200)["username"], "lovelace");
    assert_eq!(ada.get("/api/me").await.code(), "unauthenticated");
    app.anybody().with_password("lovelace", PASSWORD).get("/api/me").await.expect(200);
    app.user("ada").await;
}

#[tokio::test]
async fn a_deleted_users_sessions_tokens_and_password_end_and_the_jobs_stay() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let browser = app.anybody().sign_in("ada").await;
    let token = ada.post("/api/tokens", json!({"name": "ci"})).await.expect(201)["token"].as_str().unwrap().to_owned();
    let script = app.anybody().with_token(&token);
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for client in [&ada, &browser, &script] {
        client.get("/api/me").await.expect(200);
    }
    root.delete("/api/users/2").await.expect(204);
    for client in [&ada, &browser, &script] {
        assert_eq!(client.get("/api/me").await.code(), "unauthenticated");
    }
    assert_eq!(root.get(&format!("/api/job/{id}")).await.expect(200)["user"], json!({"id": 2, "username": "ada"}));
}

#[tokio::test]
async fn a_password_that_an_administrator_has_set_has_to_be_changed() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let browser = app.anybody().sign_in("ada").await;
    for client in [&ada, &browser] {
        client.get("/api/me").await.expect(200);
    }
    root.patch("/api/users/2", json!({"password": NEW_PASSWORD})).await.expect(200);
    for client in [&ada, &browser] {
        assert_eq!(client.get("/api/me").await.code(), "unauthenticated");
    }
    let ada = app.anybody().with_password("ada", NEW_PASSWORD);
    assert_eq!(ada.get("/api/me").await.expect(200)["must_change_password"], true);
    ada.get("/api/jobs").await.expect(200);
    let same = json!({"current_password": NEW_PASSWORD, "new_password": NEW_PASSWORD});
    assert!(ada.post("/api/me/password", same).await.problem().fields.unwrap().contains_key("new_password"));
    let change = json!({"current_password": NEW_PASSWORD, "new_password": PASSWORD});
    ada.post("/api/me/password", change).await.expect(204);
    let ada = app.anybody().with_password("ada", PASSWORD);
    assert_eq!(ada.get("/api/me").await.expect(200)["must_change_password"], false);

    // An administrator's own is that one's own business, and does not sign out.
    let browser = app.anybody().sign_in("root").await;
    let own = browser.patch("/api/users/1", json!({"password": NEW_PASSWORD})).await.expect(200);
    assert_eq!(own["must_change_password"], false);
    browser.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn a_changed_password_ends_all_but_the_session_that_changed_it_and_the_tokens() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (here, there) = (app.anybody().sign_in("ada").await, app.anybody().sign_in("ada").await);
    let token = ada.post("/api/tokens", json!({"name": "ci"})).await.expect(201)["token"].as_str().unwrap().to_owned();
    let script = app.anybody().with_token(&token);
    let everybody: [&Client; 4] = [&ada, &here, &there, &script];
    for client in everybody {
        client.get("/api/me").await.expect(200);
    }
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let wrong = here.post("/api/me/password", change("wrong horse", NEW_PASSWORD)).await.problem();
    assert_eq!((wrong.code.as_str(), wrong.status), ("wrong_password", 422));
    assert!(wrong.fields.unwrap().contains_key("current_password"));
    let short = here.post("/api/me/password", change(PASSWORD, "short")).await.problem();
    assert!(short.fields.unwrap().contains_key("new_password"));

    here.post("/api/me/password", change(PASSWORD, NEW_PASSWORD)).await.expect(204);
    for client in [&ada, &there] {
        assert_eq!(client.get("/api/me").await.code(), "unauthenticated");
    }
    for client in [&here, &script] {
        client.get("/api/me").await.expect(200);
    }
    app.anybody().with_password("ada", NEW_PASSWORD).get("/api/me").await.expect(200);
}

#[tokio::test]
async fn guessing_the_current_password_is_limited_as_signing_in_is() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.anybody().sign_in("ada").await;
    let guess = json!({"current_password": "wrong horse", "new_password": NEW_PASSWORD});
    for _ in 0..10 {
        assert_eq!(browser.post("/api/me/password", guess.clone()).await.code(), "wrong_password");
    }
    assert_eq!(browser.post("/api/me/password", guess).await.code(), "rate_limited");
}
