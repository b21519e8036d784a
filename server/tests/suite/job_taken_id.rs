//! A queue that is there under the id of a job: its own, or that of another TestArena, which is left alone.

use crate::job_faults::{Calls, noting, queue, tick_after};
use crate::job_odd_remote::{Odd, healthy, says, unknown_id};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Of another TestArena, at a server that does not keep whose a queue is.
fn queue_of_another() -> Value {
    json!({"id": "1", "kind": "queue", "status": "running",
           "tasks": [{"task_id": "1-1", "scenario": "other/scenario", "status": "waiting"}]})
}

#[tokio::test]
async fn what_belongs_to_another_is_left_alone_and_admins_are_told_what_to_do() {
    for code in ["id_taken", "other_instance"] {
        let (odd, calls) = noting(move |call, _| match call {
            "POST /api/queue" => (StatusCode::CONFLICT, json!({"code": code}).to_string()).into_response(),
            _ => says(queue_of_another()),
        })
        .await;
        odd.tick().await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["status_reason"]), (&json!("error"), &json!(code)));
        assert!(job["sync"]["error"].as_str().unwrap().contains("set queue_id_prefix"), "{job:#}");
        odd.ada.delete("/api/job/1").await.expect(204);
        tick_after(&odd, 60).await;
        assert_eq!(calls.about_jobs(), ["POST /api/queue"], "{code}");
    }
}

/// Tries to submit a job under an id that is taken, with the answer cut on its way, and what comes of it; aborted before
/// that is known, or not.
async fn submit_taken(is_aborted: bool, answer: fn(&str) -> Response) -> (Odd, Calls) {
    let (odd, calls) = noting(move |call, _| match call {
        "POST /api/queue" => "{\"queue_".into_response(),
        call => answer(call),
    })
    .await;
    odd.tick().await;
    if is_aborted {
        odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    }
    tick_after(&odd, 60).await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("error"), &json!("id_taken")));
    (odd, calls)
}

#[tokio::test]
async fn a_queue_with_other_tasks_is_not_taken_for_what_may_have_arrived() {
    for is_aborted in [false, true] {
        let (odd, calls) = submit_taken(is_aborted, |_| says(queue_of_another())).await;
        odd.ada.delete("/api/job/1").await.expect(204);
        tick_after(&odd, 120).await;
        assert_eq!(calls.about_jobs(), ["POST /api/queue", "GET /api/status/1"], "aborted: {is_aborted}");
    }
}

#[tokio::test]
async fn where_no_tasks_are_listed_the_first_one_tells_whose_a_queue_is() {
    let first_is_anothers = |call: &str| match call {
        "GET /api/status/1-1" => {
            says(json!({"id": "1-1", "kind": "task", "scenario": "other/scenario", "status": "running"}))
        }
        _ => says(queue("running")),
    };
    for is_aborted in [false, true] {
        let (_, calls) = submit_taken(is_aborted, first_is_anothers).await;
        let expected = ["POST /api/queue", "GET /api/status/1", "GET /api/status/1-1"];
        assert_eq!(calls.about_jobs(), expected, "aborted: {is_aborted}");
    }
}

#[tokio::test]
async fn its_own_queue_is_found_at_a_server_that_neither_lists_tasks_nor_takes_an_id_twice() {
    let (is_first, asked) = (AtomicBool::new(true), AtomicUsize::new(0));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" if is_first.swap(false, Ordering::Relaxed) => "{\"queue_".into_response(),
        "POST /api/queue" => (StatusCode::CONFLICT, json!({"code": "id_taken"}).to_string()).into_response(),
        // It arrives only after it was asked about.
        "GET /api/status/1" if asked.fetch_add(1, Ordering::Relaxed) > 0 => says(queue("running")),
        "GET /api/status/1-1" => {
            says(json!({"id": "1-1", "kind": "task", "scenario": "smoke/boot", "status": "running"}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    tick_after(&odd, 60).await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["tasks"][0]["status"]), (&json!("in_progress"), &json!("running")), "{job:#}");
}
