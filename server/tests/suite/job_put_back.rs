//! Queues that run, and then wait again: their checkout found no room, or their server was restarted.

use crate::job_odd_remote::{Odd, healthy, unknown_id};
use crate::lab::tick;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::IntoResponse;
use protocol::Timestamp;
use serde_json::{Value, json};
use server::poller::passes::fetch_files;
use server::poller::{Clock, Poller};
use server::remote::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RUNS: usize = 0;
const UNCHANGED: usize = 1;
const WAITS_AGAIN: usize = 2;
const RUNS_AGAIN: usize = 3;
const RAN: &str = "a checkout\n";
const HAD_NO_ROOM: &str = "a checkout\nno room, so it waits\n";

/// A server of which a test says what has become of its queue; it tells of no clock.
async fn start() -> (Odd, Arc<AtomicUsize>) {
    let stage = Arc::new(AtomicUsize::new(RUNS));
    let its_stage = Arc::clone(&stage);
    let odd = Odd::with(
        |config| config.waiting_timeout = Duration::from_hours(9),
        move |call| {
            let stage = its_stage.load(Ordering::Relaxed);
            match call {
                "GET /api/health" => healthy(&[]),
                "GET /api/status/1" if stage == UNCHANGED => StatusCode::NOT_MODIFIED.into_response(),
                "GET /api/status/1" => {
                    let task = |n| json!({"task_id": format!("1-{n}"), "status": "waiting", "log_size": 0});
                    let (status, position) =
                        if stage == WAITS_AGAIN { ("waiting", Some(3)) } else { ("running", None) };
                    let body = json!({"id": "1", "kind": "queue", "status": status, "position": position,
                                  "tasks": [task(1), task(2)]});
                    ([(ETAG, format!("\"{stage}\""))], body.to_string()).into_response()
                }
                "GET /api/logs/1" if stage < WAITS_AGAIN => RAN.into_response(),
                "GET /api/logs/1" => HAD_NO_ROOM.into_response(),
                _ => unknown_id(),
            }
        },
    )
    .await;
    odd.accept().await;
    (odd, stage)
}

async fn tick_at(odd: &Odd, poller: &mut Arc<Poller<Server>>, now: Timestamp) -> Value {
    Arc::get_mut(poller).unwrap().clock = Clock::starting_at(now);
    tick(poller).await.unwrap();
    fetch_files(poller, now).await.unwrap();
    odd.job().await
}

#[tokio::test]
async fn a_queue_that_waits_again_has_all_its_time_when_it_runs() {
    let (odd, stage) = start().await;
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    let at = |minutes| began.plus(Duration::from_mins(minutes));
    let job = tick_at(&odd, &mut poller, at(0)).await;
    assert_eq!((&job["status"], job["started_at"].is_string()), (&json!("in_progress"), true));

    stage.store(WAITS_AGAIN, Ordering::Relaxed);
    for minutes in [50, 130] {
        let job = tick_at(&odd, &mut poller, at(minutes)).await;
        let said = [&job["status"], &job["position"], &job["started_at"], &job["abort_requested"]];
        assert_eq!(said, [&json!("in_progress"), &json!(3), &Value::Null, &json!(false)], "{minutes}");
    }

    stage.store(RUNS_AGAIN, Ordering::Relaxed);
    for (minutes, is_over) in [(140, false), (190, false), (202, true)] {
        let job = tick_at(&odd, &mut poller, at(minutes)).await;
        assert_eq!((&job["position"], &job["abort_requested"]), (&Value::Null, &json!(is_over)), "{minutes}");
        let began: Timestamp = job["started_at"].as_str().unwrap().parse().unwrap();
        assert!(began >= at(139), "{began}");
    }
}

#[tokio::test]
async fn why_a_queue_waits_again_stands_in_its_log() {
    let (odd, stage) = start().await;
    let (mut poller, now) = (odd.poller(), Timestamp::now());
    for (minutes, becomes, expected) in [(0, RUNS, ""), (1, UNCHANGED, RAN), (2, WAITS_AGAIN, HAD_NO_ROOM)] {
        stage.store(becomes, Ordering::Relaxed);
        tick_at(&odd, &mut poller, now.plus(Duration::from_mins(minutes))).await;
        assert_eq!(odd.ada.get("/api/job/1/log").await.body, expected, "{minutes}");
    }
}
