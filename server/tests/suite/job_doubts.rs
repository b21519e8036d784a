//! What a remote server says that need not be so: that it knows no such queue, that an id is taken. However it is meant,
//! nothing that may run is called ended for good, forgotten or cleaned, and nothing of another's is touched.

use crate::job_faults::{noting, queue, tick_after};
use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::tick;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::api::{CleanupState, LogsState};
use protocol::{JobStatus, Timestamp};
use serde_json::json;
use server::poller::Clock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn busy_for_an_hour() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "3600")]).into_response()
}

/// A server with one queue that runs, and that at times knows nothing; what was changed there.
async fn forgetful() -> (Odd, Arc<AtomicBool>, Arc<Mutex<Vec<String>>>) {
    let (forgets, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let (is_away, log) = (Arc::clone(&forgets), Arc::clone(&changes));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        _ if is_away.load(Ordering::Relaxed) => unknown_id(),
        "GET /api/status/1" => says(queue(if log.lock().unwrap().is_empty() { "running" } else { "aborted" })),
        "POST /api/abort/1" => {
            log.lock().unwrap().push(call.to_owned());
            says(queue("aborted"))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    (odd, forgets, changes)
}

#[tokio::test]
async fn an_abort_that_is_unknown_of_a_queue_that_is_known_ends_nothing() {
    let (odd, calls) = noting(|call, _| match call {
        "GET /api/status/1" => says(queue("running")),
        // Such as a plain 404 of a server whose aborts have another address.
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    for seconds in [1, 22, 43, 64, 200] {
        tick_after(&odd, seconds).await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["abort_requested"]), (&json!("in_progress"), &json!(true)), "{seconds}");
        assert_eq!(job["cleanup"]["state"], "none");
    }
    assert!(calls.about_jobs().iter().filter(|call| *call == "POST /api/abort/1").count() > 2);
}

#[tokio::test]
async fn an_abort_is_not_forgotten_where_the_server_has_only_lacked_its_store() {
    let (odd, forgets, changes) = forgetful().await;
    forgets.store(true, Ordering::Relaxed);
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    for seconds in [1, 22, 43, 64] {
        tick_after(&odd, seconds).await;
    }
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["cleanup"]["state"]), (&json!("aborted"), &json!("pending")));
    tick_after(&odd, 100).await;
    assert_eq!(odd.app.find_job(JOB).await.unwrap().cleanup_since, None, "what may run keeps its workspace");
    forgets.store(false, Ordering::Relaxed);
    tick_after(&odd, 200).await;
    assert_eq!(*changes.lock().unwrap(), ["POST /api/abort/1"]);
}

#[tokio::test]
async fn a_deletion_leaves_the_workspace_of_what_may_run_to_its_tombstone() {
    let (odd, forgets, changes) = forgetful().await;
    forgets.store(true, Ordering::Relaxed);
    odd.ada.delete("/api/job/1").await.expect(202);
    for seconds in [1, 22, 43, 64, 65] {
        tick_after(&odd, seconds).await;
    }
    // Nothing waits for a clean-up, which could not be done here.
    assert_eq!(odd.app.find_job(JOB).await, None);
    forgets.store(false, Ordering::Relaxed);
    tick_after(&odd, 200).await;
    assert_eq!(*changes.lock().unwrap(), ["POST /api/abort/1"]);
}

#[tokio::test]
async fn only_three_unknowns_in_a_row_lose_a_job() {
    let answers = Arc::new(Mutex::new(Vec::from(["unknown", "500", "unknown", "500", "unknown"])));
    let script = Arc::clone(&answers);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let mut script = script.lock().unwrap();
            let next = if script.is_empty() { "unknown" } else { script.remove(0) };
            if next == "500" { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { unknown_id() }
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    for seconds in [0, 21, 30, 51, 70] {
        tick_after(&odd, seconds).await;
        assert_eq!(odd.job().await["status"], "waiting", "{seconds}: {:?}", answers.lock().unwrap());
    }
    assert!(answers.lock().unwrap().is_empty());
    for seconds in [91, 112, 133] {
        tick_after(&odd, seconds).await;
    }
    assert_eq!(odd.job().await["status_reason"], "lost");
}

#[tokio::test]
async fn an_abort_and_a_deletion_wait_no_longer_than_other_retries_whatever_the_server_asks_for() {
    let (odd, calls) = noting(|call, _| match call {
        "POST /api/abort/1" | "DELETE /api/delete/1" => busy_for_an_hour(),
        "GET /api/status/1" => says(queue("running")),
        _ => unknown_id(),
    })
    .await;
    let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept().await;
    odd.end_of(ended).await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    odd.ada.delete(&format!("/api/job/{ended}")).await.expect(202);
    odd.tick().await;
    tick_after(&odd, 301).await;
    let sent = |wanted: &str| calls.about_jobs().iter().filter(|call| *call == wanted).count();
    assert_eq!(sent("POST /api/abort/1"), 2);
}

#[tokio::test]
async fn nothing_is_cleaned_for_a_lost_job_whose_id_is_anothers_by_now() {
    let other = json!({"code": "other_instance", "message": "another's"}).to_string();
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "DELETE /api/delete/1" | "GET /api/status/1" => (StatusCode::CONFLICT, other.clone()).into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.app
        .change_job(JOB, |job, _| {
            (job.status, job.status_reason) = (JobStatus::Error, Some("lost".to_owned()));
            (job.logs_state, job.ended_here_at) = (LogsState::Incomplete, Some(Timestamp(9)));
        })
        .await;
    odd.tick().await;
    odd.tick().await;
    let job = odd.app.find_job(JOB).await.unwrap();
    assert_eq!((job.cleanup_state, job.cleanup_since), (CleanupState::None, None));
}

#[tokio::test]
async fn a_queue_that_does_not_name_its_tasks_yet_is_taken_for_no_others() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => match count.fetch_add(1, Ordering::Relaxed) {
            // It comes after it was asked about.
            0 => StatusCode::BAD_GATEWAY.into_response(),
            _ => (StatusCode::CONFLICT, json!({"code": "id_taken"}).to_string()).into_response(),
        },
        "GET /api/status/1" if count.load(Ordering::Relaxed) > 1 => {
            let task = |n: u32| json!({"task_id": format!("1-{n}"), "status": "running"});
            says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": [task(1), task(2)]}))
        }
        _ => unknown_id(),
    })
    .await;
    for seconds in [0, 30, 60] {
        tick_after(&odd, seconds).await;
    }
    assert_eq!((odd.job().await["status"].as_str(), sent.load(Ordering::Relaxed)), (Some("in_progress"), 2));
}

#[tokio::test]
async fn nothing_is_aborted_while_it_is_unsure_whose_it_is() {
    let (odd, calls) = noting(|call, _| match call {
        "POST /api/queue" => StatusCode::BAD_GATEWAY.into_response(),
        "GET /api/status/1" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "POST /api/abort/1" => says(queue("aborted")),
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    tick_after(&odd, 10).await;
    tick_after(&odd, 60).await;
    assert_eq!(odd.job().await["status"], "waiting");
    assert!(!calls.about_jobs().contains(&"POST /api/abort/1".to_owned()));
}

#[tokio::test]
async fn nothing_is_cleaned_for_a_job_that_was_never_seen_while_a_queue_runs_under_its_id() {
    for (scenario, expected) in [("smoke/boot", CleanupState::Pending), ("other/scenario", CleanupState::None)] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => {
                let task =
                    |n: u32, scenario| json!({"task_id": format!("1-{n}"), "scenario": scenario, "status": "running"});
                let tasks = [task(1, scenario), task(2, "smoke/net")];
                says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": tasks}))
            }
            _ => unknown_id(),
        })
        .await;
        odd.end().await;
        odd.app
            .change_job(JOB, |job, _| {
                (job.status, job.status_reason) = (JobStatus::Aborted, Some("aborted_by:ada".to_owned()));
                (job.logs_state, job.accepted_at, job.last_sent_at) = (LogsState::Incomplete, None, Some(Timestamp(1)));
            })
            .await;
        odd.tick().await;
        let cleanup = odd.job().await["cleanup"].clone();
        assert_eq!(cleanup["state"], expected.as_str(), "{scenario}");
        let words = cleanup["error"].as_str().unwrap_or_default();
        assert_eq!(words.contains("come late"), expected == CleanupState::Pending, "{scenario}: {words}");
    }
}

#[tokio::test]
async fn what_is_anothers_by_now_is_not_ended_for_a_job_that_was_given_up() {
    let has_others = Arc::new(AtomicBool::new(false));
    let is_there = Arc::clone(&has_others);
    let (odd, calls) = noting(move |call, _| match call {
        "POST /api/queue" => StatusCode::BAD_GATEWAY.into_response(),
        "GET /api/status/1" if is_there.load(Ordering::Relaxed) => {
            let tasks = [json!({"task_id": "1-1", "scenario": "other/scenario", "status": "running"})];
            says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": tasks}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    tick_after(&odd, 10).await;
    assert_eq!(odd.job().await["status"], "aborted");
    let aborts = || calls.about_jobs().iter().filter(|call| *call == "POST /api/abort/1").count();
    let before = aborts();
    has_others.store(true, Ordering::Relaxed);
    for minutes in [2, 4, 20] {
        tick_after(&odd, minutes * 60).await;
    }
    assert_eq!(aborts(), before);
    assert_eq!(odd.job().await["cleanup"]["state"], "none");
}

#[tokio::test]
async fn a_look_ends_at_the_first_task_that_gives_no_answer_and_the_next_one_begins_behind_it() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => says(queue("running")),
        "GET /api/status/1-1" | "GET /api/status/1-2" => {
            log.lock().unwrap().push(call.to_owned());
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    let mut poller = odd.poller();
    let mut looks = Vec::new();
    for seconds in [0, 30] {
        let now = Timestamp::now().plus(Duration::from_secs(seconds));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        tick(&poller).await.unwrap();
        looks.push(std::mem::take(&mut *asked.lock().unwrap()));
    }
    assert_eq!(looks, [["GET /api/status/1-1"], ["GET /api/status/1-2"]]);
}
