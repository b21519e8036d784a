//! Logs and files of which one answer says that they are not there: whoever gives them later is believed.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::tick;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use protocol::Timestamp;
use serde_json::{Value, json};
use server::poller::Clock;
use server::poller::passes::fetch_files;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LOG: &str = "here\n";

fn not_here() -> Response {
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/plain")], "404 page not found").into_response()
}

fn status(queue: &str, second: &str, log_size: Option<u64>) -> Response {
    let task = |n: u8, status: &str| {
        json!({"task_id": format!("1-{n}"), "status": status, "started_at": "2026-01-04T10:00:00Z",
               "finished_at": "2026-01-04T10:00:01Z", "log_size": log_size})
    };
    says(json!({"id": "1", "kind": "queue", "status": queue, "tasks": [task(1, "passed"), task(2, second)]}))
}

fn no_results() -> Response {
    says(json!({"task_id": "1-1", "files": []}))
}

/// Looks so many seconds from now; what is said of the job's logs after the last look, and the first task's log.
async fn look(odd: &Odd, seconds: &[u64]) -> (Value, String) {
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    for seconds in seconds {
        let now = began.plus(Duration::from_secs(*seconds));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        tick(&poller).await.unwrap();
        fetch_files(&poller, now).await.unwrap();
    }
    let logs = odd.job().await["logs"].clone();
    (logs, odd.ada.get("/api/job/1/tasks/1-1/log").await.body)
}

#[tokio::test]
async fn a_proxy_that_answers_for_a_while_in_the_servers_place_loses_no_log() {
    for log_size in [None, Some(5)] {
        let calls = AtomicUsize::new(0);
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            _ if calls.fetch_add(1, Ordering::Relaxed) < 6 => not_here(),
            "GET /api/status/1" => status("finished", "passed", log_size),
            call if call.starts_with("GET /api/results/") => no_results(),
            call if call.starts_with("GET /api/logs/") => LOG.into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.end().await;
        let (logs, _) = look(&odd, &[0, 60, 120, 240, 480, 960]).await;
        assert_eq!(logs, json!({"state": "complete", "error": null}), "{log_size:?}");
        assert_eq!(odd.ada.get("/api/job/1/tasks/1-1/log").await.body, LOG, "{log_size:?}");
    }
}

#[tokio::test]
async fn one_answer_that_a_log_of_an_ended_task_is_not_there_is_not_believed_while_the_queue_runs() {
    let nothing: [fn() -> Response; 3] = [not_here, || "".into_response(), || StatusCode::NO_CONTENT.into_response()];
    for nothing in nothing {
        let stage = Arc::new(AtomicUsize::new(0));
        let (its_stage, asked) = (Arc::clone(&stage), AtomicUsize::new(0));
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" if its_stage.load(Ordering::Relaxed) == 0 => status("running", "running", Some(5)),
            "GET /api/status/1" => status("finished", "passed", Some(5)),
            "GET /api/logs/1-1" if asked.fetch_add(1, Ordering::Relaxed) == 0 => nothing(),
            call if call.starts_with("GET /api/results/") => no_results(),
            call if call.starts_with("GET /api/logs/") => LOG.into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.accept().await;
        look(&odd, &[0]).await;
        stage.store(1, Ordering::Relaxed);
        assert_eq!(look(&odd, &[30, 60]).await, (json!({"state": "complete", "error": null}), LOG.to_owned()));
    }
}

#[tokio::test]
async fn a_log_of_which_a_part_was_given_is_not_believed_to_be_kept_nowhere() {
    let asked = AtomicUsize::new(0);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => status("finished", "passed", None),
        "GET /api/logs/1-1" if asked.fetch_add(1, Ordering::Relaxed) == 0 => not_here(),
        call if call.starts_with("GET /api/results/") => no_results(),
        call if call.starts_with("GET /api/logs/") => LOG.into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.app.state.logs.append(JOB, server::logs::LogId::Task(1), 0, b"he".to_vec()).await.unwrap();
    let (logs, _) = look(&odd, &[0]).await;
    let words = "the remote server has given 2 bytes of the log 1-1, and says that it keeps none";
    assert_eq!(logs, json!({"state": "mirroring", "error": words}));
    assert_eq!(look(&odd, &[40]).await, (json!({"state": "complete", "error": null}), LOG.to_owned()));
}

#[tokio::test]
async fn a_page_in_the_place_of_a_listed_file_is_doubted() {
    for is_lasting in [false, true] {
        let asked = AtomicUsize::new(0);
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => status("finished", "passed", None),
            "GET /api/results/1-1" => {
                let file = json!({"path": "a.txt", "size": 5, "content_type": "text/plain"});
                says(json!({"task_id": "1-1", "files": [file]}))
            }
            "GET /api/results/1-1/a.txt" if is_lasting || asked.fetch_add(1, Ordering::Relaxed) == 0 => not_here(),
            "GET /api/results/1-2" => no_results(),
            call if call.contains("/results/") || call.starts_with("GET /api/logs/") => LOG.into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.end().await;
        let (logs, _) = look(&odd, &[0, 31, 62, 93]).await;
        let words = "in the place of the result file a.txt of 1-1, which the remote server lists, there is a page that says 404";
        let expected = if is_lasting {
            json!({"state": "incomplete", "error": words})
        } else {
            json!({"state": "complete", "error": null})
        };
        assert_eq!(logs, expected);
    }
}
