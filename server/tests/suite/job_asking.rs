//! When jobs are asked about, and with what: as rarely and as cheaply as the contract allows, and as soon as somebody looks.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use crate::lab::tick;
use axum::http::StatusCode;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::response::IntoResponse;
use protocol::Timestamp;
use serde_json::json;
use server::poller::{self, Clock};
use server::run::pollers;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Far more than what is waited for takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_is_known_is_named_in_each_question_and_forgotten_with_a_failure() {
    for failure in [
        || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        // It may have been another server behind the address, which has names of its own.
        unknown_id,
    ] {
        let named = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&named);
        let odd = Odd::asked(move |request| match request.uri().path() {
            "/api/health" => healthy(&[]),
            "/api/status/1" => {
                let mut log = log.lock().unwrap();
                log.push(request.headers().get(IF_NONE_MATCH).map(|name| name.to_str().unwrap().to_owned()));
                match log.len() {
                    2 => StatusCode::NOT_MODIFIED.into_response(),
                    3 => failure(),
                    _ => {
                        let body = json!({"id": "1", "kind": "queue", "status": "waiting"});
                        ([(ETAG, "\"a\"")], body.to_string()).into_response()
                    }
                }
            }
            _ => unknown_id(),
        })
        .await;
        odd.accept().await;
        let mut poller = odd.poller();
        for seconds in [0, 25, 50, 75, 100] {
            let now = Timestamp::now().plus(Duration::from_secs(seconds));
            Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
            tick(&poller).await.unwrap();
        }
        let name = Some("\"a\"".to_owned());
        assert_eq!(*named.lock().unwrap(), [None, name.clone(), name.clone(), None, name]);
    }
}

#[tokio::test]
async fn a_job_that_somebody_looks_at_elsewhere_is_asked_about_every_five_seconds() {
    let calls = AtomicUsize::new(0);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            // Each answer is news, so that it can be seen in the store.
            let position = calls.fetch_add(1, Ordering::Relaxed) + 1;
            says(json!({"id": "1", "kind": "queue", "status": "waiting", "position": position}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    // By the round alone.
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn(poller::run(pollers(&odd.app.state), shutdown));
    let is_known = async |times: i64| {
        let mut saved = odd.app.state.bell.listen_for_saved();
        while odd.app.find_job(JOB).await.unwrap().position < Some(times) {
            saved.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, is_known(1)).await.expect("by the first round");
    // No call is to be under way while time jumps.
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    while odd.ada.get("/api/environments").await.expect(200)["environments"][0]["health"] != "ok" {
        pace.tick().await;
    }
    // Another server has noted it, whose bell rings only there.
    let until = Timestamp::now().plus(Duration::from_mins(1)).0;
    odd.app.sql(format!("UPDATE jobs SET watched_until = {until}")).await;
    for times in [2, 3] {
        // Less than until the next round.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(6)).await;
        tokio::time::resume();
        tokio::time::timeout(Duration::from_secs(4), is_known(times)).await.expect("by a look");
    }
}

#[tokio::test]
async fn a_watched_job_that_hangs_holds_up_no_other_watched_one() {
    let (calls, asked, is_first) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()), AtomicBool::new(true));
    let (count, tell) = (Arc::clone(&calls), Arc::clone(&asked));
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&[]),
        // In the looks that follow the first round.
        "GET /api/status/1" if !is_first.swap(false, Ordering::Relaxed) => silence(),
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "waiting"})),
        "GET /api/status/2" => {
            count.fetch_add(1, Ordering::Relaxed);
            tell.notify_one();
            says(json!({"id": "2", "kind": "queue", "status": "waiting"}))
        }
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_mins(1), answer).await;
    let other = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for job in [JOB, other] {
        odd.accept_of(job).await;
        odd.app.change_job(job, |job, _| job.next_at = None).await;
    }
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    tokio::spawn(poller::run(pollers(&odd.app.state), shutdown));
    let is_asked = async |times: usize| {
        while calls.load(Ordering::Relaxed) < times {
            asked.notified().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_asked(1)).await.expect("by the first round");
    let until = Timestamp::now().plus(Duration::from_mins(1)).0;
    odd.app.sql(format!("UPDATE jobs SET watched_until = {until}")).await;
    odd.app.state.bell.ring_look("bench-a");
    // Long before the next round.
    tokio::time::timeout(Duration::from_secs(12), is_asked(3)).await.expect("by two looks");
}
