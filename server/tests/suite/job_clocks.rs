//! Clocks of benches that are wrong: jobs are limited all the same, nothing lasts for decades, and admins are told.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::tick;
use crate::test_app::PASSWORD;
use protocol::{JobStatus, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU8, Ordering};
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

/// How far a bench's clock is off, in hours: at 1970, behind, local time for UTC, and at some time to come.
const OFF: [i64; 5] = [-490_000, -10, -1, 2, 45_000];

/// A bench where job `n` takes a minute, and ends in the moment in which it is first asked about, by a clock that is `off`
/// for the jobs that are said to be.
async fn ends_by_its_clock(
    off_ms: i64,
    has_date: bool,
    is_off: impl Fn(u8) -> bool + Send + Sync + 'static,
    status: impl Fn(u8) -> &'static str + Send + Sync + 'static,
) -> Odd {
    let sent = AtomicU8::new(0);
    Odd::start(move |call| {
        let id = call.rsplit_once('/').unwrap().1;
        let Ok(n) = id.parse::<u8>() else {
            return match call {
                "GET /api/health" => healthy(&[]),
                // They are sent in order.
                "POST /api/queue" => {
                    let n = sent.fetch_add(1, Ordering::Relaxed) + 1;
                    says(json!({"queue_id": n.to_string(), "status": "waiting"}))
                }
                _ => unknown_id(),
            };
        };
        let now = Timestamp(Timestamp::now().0 + if is_off(n) { off_ms } else { 0 });
        let (began, between) = (now.minus(HOUR / 60), now.minus(HOUR / 120));
        let task = |number: u8, began: Timestamp, ended: Timestamp| {
            json!({"task_id": format!("{n}-{number}"), "status": status(n), "started_at": began, "finished_at": ended})
        };
        let tasks = [task(1, began, between), task(2, between, now)];
        let mut said = says(json!({"id": id, "kind": "queue", "status": "finished", "created_at": began,
            "started_at": began, "finished_at": now, "tasks": tasks}));
        if has_date {
            said.headers_mut().insert("date", date_header(now).parse().unwrap());
        }
        said
    })
    .await
}

/// As in a header `Date`.
fn date_header(at: Timestamp) -> String {
    let at = Duration::from_millis(u64::try_from(at.0).unwrap());
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + at)
}

fn time(of: &Value, name: &str) -> Timestamp {
    of[name].as_str().unwrap_or_else(|| panic!("{name}: {of:#}")).parse().unwrap()
}

#[tokio::test]
async fn what_has_ended_is_dated_by_our_clock_where_its_servers_is_wrong() {
    for (hours, has_date) in OFF.into_iter().flat_map(|hours| [(hours, true), (hours, false)]) {
        let odd = ends_by_its_clock(hours * 3_600_000, has_date, |_| true, |_| "passed").await;
        let sent = Timestamp::now();
        odd.tick().await;
        let job = odd.job().await;
        let now = Timestamp::now();
        for (of, halves) in [(&job, 2), (&job["tasks"][0], 1), (&job["tasks"][1], 1)] {
            let (began, ended) = (time(of, "started_at"), time(of, "finished_at"));
            assert!(ended.since(now) < HOUR / 60 && sent.since(ended) < HOUR / 60, "{hours} h: {job:#}");
            assert_eq!(ended.since(began), HOUR / 120 * halves, "{hours} h: it took as long as the server says");
        }
        if has_date {
            assert_eq!(time(&job["tasks"][0], "finished_at"), time(&job["tasks"][1], "started_at"), "{hours} h");
        }
    }
}

#[tokio::test]
async fn a_clock_that_differs_is_told_though_no_queue_seems_to_last_for_long() {
    for hours in OFF {
        let odd = ends_by_its_clock(hours * 3_600_000, true, |_| true, |_| "passed").await;
        odd.app.admin("root").await;
        let poller = odd.poller();
        for _ in 0..2 {
            tick(&poller).await.unwrap();
        }
        let said = environment(&odd).await;
        assert_eq!(said["health"], "degraded", "{hours} h: {said:#}");
        assert!(said["last_error"].as_str().unwrap().contains("differ"), "{said:#}");
    }
}

#[tokio::test]
async fn runs_are_in_order_though_their_servers_clock_was_wrong() {
    for (hours, has_date) in OFF.into_iter().flat_map(|hours| [(hours, true), (hours, false)]) {
        // The second of three is by the wrong clock, and is the only one that fails.
        let outcome = |n| if n == 2 { "failed" } else { "passed" };
        let odd = ends_by_its_clock(hours * 3_600_000, has_date, |n| n == 2, outcome).await;
        odd.tick().await;
        for number in [2, 3] {
            odd.app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
            odd.tick().await;
            let stats = odd.ada.get("/api/scenarios/stats").await.expect(200);
            assert_eq!(stats["stats"]["smoke/net"]["last_job_id"], number, "{hours} h, Date: {has_date}: {stats:#}");
        }
        let history = odd.ada.get("/api/scenarios/history?scenario=smoke/net").await.expect(200);
        let runs = history["runs"].as_array().unwrap();
        let ids: Vec<_> = runs.iter().map(|run| run["job_id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [3, 2, 1], "{hours} h");
        let failed = odd.ada.get("/api/job/2").await.expect(200);
        assert_eq!(failed["tasks"][1]["last_passed"]["job_id"], 1, "{hours} h: {failed:#}");
    }
}

/// It is said to have begun at one moment for as long as it runs.
#[tokio::test]
async fn what_runs_by_a_clock_that_differs_began_when_it_did_by_ours() {
    for hours in OFF {
        let began = Timestamp(Timestamp::now().0 + hours * 3_600_000);
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
            "GET /api/status/1" => {
                let task = json!({"task_id": "1-1", "status": "running", "started_at": began, "message": "x"});
                let mut said = says(
                    json!({"id": "1", "kind": "queue", "status": "running", "started_at": began, "tasks": [task]}),
                );
                let now = Timestamp(Timestamp::now().0 + hours * 3_600_000);
                said.headers_mut().insert("date", date_header(now).parse().unwrap());
                said
            }
            _ => unknown_id(),
        })
        .await;
        odd.tick().await;
        let job = odd.job().await;
        let now = Timestamp::now();
        for of in [&job, &job["tasks"][0]] {
            let began = time(of, "started_at");
            assert!(now.since(began).max(began.since(now)) < HOUR / 60, "{hours} h: {job:#}");
        }
        odd.tick().await;
        let again = odd.job().await;
        assert_eq!((time(&again, "started_at"), &again["tasks"][0]), (time(&job, "started_at"), &job["tasks"][0]));
    }
}
