//! Real jobs on the real runner, with something between it and TestArena that meddles with the calls: whatever that is,
//! each task runs once, each job ends as it should with all that it wrote, and nothing is left when it is deleted.

use crate::bench::Bench;
use crate::lab::{Lab, statuses};
use crate::meddler::{Fault, Meddler};
use crate::test_app::TestApp;
use futures_util::future::join_all;
use serde_json::{Value, json};
use server::config::EnvironmentConfig;
use server::poller;
use server::run::pollers;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// For one wait; far more than it takes.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at what goes on at its own speed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

fn environment(bench: &Bench, fault: Fault, url: String) -> EnvironmentConfig {
    let mut config = bench.environment();
    (config.name, config.url) = (fault.name(), url);
    (config.http_timeout, config.retry_max_interval) = (Duration::from_secs(2), Duration::from_secs(2));
    if fault == Fault::Older {
        (config.paths.abort, config.paths.delete) = ("/abort/{id}".to_owned(), "/delete/{id}".to_owned());
        config.plain_404_means_unknown = false;
    }
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_meddles_with_the_calls_each_task_runs_once_and_nothing_is_left() {
    // Two jobs of each, in the slots of their own that the one needs.
    let bench = Bench::with_slots(2 * Fault::ALL.len()).await;
    let meddlers = join_all(Fault::ALL.map(|fault| Meddler::start(bench.http(), fault))).await;
    let environments = Fault::ALL.iter().zip(&meddlers);
    let environments = environments.map(|(fault, meddler)| environment(&bench, *fault, meddler.url())).collect();
    let app = TestApp::with_environments(environments).await;
    let ada = app.user("ada").await;
    let lab = Lab { app, bench, ada };
    let shutdown = CancellationToken::new();
    let polling = tokio::spawn(poller::run(pollers(&lab.app.state), shutdown.clone()));

    let lived = Fault::ALL.iter().zip(&meddlers).map(|(fault, meddler)| live(&lab, *fault, meddler));
    let mut expected: Vec<String> = join_all(lived).await.concat().iter().map(|id| format!("{id}-1")).collect();
    let mut runs = lab.bench.counted_runs();
    expected.sort_unstable();
    runs.sort_unstable();
    assert_eq!(runs, expected, "each ran once");
    shutdown.cancel();
    polling.await.unwrap().unwrap();
}

/// A job that passes and one that is aborted, from their submission to their deletion; their ids.
async fn live(lab: &Lab, fault: Fault, meddler: &Meddler) -> [i64; 2] {
    let passes = submit(lab, fault, &["count", "smoke/pass", "files"]).await;
    let hangs = submit(lab, fault, &["count", "slow"]).await;
    becomes(lab, fault, hangs, |job| statuses(job) == ["passed", "running"]).await;
    lab.ada.send_nothing(&format!("/api/job/{hangs}/abort")).await.expect(202);
    let is_done = |job: &Value| job["logs"]["state"] != "mirroring" && job["cleanup"]["state"] == "done";
    for (id, status, why, log) in
        [(passes, "passed", Value::Null, "it works\n"), (hangs, "aborted", json!("aborted_by:ada"), "waiting\n")]
    {
        let job = becomes(lab, fault, id, is_done).await;
        assert_eq!((&job["status"], &job["status_reason"]), (&json!(status), &why), "{fault:?}: {job:#}");
        assert_eq!(job["logs"], json!({"state": "complete", "error": null}), "{fault:?}");
        let kept = lab.ada.get(&format!("/api/job/{id}/tasks/{id}-2/log")).await.body;
        assert!(kept.starts_with(log), "{fault:?}: {kept}");
    }
    let file = lab.ada.get(&format!("/api/job/{passes}/tasks/{passes}-3/results/junit.xml")).await.body;
    assert_eq!(file, "<a/>\n", "{fault:?}");
    for id in [passes, hangs] {
        lab.ada.delete(&format!("/api/job/{id}")).await;
        is_gone(lab, fault, id).await;
    }
    if fault.meets_all() && fault != Fault::Dateless && fault != Fault::Older {
        for call in ["POST /api/queue/", "GET /api/status/", "GET /api/logs/", "GET /api/results/"] {
            assert!(meddler.has_met(&format!("{call}{passes}")), "{fault:?}: {call}");
        }
        assert!(meddler.has_met(&format!("POST /api/abort/{hangs}")), "{fault:?}");
        assert!(meddler.has_met(&format!("DELETE /api/delete/{passes}")), "{fault:?}");
    }
    [passes, hangs]
}

async fn submit(lab: &Lab, fault: Fault, scenarios: &[&str]) -> i64 {
    let body = json!({ "environment": fault.name(), "branch_name": "main", "scenarios": scenarios });
    lab.ada.post("/api/submit_job", body).await.expect(201)["id"].as_i64().unwrap()
}

async fn becomes(lab: &Lab, fault: Fault, id: i64, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let (start, mut pace) = (Instant::now(), tokio::time::interval(LOOK_INTERVAL));
    loop {
        pace.tick().await;
        let job = lab.job(id).await;
        if is_wanted(&job) {
            return job;
        }
        assert!(start.elapsed() < PATIENCE, "{fault:?}: it never became so: {job:#}");
    }
}

/// Neither here nor at the runner.
async fn is_gone(lab: &Lab, fault: Fault, id: i64) {
    let (start, mut pace) = (Instant::now(), tokio::time::interval(LOOK_INTERVAL));
    while lab.ada.get(&format!("/api/job/{id}")).await.status != 404 {
        assert!(start.elapsed() < PATIENCE, "{fault:?}: job {id} is still there");
        pace.tick().await;
    }
    assert_eq!(lab.status_at_runner(id).await, 404, "{fault:?}");
    let kept_here = lab.app.state.config.data_dir.join(format!("jobs/0/{id}"));
    let left: Vec<_> = lab.bench.left_of(id).into_iter().filter(|path| path.exists()).collect();
    assert!(left.is_empty() && !kept_here.exists(), "{fault:?}: {left:?}, {}", kept_here.display());
}
