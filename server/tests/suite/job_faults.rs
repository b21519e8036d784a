//! Remote servers that lose answers, say yes and do nothing, forget, or are older than the contract: whatever they do,
//! nothing is lost and nothing is done twice. Each is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::tick_all;
use crate::remote_environment::environment_config;
use crate::test_app::TestApp;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
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

    pub fn of(&self, wanted: &str) -> usize {
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
