//! How old what is known of a job is, where its server goes away or fails for another one. Each server is a real one on a
//! loopback port that answers as its test tells it to.

use crate::job_faults::{queue, tick_after};
use crate::job_odd_remote::{Odd, healthy, says, unknown_id};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
