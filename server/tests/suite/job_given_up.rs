//! Jobs that are deleted or given up while their server says no, is away, or has not heard of them yet: nothing of them
//! runs afterwards. Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_faults::{noting, queue, tick_after};
use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::api::LogsState;
use protocol::{JobStatus, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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
