//! Logs and results that can't be had, or are very many: every job comes to its end, and holds up no other.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::job_odd_remote::{JOB, Odd, healthy, says, silence, unknown_id};
use crate::lab::tick;
use crate::remote_environment::environment_config;
use crate::test_app::TestApp;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use futures_util::stream;
use protocol::api::{CleanupState, Health, LogsState};
use protocol::{JobStatus, Timestamp};
use serde_json::{Value, json};
use server::poller::Clock;
use server::poller::passes::fetch_files;
use server::run::pollers;
use server::store::environments::{EnvironmentStatus, save_health};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

fn files(task: &str, paths: &[String]) -> Value {
    let file = |path: &String| json!({"path": path, "size": 5, "content_type": "text/plain"});
    json!({"task_id": task, "files": paths.iter().map(file).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_result_file_that_the_server_lists_and_has_not_keeps_no_other_from_being_kept() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => says(files("1-1", &["a.xml".to_owned(), "b\\c.xml".to_owned()])),
        "GET /api/results/1-1/a.xml" => StatusCode::NOT_FOUND.into_response(),
        "GET /api/results/1-2" => says(files("1-2", &["c.xml".to_owned()])),
        call if call.starts_with("GET /api/logs/") || call.contains("/results/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.tick().await;
    let job = odd.job().await;
    let words = "the remote server lists the result file a.xml of 1-1 and does not have it";
    assert_eq!(job["logs"], json!({"state": "incomplete", "error": words}));
    for path in ["1-1/results/b%5Cc.xml", "1-2/results/c.xml"] {
        assert_eq!(odd.ada.get(&format!("/api/job/1/tasks/{path}")).await.body, "here\n");
    }
    let row = odd.app.find_job(JOB).await.unwrap();
    assert!(row.cleanup_since.is_some(), "its clean-up goes on");
}

/// A filter lets nobody have an archive, and a report goes on growing after it was listed.
#[tokio::test]
async fn a_page_is_no_result_file_and_what_has_grown_is_kept() {
    let (is_filtered, lists) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU64>::default());
    let (filtered, listed) = (Arc::clone(&is_filtered), Arc::clone(&lists));
    let page = |words: &str| Html(words.to_owned()).into_response();
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => {
            let size = if listed.fetch_add(1, Ordering::Relaxed) == 0 { 5 } else { 9 };
            let file = |path, size, sort| json!({"path": path, "size": size, "content_type": sort});
            says(json!({"task_id": "1-1", "files": [
                file("a.zip", 4, "application/zip"), file("b.html", 4, "text/html"), file("c.html", size, "text/html"),
                file("d.txt", 3, "text/plain"),
            ]}))
        }
        "GET /api/results/1-1/a.zip" | "GET /api/results/1-1/b.html" if filtered.load(Ordering::Relaxed) => {
            page("<html>This file was blocked.</html>")
        }
        "GET /api/results/1-1/a.zip" => "PK34".into_response(),
        "GET /api/results/1-1/b.html" => page("<hr>"),
        "GET /api/results/1-1/c.html" => page("<p>grown."),
        "GET /api/results/1-2" => says(files("1-2", &[])),
        call if call.starts_with("GET /api/logs/") || call.contains("/results/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    let (mut poller, mut now) = (odd.poller(), Timestamp::now());
    let mut look = async || {
        now = now.plus(Duration::from_mins(10));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        fetch_files(&poller, now).await.unwrap();
        let list = odd.ada.get("/api/job/1/tasks/1-1/results").await.expect(200);
        let paths = list["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned());
        (odd.job().await["logs"].clone(), paths.collect::<Vec<_>>())
    };
    for kept in [&["d.txt"][..], &["c.html", "d.txt"]] {
        let (logs, paths) = look().await;
        assert!(logs["error"].as_str().is_some_and(|error| error.contains("check for a proxy")), "{logs:#}");
        assert_eq!(logs["state"], "mirroring");
        assert_eq!(paths, kept);
    }
    is_filtered.store(false, Ordering::Relaxed);
    let (logs, paths) = look().await;
    assert_eq!(logs, json!({"state": "complete", "error": null}));
    assert_eq!(paths, ["a.zip", "b.html", "c.html", "d.txt"]);
    for (path, body) in [("a.zip", "PK34"), ("b.html", "<hr>"), ("c.html", "<p>grown."), ("d.txt", "here\n")] {
        assert_eq!(odd.ada.get(&format!("/api/job/1/tasks/1-1/results/{path}")).await.body, body);
    }
}

#[tokio::test]
async fn more_result_files_than_are_kept_are_named_and_the_first_ones_are_here() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => says(files("1-1", &["x".to_owned(), "y".to_owned()])),
        "GET /api/results/1-2" => says(files("1-2", &[])),
        call if call.starts_with("GET /api/logs/") || call.contains("/results/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    // As if all but one of those that are kept had come before.
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)";
    odd.app
        .sql(format!(
            "INSERT INTO result_files (job_id, n, path, size, content_type)
             {numbers} SELECT 1, 2, 'file ' || i, 1, 'text/plain' FROM n"
        ))
        .await;
    fetch_files(&odd.poller(), Timestamp::now()).await.unwrap();
    let words = "there are more than 10000 result files; the others are not kept";
    assert_eq!(odd.job().await["logs"], json!({"state": "incomplete", "error": words}));
    let kept = odd.ada.get("/api/job/1/tasks/1-1/results").await.expect(200);
    assert_eq!(kept["files"].as_array().unwrap().len(), 1, "{kept:#}");
    assert_eq!(kept["files"][0]["path"], "x");
}

#[tokio::test]
async fn a_result_file_that_can_not_be_kept_under_its_path_is_named() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => says(files("1-1", &["../a".to_owned(), "b".to_owned()])),
        "GET /api/results/1-2" => says(files("1-2", &[])),
        call if call.starts_with("GET /api/logs/") || call.contains("/results/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.tick().await;
    let words = "the remote server lists the result file \"../a\" of 1-1, which is no path that can be kept";
    assert_eq!(odd.job().await["logs"], json!({"state": "incomplete", "error": words}));
    assert_eq!(odd.ada.get("/api/job/1/tasks/1-1/results/b").await.body, "here\n");
}

#[tokio::test]
async fn a_list_of_result_files_that_is_too_long_is_given_up_at_once() {
    let paths: Vec<String> = (0..150_000).map(|n| format!("shots/{n:06}.txt")).collect();
    let list = files("1-1", &paths).to_string();
    assert!(list.len() > 8 << 20);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => list.clone().into_response(),
        "GET /api/results/1-2" => says(files("1-2", &["c.xml".to_owned()])),
        call if call.starts_with("GET /api/logs/") || call.contains("/results/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.tick().await;
    let words = "the list of 1-1's result files is longer than can be read; none of them is kept";
    assert_eq!(odd.job().await["logs"], json!({"state": "incomplete", "error": words}));
    for kept in ["1-1/log", "1-2/results/c.xml"] {
        assert_eq!(odd.ada.get(&format!("/api/job/1/tasks/{kept}")).await.body, "here\n");
    }
    assert!(odd.app.find_job(JOB).await.unwrap().cleanup_since.is_some(), "its clean-up goes on");
}

#[tokio::test]
async fn logs_that_can_not_be_had_are_given_up_in_the_end() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    odd.end().await;
    odd.app.change_job(JOB, |job, _| job.ended_here_at = Some(Timestamp::now())).await;
    let try_again = async |hours: u64| {
        let now = Timestamp::now().plus(Duration::from_hours(hours));
        odd.app.change_job(JOB, |job, _| (job.attempts, job.next_at) = (10, Some(Timestamp(0)))).await;
        for mut poller in pollers(&odd.app.state) {
            Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
            fetch_files(&poller, now).await.unwrap();
        }
        odd.app.find_job(JOB).await.unwrap()
    };
    let row = try_again(0).await;
    assert_eq!((row.logs_state, row.attempts), (LogsState::Mirroring, 11));
    let row = try_again(2).await;
    assert_eq!((row.logs_state, row.cleanup_state), (LogsState::Incomplete, CleanupState::Pending));
    assert!(row.logs_error.is_some_and(|why| why.contains("500")));
}

/// As where a bench's disk has bad blocks.
#[tokio::test]
async fn logs_that_stay_unreadable_lose_nothing_but_themselves() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/2-1" => says(files("2-1", &["a.xml".to_owned()])),
        "GET /api/results/2-1/a.xml" => "here\n".into_response(),
        call if call.starts_with("GET /api/results/") => says(files("2-2", &[])),
        call if (1..=9).any(|n| call == format!("GET /api/logs/2-{n}")) => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        call if call.starts_with("GET /api/logs/") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    let job = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"; 20]).await;
    odd.end_of(job).await;
    let (mut poller, mut now) = (odd.poller(), Timestamp::now());
    for _ in 0..3 {
        fetch_files(&poller, now).await.unwrap();
        now = now.plus(Duration::from_mins(10));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
    }
    let tasks = odd.ada.get("/api/job/2").await.expect(200)["tasks"].clone();
    for n in 10..=20 {
        let log = odd.ada.get(&format!("/api/job/2/tasks/2-{n}/log")).await.body;
        assert_eq!(log, "here\n", "of task {n}: {tasks:#}");
    }
    for kept in ["tasks/2-1/results/a.xml", "log"] {
        assert_eq!(odd.ada.get(&format!("/api/job/2/{kept}")).await.body, "here\n", "{kept}");
    }
    let row = odd.app.find_job(job).await.unwrap();
    assert_eq!((row.logs_state, row.attempts), (LogsState::Mirroring, 3), "the others are still wanted");
}

#[tokio::test]
async fn the_pause_after_a_pass_that_took_long_begins_with_its_end() {
    let answer = |call: &str| if call == "GET /api/health" { healthy(&[]) } else { silence() };
    let odd = Odd::with(|config| config.http_timeout = Duration::from_millis(600), answer).await;
    odd.end().await;
    let before = Timestamp::now();
    fetch_files(&odd.poller(), before).await.unwrap();
    let row = odd.app.find_job(JOB).await.unwrap();
    // The status, the tasks' logs and the queue's own each in all of a call's time, and then the pause.
    assert!(row.attempts == 1 && row.next_at >= Some(before.plus(Duration::from_secs(2))), "{before:?} {row:?}");
}

#[tokio::test]
async fn thousands_of_small_result_files_are_listed_once_and_soon_here() {
    let calls = Arc::new(Mutex::new(HashMap::new()));
    let count = Arc::clone(&calls);
    let paths: Vec<String> = (0..5_000).map(|n| format!("shots/{n:04}.txt")).collect();
    let odd = Odd::start(move |call| {
        *count.lock().unwrap().entry(call.to_owned()).or_insert(0) += 1;
        match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/results/1-1" => says(files("1-1", &paths)),
            "GET /api/results/1-2" => says(files("1-2", &[])),
            call if call.contains("/results/") => "here\n".into_response(),
            call if call.starts_with("GET /api/logs/") => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
            _ => unknown_id(),
        }
    })
    .await;
    odd.end().await;
    let (poller, started) = (pollers(&odd.app.state).pop().unwrap(), Instant::now());
    while odd.app.find_job(JOB).await.unwrap().logs_state == LogsState::Mirroring {
        fetch_files(&poller, Timestamp::now()).await.unwrap();
        assert!(started.elapsed() < Duration::from_mins(3), "they are not here");
    }
    assert_eq!(odd.job().await["logs"], json!({"state": "complete", "error": null}));
    let results = odd.ada.get("/api/job/1/tasks/1-1/results").await.expect(200);
    assert_eq!(results["files"].as_array().unwrap().len(), 5_000);
    let calls = calls.lock().unwrap();
    let of_files = calls.iter().filter(|(call, _)| call.contains("/results/1-1")).collect::<Vec<_>>();
    assert_eq!(of_files.len(), 5_001);
    assert!(of_files.iter().all(|(_, times)| **times == 1), "nothing is asked for twice");
}

#[tokio::test]
async fn a_job_removed_by_force_while_its_log_comes_leaves_no_file_behind() {
    let (asked, removed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (was_asked, is_removed) = (Arc::clone(&asked), Arc::clone(&removed));
    let is_all_told = AtomicBool::new(false);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/logs/1-1" if is_all_told.swap(true, Ordering::Relaxed) => {
            StatusCode::RANGE_NOT_SATISFIABLE.into_response()
        }
        "GET /api/logs/1-1" => {
            was_asked.notify_one();
            let is_removed = Arc::clone(&is_removed);
            let late = async move {
                is_removed.notified().await;
                Ok::<_, Infallible>(Bytes::from_static(b"late\n"))
            };
            Body::from_stream(stream::once(late)).into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    let admin = odd.app.admin("root").await;
    let poller = pollers(&odd.app.state).pop().unwrap();
    let remove = async {
        asked.notified().await;
        admin.delete("/api/job/1?force=true").await.expect(204);
        removed.notify_one();
    };
    let (fetched, ()) = tokio::join!(fetch_files(&poller, Timestamp::now()), remove);
    assert!(fetched.unwrap());
    let folder = odd.app.state.config.data_dir.join("jobs/0");
    let left: Vec<_> = std::fs::read_dir(folder).map(Iterator::collect).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn nothing_is_fetched_from_a_server_that_is_away_nor_given_up() {
    // Nobody listens there.
    let app = TestApp::with_environments(vec![environment_config("http://127.0.0.1:1".to_owned())]).await;
    app.user("ada").await;
    let ended = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.change_job(ended, |job, _| {
        (job.submit_attempted_at, job.accepted_at) = (Some(Timestamp(1)), Some(Timestamp(2)));
        (job.status, job.finished_at, job.next_at) = (JobStatus::Passed, Some(Timestamp(9)), Some(Timestamp(9)));
    })
    .await;
    let poller = pollers(&app.state).pop().unwrap();
    tick(&poller).await.unwrap();
    assert!(!fetch_files(&poller, Timestamp::now()).await.unwrap());
    let row = app.find_job(ended).await.unwrap();
    assert_eq!((row.logs_state, row.attempts), (LogsState::Mirroring, 0));
}

#[tokio::test]
async fn what_waits_for_a_server_is_fetched_as_soon_as_it_is_back() {
    let odd = Odd::start(|call| if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }).await;
    odd.end().await;
    let was_away = |connection: &mut _| {
        let unknown = EnvironmentStatus::unknown("bench-a", Timestamp(1));
        save_health(connection, EnvironmentStatus { health: Health::Unreachable, ..unknown })
    };
    odd.app.state.store.write(was_away).await.unwrap();
    // Far sooner than the next look by the clock.
    assert!(odd.becomes(|job| job.logs_state != LogsState::Mirroring || job.logs_error.is_some()).await);
}

#[tokio::test]
async fn a_job_that_waited_too_long_is_not_sent_any_more() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&calls);
    let odd = Odd::start(move |call| {
        log.lock().unwrap().push(call.to_owned());
        if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }
    })
    .await;
    // The answer to its submission was lost.
    odd.app
        .change_job(JOB, |job, _| {
            (job.created_at, job.submit_attempted_at) = (Timestamp(0), Some(Timestamp(1)));
        })
        .await;
    odd.tick().await;
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("waited_too_long")));
    let calls = calls.lock().unwrap();
    assert!(calls.iter().any(|call| call == "GET /api/status/1"), "{calls:?}");
    assert!(!calls.iter().any(|call| call == "POST /api/queue"), "{calls:?}");
}

#[tokio::test]
async fn a_job_waits_no_longer_than_its_limit_for_a_server_that_is_away() {
    // Nobody listens there.
    let app = TestApp::with_environments(vec![environment_config("http://127.0.0.1:1".to_owned())]).await;
    let ada = app.user("ada").await;
    let unsent = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let sent = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.change_job(sent, |job, _| job.submit_attempted_at = Some(Timestamp(1))).await;
    let later = Timestamp::now().plus(Duration::from_hours(2));
    for mut poller in pollers(&app.state) {
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(later);
        tick(&poller).await.unwrap();
    }
    let job = ada.get(&format!("/api/job/{unsent}")).await.expect(200);
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("aborted"), &json!("waited_too_long")));
    assert_eq!(job["sync"], json!({"state": "pending", "last_synced_at": null, "error": null}));
    let job = ada.get(&format!("/api/job/{sent}")).await.expect(200);
    let words = "it may run there: that is asked before its age is judged";
    assert_eq!((&job["status"], &job["abort_requested"]), (&json!("waiting"), &json!(false)), "{words}");
}

#[tokio::test]
async fn a_job_that_may_wait_at_a_server_that_is_away_is_given_up_when_it_can_not_run_any_more() {
    // Nobody listens there.
    let app = TestApp::with_environments(vec![environment_config("http://127.0.0.1:1".to_owned())]).await;
    let ada = app.user("ada").await;
    let mut jobs = Vec::new();
    for is_accepted in [false, true] {
        let job = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        app.change_job(job, |job, _| {
            job.submit_attempted_at = Some(Timestamp(1));
            job.accepted_at = job.submit_attempted_at.filter(|_| is_accepted);
        })
        .await;
        jobs.push(job);
    }
    let mut poller = pollers(&app.state).pop().unwrap();
    let waits = poller.environment.waiting_timeout;
    // Had it begun at the last moment, it might run until an hour and a minute later.
    for (later, is_given_up) in [(60, false), (62, true)] {
        let now = Timestamp::now().plus(waits + Duration::from_mins(later));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        tick(&poller).await.unwrap();
        for job in &jobs {
            let job = ada.get(&format!("/api/job/{job}")).await.expect(200);
            let said = (&job["status"], &job["abort_requested"]);
            assert_eq!(said, (&json!("waiting"), &json!(is_given_up)), "{later} minutes: {job:#}");
        }
    }
}

#[tokio::test]
async fn a_job_is_asked_about_as_soon_as_somebody_looks() {
    let is_over = Arc::new(AtomicBool::new(false));
    let has_ended = Arc::clone(&is_over);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let status = if has_ended.load(Ordering::Relaxed) { "error" } else { "running" };
            says(json!({"id": "1", "kind": "queue", "status": status}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    let look_when_it_runs = async {
        let mut saved = odd.app.state.bell.listen_for_saved();
        while odd.app.find_job(JOB).await.unwrap().status != JobStatus::InProgress {
            saved.changed().await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        odd.job().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // Far sooner than the next round.
        became = odd.becomes(|job| job.status == JobStatus::Error) => assert!(became),
        () = look_when_it_runs => {}
    }
}
