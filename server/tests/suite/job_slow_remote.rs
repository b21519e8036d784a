//! Remote servers that hang at something: whatever it is, the other jobs go on.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use crate::lab::tick;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::api::{CleanupState, LogsState};
use protocol::{JobId, JobStatus, Timestamp};
use serde_json::json;
use server::config::HostKeyCheck;
use server::poller;
use server::poller::passes::fetch_files;
use server::run::pollers;
use server::store::jobs::watch;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longer than any test waits.
const VERY_LONG: Duration = Duration::from_mins(1);

/// Far more than what is waited for takes.
const SOON: Duration = Duration::from_secs(20);

/// A server that takes the first job and runs it, and knows nothing else.
fn runs_the_first_job(call: &str) -> Response {
    match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => says(json!({"queue_id": "1", "status": "waiting"})),
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "running"})),
        _ => unknown_id(),
    }
}

/// The same, but it falls silent at one call. And when it has been called so.
async fn silent_at(silent_call: &'static str) -> (Odd, Arc<Notify>) {
    let hangs = Arc::new(Notify::new());
    let does_hang = Arc::clone(&hangs);
    let answer = move |call: &str| match call {
        call if call == silent_call => {
            does_hang.notify_one();
            silence()
        }
        call => runs_the_first_job(call),
    };
    let odd = Odd::with(|config| config.http_timeout = VERY_LONG, answer).await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    (odd, hangs)
}

/// Whether the first job, due only once the server hangs at something else, is taken up all the same.
async fn goes_on(odd: &Odd, hangs: impl Future<Output = ()>) -> bool {
    let submit_when_it_hangs = async {
        hangs.await;
        odd.app.change_job(JOB, |job, _| job.next_at = Some(Timestamp(0))).await;
        odd.app.state.bell.ring_work();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        became = odd.becomes(|job| job.status == JobStatus::InProgress) => became,
        () = submit_when_it_hangs => false,
    }
}

#[tokio::test]
async fn a_status_that_never_comes_holds_up_no_other_job() {
    let (odd, hangs) = silent_at("GET /api/status/2").await;
    let mute = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept_of(mute).await;
    assert!(goes_on(&odd, hangs.notified()).await);
}

#[tokio::test]
async fn what_follows_from_the_feed_holds_up_no_other_job() {
    let hangs = Arc::new(Notify::new());
    let does_hang = Arc::clone(&hangs);
    let has_told = AtomicBool::new(false);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&["changes"]),
        // Asked for again after its abort.
        "GET /api/status/2" if has_told.load(Ordering::Relaxed) => {
            does_hang.notify_one();
            silence()
        }
        "GET /api/status/2" => says(json!({"id": "2", "kind": "queue", "status": "waiting"})),
        "GET /api/changes" if !has_told.swap(true, Ordering::Relaxed) => {
            let long_since =
                json!({"id": "2", "kind": "queue", "status": "running", "started_at": "2020-01-01T00:00:00Z"});
            says(json!({"cursor": "c", "reset": false, "queues": [long_since]}))
        }
        "POST /api/abort/2" => StatusCode::ACCEPTED.into_response(),
        "GET /api/changes" => silence(),
        call => runs_the_first_job(call),
    };
    let odd = Odd::with(|config| config.http_timeout = VERY_LONG, answer).await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let too_long = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept_of(too_long).await;
    assert!(goes_on(&odd, hangs.notified()).await);
}

#[tokio::test]
async fn a_log_that_never_comes_holds_up_no_other_job() {
    let (odd, hangs) = silent_at("GET /api/logs/2-1").await;
    let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.end_of(ended).await;
    assert!(goes_on(&odd, hangs.notified()).await);
}

#[tokio::test]
async fn a_log_that_never_comes_keeps_no_other_from_being_fetched() {
    let (odd, hangs) = silent_at("GET /api/logs/2-1").await;
    let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.end_of(ended).await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let end_when_it_hangs = async {
        hangs.notified().await;
        odd.end().await;
        odd.app.change_job(JOB, |job, _| job.next_at = Some(Timestamp(0))).await;
        odd.app.state.bell.ring_work();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // Its log was asked for, and is not known there.
        became = odd.becomes(|job| job.logs_error.is_some()) => assert!(became),
        () = end_when_it_hangs => {}
    }
}

/// Bytes that come fast enough for the call to go on, and have no end.
fn trickle() -> Response {
    let piece = |(): ()| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 4096])), ()))
    };
    Body::from_stream(stream::unfold((), piece)).into_response()
}

#[tokio::test]
async fn a_file_that_still_comes_when_the_lease_is_lost_keeps_nobody_from_polling_again() {
    let comes = Arc::new(Notify::new());
    let does_come = Arc::clone(&comes);
    let answer = move |call: &str| match call {
        "GET /api/results/2-1" => {
            let dump = json!({"path": "dump", "size": 1 << 30, "content_type": "application/octet-stream"});
            says(json!({"task_id": "2-1", "files": [dump]}))
        }
        "GET /api/results/2-1/dump" => {
            does_come.notify_one();
            trickle()
        }
        call if call.starts_with("GET /api/logs/") => "".into_response(),
        call => runs_the_first_job(call),
    };
    let odd = Odd::with(|config| config.http_timeout = VERY_LONG, answer).await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.end_of(ended).await;
    let lost = async {
        comes.notified().await;
        // As if another process had taken it over, and given it back.
        odd.app.sql("UPDATE leases SET fence = fence + 1, holder = ''").await;
    };
    assert!(goes_on(&odd, lost).await);
}

#[tokio::test]
async fn a_hung_ssh_server_holds_up_no_other_job() {
    // Takes connections and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port();
    let hangs = Arc::new(Notify::new());
    let does_hang = Arc::clone(&hangs);
    tokio::spawn(async move {
        let _held = mute.accept().await.unwrap();
        does_hang.notify_one();
        std::future::pending::<()>().await;
    });
    let odd = Odd::with(
        |config| {
            config.ssh.port = port;
            config.ssh.host_key = HostKeyCheck::Fingerprint(format!("SHA256:{}", "A".repeat(43)));
        },
        runs_the_first_job,
    )
    .await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.end_of(ended).await;
    odd.app
        .change_job(ended, |job, _| {
            (job.logs_state, job.cleanup_state) = (LogsState::Complete, CleanupState::Pending);
        })
        .await;
    assert!(goes_on(&odd, hangs.notified()).await);
}

#[tokio::test]
async fn a_server_that_fails_at_every_log_is_not_asked_for_all_of_them_in_one_pass() {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let note = Arc::clone(&asked);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/2" => {
            let task = |n: u8| {
                json!({"task_id": format!("2-{n}"), "status": "running", "message": "x",
                "started_at": "2026-01-04T10:00:00Z"})
            };
            let tasks: Vec<_> = (1..=20).map(task).collect();
            says(json!({"id": "2", "kind": "queue", "status": "running", "tasks": tasks}))
        }
        call if call.starts_with("GET /api/logs/2-") => {
            note.lock().unwrap().push(call.to_owned());
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.app.change_job(JOB, |job, _| job.next_at = None).await;
    let many = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"; 20]).await;
    odd.accept_of(many).await;
    let poller = odd.poller();
    let mut passes = Vec::new();
    for _ in 0..2 {
        odd.app.change_job(many, |job, _| job.next_at = Some(Timestamp(0))).await;
        tick(&poller).await.unwrap();
        fetch_files(&poller, Timestamp::now()).await.unwrap();
        passes.push(std::mem::take(&mut *asked.lock().unwrap()));
    }
    assert!(passes.iter().all(|asked| (1..=8).contains(&asked.len())), "{passes:?}");
    // The next pass goes on with the others.
    assert!(passes[0].iter().all(|log| !passes[1].contains(log)), "{passes:?}");
}

/// Two passes' worth of jobs whose logs never come.
const MUTE_JOBS: i64 = 16;

#[tokio::test]
async fn logs_that_never_come_keep_nobody_from_the_log_of_another_job() {
    let last = format!("GET /api/logs/{}-1", MUTE_JOBS + 1);
    let odd = Odd::with(
        |config| config.http_timeout = Duration::from_secs(1),
        move |call| match call {
            "GET /api/health" => healthy(&[]),
            call if call == last => "here\n".into_response(),
            call if call.starts_with("GET /api/logs/") => silence(),
            call => match call.strip_prefix("GET /api/status/") {
                Some(id) => {
                    let task = json!({"task_id": format!("{id}-1"), "status": "running", "message": "x",
                        "started_at": "2026-01-04T10:00:00Z"});
                    says(json!({"id": id, "kind": "queue", "status": "running", "tasks": [task]}))
                }
                None => unknown_id(),
            },
        },
    )
    .await;
    for _ in 0..MUTE_JOBS {
        odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    for id in (1..=MUTE_JOBS + 1).map(JobId) {
        odd.accept_of(id).await;
        odd.app.state.store.write(move |c| watch(c, id, Timestamp::now())).await.unwrap();
    }
    let polling = poller::run(pollers(&odd.app.state), CancellationToken::new());
    let log = format!("/api/job/{id}/tasks/{id}-1/log", id = MUTE_JOBS + 1);
    let comes = async {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while odd.ada.get(&log).await.body != "here\n" {
            pace.tick().await;
        }
    };
    tokio::select! {
        ended = polling => panic!("{ended:?}"),
        came = tokio::time::timeout(SOON, comes) => came.unwrap(),
    }
}

#[tokio::test]
async fn large_files_of_ended_jobs_keep_nobody_from_the_log_of_a_running_one() {
    let (comes, all_come) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let do_come = Arc::clone(&all_come);
    let running = format!("GET /api/logs/{}-1", MUTE_JOBS + 1);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&[]),
        call if call == running => "here\n".into_response(),
        call if call.starts_with("GET /api/logs/") && call.contains('-') => "".into_response(),
        call if call.ends_with("/dump") => {
            if comes.fetch_add(1, Ordering::Relaxed) == 7 {
                do_come.notify_one();
            }
            trickle()
        }
        call if call.starts_with("GET /api/results/") => {
            let dump = json!({"path": "dump", "size": 1 << 30, "content_type": "application/octet-stream"});
            says(json!({"task_id": &call[17..], "files": [dump]}))
        }
        call => match call.strip_prefix("GET /api/status/") {
            Some(id) => {
                let task = json!({"task_id": format!("{id}-1"), "status": "running", "message": "x",
                    "started_at": Timestamp::now()});
                says(json!({"id": id, "kind": "queue", "status": "running", "tasks": [task]}))
            }
            None => unknown_id(),
        },
    };
    let odd = Odd::with(|config| config.http_timeout = VERY_LONG, answer).await;
    odd.end().await;
    for _ in 1..MUTE_JOBS {
        let ended = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        odd.end_of(ended).await;
    }
    let (mut poller, now) = (odd.poller(), Timestamp::now());
    Arc::get_mut(&mut poller).unwrap().poll_interval = Duration::from_secs(1);
    let polling = poller::run(vec![poller], CancellationToken::new());
    let log = format!("/api/job/{id}/tasks/{id}-1/log", id = MUTE_JOBS + 1);
    let comes = async {
        all_come.notified().await;
        let running = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        odd.accept_of(running).await;
        odd.app.state.store.write(move |c| watch(c, running, now)).await.unwrap();
        odd.app.state.bell.ring_work();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while odd.ada.get(&log).await.body != "here\n" {
            pace.tick().await;
        }
    };
    tokio::select! {
        ended = polling => panic!("{ended:?}"),
        came = tokio::time::timeout(SOON, comes) => came.unwrap(),
    }
}

#[tokio::test]
async fn a_job_that_ends_waits_for_no_log_of_those_that_run() {
    let last = MUTE_JOBS + 1;
    let has_ended = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&has_ended);
    let answer = move |call: &str| match call {
        "GET /api/health" => healthy(&[]),
        call if call.starts_with(&format!("GET /api/logs/{last}")) => "here\n".into_response(),
        call if call.starts_with("GET /api/logs/") => silence(),
        call if call.starts_with("GET /api/results/") => says(json!({"task_id": &call[17..], "files": []})),
        call => match call.strip_prefix("GET /api/status/") {
            Some(id) => {
                let is_over = id == last.to_string() && ends.load(Ordering::Relaxed);
                let (queue, task) = if is_over { ("finished", "passed") } else { ("running", "running") };
                let task = json!({"task_id": format!("{id}-1"), "status": task, "message": "x",
                    "started_at": Timestamp::now()});
                says(json!({"id": id, "kind": "queue", "status": queue, "tasks": [task]}))
            }
            None => unknown_id(),
        },
    };
    let odd = Odd::with(|config| config.http_timeout = VERY_LONG, answer).await;
    for _ in 0..MUTE_JOBS {
        odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    for id in (1..=last).map(JobId) {
        odd.accept_of(id).await;
    }
    let poller = odd.poller();
    tick(&poller).await.unwrap();
    fetch_files(&poller, Timestamp::now()).await.unwrap();
    has_ended.store(true, Ordering::Relaxed);
    tick(&poller).await.unwrap();
    fetch_files(&poller, Timestamp::now()).await.unwrap();
    let job = odd.app.find_job(JobId(last)).await.unwrap();
    assert_eq!((job.status.is_terminal(), job.logs_state), (true, LogsState::Complete));
}
