//! Logs at servers that give them oddly, in part or not at all: what is kept is never what is no log, never called whole
//! when it is not, and what is missing is said.

use crate::job_odd_remote::{JOB, Odd, healthy, says};
use crate::lab::tick;
use crate::own_clock::wait_until;
use crate::remote_environment::{environment_config, serve};
use crate::test_app::TestApp;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use axum::response::{IntoResponse, Response};
use protocol::api::LogsState;
use protocol::{JobStatus, TaskStatus, Timestamp};
use serde_json::{Value, json};
use server::logs::LogId;
use server::poller::Clock;
use server::poller::passes::fetch_files;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn no_results(task: &str) -> Response {
    says(json!({"task_id": task, "files": []}))
}

/// Its two tasks have passed, and the first one's log has so many bytes.
fn ended(log_size: u64) -> Response {
    let task = |n: u8, log_size: u64| {
        json!({"task_id": format!("1-{n}"), "status": "passed", "started_at": "2026-01-04T10:00:00Z",
               "finished_at": "2026-01-04T10:00:01Z", "log_size": log_size})
    };
    says(json!({"id": "1", "kind": "queue", "status": "finished", "tasks": [task(1, log_size), task(2, 5)]}))
}

/// An ended job whose first task's log is answered as told; all else is there.
async fn ended_with_log(log_size: u64, log: impl Fn(usize) -> Response + Send + Sync + 'static) -> Odd {
    let calls = AtomicUsize::new(0);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => ended(log_size),
        "GET /api/logs/1-1" => log(calls.fetch_add(1, Ordering::Relaxed)),
        "GET /api/logs/1-2" => "here\n".into_response(),
        "GET /api/logs/1" => "".into_response(),
        call if call.starts_with("GET /api/results/") => no_results("1-1"),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    odd.end().await;
    odd
}

async fn look(odd: &Odd, seconds: &[u64]) -> Value {
    let mut poller = odd.poller();
    for seconds in seconds {
        let now = Timestamp::now().plus(Duration::from_secs(*seconds));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        fetch_files(&poller, now).await.unwrap();
    }
    odd.job().await["logs"].clone()
}

async fn log_of(odd: &Odd) -> String {
    odd.ada.get("/api/job/1/tasks/1-1/log").await.body
}

#[tokio::test]
async fn an_empty_answer_is_not_the_end_of_a_log_that_the_status_calls_longer() {
    for empty in [StatusCode::OK, StatusCode::NO_CONTENT] {
        let answer = move |call| if call < 2 { empty.into_response() } else { "here\n".into_response() };
        let odd = ended_with_log(5, answer).await;
        let words = "the remote server gives 0 of the 5 bytes of the log 1-1";
        assert_eq!(look(&odd, &[0]).await, json!({"state": "mirroring", "error": words}));
        assert_eq!(look(&odd, &[31, 62]).await, json!({"state": "complete", "error": null}));
        assert_eq!(log_of(&odd).await, "here\n");
    }
}

/// Of another queue, or of a task that the job has not.
#[tokio::test]
async fn what_a_status_says_of_anothers_log_is_said_of_no_other() {
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let task = |id: &str, log_size: u64| {
                json!({"task_id": id, "status": "passed", "started_at": "2026-01-04T10:00:00Z",
                    "finished_at": "2026-01-04T10:00:01Z", "log_size": log_size})
            };
            let tasks = [("1-1", 5), ("1-2", 5), ("41-1", 999_999), ("1-3", 999_999)];
            let tasks = tasks.map(|(id, log_size)| task(id, log_size));
            says(json!({"id": "1", "kind": "queue", "status": "finished", "tasks": tasks}))
        }
        "GET /api/logs/1-1" | "GET /api/logs/1-2" => "here\n".into_response(),
        "GET /api/logs/1" => "".into_response(),
        call if call.starts_with("GET /api/results/") => no_results("1-1"),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    odd.end().await;
    assert_eq!(look(&odd, &[0]).await, json!({"state": "complete", "error": null}));
}

#[tokio::test]
async fn a_log_that_stays_shorter_than_its_status_says_is_given_up_with_words() {
    let odd = ended_with_log(9, |_| "here\n".into_response()).await;
    let words = "the remote server gives 5 of the 9 bytes of the log 1-1";
    assert_eq!(look(&odd, &[0, 31, 62]).await, json!({"state": "incomplete", "error": words}));
    assert_eq!(log_of(&odd).await, "here\n");
}

#[tokio::test]
async fn a_log_that_became_shorter_is_kept_and_named() {
    let shrunken: [fn() -> Response; 3] = [
        || (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, "bytes */10")]).into_response(),
        || "0123456789".into_response(),
        || (StatusCode::PARTIAL_CONTENT, [(CONTENT_RANGE, "bytes 100-109/10")], "0123456789").into_response(),
    ];
    for answer in shrunken {
        let odd = ended_with_log(5, move |_| answer()).await;
        odd.app.state.logs.append(JOB, LogId::Task(1), 0, vec![b'x'; 100]).await.unwrap();
        let words = "the log 1-1 was cut at the remote server: it has 10 bytes there, and 100 are kept here";
        assert_eq!(look(&odd, &[0, 2, 4]).await, json!({"state": "incomplete", "error": words}));
        assert_eq!(log_of(&odd).await, "x".repeat(100));
    }
}

#[tokio::test]
async fn a_log_that_is_away_only_while_its_server_starts_is_whole_in_the_end() {
    let whole = "x".repeat(100) + "end";
    let answer = move |call| if call == 0 { "".into_response() } else { whole.clone().into_response() };
    let odd = ended_with_log(103, answer).await;
    odd.app.state.logs.append(JOB, LogId::Task(1), 0, vec![b'x'; 100]).await.unwrap();
    assert_eq!(look(&odd, &[0]).await["state"], "mirroring");
    assert_eq!(look(&odd, &[2]).await, json!({"state": "complete", "error": null}));
    assert!(log_of(&odd).await.ends_with("xend"));
}

#[tokio::test]
async fn a_proxys_page_never_becomes_a_log() {
    let page = |_| ([(CONTENT_TYPE, "text/html")], "<h1>Maintenance</h1>").into_response();
    let odd = ended_with_log(5, page).await;
    let logs = look(&odd, &[0]).await;
    assert!(logs["error"].as_str().unwrap().contains("is no log"), "{logs}");
    assert_eq!((&logs["state"], log_of(&odd).await.as_str()), (&json!("mirroring"), ""));
    assert_eq!(odd.ada.get("/api/job/1/tasks/1-2/log").await.body, "here\n", "the others are kept");
}

#[tokio::test]
async fn a_server_without_logs_and_results_is_asked_once_and_misses_nothing() {
    for status in [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED] {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&calls);
        let odd = Odd::start(move |call| {
            log.lock().unwrap().push(call.to_owned());
            match call {
                "GET /api/health" => healthy(&[]),
                "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "finished"})),
                _ => status.into_response(),
            }
        })
        .await;
        odd.end().await;
        assert_eq!(look(&odd, &[0]).await, json!({"state": "complete", "error": null}), "{status}");
        look(&odd, &[20, 3_600]).await;
        let calls = calls.lock().unwrap();
        let asked = |path: &str| calls.iter().filter(|call| call.starts_with(path)).count();
        assert_eq!((asked("GET /api/logs/"), asked("GET /api/results/")), (3, 2), "{calls:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_knows_no_address_at_all_is_no_server_without_logs() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    odd.end().await;
    assert_eq!(look(&odd, &[0, 2, 5]).await["state"], "mirroring");
}

/// A job with its log and result limits, at a server whose first task's log and results are as told.
async fn limited(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Odd {
    let url = serve(move |request: Request| {
        let call = format!("{} {}", request.method(), request.uri().path());
        let response = match call.as_str() {
            "GET /api/health" => healthy(&[]),
            "GET /api/logs/1-2" | "GET /api/logs/1" => "".into_response(),
            "GET /api/results/1-2" => no_results("1-2"),
            call => answer(call),
        };
        std::future::ready(response)
    })
    .await;
    let app = TestApp::with_config(|config| {
        config.environments = vec![environment_config(url)];
        (config.max_log_bytes, config.max_results_bytes) = (1_024, 2_048);
    })
    .await;
    let ada = app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
    let odd = Odd { app, ada };
    odd.end().await;
    odd
}

#[tokio::test]
async fn a_log_is_kept_as_far_as_its_limit_with_a_mark_where_it_was_cut() {
    for (size, is_cut) in [(1_023, false), (1_024, false), (1_025, true), (300_000, true)] {
        let odd = limited(move |call| match call {
            "GET /api/logs/1-1" => "x".repeat(size).into_response(),
            "GET /api/results/1-1" => no_results("1-1"),
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        })
        .await;
        let logs = look(&odd, &[0]).await;
        let kept = log_of(&odd).await;
        if is_cut {
            let words = "the log 1-1 is longer than 1 KiB (max_log_bytes), and was cut there";
            assert_eq!(logs, json!({"state": "incomplete", "error": words}));
            let mark = "[TestArena: cut here, because this log is longer than 1 KiB (max_log_bytes)]\n";
            assert_eq!(kept, format!("{}\n{mark}", "x".repeat(1_024)));
        } else {
            assert_eq!((logs["state"].as_str(), kept.len()), (Some("complete"), size));
        }
    }
}

#[tokio::test]
async fn a_running_jobs_log_that_is_too_long_is_said_and_not_asked_for_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let odd = limited(move |call| match call {
        "GET /api/status/1" => {
            let task = json!({"task_id": "1-1", "status": "running", "started_at": "2026-01-04T10:00:00Z"});
            says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": [task, waiting()]}))
        }
        "GET /api/logs/1-1" => {
            count.fetch_add(1, Ordering::Relaxed);
            "x".repeat(9_000).into_response()
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    run(&odd).await;
    let poller = odd.poller();
    for _ in 0..3 {
        tick(&poller).await.unwrap();
        fetch_files(&poller, Timestamp::now()).await.unwrap();
        let words = "the log 1-1 is longer than 1 KiB (max_log_bytes), and was cut there";
        assert_eq!(odd.job().await["logs"], json!({"state": "mirroring", "error": words}));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// The second task.
fn waiting() -> Value {
    json!({"task_id": "1-2", "status": "waiting"})
}

/// As if the job had not ended after all.
async fn run(odd: &Odd) {
    odd.app
        .change_job(JOB, |job, tasks| {
            (job.status, job.finished_at, job.next_at) = (JobStatus::InProgress, None, None);
            tasks[0].status = TaskStatus::Running;
            (tasks[1].status, tasks[1].started_at) = (TaskStatus::Waiting, None);
        })
        .await;
}

#[tokio::test]
async fn a_running_jobs_log_is_only_asked_for_when_its_status_says_that_it_grew() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let size = Arc::new(AtomicUsize::new(5));
    let (log, grown) = (Arc::clone(&calls), Arc::clone(&size));
    let odd = Odd::start(move |call| {
        log.lock().unwrap().push(call.to_owned());
        let size = grown.load(Ordering::Relaxed);
        match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => {
                let task = json!({"task_id": "1-1", "status": "running", "started_at": "2026-01-04T10:00:00Z",
                                  "message": format!("{size}"), "log_size": size});
                says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": [task, waiting()]}))
            }
            "GET /api/logs/1-1" => "x".repeat(size).into_response(),
            "GET /api/logs/1" => "".into_response(),
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    })
    .await;
    odd.end().await;
    run(&odd).await;
    let poller = odd.poller();
    for (bytes, expected) in [(5, 1), (5, 1), (9, 2), (9, 2), (9, 2)] {
        size.store(bytes, Ordering::Relaxed);
        tick(&poller).await.unwrap();
        fetch_files(&poller, Timestamp::now()).await.unwrap();
        let asked = calls.lock().unwrap().iter().filter(|call| *call == "GET /api/logs/1-1").count();
        assert_eq!((asked, log_of(&odd).await.len()), (expected, bytes));
    }
}

/// Its two tasks run, with so many bytes in the first one's log, and its status does not change.
fn runs_unchanged(log_size: usize, has_etag: bool) -> Response {
    if has_etag {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let task = |n: u8, log_size: usize| {
        json!({"task_id": format!("1-{n}"), "status": "running", "started_at": "2026-01-04T10:00:00Z",
               "progress": 0.5, "log_size": log_size})
    };
    let body = json!({"id": "1", "kind": "queue", "status": "running", "tasks": [task(1, log_size), task(2, 5)]});
    ([(ETAG, "\"a\"")], body.to_string()).into_response()
}

#[tokio::test]
async fn a_live_log_that_failed_once_is_fetched_though_its_status_is_unchanged() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let odd = Odd::asked(move |request| match request.uri().path() {
        "/api/health" => healthy(&[]),
        "/api/status/1" => runs_unchanged(5, request.headers().contains_key(IF_NONE_MATCH)),
        "/api/logs/1-1" if count.fetch_add(1, Ordering::Relaxed) == 0 => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        "/api/logs/1-1" | "/api/logs/1-2" => "here\n".into_response(),
        _ => "".into_response(),
    })
    .await;
    odd.accept().await;
    let poller = odd.poller();
    tick(&poller).await.unwrap();
    fetch_files(&poller, Timestamp::now()).await.unwrap();
    assert_eq!(log_of(&odd).await, "");
    assert_eq!(odd.ada.get("/api/job/1/tasks/1-2/log").await.body, "here\n", "the others need not wait for it");
    tick(&poller).await.unwrap();
    fetch_files(&poller, Timestamp::now()).await.unwrap();
    assert_eq!(log_of(&odd).await, "here\n");
}

#[tokio::test]
async fn a_live_log_that_grew_by_more_than_a_pass_takes_is_fetched_to_its_end() {
    // A piece holds 4 MiB, and a pass takes eight of them.
    const SIZE: usize = 36 << 20;
    let log = Bytes::from(vec![b'x'; SIZE]);
    let odd = Odd::asked(move |request| match request.uri().path() {
        "/api/health" => healthy(&[]),
        "/api/status/1" => runs_unchanged(SIZE, request.headers().contains_key(IF_NONE_MATCH)),
        "/api/logs/1-1" => {
            let range = request.headers()[RANGE].to_str().unwrap();
            let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
            let named = format!("bytes {from}-{}/{SIZE}", SIZE - 1);
            let headers = [(CONTENT_RANGE, named), (CONTENT_TYPE, "text/plain".to_owned())];
            (StatusCode::PARTIAL_CONTENT, headers, log.slice(from..)).into_response()
        }
        _ => "".into_response(),
    })
    .await;
    odd.accept().await;
    let poller = odd.poller();
    tick(&poller).await.unwrap();
    let is_whole = async {
        let mut pace = tokio::time::interval(Duration::from_millis(25));
        while odd.app.state.logs.size(JOB, LogId::Task(1)).await.unwrap() < SIZE as u64 {
            pace.tick().await;
            fetch_files(&poller, Timestamp::now()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_mins(1), is_whole).await.expect("though no status has come since");
}

#[tokio::test]
async fn a_full_disk_is_said_and_everything_is_kept_when_there_is_room() {
    let odd = ended_with_log(5, |_| "here\n".into_response()).await;
    let folder = odd.app.state.config.data_dir.join("jobs/0/1");
    std::fs::create_dir_all(&folder).unwrap();
    // Every write to it fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.join("task-1.log")).unwrap();
    assert_eq!(odd.app.anybody().get("/readyz").await.status, StatusCode::OK);
    fetch_files(&odd.poller(), Timestamp::now()).await.unwrap();
    let not_ready = odd.app.anybody().get("/readyz").await;
    assert_eq!((not_ready.status, not_ready.code()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    let words = "No space left on device (os error 28)";
    assert_eq!(odd.job().await["logs"], json!({"state": "mirroring", "error": words}));
    let before = odd.app.find_job(JOB).await.unwrap();
    assert_eq!((before.logs_state, before.attempts), (LogsState::Mirroring, 0), "nothing is given up for it");
    std::fs::remove_file(folder.join("task-1.log")).unwrap();
    let poller = odd.poller();
    wait_until("a mirror that is open again", async || odd.app.state.logs.closed().is_none()).await;
    fetch_files(&poller, Timestamp::now()).await.unwrap();
    assert_eq!(odd.job().await["logs"], json!({"state": "complete", "error": null}));
    assert_eq!(log_of(&odd).await, "here\n");
    assert_eq!(odd.app.anybody().get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn more_result_bytes_than_are_kept_are_named_and_the_others_are_here() {
    let odd = limited(|call| match call {
        "GET /api/logs/1-1" => "".into_response(),
        "GET /api/results/1-1" => {
            let file = |path: &str, size: u64| json!({"path": path, "size": size, "content_type": "text/plain"});
            says(json!({"task_id": "1-1", "files": [file("a", 1_000), file("b", 9_000), file("c", 0), file("d", 4)]}))
        }
        "GET /api/results/1-1/a" => "a".repeat(1_000).into_response(),
        // Larger than it was listed as.
        "GET /api/results/1-1/c" => "c".repeat(5_000).into_response(),
        "GET /api/results/1-1/d" => "d".repeat(4).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    let words = "the result files have more than 2 KiB (max_results_bytes); not all are kept";
    assert_eq!(look(&odd, &[0]).await, json!({"state": "incomplete", "error": words}));
    let kept = odd.ada.get("/api/job/1/tasks/1-1/results").await.expect(200);
    let paths: Vec<&str> =
        kept["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["a", "d"]);
}

#[tokio::test]
async fn a_result_file_that_was_cut_on_its_way_is_asked_for_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let odd = limited(move |call| match call {
        "GET /api/logs/1-1" => "".into_response(),
        "GET /api/results/1-1" => says(json!({"task_id": "1-1", "files": [{"path": "a", "size": 4}]})),
        "GET /api/results/1-1/a" if count.fetch_add(1, Ordering::Relaxed) == 0 => "aa".into_response(),
        _ => "aaaa".into_response(),
    })
    .await;
    let words = "the remote server gives 2 of the 4 bytes of the result file a of 1-1";
    assert_eq!(look(&odd, &[0]).await, json!({"state": "mirroring", "error": words}));
    assert_eq!(look(&odd, &[31]).await, json!({"state": "complete", "error": null}));
    assert_eq!(odd.ada.get("/api/job/1/tasks/1-1/results/a").await.body, "aaaa");
}

#[tokio::test]
async fn a_path_that_is_a_file_and_a_folder_and_one_of_megabytes_cost_no_other_file() {
    let long = "x".repeat(1 << 20);
    let odd = limited(move |call| match call {
        "GET /api/logs/1-1" => "".into_response(),
        "GET /api/results/1-1" => {
            let files = ["z", "a/b", "a", &long].map(|path| json!({"path": path, "size": 1}));
            says(json!({"task_id": "1-1", "files": files}))
        }
        call if call.starts_with("GET /api/results/1-1/") => "x".into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
    .await;
    let logs = look(&odd, &[0]).await;
    assert!(logs["error"].as_str().unwrap().len() < 500, "{logs}");
    assert_eq!(logs["state"], "incomplete");
    for path in ["a", "z"] {
        assert_eq!(odd.ada.get(&format!("/api/job/1/tasks/1-1/results/{path}")).await.body, "x");
    }
}
