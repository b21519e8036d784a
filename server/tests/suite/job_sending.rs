//! Submissions to servers that are slow or busy: in their order, none waits longer than it must, none comes too early.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use crate::lab::tick_all;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::Timestamp;
use serde_json::json;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// By the contract, a submission without an answer holds up the next one for so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that answers the first submission as told and takes the second, the other job's.
async fn two_jobs(first: impl Fn() -> Response + Send + Sync + 'static) -> (Odd, protocol::JobId) {
    let submissions = AtomicUsize::new(0);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" if submissions.fetch_add(1, Ordering::Relaxed) == 0 => first(),
        "POST /api/queue" => says(json!({"queue_id": "2", "status": "waiting"})),
        "GET /api/status/2" => says(json!({"id": "2", "kind": "queue", "status": "waiting"})),
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_mins(1), answer).await;
    let second = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    (odd, second)
}

#[tokio::test]
async fn a_submission_without_an_answer_holds_up_the_next_one_for_three_seconds() {
    let sent_at = Arc::new(Mutex::new(None));
    let note = Arc::clone(&sent_at);
    let (odd, second) = two_jobs(move || {
        *note.lock().unwrap() = Some(Instant::now());
        silence()
    })
    .await;
    assert!(odd.becomes_of(second, |job| job.accepted_at.is_some()).await);
    let waited = sent_at.lock().unwrap().unwrap().elapsed();
    assert!(waited + Duration::from_millis(100) >= PATIENCE, "{waited:?}");
    assert_eq!(odd.app.find_job(JOB).await.unwrap().accepted_at, None);
}

#[tokio::test]
async fn a_submission_that_waits_for_its_retry_holds_up_no_other() {
    let busy = || (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "300")]).into_response();
    let (odd, second) = two_jobs(busy).await;
    odd.tick().await;
    assert!(odd.app.find_job(second).await.unwrap().accepted_at.is_some());
    assert_eq!(odd.app.find_job(JOB).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn a_busy_server_is_not_asked_before_it_said_counted_from_its_answer() {
    let (submissions, answered_at) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let (count, note) = (Arc::clone(&submissions), Arc::clone(&answered_at));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => {
            count.fetch_add(1, Ordering::Relaxed);
            let note = Arc::clone(&note);
            // An answer that takes its time.
            let body = stream::once(async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                *note.lock().unwrap() = Some(Timestamp::now());
                Ok::<_, Infallible>(Bytes::from("busy"))
            });
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "20")], Body::from_stream(body)).into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    let answered_at = answered_at.lock().unwrap().unwrap();
    let next_at = odd.app.find_job(JOB).await.unwrap().next_at.unwrap();
    // A clock tells whole milliseconds.
    let waits = next_at.since(answered_at) + Duration::from_millis(50);
    assert!(waits >= Duration::from_secs(20), "{answered_at:?} {next_at:?}");
    for (seconds, sent) in [(15, 1), (25, 2)] {
        tick_all(&odd.app.state, answered_at.plus(Duration::from_secs(seconds))).await;
        assert_eq!(submissions.load(Ordering::Relaxed), sent, "after {seconds} s");
    }
}
