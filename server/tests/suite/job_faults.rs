//! Remote servers that lose answers, say yes and do nothing, forget, or are older than the contract: whatever they do,
//! nothing is lost and nothing is done twice. Each is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::tick_all;
use crate::remote_environment::environment_config;
use crate::test_app::TestApp;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::api::LogsState;
use protocol::{JobStatus, Timestamp};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Everything that was asked, in order.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    pub fn note(&self, call: &str) {
        self.0.lock().unwrap().push(call.to_owned());
    }

    fn of(&self, wanted: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|call| *call == wanted).count()
    }

    /// Without those about health.
    pub fn about_jobs(&self) -> Vec<String> {
        let calls = self.0.lock().unwrap();
        calls.iter().filter(|call| !call.ends_with("/api/health")).cloned().collect()
    }
}

/// A server that is well and answers the rest as told, from what it has been asked so far; with all that it is asked.
pub async fn noting(answer: impl Fn(&str, &Calls) -> Response + Send + Sync + 'static) -> (Odd, Calls) {
    let calls = Calls::default();
    let log = calls.clone();
    let odd = Odd::start(move |call| {
        log.note(call);
        if call == "GET /api/health" { healthy(&[]) } else { answer(call, &log) }
    })
    .await;
    (odd, calls)
}

pub fn queue(status: &str) -> Value {
    json!({"id": "1", "kind": "queue", "status": status})
}

pub async fn tick_after(odd: &Odd, seconds: u64) {
    tick_all(&odd.app.state, Timestamp::now().plus(Duration::from_secs(seconds))).await;
}

#[tokio::test]
async fn what_may_have_arrived_is_asked_about_before_it_is_sent_again() {
    let is_first = AtomicBool::new(true);
    let (odd, calls) = noting(move |call, _| match call {
        // It was taken; its answer was cut on the way.
        "POST /api/queue" if is_first.swap(false, Ordering::Relaxed) => "{\"queue_".into_response(),
        "POST /api/queue" => (StatusCode::CONFLICT, json!({"code": "id_taken"}).to_string()).into_response(),
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    tick_after(&odd, 60).await;
    assert_eq!(odd.job().await["status"], "in_progress");
    assert_eq!(calls.about_jobs()[..2], ["POST /api/queue", "GET /api/status/1"]);
    assert_eq!(calls.of("POST /api/queue"), 1);
}

#[tokio::test]
async fn what_did_not_arrive_is_sent_again() {
    let has_arrived = AtomicUsize::new(0);
    let (odd, calls) = noting(move |call, _| match call {
        "POST /api/queue" if has_arrived.fetch_add(1, Ordering::Relaxed) == 0 => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
        "GET /api/status/1" if has_arrived.load(Ordering::Relaxed) > 1 => says(queue("waiting")),
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    tick_after(&odd, 60).await;
    assert_eq!(odd.job().await["sync"]["state"], "synced");
    let expected = ["POST /api/queue", "GET /api/status/1", "POST /api/queue"];
    assert_eq!(calls.about_jobs()[..3], expected);
}

#[tokio::test]
async fn an_unknown_id_for_a_moment_loses_no_job() {
    let is_empty = Arc::new(AtomicBool::new(false));
    let forgets = Arc::clone(&is_empty);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        _ if forgets.load(Ordering::Relaxed) => unknown_id(),
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    is_empty.store(true, Ordering::Relaxed);
    for seconds in [1, 22, 43] {
        tick_after(&odd, seconds).await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("failing")));
        assert_eq!(job["cleanup"]["state"], "none");
    }
    is_empty.store(false, Ordering::Relaxed);
    tick_after(&odd, 64).await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("synced")));
}

#[tokio::test]
async fn a_yes_in_no_words_of_the_contract_aborts_nothing() {
    let was_aborted = AtomicUsize::new(0);
    let (odd, calls) = noting(move |call, _| match call {
        "POST /api/abort/1" => {
            was_aborted.fetch_add(1, Ordering::Relaxed);
            // A proxy's page.
            "<html>".into_response()
        }
        "GET /api/status/1" if was_aborted.load(Ordering::Relaxed) > 1 => says(queue("aborted")),
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["abort_requested"]), (&json!("in_progress"), &json!(true)));
    for seconds in [10, 13] {
        tick_after(&odd, seconds).await;
    }
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("aborted_by:ada")));
    assert_eq!(calls.of("POST /api/abort/1"), 2);
}

#[tokio::test]
async fn a_queue_that_ends_by_itself_needs_no_abort_that_its_server_can_do() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::CONFLICT, StatusCode::NOT_FOUND] {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&has_ended);
        let (odd, _) = noting(move |call, _| match call {
            "GET /api/status/1" if ends.load(Ordering::Relaxed) => {
                let task = |n| {
                    json!({"task_id": format!("1-{n}"), "status": "passed", "started_at": "2026-01-04T10:00:00Z",
                           "finished_at": "2026-01-04T10:00:09Z"})
                };
                says(json!({"id": "1", "kind": "queue", "status": "finished", "tasks": [task(1), task(2)]}))
            }
            "GET /api/status/1" => says(queue("running")),
            "POST /api/abort/1" => (status, "no").into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.accept().await;
        odd.tick().await;
        odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
        odd.tick().await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("failing")), "{status}");
        has_ended.store(true, Ordering::Relaxed);
        tick_after(&odd, 60).await;
        assert_eq!(odd.job().await["status"], "passed", "{status}");
    }
}

#[tokio::test]
async fn a_question_waits_no_longer_than_other_retries_whatever_the_server_asks_for() {
    let busy = Arc::new(AtomicBool::new(false));
    let is_busy = Arc::clone(&busy);
    let (odd, _) = noting(move |call, _| match call {
        "GET /api/status/1" if is_busy.load(Ordering::Relaxed) => {
            (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")]).into_response()
        }
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    busy.store(true, Ordering::Relaxed);
    tick_after(&odd, 30).await;
    assert_eq!(odd.job().await["sync"]["state"], "failing");
    busy.store(false, Ordering::Relaxed);
    tick_after(&odd, 30 + 301).await;
    assert_eq!(odd.job().await["sync"]["state"], "synced");
}

#[tokio::test]
async fn a_page_is_no_deletion() {
    let says_page = Arc::new(AtomicBool::new(true));
    let page = Arc::clone(&says_page);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "DELETE /api/delete/1" if page.load(Ordering::Relaxed) => "<html>".into_response(),
        "DELETE /api/delete/1" => StatusCode::NO_CONTENT.into_response(),
        "GET /api/status/1" if page.load(Ordering::Relaxed) => says(queue("finished")),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.ada.delete("/api/job/1").await.expect(202);
    odd.tick().await;
    assert_eq!(odd.app.find_job(JOB).await.unwrap().remote_deleted_at, None);
    says_page.store(false, Ordering::Relaxed);
    tick_after(&odd, 60).await;
    assert!(odd.app.find_job(JOB).await.unwrap().remote_deleted_at.is_some());
}

#[tokio::test]
async fn every_deletion_that_waits_for_a_server_that_is_away_says_so() {
    let odd = Odd::start(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    let other = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.end().await;
    odd.end_of(other).await;
    for job in ["/api/job/1", "/api/job/2"] {
        odd.ada.delete(job).await.expect(202);
    }
    odd.tick().await;
    for job in ["/api/job/1", "/api/job/2"] {
        let sync = odd.ada.get(job).await.expect(200)["sync"].clone();
        assert_eq!(sync["state"], "failing", "{job}");
        assert!(sync["error"].is_string(), "{job}");
    }
}

/// What became of a queue whose submission was given up, at a server without memory of what it deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    OnItsWay,
    Arrived,
    Aborted,
    Deleted,
}

#[tokio::test]
async fn a_submission_that_arrives_after_its_job_was_given_up_runs_nothing() {
    for is_deleted in [false, true] {
        let late = Arc::new(Mutex::new(Late::OnItsWay));
        let state = Arc::clone(&late);
        let odd = Odd::start(move |call| {
            let mut late = state.lock().unwrap();
            match (call, *late) {
                ("GET /api/health", _) => healthy(&[]),
                ("POST /api/queue", _) => StatusCode::BAD_GATEWAY.into_response(),
                ("POST /api/abort/1", Late::Arrived) => {
                    *late = Late::Aborted;
                    says(queue("aborted"))
                }
                ("DELETE /api/delete/1", Late::Arrived | Late::Aborted) => {
                    *late = Late::Deleted;
                    StatusCode::NO_CONTENT.into_response()
                }
                ("GET /api/status/1", Late::Arrived) => says(queue("running")),
                ("GET /api/status/1", Late::Aborted) => says(queue("aborted")),
                _ => unknown_id(),
            }
        })
        .await;
        odd.tick().await;
        if is_deleted {
            odd.ada.delete("/api/job/1").await.expect(202);
        } else {
            odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
        }
        tick_after(&odd, 10).await;
        if is_deleted {
            assert_eq!(odd.app.find_job(JOB).await, None);
        } else {
            assert_eq!(odd.job().await["status"], "aborted");
        }
        *late.lock().unwrap() = Late::Arrived;
        for seconds in [120, 240, 360] {
            tick_after(&odd, seconds).await;
        }
        let expected = if is_deleted { Late::Deleted } else { Late::Aborted };
        assert!(*late.lock().unwrap() == expected, "deleted: {is_deleted}");
    }
}

#[tokio::test]
async fn a_lost_job_that_runs_after_all_is_aborted_before_its_queue_is_deleted() {
    let (odd, calls) = noting(move |call, log| match call {
        "POST /api/abort/1" => says(queue("aborted")),
        "DELETE /api/delete/1" => StatusCode::NO_CONTENT.into_response(),
        "GET /api/status/1" if log.of("DELETE /api/delete/1") > 0 => unknown_id(),
        "GET /api/status/1" if log.of("POST /api/abort/1") > 0 => says(queue("aborted")),
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.app
        .change_job(JOB, |job, _| {
            (job.status, job.status_reason) = (JobStatus::Error, Some("lost".to_owned()));
            (job.logs_state, job.ended_here_at) = (LogsState::Incomplete, Some(Timestamp::now()));
        })
        .await;
    odd.ada.delete("/api/job/1").await.expect(202);
    odd.tick().await;
    tick_after(&odd, 60).await;
    let changes: Vec<String> = calls.about_jobs().into_iter().filter(|call| !call.starts_with("GET")).collect();
    assert_eq!(changes, ["POST /api/abort/1", "DELETE /api/delete/1"]);
}

#[tokio::test]
async fn a_server_without_health_is_well() {
    for status in [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => status.into_response(),
            "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
            "GET /api/status/1" => says(queue("waiting")),
            _ => unknown_id(),
        })
        .await;
        odd.tick().await;
        assert_eq!(odd.job().await["sync"]["state"], "synced");
        let environments = odd.ada.get("/api/environments").await.expect(200);
        assert_eq!(environments["environments"][0]["health"], "ok", "{status}");
    }
}

#[tokio::test]
async fn a_false_404_is_the_environments_failure() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        _ => (StatusCode::NOT_FOUND, "no such page").into_response(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    tick_after(&odd, 1).await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("waiting"), &json!("failing")));
    let environments = odd.ada.get("/api/environments").await.expect(200);
    assert_eq!(environments["environments"][0]["health"], "degraded");
}

#[tokio::test]
async fn jobs_are_sent_in_the_order_of_submission() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&calls);
    let url = crate::remote_environment::serve(move |request: axum::extract::Request| {
        let log = Arc::clone(&log);
        async move {
            if request.uri().path() != "/api/queue" {
                return if request.uri().path() == "/api/health" { healthy(&[]) } else { unknown_id() };
            }
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            log.lock().unwrap().push(body["queue_id"].as_str().unwrap().to_owned());
            says(json!({"queue_id": body["queue_id"], "status": "waiting"}))
        }
    })
    .await;
    let app = TestApp::with_environments(vec![environment_config(url)]).await;
    app.user("ada").await;
    for _ in 0..20 {
        app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    tick_all(&app.state, Timestamp::now()).await;
    let expected: Vec<String> = (1..=20).map(|id| id.to_string()).collect();
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[tokio::test]
async fn no_age_jumps_back_when_a_server_goes_away() {
    let is_away = Arc::new(AtomicBool::new(false));
    let away = Arc::clone(&is_away);
    let odd = Odd::start(move |call| match call {
        _ if away.load(Ordering::Relaxed) => StatusCode::BAD_GATEWAY.into_response(),
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => says(queue("waiting")),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    tick_after(&odd, 30).await;
    let before: Timestamp = odd.job().await["sync"]["last_synced_at"].as_str().unwrap().parse().unwrap();
    is_away.store(true, Ordering::Relaxed);
    tick_after(&odd, 40).await;
    let job = odd.job().await;
    let after: Timestamp = job["sync"]["last_synced_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(job["sync"]["state"], "failing");
    assert!(after >= before, "{after:?} {before:?}");
}

/// Jobs 1 and 2 wait there; about the first the server fails each time.
pub async fn one_of_two_fails() -> Odd {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "GET /api/status/2" => says(json!({"id": "2", "kind": "queue", "status": "waiting"})),
        _ => unknown_id(),
    })
    .await;
    let other = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept().await;
    odd.accept_of(other).await;
    odd
}

#[tokio::test]
async fn a_job_that_fails_makes_no_other_look_old() {
    let odd = one_of_two_fails().await;
    let known_at = async || {
        let job = odd.ada.get("/api/job/2").await.expect(200);
        job["sync"]["last_synced_at"].as_str().unwrap().parse::<Timestamp>().unwrap()
    };
    odd.tick().await;
    let before = known_at().await;
    tick_after(&odd, 40).await;
    assert!(known_at().await.since(before) >= Duration::from_secs(30));
    assert_eq!(odd.job().await["sync"]["state"], "failing");
}

#[tokio::test]
async fn a_job_of_a_server_that_says_nothing_readable_is_still_limited() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => "{}".into_response(),
        "POST /api/abort/1" => says(queue("aborted")),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.app
        .change_job(JOB, |job, _| {
            (job.status, job.seen_running_at) = (JobStatus::InProgress, Some(Timestamp::now()));
        })
        .await;
    tick_after(&odd, 3_000).await;
    assert_eq!(odd.job().await["status"], "in_progress");
    tick_after(&odd, 4_000).await;
    tick_after(&odd, 4_010).await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("timeout")));
}
