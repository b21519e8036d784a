//! Submitting and rerunning: what is checked first, over real SSH and git, and what a retry gets.

use crate::remote_bench::Bench;
use crate::test_app::{Client, TestApp, redact_times};
use futures_util::future::join_all;
use protocol::api::TaskCounts;
use protocol::{TaskStatus, Timestamp};
use serde_json::{Value, json};
use server::clock::Clock;
use server::config::EnvironmentConfig;
use server::store::jobs::remove_job;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY_MS: i64 = 24 * 3_600_000;

async fn app_with(bench: &Bench) -> TestApp {
    TestApp::with_environments(vec![bench.config_with(|_| {})]).await
}

fn named(name: &str, config: EnvironmentConfig) -> EnvironmentConfig {
    EnvironmentConfig { name: name.to_owned(), ..config }
}

fn boot() -> Value {
    json!({"branch_name": "main", "scenarios": ["smoke/boot"]})
}

async fn job_count(client: &Client) -> usize {
    client.get("/api/jobs?limit=200").await.expect(200)["jobs"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_submission_is_checked_stored_and_answered_whole() {
    let bench = Bench::start();
    let commit = bench.commit("net.sh");
    bench.push("main");
    let app = app_with(&bench).await;
    let ada = app.user("ada").await;
    let environment = app.state.environments.keys().next().unwrap().clone();
    let answer = ada
        .post("/api/submit_job", json!({"branch_name": "main", "scenarios": ["smoke/boot", "net"], "timeout_s": 60}))
        .await;
    let task = |n: u32, scenario: &str| {
        json!({
            "task_id": format!("1-{n}"), "scenario": scenario, "status": "waiting", "progress": null, "message": "",
            "exit_code": null, "started_at": null, "finished_at": null, "duration_ms": null, "log_size": 0,
            "last_passed": null,
        })
    };
    let expected = json!({
        "id": 1, "user": {"id": 1, "username": "ada"}, "environment": environment, "branch_name": "main", "commit": commit,
        "status": "waiting", "status_reason": null, "remote_queue_id": "1", "rerun_of": null, "position": null,
        "scenarios": ["smoke/boot", "net"], "tasks": [task(1, "smoke/boot"), task(2, "net")],
        "counts": {"total": 2, "waiting": 2, "running": 0, "passed": 0, "failed": 0, "error": 0, "aborted": 0, "skipped": 0},
        "sync": {"state": "pending", "last_synced_at": null, "error": null},
        "abort_requested": false, "delete_requested": false,
        "logs": {"state": "mirroring", "error": null}, "cleanup": {"state": "none", "error": null},
        "created_at": "…", "started_at": null, "finished_at": null, "timeout_s": 60,
        "estimate": {"starts_at": null, "ends_at": null},
    });
    assert_eq!(redact_times(answer.expect(201)), expected);
    assert_eq!(answer.header("location"), "/api/job/1");
    assert_eq!(redact_times(ada.get("/api/job/1").await.expect(200)), expected);
}

#[tokio::test]
async fn what_the_repository_holds_can_be_asked() {
    let bench = Bench::start();
    let commit = bench.commit("net.sh");
    bench.push("feature/net");
    let app = app_with(&bench).await;
    let ada = app.user("ada").await;
    let environment = app.state.environments.keys().next().unwrap().clone();
    let branches = ada.get(&format!("/api/branches?environment={environment}")).await.expect(200);
    assert_eq!(branches["branches"][0]["name"], "main");
    assert_eq!(branches["branches"][1], json!({"name": "feature/net", "commit": commit}));
    let valid = ada.post("/api/validate_branch", json!({"branch_name": "feature/net"})).await.expect(200);
    assert_eq!(valid, json!({"environment": environment, "branch_name": "feature/net", "commit": commit}));
    let scenarios = ada.get("/api/scenarios?branch=feature/net").await.expect(200);
    let expected =
        json!({"branch_name": "feature/net", "commit": commit, "scenarios": ["net", "smoke/boot"], "problems": []});
    assert_eq!(scenarios, expected);
    assert_eq!(ada.get("/api/branches?environment=nope").await.code(), "environment_not_found");
    // A form sends an empty field where nothing is chosen; what a script makes of a variable that is not set is no name.
    assert_eq!(ada.get("/api/branches?environment=").await.expect(200), branches);
    for (path, body) in [
        ("/api/validate_branch", json!({"environment": "", "branch_name": "main"})),
        ("/api/submit_job", json!({"environment": "", "branch_name": "main", "scenarios": ["smoke/boot"]})),
    ] {
        assert_eq!(ada.post(path, body).await.code(), "environment_not_found", "{path}");
    }
    assert_eq!(ada.get("/api/scenarios").await.code(), "invalid_input");
}

#[tokio::test]
async fn what_can_not_be_run_is_refused_with_the_field() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await;
    let too_many: Vec<String> = (0..1_001).map(|n| format!("s{n}")).collect();
    for (body, code, field) in [
        (json!({"branch_name": "nope", "scenarios": ["smoke/boot"]}), "branch_not_found", "branch_name"),
        (json!({"branch_name": "a b", "scenarios": ["smoke/boot"]}), "invalid_input", "branch_name"),
        (json!({"branch_name": "main", "scenarios": ["smoke/boot", "nope"]}), "scenario_not_found", "scenarios"),
        (json!({"branch_name": "main", "scenarios": []}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main", "scenarios": too_many}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main", "scenarios": ["a", "a"]}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main", "scenarios": ["../x"]}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main", "scenarios": "smoke/boot"}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main"}), "invalid_input", "scenarios"),
        (json!({"branch_name": "main", "scenarios": ["smoke/boot"], "timeout_s": 0}), "invalid_input", "timeout_s"),
        (
            json!({"branch_name": "main", "scenarios": ["smoke/boot"], "timeout_s": 99_999_999}),
            "invalid_input",
            "timeout_s",
        ),
    ] {
        let problem = ada.post("/api/submit_job", body.clone()).await.problem();
        assert_eq!(problem.code.as_str(), code, "{body}");
        assert!(problem.fields.unwrap().contains_key(field), "{body}");
    }
    let unknown = json!({"environment": "nope", "branch_name": "main", "scenarios": ["smoke/boot"]});
    assert_eq!(ada.post("/api/submit_job", unknown).await.code(), "environment_not_found");
    assert_eq!(job_count(&ada).await, 0);
}

#[tokio::test]
async fn an_environment_must_be_named_unless_it_is_the_only_one() {
    let bench = Bench::start();
    let config = || bench.config_with(|_| {});
    let app = TestApp::with_environments(vec![named("a", config()), named("b", config())]).await;
    let ada = app.user("ada").await;
    let problem = ada.post("/api/submit_job", boot()).await.problem();
    assert!(problem.fields.unwrap().contains_key("environment"));
    let chosen = json!({"environment": "b", "branch_name": "main", "scenarios": ["smoke/boot"]});
    assert_eq!(ada.post("/api/submit_job", chosen).await.expect(201)["environment"], "b");
}

#[tokio::test]
async fn a_server_that_can_not_be_asked_is_not_the_branchs_fault() {
    let bench = Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|ssh| ssh.port = 9)]).await;
    let ada = app.user("ada").await;
    assert_eq!(ada.post("/api/submit_job", boot()).await.code(), "environment_unreachable");
}

#[tokio::test]
async fn fifty_submissions_at_once_make_fifty_jobs() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await;
    let submit = || async { ada.post("/api/submit_job", boot()).await.expect(201)["id"].as_i64().unwrap() };
    let ids: BTreeSet<i64> = join_all((0..50).map(|_| submit())).await.into_iter().collect();
    assert_eq!(ids, (1..=50).collect());
    assert_eq!(job_count(&ada).await, 50);
}

#[tokio::test]
async fn a_retry_with_the_same_key_gets_the_same_job() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let keyed = |client: &Client| client.clone().with("idempotency-key", "build 7");
    let submit = || async { keyed(&ada).post("/api/submit_job", boot()).await };
    let answers = join_all((0..5).map(|_| submit())).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 201]);
    assert!(answers.iter().all(|answer| answer.json()["id"] == 1 && answer.header("location") == "/api/job/1"));

    let other = json!({"branch_name": "main", "scenarios": ["smoke/boot"], "timeout_s": 60});
    assert_eq!(keyed(&ada).post("/api/submit_job", other).await.code(), "idempotency_key_reused");
    assert_eq!(keyed(&ada).post("/api/job/1/rerun", json!({})).await.code(), "idempotency_key_reused");
    assert_eq!(keyed(&bob).post("/api/submit_job", boot()).await.expect(201)["id"], 2);
    let too_long = ada.clone().with("idempotency-key", &"k".repeat(256));
    assert_eq!(too_long.post("/api/submit_job", boot()).await.code(), "invalid_input");

    app.state.store.write(|connection| remove_job(connection, protocol::JobId(1))).await.unwrap();
    assert_eq!(submit().await.code(), "gone");
}

/// It was used while the clock was years ahead.
#[tokio::test]
async fn a_key_of_a_time_to_come_is_remembered_for_no_longer_than_others() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await;
    let submit = async |key: &str| ada.clone().with("idempotency-key", key).post("/api/submit_job", boot()).await;
    for (key, id) in [("met by itself", 1), ("met by another", 2)] {
        assert_eq!(submit(key).await.expect(201)["id"], id);
        app.sql("UPDATE idempotency_keys SET created_at = created_at + 157680000000").await;
        let (met, met_id) = if id == 1 { (key, 1) } else { ("a third", 3) };
        assert_eq!(submit(met).await.json()["id"], met_id);
        app.sql("UPDATE idempotency_keys SET created_at = created_at - 86400001").await;
    }
    assert_eq!(submit("met by itself").await.expect(201)["id"], 4);
    assert_eq!(submit("met by another").await.expect(201)["id"], 5);
}

#[tokio::test]
async fn a_key_is_remembered_though_the_clock_is_set_between_an_attempt_and_its_retry() {
    for step in [56 * 365 * DAY_MS, 2 * DAY_MS, -2 * DAY_MS, -5 * 365 * DAY_MS] {
        let (bench, set) = (Bench::start(), Arc::<AtomicI64>::default());
        let by = Arc::clone(&set);
        // What was wrong is set right.
        let clock = Clock::told_by(move || Timestamp(Timestamp::now().0 - step + by.load(Ordering::Relaxed)));
        let app = app_with(&bench).await.with_clock(clock);
        let ada = app.user("ada").await;
        let submit = async |key: &str| ada.clone().with("idempotency-key", key).post("/api/submit_job", boot()).await;
        assert_eq!(submit("build 7").await.expect(201)["id"], 1);
        app.sql("UPDATE audit_log SET at = 1").await;
        set.store(step, Ordering::Relaxed);
        assert_eq!(submit("build 7").await.expect(200)["id"], 1, "{step}: not followed yet");
        assert_eq!(submit("build 8").await.expect(201)["id"], 2);
        let noted = app.count("audit_log").await;
        // As it runs by itself: it also leaves alone what is older than ever by the clock that was set just now.
        let (shutdown, followed) = (CancellationToken::new(), app.state.clock.clone());
        let housekeeping = tokio::spawn(server::housekeeping::run(app.state.clone(), shutdown.clone()));
        let following = async {
            while followed.now().0.abs_diff(Timestamp::now().0) > 60_000 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), following).await.unwrap();
        shutdown.cancel();
        housekeeping.await.unwrap();
        for (key, id) in [("build 9", 3), ("build 7", 1), ("build 8", 2)] {
            assert_eq!(submit(key).await.json()["id"], id, "{step}");
        }
        assert_eq!(app.count("audit_log").await, noted + 1, "{step}: and nothing is gone");
    }
}

#[tokio::test]
async fn a_key_makes_one_job_however_many_replicas_it_comes_to_at_once() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await.with("idempotency-key", "build 7");
    let replicas = [ada.clone(), app.replica().await.with_all_of(&ada), app.replica().await.with_all_of(&ada)];
    for client in &replicas {
        client.get("/api/me").await.expect(200);
    }
    let answers = join_all(replicas.iter().cycle().take(9).map(|client| client.post("/api/submit_job", boot()))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 201]);
    assert!(answers.iter().all(|answer| answer.json()["id"] == answers[0].json()["id"]));
    assert_eq!((job_count(&ada).await, app.count("idempotency_keys").await), (1, 1));
}

#[tokio::test]
async fn no_crowd_waits_with_one_key() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let keyed = |client: &Client| client.clone().with("idempotency-key", "k");
    let key = (app.find_user("ada").await.id, "k".to_owned());
    // An attempt that takes its time.
    let first = app.state.keys_in_use.wait_for(key.clone()).await;
    let submit = || {
        let ada = keyed(&ada);
        tokio::spawn(async move { ada.post("/api/submit_job", boot()).await })
    };
    let waiting: Vec<_> = (0..19).map(|_| submit()).collect();
    let start = std::time::Instant::now();
    while app.state.keys_in_use.crowd(&key) < 20 {
        assert!(start.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    let refused = keyed(&ada).post("/api/submit_job", boot()).await;
    assert_eq!((refused.code(), refused.header("retry-after")), ("unavailable", "2"));
    keyed(&bob).post("/api/submit_job", boot()).await.expect(201);
    drop(first);
    let answers = join_all(waiting).await.into_iter().map(Result::unwrap);
    assert_eq!(answers.filter(|answer| answer.status == 201).count(), 1, "one job of all of them");
}

#[tokio::test]
async fn a_refusal_is_shared_only_with_who_asked_for_the_same() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await.with("idempotency-key", "k");
    let key = (app.find_user("ada").await.id, "k".to_owned());
    let first = app.state.keys_in_use.wait_for(key.clone()).await;
    let missing = json!({"branch_name": "main", "scenarios": ["late"]});
    let mut waiting = Vec::new();
    for body in [missing.clone(), missing, boot()] {
        let ada = ada.clone();
        waiting.push(tokio::spawn(async move { ada.post("/api/submit_job", body).await }));
        let start = std::time::Instant::now();
        while app.state.keys_in_use.crowd(&key) <= waiting.len() {
            assert!(start.elapsed() < Duration::from_secs(30));
            tokio::task::yield_now().await;
        }
    }
    drop(first);
    let answers: Vec<_> = join_all(waiting).await.into_iter().map(Result::unwrap).collect();
    assert_eq!((answers[0].code(), answers[1].code()), ("scenario_not_found", "scenario_not_found"));
    answers[2].expect(201);
}

#[tokio::test]
async fn a_refused_submission_does_not_use_up_its_key() {
    let bench = Bench::start();
    let app = app_with(&bench).await;
    let ada = app.user("ada").await.with("idempotency-key", "k");
    let missing = json!({"branch_name": "main", "scenarios": ["late"]});
    assert_eq!(ada.post("/api/submit_job", missing).await.code(), "scenario_not_found");
    ada.post("/api/submit_job", boot()).await.expect(201);
}

#[tokio::test]
async fn a_rerun_is_the_callers_own_job_on_the_same_commit_or_the_latest() {
    let bench = Bench::start();
    bench.commit("net.sh");
    bench.push("main");
    let app = app_with(&bench).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let both = json!({"branch_name": "main", "scenarios": ["smoke/boot", "net"], "timeout_s": 60});
    let first = ada.post("/api/submit_job", both).await.expect(201);
    let again = bob.post("/api/job/1/rerun", json!({})).await.expect(201);
    assert_eq!((&again["user"]["username"], &again["rerun_of"]), (&json!("bob"), &json!(1)));
    for field in ["commit", "scenarios", "environment", "branch_name", "timeout_s"] {
        assert_eq!(again[field], first[field], "{field}");
    }
    let nothing = ada.post("/api/job/1/rerun", json!({"only_failed": true})).await;
    assert_eq!(nothing.code(), "nothing_to_rerun");
    app.change_job(protocol::JobId(1), |job, tasks| {
        tasks[1].status = TaskStatus::Failed;
        job.set_counts(TaskCounts::of(tasks.iter().map(|task| task.status)));
    })
    .await;
    let failed = ada.post("/api/job/1/rerun", json!({"only_failed": true})).await.expect(201);
    assert_eq!(failed["scenarios"], json!(["net"]));
    // The branch has moved on meanwhile.
    let moved = bench.commit("later.sh");
    bench.push("main");
    assert_eq!(ada.post("/api/job/1/rerun", json!({})).await.expect(201)["commit"], first["commit"]);
    assert_ne!(first["commit"], json!(moved));
    // One that remembers no branch from a moment ago.
    let other = app.replica().await.with_all_of(&ada);
    assert_eq!(other.post("/api/job/1/rerun", json!({"latest": true})).await.expect(201)["commit"], json!(moved));
    assert_eq!(ada.send_nothing("/api/job/1/rerun").await.expect(201)["scenarios"], first["scenarios"]);
    assert_eq!(ada.post("/api/job/99/rerun", json!({})).await.code(), "not_found");
    assert_eq!(ada.post("/api/job/1/rerun", json!({"latst": true})).await.code(), "invalid_input");
}

#[tokio::test]
async fn a_rerun_needs_its_commit_or_its_scenarios() {
    let bench = Bench::start();
    let config = bench.config_with(|_| {});
    let name = config.name.clone();
    let app = TestApp::with_environments(vec![config]).await;
    let ada = app.user("ada").await;
    // Of a commit that the repository does not have.
    app.store_job("ada", &name, "main", &["gone"]).await;
    assert_eq!(ada.post("/api/job/1/rerun", json!({})).await.code(), "commit_unavailable");
    assert_eq!(ada.post("/api/job/1/rerun", json!({"latest": true})).await.code(), "scenario_not_found");
    app.store_job("ada", &name, "main", &["smoke/boot"]).await;
    let latest = ada.post("/api/job/2/rerun", json!({"latest": true})).await.expect(201);
    assert_eq!(latest["timeout_s"], Duration::from_hours(1).as_secs());
    app.store_job("ada", "elsewhere", "main", &["smoke/boot"]).await;
    assert_eq!(ada.post("/api/job/4/rerun", json!({})).await.code(), "environment_not_found");
}
