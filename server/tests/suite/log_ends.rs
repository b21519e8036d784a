//! The ways in which a job ends, and what its logs say then: who reads on until `complete` comes to an end where all is
//! here, and is told of none where something is missing.

use crate::job_faults::{queue, tick_after};
use crate::job_odd_remote::{Odd, healthy, says, unknown_id};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

/// A job that the answer to its submission ends.
async fn refused(status: u16, code: &'static str) -> Odd {
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => {
            (StatusCode::from_u16(status).unwrap(), json!({"code": code, "message": "no"}).to_string()).into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    odd
}

async fn aborted_before_it_was_sent() -> Odd {
    let odd = Odd::start(|_| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    odd.tick().await;
    odd
}

async fn lost() -> Odd {
    let odd = Odd::start(|call| if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }).await;
    odd.accept().await;
    for minutes in 0..10 {
        tick_after(&odd, minutes * 60).await;
    }
    odd
}

async fn forced() -> Odd {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        _ => says(queue("running")),
    })
    .await;
    odd.accept().await;
    let root = odd.app.admin("root").await;
    root.send_nothing("/api/job/1/abort?force=true").await.expect(202);
    odd
}

#[tokio::test]
async fn however_a_job_ends_its_logs_are_complete_exactly_where_they_are_all_here() {
    for (odd, reason, state) in [
        (aborted_before_it_was_sent().await, "aborted_by:ada", "complete"),
        (refused(422, "bad_branch").await, "rejected", "complete"),
        (refused(409, "id_taken").await, "id_taken", "complete"),
        (refused(409, "other_instance").await, "other_instance", "complete"),
        (lost().await, "lost", "incomplete"),
        (forced().await, "forced", "incomplete"),
    ] {
        let job = odd.job().await;
        assert_eq!((&job["status_reason"], &job["logs"]["state"]), (&json!(reason), &json!(state)));
        for log in ["log", "tasks/1-1/log", "tasks/1-2/log"] {
            let lines: Value = odd.ada.get(&format!("/api/job/1/{log}/lines")).await.expect(200);
            assert_eq!(lines["complete"], json!(state == "complete"), "{reason}: {log}");
        }
    }
}
