//! What administrators see of an environment's SSH: how it fared last, over replicas and restarts, and what a check says.
//! Everybody else sees that it fails, and nothing of why.

use crate::lab::Lab;
use crate::remote_bench::Bench;
use crate::remote_environment::serve;
use crate::sshd::Sshd;
use crate::test_app::{Answer, TestApp};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::Timestamp;
use serde_json::{Value, json};
use server::config::{EnvironmentConfig, HostKeyCheck};
use server::ssh_watch;
use server::store::ssh_status::list_ssh_status;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

fn first(answer: &Answer) -> Value {
    answer.expect(200)["environments"][0].clone()
}

#[tokio::test]
async fn an_environment_shows_everybody_its_state_and_admins_the_reasons() {
    let bench = Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let shown = first(&ada.get("/api/environments").await);
    assert!(shown["since"].is_string(), "{shown}");
    let keys: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["busy", "health", "name", "since", "slots", "ssh", "waiting"]);
    assert_eq!((&shown["health"], &shown["ssh"]), (&json!("unknown"), &json!("unknown")));
    let shown = first(&root.get("/api/environments").await);
    for key in ["last_error", "ssh_error", "host_key"] {
        assert_eq!(shown.get(key), Some(&Value::Null), "{shown}");
    }

    ada.get("/api/branches").await.expect(200);
    let shown = first(&root.get("/api/environments").await);
    assert_eq!((&shown["ssh"], &shown["ssh_error"]), (&json!("ok"), &Value::Null));
    assert_eq!(shown["host_key"], bench.sshd.fingerprint("host_ed25519"));

    std::fs::remove_file(bench.path("authorized_keys")).unwrap();
    bench.sshd.cut_connections();
    let body = json!({ "branch_name": "main" });
    let told = ada.post("/api/validate_branch", body.clone()).await.problem();
    assert_eq!(told.detail, "bench-a can't be reached over SSH: it did not let TestArena sign in");
    let told = root.post("/api/validate_branch", body).await.problem().detail;
    assert!(told.contains("authorized_keys"), "{told}");
    let shown = first(&root.get("/api/environments").await);
    assert_eq!(shown["ssh"], "failing");
    assert!(shown["ssh_error"].as_str().unwrap().contains("authorized_keys"), "{shown}");
    let shown = first(&ada.get("/api/environments").await);
    assert_eq!((&shown["ssh"], shown.get("ssh_error"), shown.get("host_key")), (&json!("failing"), None, None));
}

#[tokio::test]
async fn how_ssh_fared_is_known_to_other_replicas_and_after_a_restart() {
    let bench = Bench::start();
    let config = bench.config_with(|ssh| ssh.commands.branches = "echo out of order >&2; exit 3".into());
    let app = TestApp::with_environments(vec![config.clone()]).await;
    let stop = CancellationToken::new();
    let watch = tokio::spawn(ssh_watch::run(app.state.clone(), stop.clone()));
    let root = app.admin("root").await;
    root.get("/api/branches").await.problem();
    let start = Instant::now();
    while app.state.store.read(list_ssh_status).await.unwrap().is_empty() {
        assert!(start.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    let database = app.state.config.database_url.clone();
    let other = TestApp::with_config(|other| {
        other.database_url = database;
        other.environments = vec![bench.config_with(|_| {})];
    })
    .await;
    let client = other.anybody().with_password("root", crate::test_app::PASSWORD);
    let shown = first(&client.get("/api/environments").await);
    assert_eq!(shown["ssh"], "failing");
    assert!(shown["ssh_error"].as_str().unwrap().contains("out of order"), "{shown}");
    assert_eq!(shown["host_key"], bench.sshd.fingerprint("host_ed25519"));
    // There it works.
    client.get("/api/branches").await.expect(200);
    assert_eq!(first(&client.get("/api/environments").await)["ssh"], "ok");
    stop.cancel();
    watch.await.unwrap();
    drop(other);
}

#[tokio::test]
async fn a_workspace_that_can_not_be_removed_is_seen_at_once_on_the_job_and_the_environment() {
    let sshd = Sshd::start();
    let lab = Lab::with(|environment| {
        sshd.configure(environment);
        environment.ssh.commands.cleanup = "echo rm: cannot remove {queue_id}: Permission denied >&2; exit 1".into();
    })
    .await;
    let root = lab.app.admin("root").await;
    let id = lab.submit(&["smoke/pass"]).await;
    let job = lab.tick_until(id, |job| job["cleanup"]["error"].is_string()).await;
    assert_eq!((&job["status"], &job["cleanup"]["state"]), (&json!("passed"), &json!("pending")));
    let told = job["cleanup"]["error"].as_str().unwrap();
    assert!(told.contains("could not be removed") && told.contains("Permission denied"), "{told}");
    assert!(!told.contains("rm: cannot"), "{told}");
    // A question that works does not hide it.
    lab.ada.get("/api/branches").await.expect(200);
    let shown = first(&root.get("/api/environments").await);
    assert_eq!(shown["ssh"], "failing");
    assert!(shown["ssh_error"].as_str().unwrap().contains("rm: cannot remove"), "{shown}");
}

#[tokio::test]
async fn a_deletion_whose_workspace_can_not_be_removed_ends_at_last_and_says_what_is_left() {
    let sshd = Sshd::start();
    let lab = Lab::with(|environment| {
        sshd.configure(environment);
        environment.ssh.commands.cleanup = "echo rm: cannot remove {queue_id}: Permission denied >&2; exit 1".into();
        environment.cleanup_give_up = Duration::from_hours(2);
    })
    .await;
    let root = lab.app.admin("root").await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(id, |job| job["cleanup"]["error"].is_string()).await;
    lab.ada.delete(&format!("/api/job/{id}")).await.expect(202);
    for minutes in [10, 20, 40, 60, 90] {
        lab.tick_at(Timestamp::now().plus(Duration::from_mins(minutes))).await;
        assert_eq!(lab.job(id).await["cleanup"]["state"], "pending", "after {minutes} minutes");
    }
    lab.tick_on_until(129, id, |answer| answer.status == 404).await;
    let audit = root.get("/api/audit").await.expect(200);
    let entries = audit["entries"].as_array().unwrap();
    let left = entries.iter().find(|entry| entry["action"] == "job.delete" && entry["via"] == "system").unwrap();
    assert!(left["detail"]["left"].as_str().unwrap().ends_with(&format!("/{id}")), "{left}");
    assert!(left["detail"]["error"].as_str().unwrap().contains("Permission denied"), "{left}");
}

#[tokio::test]
async fn a_deletion_has_all_the_time_for_a_workspace_that_was_given_up_before() {
    let sshd = Sshd::start();
    let lab = Lab::with(|environment| {
        sshd.configure(environment);
        environment.ssh.commands.cleanup = "echo rm: cannot remove {queue_id}: Permission denied >&2; exit 1".into();
        environment.cleanup_give_up = Duration::from_hours(2);
    })
    .await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(id, |job| job["cleanup"]["error"].is_string()).await;
    for minutes in [10, 20, 40, 60] {
        lab.tick_at(Timestamp::now().plus(Duration::from_mins(minutes))).await;
    }
    let given_up = lab.tick_on_until(120, id, |answer| answer.expect(200)["cleanup"]["state"] == "failed").await;
    lab.ada.delete(&format!("/api/job/{id}")).await.expect(202);
    for minutes in [10, 20, 30, 40, 50, 60] {
        lab.tick_at(Timestamp::now().plus(Duration::from_mins(given_up + minutes))).await;
        assert_eq!(lab.job(id).await["delete_requested"], true, "after {minutes} minutes");
    }
    lab.tick_on_until(given_up + 129, id, |answer| answer.status == 404).await;
}

/// What was tried, whether it is well, and the words.
fn parts(answer: &Value) -> Vec<(&str, bool, &str)> {
    let mut parts = Vec::new();
    for check in answer["checks"].as_array().unwrap() {
        let text = |key: &str| check[key].as_str().unwrap();
        parts.push((text("what"), check["ok"].as_bool().unwrap(), text("detail")));
    }
    parts
}

async fn check(config: EnvironmentConfig) -> Value {
    let app = TestApp::with_environments(vec![config]).await;
    app.admin("root").await.send_nothing("/api/environments/bench-a/check").await.expect(200)
}

/// The failed parts.
fn failed(checks: &Value) -> Vec<(&str, &str)> {
    parts(checks).into_iter().filter(|(_, ok, _)| !ok).map(|(what, _, detail)| (what, detail)).collect()
}

async fn healthy_server() -> String {
    let health = r#"{"status":"ok","name":"bench-a","features":["changes"]}"#;
    serve(move |_| async move { health.into_response() }).await
}

#[tokio::test]
async fn a_check_tries_each_part_and_says_how_to_mend_it() {
    let bench = Bench::start();
    let rsa = bench.sshd.add_host_key("rsa");
    let url = healthy_server().await;
    let config = |change: fn(&mut EnvironmentConfig)| {
        let mut config = bench.config_with(|_| {});
        config.url.clone_from(&url);
        change(&mut config);
        config
    };
    let well = check(config(|_| {})).await;
    let names: Vec<&str> = parts(&well).iter().map(|part| part.0).collect();
    assert_eq!(names, ["http", "ssh", "repository", "scenarios", "workspace", "clock"]);
    assert_eq!(failed(&well), [], "{well:#}");
    let all = well.to_string();
    for words in ["changes", "1 branches, main first", "1 scenarios below scenarios", "can be written", &rsa] {
        assert!(all.contains(words), "{words}: {well:#}");
    }

    let broken = check(config(|config| config.url = "http://127.0.0.1:1".into())).await;
    assert_eq!(failed(&broken).iter().map(|part| part.0).collect::<Vec<_>>(), ["http", "clock"], "{broken:#}");
    let broken = check(config(|config| {
        config.ssh.host_key = HostKeyCheck::Fingerprint("SHA256:jvBr9YdF6TUUwoVSX0xVgB2fLSE9ZRmhO3J2RoRWTLU".into());
    }))
    .await;
    let (what, detail) = failed(&broken)[0];
    assert!(what == "ssh" && detail.contains(&rsa) && detail.contains("pins SHA256:jvBr9YdF"), "{broken:#}");
    assert_eq!(failed(&broken).len(), 4, "{broken:#}");
    let broken = check(config(|config| config.ssh.repository = "/nonexistent".into())).await;
    assert!(failed(&broken)[0].1.contains("/nonexistent"), "{broken:#}");
    let broken = check(config(|config| config.ssh.scenario_dir = "elsewhere".into())).await;
    assert!(
        matches!(failed(&broken)[..], [("scenarios", detail)] if detail.contains("ssh.scenario_dir")),
        "{broken:#}"
    );
    let broken = check(config(|config| config.ssh.workspace_root = "/nonexistent/root".into())).await;
    let is_told = |detail: &str| detail.contains("/nonexistent/root does not exist");
    assert!(matches!(failed(&broken)[..], [("workspace", detail)] if is_told(detail)), "{broken:#}");

    let ill = serve(|_| async {
        let date = [("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
        (StatusCode::OK, date, r#"{"status":"on fire","name":"bench-a"}"#).into_response()
    });
    let mut broken = bench.config_with(|_| {});
    broken.url = ill.await;
    let broken = check(broken).await;
    assert!(
        matches!(failed(&broken)[..], [("http", http), ("clock", clock)]
        if http.contains("on fire") && clock.contains("behind ours")),
        "{broken:#}"
    );
}

#[tokio::test]
async fn a_check_is_for_admins_and_works_at_the_runners_own_ssh() {
    let lab = Lab::start().await;
    let root = lab.app.admin("root").await;
    assert_eq!(lab.ada.send_nothing("/api/environments/bench/check").await.code(), "forbidden");
    assert_eq!(lab.app.anybody().send_nothing("/api/environments/bench/check").await.code(), "unauthenticated");
    assert_eq!(root.send_nothing("/api/environments/nope/check").await.code(), "not_found");
    let well = root.send_nothing("/api/environments/bench/check").await.expect(200);
    assert_eq!(failed(&well), [], "{well:#}");
    assert!(well.to_string().contains("only the contract's commands"), "{well:#}");
    assert_eq!(first(&root.get("/api/environments").await)["ssh"], "ok");
}
