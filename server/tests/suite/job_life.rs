//! A job's whole life on the real runner: submitted, run, mirrored, cleaned up, and every way out of it.
//! Failures are real as well: the runner is stopped, restarted, and loses queues.

use crate::lab::{Lab, statuses, tick_all};
use protocol::Timestamp;
use serde_json::{Value, json};
use server::poller;
use server::run::pollers;
use server::state::AppState;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn has_settled(job: &Value) -> bool {
    job["cleanup"]["state"] == "done" && job["logs"]["state"] == "complete"
}

#[tokio::test]
async fn a_job_runs_and_leaves_its_logs_and_results_here_and_nothing_there() {
    let lab = Lab::start().await;
    let id = lab.submit(&["smoke/pass", "smoke/fail", "smoke/skip", "smoke/error", "files"]).await;
    let pending = lab.job(id).await;
    assert_eq!((&pending["status"], &pending["sync"]["state"]), (&json!("waiting"), &json!("pending")));

    let job = lab.tick_until(id, has_settled).await;

    assert_eq!((&job["status"], &job["status_reason"]), (&json!("failed"), &Value::Null));
    assert_eq!(statuses(&job), ["passed", "failed", "skipped", "error", "passed"]);
    let counts = json!({"total": 5, "waiting": 0, "running": 0, "passed": 2, "failed": 1, "error": 1, "aborted": 0, "skipped": 1});
    assert_eq!(job["counts"], counts);
    assert_eq!(job["tasks"][1]["exit_code"], 1);
    assert!(job["tasks"][0]["duration_ms"].as_i64().is_some_and(|ms| ms >= 0), "{job:#}");
    assert!(job["finished_at"].is_string() && job["started_at"].is_string());
    assert!(!lab.bench.workspace(&id.to_string()).exists());

    let log = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-1/log")).await;
    assert_eq!(log.body, "it works\n");
    let results = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-5/results")).await.expect(200);
    assert_eq!(results["files"][0]["path"], "junit.xml");
    let file = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-5/results/junit.xml")).await;
    assert_eq!(file.body, "<a/>\n");
}

#[tokio::test]
async fn a_running_job_shows_its_progress_and_its_growing_log() {
    let lab = Lab::start().await;
    let id = lab.submit(&["slow", "smoke/pass"]).await;
    let job = lab.tick_until(id, |job| job["tasks"][0]["progress"] == 0.5 && statuses(job)[1] == "passed").await;
    assert_eq!((&job["status"], &job["tasks"][0]["message"]), (&json!("in_progress"), &json!("half way")));
    let lines = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-1/log/lines?tail=10")).await.expect(200);
    assert_eq!((&lines["lines"][0], &lines["complete"]), (&json!("waiting"), &json!(false)));

    lab.bench.open_gate();
    let job = lab.tick_until(id, has_settled).await;
    assert_eq!(job["status"], "passed");
    let lines = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-1/log/lines?tail=1")).await.expect(200);
    assert_eq!((&lines["lines"][0], &lines["complete"]), (&json!("done"), &json!(true)));
}

#[tokio::test]
async fn an_aborted_job_ends_with_the_name_of_who_wanted_it() {
    let lab = Lab::start().await;
    let id = lab.submit(&["slow", "smoke/pass"]).await;
    lab.tick_until(id, |job| statuses(job) == ["running", "passed"]).await;

    let wanted = lab.ada.send_nothing(&format!("/api/job/{id}/abort")).await.expect(202);
    assert_eq!((&wanted["status"], &wanted["abort_requested"]), (&json!("in_progress"), &json!(true)));
    lab.ada.send_nothing(&format!("/api/job/{id}/abort")).await.expect(202);

    let job = lab.tick_until(id, has_settled).await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("aborted_by:ada")));
    assert_eq!((statuses(&job), &job["abort_requested"]), (vec!["aborted", "passed"], &json!(false)));
    assert_eq!(lab.ada.send_nothing(&format!("/api/job/{id}/abort")).await.code(), "job_finished");
}

#[tokio::test]
async fn what_was_never_sent_is_aborted_and_deleted_without_the_remote_server() {
    let mut lab = Lab::start().await;
    let (aborted, deleted) = (lab.submit(&["slow"]).await, lab.submit(&["slow"]).await);
    lab.bench.stop_runner().await;
    lab.ada.send_nothing(&format!("/api/job/{aborted}/abort")).await.expect(202);
    lab.ada.delete(&format!("/api/job/{deleted}")).await.expect(204);
    lab.tick().await;
    let job = lab.job(aborted).await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("aborted_by:ada")));
    assert_eq!((&job["cleanup"]["state"], &job["logs"]["state"]), (&json!("none"), &json!("complete")));
    assert_eq!(job["sync"], json!({"state": "pending", "last_synced_at": null, "error": null}));
    assert_eq!(lab.ada.get(&format!("/api/job/{deleted}")).await.code(), "not_found");
}

#[tokio::test]
async fn a_job_waits_for_a_remote_server_that_is_away_and_runs_when_it_is_back() {
    let mut lab = Lab::start().await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.bench.stop_runner().await;
    lab.tick().await;
    let away = lab.job(id).await;
    assert_eq!((&away["status"], &away["sync"]["state"]), (&json!("waiting"), &json!("pending")));
    assert!(away["sync"]["error"].is_string(), "{away:#}");
    let health = lab.ada.get("/api/environments").await.expect(200);
    assert_eq!(health["environments"][0]["health"], "unreachable");

    lab.bench.start_runner().await;
    let job = lab.tick_until_status(id, "passed").await;
    assert_eq!((&job["sync"]["state"], &job["sync"]["error"]), (&json!("synced"), &Value::Null));
}

#[tokio::test]
async fn a_restart_of_the_remote_server_ends_what_ran_and_runs_what_waited() {
    let mut lab = Lab::start().await;
    let running = lab.occupy_all_slots().await;
    let waiting = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(waiting, |job| job["position"] == 1).await;

    lab.bench.stop_runner().await;
    lab.tick().await;
    let away = lab.job(running[0]).await;
    assert_eq!((&away["status"], &away["sync"]["state"]), (&json!("in_progress"), &json!("failing")));
    lab.bench.start_runner().await;

    let job = lab.tick_until_status(running[0], "error").await;
    assert_eq!((&job["status_reason"], statuses(&job)), (&json!("tasks_errored"), vec!["error"]));
    let message = job["tasks"][0]["message"].as_str().unwrap();
    assert!(!message.is_empty());
    assert_eq!(job["sync"]["error"], format!("1 of 1 tasks ended in error: {message}"));
    lab.tick_until_status(waiting, "passed").await;
}

#[tokio::test]
async fn a_restart_of_testarena_loses_nothing() {
    let lab = Lab::start().await;
    let (running, unsent) = (lab.submit(&["slow"]).await, lab.submit(&["smoke/pass"]).await);
    lab.app.change_job(protocol::JobId(unsent), |job, _| job.next_at = None).await;
    lab.tick_until_status(running, "in_progress").await;
    lab.app.change_job(protocol::JobId(unsent), |job, _| job.next_at = Some(Timestamp(0))).await;

    // Another process on the same database: nothing of the first one's memory is left.
    let restarted = AppState::new((*lab.app.state.config).clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(restarted.instance, lab.app.state.instance);
    lab.bench.open_gate();
    let tick = || tick_all(&restarted, Timestamp::now());
    for id in [running, unsent] {
        let job = lab.wait_for(tick, id, has_settled).await;
        assert_eq!(job["status"], "passed");
    }
}

#[tokio::test]
async fn a_job_past_its_limit_is_aborted_as_timeout() {
    let lab = Lab::start().await;
    let body = json!({"branch_name": "main", "scenarios": ["slow"], "timeout_s": 1});
    let id = lab.ada.post("/api/submit_job", body).await.expect(201)["id"].as_i64().unwrap();
    let job = lab.tick_until(id, has_settled).await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("timeout")));
}

#[tokio::test]
async fn a_job_that_waits_past_the_limit_is_aborted_as_waited_too_long() {
    let lab = Lab::start().await;
    let running = lab.occupy_all_slots().await;
    let waiting = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(waiting, |job| job["sync"]["state"] == "synced").await;
    lab.tick_at(Timestamp::now().plus(Duration::from_hours(25))).await;
    let job = lab.tick_until_status(waiting, "aborted").await;
    assert_eq!(job["status_reason"], "waited_too_long");
    assert_eq!(lab.job(running[0]).await["status"], "in_progress", "its time is reckoned on the server's clock");
}

#[tokio::test]
async fn a_deleted_running_job_is_gone_here_and_there() {
    let lab = Lab::start().await;
    let id = lab.submit(&["slow"]).await;
    lab.tick_until(id, |job| job["tasks"][0]["log_size"].as_i64() > Some(0)).await;
    let job = lab.ada.delete(&format!("/api/job/{id}")).await.expect(202);
    assert_eq!((&job["delete_requested"], &job["abort_requested"]), (&json!(true), &json!(true)));
    lab.tick_until_gone(id).await;
    assert!(!lab.bench.workspace(&id.to_string()).exists());
    assert_eq!(lab.status_at_runner(id).await, 404);
}

#[tokio::test]
async fn a_deletion_waits_for_a_remote_server_that_is_away() {
    let mut lab = Lab::start().await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(id, has_settled).await;
    lab.bench.stop_runner().await;
    lab.ada.delete(&format!("/api/job/{id}")).await.expect(202);
    lab.tick().await;
    assert_eq!(lab.job(id).await["delete_requested"], true);
    lab.bench.start_runner().await;
    lab.tick_until_gone(id).await;
    assert_eq!(lab.status_at_runner(id).await, 404);
}

#[tokio::test]
async fn a_queue_that_the_remote_server_forgot_is_lost() {
    let lab = Lab::start().await;
    let id = lab.submit(&["slow"]).await;
    lab.tick_until_status(id, "in_progress").await;
    lab.delete_at_runner(id).await;
    for seconds in [0, 21, 42] {
        lab.tick_at(Timestamp::now().plus(Duration::from_secs(seconds))).await;
        let job = lab.job(id).await;
        assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("failing")));
    }
    lab.tick_at(Timestamp::now().plus(Duration::from_secs(63))).await;
    let job = lab.job(id).await;
    assert_eq!(job["status"], "error");
    assert_eq!(job["cleanup"]["state"], "pending", "it may still run there");
    assert_eq!((&job["status_reason"], statuses(&job)), (&json!("lost"), vec!["error"]));
    assert!(job["sync"]["error"].is_string());
}

#[tokio::test]
async fn a_finished_queue_is_deleted_at_the_remote_server_after_its_retention() {
    let lab = Lab::start().await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(id, has_settled).await;
    assert_eq!(lab.status_at_runner(id).await, 200);
    lab.tick_at(Timestamp::now().plus(Duration::from_hours(25))).await;
    assert_eq!(lab.status_at_runner(id).await, 404);
    let job = lab.job(id).await;
    assert_eq!((&job["status"], &job["logs"]["state"]), (&json!("passed"), &json!("complete")));
    assert_eq!(lab.ada.get(&format!("/api/job/{id}/tasks/{id}-1/log")).await.body, "it works\n");
}

#[tokio::test]
async fn what_an_admin_forced_is_still_tried_at_the_remote_server() {
    let mut lab = Lab::start().await;
    let root = lab.app.admin("root").await;
    let (ended, removed) = (lab.submit(&["slow"]).await, lab.submit(&["slow"]).await);
    for id in [ended, removed] {
        lab.tick_until_status(id, "in_progress").await;
    }
    lab.bench.stop_runner().await;
    assert_eq!(lab.ada.send_nothing(&format!("/api/job/{ended}/abort?force=true")).await.code(), "forbidden");
    let job = root.send_nothing(&format!("/api/job/{ended}/abort?force=true")).await.expect(202);
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("error"), &json!("forced")));
    root.delete(&format!("/api/job/{removed}?force=true")).await.expect(204);

    lab.bench.start_runner().await;
    // Its end is all that was wanted of this one: its logs stay.
    let has_ended = async || lab.queue_at_runner(ended).await["finished_at"].is_string();
    let is_gone =
        async || lab.status_at_runner(removed).await == 404 && !lab.bench.workspace(&removed.to_string()).exists();
    let start = Timestamp::now();
    let mut later = start;
    while !(has_ended().await && is_gone().await) {
        later = later.plus(Duration::from_secs(10));
        assert!(later.since(start) < Duration::from_hours(1), "it was not tried");
        lab.tick_at(later).await;
    }
}

#[tokio::test]
async fn the_running_poller_brings_changes_by_itself() {
    let lab = Lab::start().await;
    let shutdown = CancellationToken::new();
    let polling = tokio::spawn(poller::run(pollers(&lab.app.state), shutdown.clone()));
    let id = lab.submit(&["slow"]).await;
    let mut answer = lab.ada.get(&format!("/api/job/{id}")).await;
    lab.bench.open_gate();
    while !has_settled(&answer.json()) {
        let etag = answer.header("etag").to_owned();
        let waiting = lab.ada.clone().with("if-none-match", &etag);
        answer = waiting.get(&format!("/api/job/{id}?wait=30")).await;
        assert_eq!(answer.status, 200, "the job did not change within 30 s");
    }
    assert_eq!(answer.json()["status"], "passed");
    shutdown.cancel();
    polling.await.unwrap().unwrap();
}
