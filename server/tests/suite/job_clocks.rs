//! Clocks of benches that are wrong: jobs are limited all the same, nothing lasts for decades, and admins are told.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::test_app::PASSWORD;
use protocol::{JobStatus, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// A server whose queue 1 began at that moment of its clock, says `status`, and is as right as ours by now.
async fn began_at(started_at: &'static str, status: &'static str) -> Odd {
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": status, "started_at": started_at})),
        "POST /api/abort/1" => says(json!({"id": "1", "kind": "queue", "status": "aborted"})),
        _ => unknown_id(),
    })
    .await;
    odd.app.admin("root").await;
    odd
}

async fn environment(odd: &Odd) -> Value {
    let root = odd.app.anybody().with_password("root", PASSWORD);
    root.get("/api/environments").await.expect(200)["environments"][0].clone()
}

/// As if it had been sent, and seen running, two hours ago.
async fn runs_for_two_hours(odd: &Odd) {
    odd.accept().await;
    let long_ago = Some(Timestamp::now().minus(HOUR * 2));
    odd.app
        .change_job(JOB, |job, _| {
            job.status = JobStatus::InProgress;
            (job.submit_attempted_at, job.accepted_at, job.seen_running_at) = (long_ago, long_ago, long_ago);
        })
        .await;
}

#[tokio::test]
async fn a_wrong_clock_ends_no_job() {
    for started_at in ["1970-01-01T00:00:07Z", "2140-01-01T00:00:00Z"] {
        let odd = began_at(started_at, "running").await;
        odd.tick().await;
        odd.tick().await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["abort_requested"]), (&json!("in_progress"), &json!(false)), "{started_at}");
    }
}

#[tokio::test]
async fn what_runs_began_when_it_was_first_seen_where_its_servers_clock_is_wrong() {
    for started_at in ["1970-01-01T00:00:07Z", "2140-01-01T00:00:00Z"] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
            "GET /api/status/1" => {
                let task = json!({"task_id": "1-1", "status": "running", "started_at": started_at, "message": "x"});
                says(
                    json!({"id": "1", "kind": "queue", "status": "running", "started_at": started_at, "tasks": [task]}),
                )
            }
            _ => unknown_id(),
        })
        .await;
        odd.tick().await;
        let job = odd.job().await;
        for of in [&job, &job["tasks"][0]] {
            let began: Timestamp = of["started_at"].as_str().unwrap().parse().unwrap();
            let now = Timestamp::now();
            assert!(now.since(began).max(began.since(now)) < Duration::from_mins(1), "{started_at}: {job:#}");
        }
        let before = odd.app.find_job(JOB).await.unwrap();
        odd.tick().await;
        let after = odd.app.find_job(JOB).await.unwrap();
        assert_eq!(after.started_at, before.started_at, "it does not begin again at each look");
    }
}

#[tokio::test]
async fn a_server_whose_clock_is_wrong_is_called_degraded() {
    for started_at in ["1970-01-01T00:00:07Z", "2140-01-01T00:00:00Z"] {
        let odd = began_at(started_at, "running").await;
        odd.tick().await;
        odd.tick().await;
        let said = environment(&odd).await;
        assert_eq!(said["health"], "degraded", "{started_at}: {said:#}");
        assert!(said["last_error"].as_str().unwrap().contains("its clock is wrong"), "{said:#}");
    }
    let now = Box::leak(Timestamp::now().to_string().into_boxed_str());
    let odd = began_at(now, "running").await;
    odd.tick().await;
    odd.tick().await;
    assert_eq!(environment(&odd).await["health"], "ok");
}

#[tokio::test]
async fn a_queue_that_begins_only_later_by_its_servers_clock_is_limited_by_ours() {
    for status in ["running", "aborted"] {
        let odd = began_at("2140-01-01T00:00:00Z", status).await;
        runs_for_two_hours(&odd).await;
        odd.tick().await;
        let job = odd.job().await;
        let (status_now, why) = (&job["status"], &job["status_reason"]);
        assert_eq!((status_now, why), (&json!("aborted"), &json!("timeout")), "{status}");
    }
}

/// A board that got the right time only after its queue had begun.
#[tokio::test]
async fn nothing_has_run_for_longer_than_since_it_was_sent() {
    let in_1970 = "1970-01-01T00:00:07Z";
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
        "GET /api/status/1" => {
            let now = Timestamp::now().to_string();
            let task = |n: u8| json!({"task_id": format!("1-{n}"), "status": "passed", "started_at": in_1970, "finished_at": now});
            says(json!({"id": "1", "kind": "queue", "status": "finished", "started_at": in_1970, "finished_at": now,
                "tasks": [task(1), task(2)]}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!(job["status"], "passed");
    assert!(job["tasks"][0]["duration_ms"].as_u64().unwrap() < 60_000, "{job:#}");
    let time = |name: &str| job[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time("finished_at").since(time("started_at")) < Duration::from_mins(1), "{job:#}");
    let history = odd.ada.get("/api/scenarios/history?scenario=smoke/boot").await.expect(200);
    assert!(history["summary"]["median_ms"].as_u64().unwrap() < 60_000, "{history:#}");
}
