//! What became of scenarios over time: their runs, figures about them, where they had passed last, two jobs side by side,
//! and when those in the line will have their turn.

use crate::remote_environment::environment_config;
use crate::test_app::{COMMIT, Client, TestApp};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use serde_json::{Value, json};
use server::store::environments::{EnvironmentStatus, save_health};

const BENCH: &str = "bench-a";
const ROUTE: &str = "/api/scenarios/history?scenario=smoke/boot";

async fn start() -> (TestApp, Client) {
    let mut config = environment_config("http://127.0.0.1:1".into());
    config.name = BENCH.into();
    let app = TestApp::with_environments(vec![config]).await;
    let ada = app.user("ada").await;
    (app, ada)
}

/// A job whose scenarios have ended so, each after as many milliseconds as the job's time in seconds.
async fn ended(app: &TestApp, branch: &str, at_s: i64, outcomes: &[(&str, TaskStatus)]) -> JobId {
    let scenarios: Vec<&str> = outcomes.iter().map(|(scenario, _)| *scenario).collect();
    let id = app.store_job("ada", BENCH, branch, &scenarios).await;
    app.change_job(id, |job, tasks| {
        job.status = JobStatus::Failed;
        job.finished_at = Some(Timestamp(at_s * 1_000));
        for (task, (_, status)) in tasks.iter_mut().zip(outcomes) {
            task.status = *status;
            task.started_at = Some(Timestamp(at_s * 1_000 - at_s));
            task.finished_at = Some(Timestamp(at_s * 1_000));
        }
    })
    .await;
    id
}

fn job_ids(page: &Value) -> Vec<i64> {
    page["runs"].as_array().unwrap().iter().map(|run| run["job_id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_scenarios_runs_are_told_newest_first_with_figures() {
    let (app, ada) = start().await;
    for (at_s, branch, status) in [
        (1, "main", TaskStatus::Passed),
        (2, "main", TaskStatus::Failed),
        (3, "topic", TaskStatus::Error),
        (4, "main", TaskStatus::Passed),
    ] {
        ended(&app, branch, at_s, &[("smoke/boot", status), ("smoke/net", TaskStatus::Skipped)]).await;
    }
    app.store_job("ada", BENCH, "main", &["smoke/boot"]).await;

    let all = ada.get(ROUTE).await.expect(200);
    assert_eq!(job_ids(&all), [4, 3, 2, 1]);
    let summary = json!({
        "runs": 4, "passed": 2, "failed": 1, "error": 1, "median_ms": 2, "p90_ms": 4, "flakiness": 1.0,
    });
    assert_eq!((&all["summary"], &all["next_cursor"]), (&summary, &Value::Null));
    let passed_before = json!({"job_id": 1, "commit": COMMIT, "finished_at": "1970-01-01T00:00:01Z"});
    let failed = json!({
        "job_id": 2, "task_id": "2-1", "branch_name": "main", "commit": COMMIT, "status": "failed", "duration_ms": 2,
        "finished_at": "1970-01-01T00:00:02Z", "last_passed": passed_before,
    });
    assert_eq!(all["runs"][2], failed);
    assert_eq!((&all["runs"][0]["last_passed"], &all["runs"][1]["last_passed"]), (&Value::Null, &passed_before));

    let topic = ada.get(&format!("{ROUTE}&environment=bench-a&branch=topic")).await.expect(200);
    assert_eq!((job_ids(&topic), &topic["summary"]["flakiness"]), (vec![3], &Value::Null));
    let nothing = ada.get("/api/scenarios/history?scenario=no/such").await.expect(200);
    assert_eq!((&nothing["runs"], &nothing["summary"]["runs"]), (&json!([]), &json!(0)));

    let stats = ada.get("/api/scenarios/stats?branch=main").await.expect(200);
    let boot = json!({"last_status": "passed", "last_job_id": 4, "runs": 3, "median_ms": 2, "flakiness": 1.0});
    let net = json!({"last_status": "skipped", "last_job_id": 4, "runs": 3, "median_ms": null, "flakiness": null});
    assert_eq!(stats, json!({"stats": {"smoke/boot": boot, "smoke/net": net}}));
}

#[tokio::test]
async fn pages_of_runs_follow_each_other_and_a_deleted_jobs_runs_are_gone() {
    let (app, ada) = start().await;
    for at_s in [5, 5, 5, 1, 9] {
        ended(&app, "main", at_s, &[("smoke/boot", TaskStatus::Passed)]).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("{ROUTE}&limit=2&cursor={cursor}")).await.expect(200);
        seen.extend(job_ids(&page));
        // What is new meanwhile is on no later page.
        ended(&app, "main", 20, &[("smoke/boot", TaskStatus::Passed)]).await;
        let Some(next) = page["next_cursor"].as_str() else { break };
        next.clone_into(&mut cursor);
    }
    assert_eq!(seen, [5, 3, 2, 1, 4]);
    let root = app.admin("root").await;
    assert_eq!(root.delete("/api/job/5?force=true").await.status, 204);
    assert_eq!(job_ids(&ada.get(ROUTE).await.expect(200)), [8, 7, 6, 3, 2, 1, 4]);
}

#[tokio::test]
async fn what_failed_tells_where_it_had_passed_last() {
    let (app, ada) = start().await;
    ended(&app, "master", 1, &[("a", TaskStatus::Passed), ("b", TaskStatus::Passed)]).await;
    ended(&app, "topic", 2, &[("a", TaskStatus::Passed)]).await;
    let id = ended(&app, "topic", 3, &[("a", TaskStatus::Failed), ("b", TaskStatus::Error), ("c", TaskStatus::Failed)])
        .await;
    ended(&app, "topic", 4, &[("a", TaskStatus::Passed)]).await;
    let job = ada.get(&format!("/api/job/{id}")).await.expect(200);
    let last = |n: usize| job["tasks"][n]["last_passed"]["job_id"].clone();
    assert_eq!((last(0), last(1), last(2)), (json!(2), json!(1), Value::Null));
    assert_eq!(job["estimate"], json!({"starts_at": null, "ends_at": null}));
}

#[tokio::test]
async fn what_ran_where_nothing_runs_any_more_is_told_as_long_as_its_jobs_are_here() {
    let (app, ada) = start().await;
    for at_s in [1, 2] {
        let id = app.store_job("ada", "bench-gone", "main", &["smoke/boot"]).await;
        app.change_job(id, |job, tasks| {
            (job.status, job.finished_at) = (JobStatus::Passed, Some(Timestamp(at_s * 1_000)));
            (tasks[0].status, tasks[0].finished_at) = (TaskStatus::Passed, Some(Timestamp(at_s * 1_000)));
        })
        .await;
    }
    // One that has only been waiting there is known as well.
    app.store_job("ada", "bench-left", "main", &["smoke/boot"]).await;
    let history = async |environment: &str| ada.get(&format!("{ROUTE}&environment={environment}")).await;
    let stats = async |environment: &str| ada.get(&format!("/api/scenarios/stats?environment={environment}")).await;
    assert_eq!(job_ids(&history("bench-gone").await.expect(200)), [2, 1]);
    assert_eq!(stats("bench-gone").await.expect(200)["stats"]["smoke/boot"]["runs"], 2);
    assert_eq!(job_ids(&history("bench-left").await.expect(200)), Vec::<i64>::new());
    assert_eq!(stats("bench-left").await.expect(200), json!({"stats": {}}));
    let root = app.admin("root").await;
    for id in 1..=2 {
        assert_eq!(root.delete(&format!("/api/job/{id}?force=true")).await.status, 204);
    }
    for unknown in ["bench-gone", "bench-never"] {
        assert_eq!(history(unknown).await.code(), "environment_not_found", "{unknown}");
        assert_eq!(stats(unknown).await.code(), "environment_not_found", "{unknown}");
    }
}

#[tokio::test]
async fn questions_about_history_that_can_not_be_are_refused() {
    let (_app, ada) = start().await;
    for (path, code) in [
        ("/api/scenarios/history", "invalid_input"),
        ("/api/scenarios/history?scenario=../x", "invalid_input"),
        ("/api/scenarios/history?scenario=a&limit=0", "invalid_input"),
        ("/api/scenarios/history?scenario=a&cursor=x", "invalid_input"),
        ("/api/scenarios/history?scenario=a&branch=a..b", "invalid_input"),
        ("/api/scenarios/history?scenario=a&environment=x", "environment_not_found"),
        ("/api/scenarios/stats?environment=x", "environment_not_found"),
        ("/api/scenarios/stats?branches=x", "invalid_input"),
        ("/api/compare?a=1", "invalid_input"),
        ("/api/compare?a=1&b=x", "invalid_input"),
        ("/api/compare?a=1&b=2", "not_found"),
    ] {
        assert_eq!(ada.get(path).await.code(), code, "{path}");
    }
}

#[tokio::test]
async fn two_jobs_are_compared_scenario_by_scenario() {
    let (app, ada) = start().await;
    ended(&app, "main", 1, &[("a", TaskStatus::Passed), ("b", TaskStatus::Failed), ("c", TaskStatus::Passed)]).await;
    ended(&app, "main", 2, &[("d", TaskStatus::Passed), ("b", TaskStatus::Passed), ("a", TaskStatus::Error)]).await;
    let compared = ada.get("/api/compare?a=1&b=2").await.expect(200);
    assert_eq!((&compared["a"]["id"], &compared["b"]["id"]), (&json!(1), &json!(2)));
    assert!(compared["a"].get("tasks").is_none());
    let scenarios = json!([
        {"scenario": "a", "a": "passed", "b": "error", "change": "newly_failed"},
        {"scenario": "b", "a": "failed", "b": "passed", "change": "fixed"},
        {"scenario": "c", "a": "passed", "b": null, "change": "only_a"},
        {"scenario": "d", "a": null, "b": "passed", "change": "only_b"},
    ]);
    assert_eq!(compared["scenarios"], scenarios);
}

#[tokio::test]
async fn a_comparison_that_has_not_changed_is_not_sent_again() {
    let (app, ada) = start().await;
    ended(&app, "main", 1, &[("a", TaskStatus::Passed)]).await;
    let open = app.store_job("ada", BENCH, "main", &["a"]).await;
    let ask = async |known: &str| ada.clone().with("if-none-match", known).get("/api/compare?a=1&b=2").await;
    let first = ask("").await;
    first.expect(200);
    let unchanged = ask(first.header("etag")).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), first.header("etag"));
    // The other way round it is another one.
    let other_way = ada.get("/api/compare?a=2&b=1").await;
    assert_ne!(other_way.header("etag"), first.header("etag"));

    // How old the facts are says what is still open, and makes no other version.
    app.change_job(open, |job, _| job.last_synced_at = Some(Timestamp(5_000))).await;
    let unchanged = ask(first.header("etag")).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("testarena-synced-at")), (304, "1970-01-01T00:00:05Z"));

    // A change of either is one of both.
    app.change_job(open, |job, tasks| {
        (job.status, job.finished_at) = (JobStatus::Failed, Some(Timestamp(9_000)));
        (tasks[0].status, tasks[0].finished_at) = (TaskStatus::Failed, Some(Timestamp(9_000)));
    })
    .await;
    let changed = ask(first.header("etag")).await;
    assert_eq!(changed.expect(200)["scenarios"][0]["change"], "newly_failed");
    assert_eq!(changed.header("testarena-synced-at"), "");
    app.change_job(JobId(1), |job, _| job.abort_requested_at = Some(Timestamp(9_500))).await;
    ask(changed.header("etag")).await.expect(200);
    let root = app.admin("root").await;
    assert_eq!(root.delete("/api/job/1?force=true").await.status, 204);
    assert_eq!(ask(changed.header("etag")).await.code(), "not_found");
}

#[tokio::test]
async fn a_job_in_the_line_tells_when_it_will_have_its_turn() {
    let (app, ada) = start().await;
    ended(&app, "main", 60, &[("a", TaskStatus::Passed)]).await;
    let status = EnvironmentStatus { slots: Some(1), ..EnvironmentStatus::unknown(BENCH, Timestamp(0)) };
    app.state.store.write(move |connection| save_health(connection, status)).await.unwrap();
    let first = app.store_job("ada", BENCH, "main", &["a"]).await;
    let second = app.store_job("ada", BENCH, "main", &["a"]).await;
    let estimate = async |id: JobId| ada.get(&format!("/api/job/{id}")).await.expect(200)["estimate"].clone();
    let (first, second) = (estimate(first).await, estimate(second).await);
    assert!(first["starts_at"].is_string() && first["ends_at"].is_string());
    assert_eq!(second["starts_at"], first["ends_at"]);
    let listed = ada.get("/api/jobs").await.expect(200);
    assert_eq!(listed["jobs"][0]["estimate"], second);
    // Who has joined the line since it was reckoned has no less.
    let third = estimate(app.store_job("ada", BENCH, "main", &["a"]).await).await;
    assert!(
        third["starts_at"].as_str() >= second["ends_at"].as_str() && third["starts_at"].is_string(),
        "{third} {second}"
    );
}

#[tokio::test]
async fn where_a_scenario_had_passed_last_is_part_of_a_jobs_version() {
    let (app, ada) = start().await;
    let root = app.admin("root").await;
    let boot = |status| [("smoke/boot", status)];
    let first = ended(&app, "main", 1, &boot(TaskStatus::Passed)).await;
    let failed = ended(&app, "main", 5, &boot(TaskStatus::Failed)).await;
    let beside = ended(&app, "topic", 5, &boot(TaskStatus::Failed)).await;
    let after = ended(&app, "main", 7, &boot(TaskStatus::Passed)).await;
    let unconcerned = ended(&app, "main", 9, &boot(TaskStatus::Failed)).await;
    let look = async |job: JobId, known: &str| {
        let answer = ada.clone().with("if-none-match", known).get(&format!("/api/job/{job}")).await;
        let passed = (answer.status == 200).then(|| answer.json()["tasks"][0]["last_passed"]["job_id"].as_i64());
        (answer.header("etag").to_owned(), passed)
    };
    let mut known = Vec::new();
    for (job, passed) in [(failed, first), (beside, first), (unconcerned, after)] {
        let (etag, shown) = look(job, "").await;
        assert_eq!(shown, Some(Some(passed.0)));
        known.push(etag);
    }
    // A job that ended before them and is known of later.
    let between = ended(&app, "main", 3, &boot(TaskStatus::Passed)).await;
    for (job, known) in [failed, beside].into_iter().zip(&mut known) {
        let (etag, shown) = look(job, known).await;
        assert_eq!(shown, Some(Some(between.0)), "{job}");
        *known = etag;
    }
    assert_eq!(look(unconcerned, &known[2]).await.1, None, "nothing has changed for it");
    assert_eq!(root.delete(&format!("/api/job/{between}?force=true")).await.status, 204);
    for (job, known) in [failed, beside].into_iter().zip(&known) {
        assert_eq!(look(job, known).await.1, Some(Some(first.0)), "{job}");
    }
    assert_eq!(look(unconcerned, &known[2]).await.1, None);
}
