//! The audit log: what stands in it, for whom, and for how long.

use crate::remote_bench::Bench;
use crate::test_app::{PASSWORD, TestApp};
use protocol::Timestamp;
use serde_json::{Value, json};
use server::housekeeping::clear_away;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn noted(admin: &crate::test_app::Client) -> Vec<Value> {
    admin.get("/api/audit?limit=200").await.expect(200)["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn deeds_are_noted_with_who_how_from_where_and_what() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let browser = app.anybody().sign_in("ada").await;
    app.anybody().at([192, 0, 2, 7]).with_password("ada", "wrong horse").get("/api/me").await;
    app.anybody().post("/api/login", json!({"username": "hunter2", "password": "wrong horse"})).await;
    let token =
        browser.post("/api/tokens", json!({"name": "ci"})).await.expect(201)["token"].as_str().unwrap().to_owned();
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.anybody().with_token(&token).send_nothing(&format!("/api/job/{id}/abort")).await.expect(202);
    browser.delete("/api/tokens/1").await.expect(204);
    root.post("/api/users", json!({"username": "bob", "password": PASSWORD})).await.expect(201);
    root.patch("/api/users/3", json!({"username": "bobby", "password": PASSWORD, "is_admin": true})).await.expect(200);
    root.delete("/api/users/3").await.expect(204);
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    browser.post("/api/me/password", change).await.expect(204);
    browser.send_nothing("/api/logout").await.expect(204);
    root.delete(&format!("/api/job/{id}?force=true")).await.expect(204);
    assert_eq!(ada.get("/api/me").await.code(), "unauthenticated");

    let entries = noted(&root).await;
    let told: Vec<_> = entries
        .iter()
        .rev()
        .map(|entry| {
            assert!(entry["at"].is_string() && entry["id"].is_i64());
            let from =
                if entry["action"] == "user.sign_in_failed" { entry["address"].clone() } else { json!("192.0.2.1") };
            assert!(entry["address"] == from, "{entry}");
            json!([entry["actor"], entry["via"], entry["action"], entry["object"], entry["detail"]])
        })
        .collect();
    let expected = [
        json!(["ada", "page", "user.sign_in", "user:2", {}]),
        json!([null, "basic", "user.sign_in_failed", "user:2", {"username": "ada"}]),
        json!([null, "page", "user.sign_in_failed", "user:unknown", {}]),
        json!(["ada", "page", "token.create", "token:1", {"name": "ci", "scope": "submit"}]),
        json!(["ada", "token", "job.abort", "job:1", {}]),
        json!(["ada", "page", "token.delete", "token:1", {}]),
        json!(["root", "basic", "user.sign_in", "user:1", {}]),
        json!(["root", "basic", "user.create", "user:3", {"username": "bob", "is_admin": false}]),
        json!(["root", "basic", "user.update", "user:3", {"username": "bobby", "password": true, "is_admin": true}]),
        json!(["root", "basic", "user.delete", "user:3", {"username": "bobby"}]),
        json!(["ada", "page", "user.password", "user:2", {}]),
        json!(["ada", "page", "user.sign_out", "user:2", {}]),
        json!(["root", "basic", "job.delete", "job:1", {"force": true}]),
        json!([null, "basic", "user.sign_in_failed", "user:2", {"username": "ada"}]),
    ];
    assert_eq!(told, expected);
    let text = json!(entries).to_string();
    for secret in [PASSWORD, "wrong horse", "battery staple", "hunter2", &token] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[tokio::test]
async fn of_a_change_of_a_user_only_what_has_changed_is_noted() {
    let app = TestApp::start().await;
    let (root, _ada) = (app.admin("root").await, app.user("ada").await);
    for change in [
        json!({}),
        json!({"username": "ADA"}),
        json!({"is_admin": false}),
        json!({"username": "ada", "is_admin": true}),
        json!({"username": "lovelace", "is_admin": true}),
        json!({"username": "lovelace", "password": PASSWORD}),
    ] {
        root.patch("/api/users/2", change).await.expect(200);
    }
    let entries = root.get("/api/audit?action=user.update").await.expect(200)["entries"].clone();
    let details: Vec<_> = entries.as_array().unwrap().iter().rev().map(|entry| entry["detail"].clone()).collect();
    assert_eq!(details, [json!({"is_admin": true}), json!({"username": "lovelace"}), json!({"password": true})]);
}

#[tokio::test]
async fn a_failed_change_of_password_is_noted_with_the_means_of_who_asked() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let made = ada.post("/api/tokens", json!({"name": "ci", "scope": "admin"})).await.expect(201);
    let script = app.anybody().with_token(made["token"].as_str().unwrap());
    for client in [&app.anybody().sign_in("ada").await, &script, &ada] {
        let wrong = json!({"current_password": "wrong horse", "new_password": "battery staple"});
        assert_eq!(client.post("/api/me/password", wrong).await.code(), "wrong_password");
    }
    let entries = root.get("/api/audit?action=user.sign_in_failed").await.expect(200)["entries"].clone();
    let means: Vec<_> = entries.as_array().unwrap().iter().map(|entry| entry["via"].as_str().unwrap()).collect();
    assert_eq!(means, ["basic", "token", "page"]);
    // Not even with Basic is it enough that the password was right a moment ago: it is looked at each time.
    for _ in 0..7 {
        let wrong = json!({"current_password": "wrong horse", "new_password": "battery staple"});
        assert_eq!(ada.post("/api/me/password", wrong).await.code(), "wrong_password");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    assert_eq!(ada.post("/api/me/password", change).await.code(), "rate_limited");
}

#[tokio::test]
async fn who_submits_reruns_or_forces_an_end_is_noted_and_what_the_command_line_does() {
    let bench = Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let body = json!({"branch_name": "main", "scenarios": ["smoke/boot"]});
    let job = ada.post("/api/submit_job", body).await.expect(201);
    let told = |entry: &Value| json!([entry["actor"], entry["via"], entry["action"], entry["object"], entry["detail"]]);
    let detail =
        json!({"environment": job["environment"], "branch_name": "main", "commit": job["commit"], "scenarios": 1});
    let mut again = detail.clone();
    again["rerun_of"] = json!(1);
    ada.post("/api/job/1/rerun", json!({})).await.expect(201);
    root.send_nothing("/api/job/1/abort?force=true").await.expect(202);
    let entries: Vec<Value> =
        noted(&root).await.iter().rev().map(told).filter(|entry| entry[2] != "user.sign_in").collect();
    let expected = [
        json!(["ada", "basic", "job.submit", "job:1", detail]),
        json!(["ada", "basic", "job.rerun", "job:2", again]),
        json!(["root", "basic", "job.abort", "job:1", {"force": true}]),
    ];
    assert_eq!(entries, expected);
}

#[tokio::test]
async fn the_log_is_paged_by_key_newest_first() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for n in 0..7 {
        root.post("/api/tokens", json!({"name": format!("token {n}")})).await.expect(201);
    }
    let mut seen = Vec::new();
    let mut path = "/api/audit?limit=3".to_owned();
    loop {
        let page = root.get(&path).await.expect(200);
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()));
        // What is noted meanwhile comes before the first page.
        root.post("/api/tokens", json!({"name": "later"})).await.expect(201);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/audit?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, (1..=8).rev().collect::<Vec<i64>>());
    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("cursor=x", "cursor"), ("page=1", "page")] {
        let problem = root.get(&format!("/api/audit?{query}")).await.problem();
        assert!(problem.fields.unwrap().contains_key(field), "{query}");
    }
}

#[tokio::test]
async fn the_log_is_narrowed_by_who_what_and_of_what() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    for client in [&root, &ada, &root] {
        client.post("/api/tokens", json!({"name": "ci"})).await.expect(201);
    }
    ada.delete("/api/tokens/2").await.expect(204);
    let objects = async |query: &str| {
        let page = root.get(&format!("/api/audit?{query}")).await.expect(200);
        let entries = page["entries"].as_array().unwrap();
        let told = entries.iter().map(|entry| format!("{} {}", entry["action"], entry["object"]).replace('"', ""));
        (told.collect::<Vec<_>>().join(", "), page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(
        objects("action=token.create").await.0,
        "token.create token:3, token.create token:2, token.create token:1"
    );
    assert_eq!(objects("actor=Ada&action=token.create").await.0, "token.create token:2");
    assert_eq!(objects("object=token:2").await.0, "token.delete token:2, token.create token:2");
    assert_eq!(objects("actor=ada&object=token:1").await.0, "");
    let (first, cursor) = objects("actor=root&action=token.create&object=&limit=1").await;
    assert_eq!(first, "token.create token:3");
    let next = format!("actor=root&action=token.create&limit=1&cursor={}", cursor.expect("another page"));
    assert_eq!(objects(&next).await, ("token.create token:1".to_owned(), None));
}

#[tokio::test]
async fn an_entry_is_kept_for_its_time_and_no_number_comes_again() {
    let app = TestApp::with_config(|config| config.audit_retention = Duration::from_hours(24)).await;
    let root = app.admin("root").await;
    for n in 0..3 {
        root.post("/api/tokens", json!({"name": format!("token {n}")})).await.expect(201);
    }
    let clear =
        async |now: Timestamp| clear_away(&app.state.store, &app.state.auth, &app.state.config, now).await.unwrap();
    let now = Timestamp::now();
    clear(now.plus(Duration::from_hours(23))).await;
    assert_eq!(noted(&root).await.len(), 4);
    app.sql("UPDATE audit_log SET at = 1 WHERE id <= 2").await;
    clear(now).await;
    let ids: Vec<_> = noted(&root).await.iter().map(|entry| entry["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [4, 3]);
}

#[tokio::test]
async fn what_is_past_its_time_goes_at_the_start_where_the_clock_stands_as_it_stood() {
    let app = TestApp::with_config(|config| config.audit_retention = Duration::from_hours(24)).await;
    let root = app.admin("root").await;
    for n in 0..3 {
        root.post("/api/tokens", json!({"name": format!("token {n}")})).await.expect(201);
    }
    app.sql("UPDATE audit_log SET at = 1 WHERE id <= 2").await;
    let shutdown = CancellationToken::new();
    let housekeeping = tokio::spawn(server::housekeeping::run(app.state.clone(), shutdown.clone()));
    let going = async {
        while noted(&root).await.len() > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), going).await.expect("the old ones go");
    shutdown.cancel();
    housekeeping.await.unwrap();
}

#[tokio::test]
async fn what_testarena_aborts_by_itself_is_noted_too() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    app.user("ada").await;
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.change_job(id, |job, _| {
        job.abort_requested_at = Some(Timestamp::now());
        job.abort_reason = Some("timeout".to_owned());
    })
    .await;
    let entry = noted(&root).await.into_iter().find(|entry| entry["action"] == "job.abort").unwrap();
    assert_eq!((&entry["via"], &entry["actor"], &entry["object"]), (&json!("system"), &Value::Null, &json!("job:1")));
    assert_eq!(entry["detail"], json!({"reason": "timeout"}));
}
