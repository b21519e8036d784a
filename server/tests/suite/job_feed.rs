//! Jobs at remote servers whose changes feed is odd or broken: nothing is missed, nothing spins.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::stream;
use protocol::api::SyncState;
use protocol::{JobStatus, Timestamp};
use serde_json::json;
use server::poller;
use server::run::pollers;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn what_ended_before_the_feed_began_is_found_at_once() {
    let (was_asked, has_begun) = (AtomicBool::new(false), AtomicBool::new(false));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&["changes"]),
        // Ends just after the first round has asked; the feed starts over and has nothing to say of it.
        "GET /api/status/1" if !was_asked.swap(true, Ordering::Relaxed) => {
            says(json!({"id": "1", "kind": "queue", "status": "running"}))
        }
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "error"})),
        "GET /api/changes" => {
            says(json!({"cursor": "c", "reset": !has_begun.swap(true, Ordering::Relaxed), "queues": []}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    assert!(odd.becomes(|job| job.status == JobStatus::Error).await);
}

#[tokio::test]
async fn news_are_taken_in_while_a_round_waits_for_a_job_that_hangs() {
    let does_hang = AtomicBool::new(false);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/status/2" => {
            does_hang.store(true, Ordering::Relaxed);
            silence()
        }
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "waiting"})),
        "GET /api/changes" if does_hang.load(Ordering::Relaxed) => {
            let over = json!({"id": "1", "kind": "queue", "status": "error"});
            says(json!({"cursor": "c", "reset": false, "queues": [over]}))
        }
        "GET /api/changes" => says(json!({"cursor": "c", "reset": false, "queues": []})),
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_mins(1), answer).await;
    let mute = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for job in [JOB, mute] {
        odd.accept_of(job).await;
        // Asked about by the round alone.
        odd.app.change_job(job, |job, _| job.next_at = None).await;
    }
    assert!(odd.becomes(|job| job.status == JobStatus::Error).await);
}

#[tokio::test]
async fn a_broken_feed_is_not_asked_all_the_time() {
    let (calls, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    let (log, was_asked) = (Arc::clone(&calls), Arc::clone(&asked));
    let odd = Odd::start(move |call| {
        log.lock().unwrap().push(call.to_owned());
        if call == "GET /api/changes" {
            was_asked.notify_one();
        }
        if call == "GET /api/health" { healthy(&["changes"]) } else { unknown_id() }
    })
    .await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let mut polling = pin!(poller::run(pollers(&odd.app.state), CancellationToken::new()));
    tokio::select! {
        ended = &mut polling => panic!("{ended:?}"),
        () = asked.notified() => {}
    }
    let of = |wanted: &str| calls.lock().unwrap().iter().filter(|call| *call == wanted).count();
    let before = of("GET /api/health");
    // However long it took to ask once.
    assert!(tokio::time::timeout(Duration::from_secs(1), polling).await.is_err());
    assert_eq!(of("GET /api/changes"), 1);
    assert!(of("GET /api/health") <= before + 2, "a round each time");
}

#[tokio::test]
async fn a_queue_of_which_the_feed_says_something_odd_hides_no_other() {
    let is_told = AtomicBool::new(false);
    let odd_status = json!({"id": "1", "kind": "queue", "status": "pausing"});
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/status/1" if is_told.load(Ordering::Relaxed) => says(odd_status.clone()),
        call if call.starts_with("GET /api/status/") => {
            says(json!({"id": &call[16..], "kind": "queue", "status": "waiting"}))
        }
        "GET /api/changes" => {
            let is_first = !is_told.swap(true, Ordering::Relaxed);
            let over = json!({"id": "2", "kind": "queue", "status": "error"});
            let queues = if is_first { json!([odd_status, over]) } else { json!([]) };
            says(json!({"cursor": "c", "reset": false, "queues": queues}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    let other = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept_of(other).await;
    assert!(odd.becomes_of(other, |job| job.status == JobStatus::Error).await);
    assert!(odd.becomes(|job| job.sync_state == SyncState::Failing).await);
    let row = odd.app.find_job(JOB).await.unwrap();
    assert_eq!(row.status, JobStatus::Waiting);
    assert!(row.sync_error.is_some_and(|why| why.contains("not of the contract")));
}

#[tokio::test]
async fn a_job_in_the_pause_before_its_next_attempt_is_left_alone() {
    let (asked, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(0)));
    let (was_asked, has_told) = (Arc::clone(&asked), Arc::clone(&told));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/status/1" => {
            was_asked.store(true, Ordering::Relaxed);
            unknown_id()
        }
        "GET /api/changes" => {
            has_told.add_permits(1);
            says(json!({"cursor": "c", "queues": [{"id": "1", "kind": "queue", "status": "pausing"}]}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    let pause_when_it_runs = async {
        // The start itself ends every pause.
        told.acquire_many(4).await.unwrap().forget();
        let later = Timestamp::now().plus(Duration::from_hours(1));
        odd.app.change_job(JOB, |job, _| (job.attempts, job.next_at) = (3, Some(later))).await;
        asked.store(false, Ordering::Relaxed);
        // Each call is made when the news before have been taken in.
        told.acquire_many(4).await.unwrap().forget();
    };
    let polling = poller::run(pollers(&odd.app.state), CancellationToken::new());
    tokio::select! {
        ended = polling => panic!("{ended:?}"),
        () = pause_when_it_runs => {}
    }
    assert!(!asked.load(Ordering::Relaxed));
}

#[tokio::test]
async fn news_of_a_job_that_is_being_asked_about_are_asked_for_afterwards() {
    let (was_asked, has_told) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = Arc::new(Notify::new());
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&["changes"]),
        // As it was before the news, and only when these have been looked at.
        "GET /api/status/1" if !was_asked.swap(true, Ordering::Relaxed) => {
            let answered = Arc::clone(&answered);
            let body = stream::once(async move {
                answered.notified().await;
                Ok::<_, Infallible>(json!({"id": "1", "kind": "queue", "status": "waiting"}).to_string())
            });
            Body::from_stream(body).into_response()
        }
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "error"})),
        "GET /api/changes" if was_asked.load(Ordering::Relaxed) => {
            let calls = has_told.fetch_add(1, Ordering::Relaxed);
            // Some seconds later, by the pace of these calls.
            if calls == 20 {
                answered.notify_one();
            }
            let news = json!([{"id": "1", "kind": "queue", "status": "pausing"}]);
            says(json!({"cursor": "c", "queues": if calls == 0 { news } else { json!([]) }}))
        }
        "GET /api/changes" => says(json!({"cursor": "c", "queues": []})),
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_mins(1), answer).await;
    odd.accept().await;
    // Asked about by the round alone.
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    assert!(odd.becomes(|job| job.status == JobStatus::Error).await);
}

#[tokio::test]
async fn news_of_a_job_from_before_the_prefix_was_set_are_taken_in() {
    let is_asked = AtomicBool::new(false);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/status/1" => {
            is_asked.store(true, Ordering::Relaxed);
            says(json!({"id": "1", "kind": "queue", "status": "waiting"}))
        }
        "GET /api/changes" if is_asked.load(Ordering::Relaxed) => {
            let over = json!({"id": "1", "kind": "queue", "status": "error"});
            says(json!({"cursor": "c", "reset": false, "queues": [over]}))
        }
        "GET /api/changes" => says(json!({"cursor": "c", "reset": false, "queues": []})),
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.queue_id_prefix = "lab.1".to_owned(), answer).await;
    odd.accept().await;
    assert!(odd.becomes(|job| job.status == JobStatus::Error).await);
}

/// After a restore, a feed tells nothing of the jobs from before it.
#[tokio::test]
async fn rounds_are_not_rarer_beside_a_feed_that_says_nothing_of_some_jobs() {
    let (asked, listens) = (AtomicUsize::new(0), AtomicBool::new(false));
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/status/1" => {
            // Over only after the rounds that the start of the feed itself brings.
            let is_late = listens.load(Ordering::Relaxed) && asked.fetch_add(1, Ordering::Relaxed) >= 3;
            says(json!({"id": "1", "kind": "queue", "status": if is_late { "error" } else { "waiting" }}))
        }
        "GET /api/changes" => {
            let is_first = !listens.swap(true, Ordering::Relaxed);
            says(json!({"cursor": "c", "reset": is_first, "queues": []}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.app.sql("UPDATE jobs SET instance = 'of before'").await;
    let mut poller = odd.poller();
    Arc::get_mut(&mut poller).unwrap().poll_interval = Duration::from_secs(1);
    let polling = poller::run(vec![poller], CancellationToken::new());
    let ends = async {
        let mut saved = odd.app.state.bell.listen_for_saved();
        while odd.app.find_job(JOB).await.unwrap().status != JobStatus::Error {
            saved.changed().await.unwrap();
        }
    };
    tokio::select! {
        ended = polling => panic!("{ended:?}"),
        came = tokio::time::timeout(Duration::from_secs(15), ends) => came.unwrap(),
    }
}
