//! What is said of a remote server as a whole, and what follows from it: servers that hang or fail at some of their calls.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_ages::one_of_two_fails;
use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use crate::lab::tick;
use crate::test_app::PASSWORD;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::Timestamp;
use protocol::api::{CleanupState, LogsState, SyncState};
use protocol::{JobId, JobStatus};
use serde_json::{Value, json};
use server::poller::passes::fetch_files;
use server::poller::{Clock, Poller};
use server::remote::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// One pass at so many seconds from now.
async fn tick_after(poller: &mut Arc<Poller<Server>>, seconds: u64) {
    let now = Timestamp::now().plus(Duration::from_secs(seconds));
    Arc::get_mut(poller).unwrap().clock = Clock::starting_at(now);
    tick(poller).await.unwrap();
}

/// As an admin sees it.
async fn environment(odd: &Odd) -> Value {
    let root = odd.app.anybody().with_password("root", PASSWORD);
    root.get("/api/environments").await.expect(200)["environments"][0].clone()
}

async fn sync_states(odd: &Odd, jobs: &[JobId]) -> Vec<SyncState> {
    let mut states = Vec::new();
    for job in jobs {
        states.push(odd.app.find_job(*job).await.unwrap().sync_state);
    }
    states
}

/// Three accepted jobs at a server that says of each that it waits, unless it does what it is told to do otherwise.
async fn three_jobs(
    http_timeout: Duration,
    otherwise: impl Fn() -> Option<axum::response::Response> + Send + Sync + 'static,
) -> (Odd, [JobId; 3]) {
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&[]),
        call => match (otherwise(), call.strip_prefix("GET /api/status/")) {
            (Some(answer), _) => answer,
            (None, Some(id)) => says(json!({"id": id, "kind": "queue", "status": "waiting"})),
            (None, None) => unknown_id(),
        },
    };
    let odd = Odd::with(|config| config.http_timeout = http_timeout, answer).await;
    odd.app.admin("root").await;
    let mut jobs = [JOB; 3];
    for job in &mut jobs[1..] {
        *job = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    for job in jobs {
        odd.accept_of(job).await;
    }
    (odd, jobs)
}

#[tokio::test]
async fn a_server_that_hangs_at_all_but_its_health_is_left_alone_until_it_answers() {
    let (does_hang, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (hangs, count) = (Arc::clone(&does_hang), Arc::clone(&calls));
    let (odd, jobs) = three_jobs(Duration::from_millis(200), move || {
        count.fetch_add(1, Ordering::Relaxed);
        hangs.load(Ordering::Relaxed).then(silence)
    })
    .await;
    let mut poller = odd.poller();
    tick_after(&mut poller, 0).await;
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    let start = std::time::Instant::now();
    for _ in 0..5 {
        // However long all pauses have been over.
        tick_after(&mut poller, 3_000).await;
    }
    assert_eq!(environment(&odd).await["health"], "unreachable");
    assert_eq!(sync_states(&odd, &jobs).await, [SyncState::Failing; 3]);
    let allowed = 3 + start.elapsed().as_secs() / 5;
    assert!(calls.load(Ordering::Relaxed) as u64 <= allowed, "{calls:?} calls, {allowed} allowed");

    does_hang.store(false, Ordering::Relaxed);
    // When it is tried the next time.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    tick_after(&mut poller, 3_000).await;
    assert_eq!(environment(&odd).await["health"], "ok");
    assert_eq!(sync_states(&odd, &jobs).await, [SyncState::Synced; 3], "all were asked about at once");
}

#[tokio::test]
async fn a_server_that_answered_with_errors_for_long_is_known_again_at_the_next_look() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let (odd, jobs) = three_jobs(Duration::from_secs(10), move || {
        broken.load(Ordering::Relaxed).then(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    })
    .await;
    let mut poller = odd.poller();
    tick_after(&mut poller, 0).await;
    tick_after(&mut poller, 40).await;
    assert_eq!(environment(&odd).await["health"], "degraded");
    // As after many more failures.
    for job in jobs {
        let next_at = Some(Timestamp::now().plus(Duration::from_mins(6)));
        odd.app.change_job(job, move |job, _| (job.attempts, job.next_at) = (12, next_at)).await;
    }
    is_broken.store(false, Ordering::Relaxed);
    tick_after(&mut poller, 60).await;
    assert_eq!(sync_states(&odd, &jobs).await, [SyncState::Synced; 3]);
    assert_eq!(environment(&odd).await["health"], "ok");
}

#[tokio::test]
async fn what_nobody_asks_for_any_more_keeps_no_environment_degraded() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.app.admin("root").await;
    let mut poller = odd.poller();
    tick_after(&mut poller, 0).await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    for (minutes, health) in [(1, "degraded"), (9, "degraded"), (12, "ok")] {
        tick_after(&mut poller, minutes * 60).await;
        assert_eq!(environment(&odd).await["health"], health, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn a_server_that_fails_at_logs_or_results_alone_is_called_degraded() {
    for broken in ["GET /api/logs/", "GET /api/results/"] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "finished"})),
            call if call.starts_with(broken) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            call if call.starts_with("GET /api/logs/") => "".into_response(),
            _ => says(json!({"task_id": "1-1", "files": []})),
        })
        .await;
        odd.app.admin("root").await;
        odd.end().await;
        let mut poller = odd.poller();
        fetch_files(&poller, Timestamp::now()).await.unwrap();
        tick_after(&mut poller, 0).await;
        let said = environment(&odd).await;
        assert_eq!(said["health"], "degraded", "{broken}: {said:#}");
        assert!(said["last_error"].as_str().unwrap().contains(broken), "{said:#}");
    }
}

#[tokio::test]
async fn where_one_job_fails_each_time_and_the_others_do_not_nothing_is_mended() {
    let odd = one_of_two_fails().await;
    let mut poller = odd.poller();
    Arc::get_mut(&mut poller).unwrap().poll_interval = Duration::from_mins(1);
    for minutes in 0..7 {
        tick_after(&mut poller, minutes * 60).await;
    }
    let attempts = odd.app.find_job(JOB).await.unwrap().attempts;
    assert!(attempts >= 6, "its pauses grow: {attempts} attempts");
}

/// A proxy or an older server may have something else under that address.
#[tokio::test]
async fn a_server_whose_health_alone_is_answered_oddly_is_degraded_and_does_all_the_rest() {
    type Answer = fn() -> axum::response::Response;
    let oddities: [(Answer, &str); 4] = [
        (|| StatusCode::INTERNAL_SERVER_ERROR.into_response(), "500"),
        (|| StatusCode::UNAUTHORIZED.into_response(), "401"),
        (|| "I am well".into_response(), "no JSON of the contract"),
        (|| says(json!({"state": "UP"})), "no JSON of the contract"),
    ];
    for (health, words) in oddities {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => health(),
            "GET /api/status/1" => {
                let task = json!({"task_id": "1-1", "scenario": "smoke/boot", "status": "running", "progress": 0.1,
                    "started_at": Timestamp::now(), "log_size": 5});
                says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": [task]}))
            }
            "GET /api/logs/1-1" => "here\n".into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.app.admin("root").await;
        odd.accept().await;
        let mut poller = odd.poller();
        for seconds in [0, 1, 2] {
            tick_after(&mut poller, seconds).await;
        }
        assert!(fetch_files(&poller, Timestamp::now()).await.unwrap());
        let said = environment(&odd).await;
        assert_eq!(said["health"], "degraded", "{said:#}");
        assert!(said["last_error"].as_str().unwrap().contains(words), "{said:#}");
        assert_eq!(sync_states(&odd, &[JOB]).await, [SyncState::Synced], "{words}");
        assert_eq!(odd.ada.get("/api/job/1/tasks/1-1/log").await.body, "here\n", "{words}");
    }
}

#[tokio::test]
async fn what_ended_jobs_wait_for_goes_on_as_soon_as_their_server_is_back() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let answer = move |call: &str| match call {
        _ if away.load(Ordering::Relaxed) => silence(),
        "GET /api/health" => healthy(&[]),
        "DELETE /api/delete/1" => StatusCode::NO_CONTENT.into_response(),
        call if call.starts_with("GET /api/logs/") => "here\n".into_response(),
        call if call.starts_with("GET /api/results/") => says(json!({"task_id": "2-1", "files": []})),
        _ => unknown_id(),
    };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_millis(200), answer).await;
    odd.app.admin("root").await;
    let mirrored = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for job in [JOB, mirrored] {
        odd.end_of(job).await;
        // As after many failures.
        let next_at = Some(Timestamp::now().plus(Duration::from_mins(6)));
        odd.app.change_job(job, move |job, _| (job.attempts, job.next_at) = (12, next_at)).await;
    }
    odd.app
        .change_job(JOB, |job, _| {
            (job.logs_state, job.cleanup_state) = (LogsState::Complete, CleanupState::Done);
            (job.cleaned_at, job.delete_requested_at) = (Some(Timestamp(10)), Some(Timestamp(11)));
        })
        .await;
    let mut poller = odd.poller();
    tick_after(&mut poller, 0).await;
    assert_eq!(environment(&odd).await["health"], "unreachable");
    is_away.store(false, Ordering::Relaxed);
    tick_after(&mut poller, 1).await;
    assert!(odd.app.find_job(JOB).await.is_none(), "it was to be deleted");
    fetch_files(&poller, Timestamp::now().plus(Duration::from_secs(2))).await.unwrap();
    assert_eq!(odd.app.find_job(mirrored).await.unwrap().logs_state, LogsState::Complete);
}

#[tokio::test]
async fn what_needs_no_word_of_a_server_that_is_away_is_done_however_much_waits_for_it() {
    // Nobody listens there.
    let odd = Odd::with(|config| config.url = "http://127.0.0.1:1".to_owned(), |_| unknown_id()).await;
    for _ in 0..600 {
        odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    odd.app
        .sql(
            "UPDATE jobs SET status = 'in_progress', submit_attempted_at = 1, accepted_at = 2, sync_state = 'synced',
             abort_requested_at = 3, lane = 'act', next_at = 0",
        )
        .await;
    let unsent = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.ada.send_nothing(&format!("/api/job/{unsent}/abort")).await.expect(202);
    assert!(odd.becomes_of(unsent, |job| job.status == JobStatus::Aborted).await);
}
