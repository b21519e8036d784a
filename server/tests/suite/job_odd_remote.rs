//! Jobs at remote servers that are odd, broken or hostile: nothing is lost, nothing spins, nobody else waits.
//! Each server is a real one on a loopback port that answers as its test tells it to.

use crate::lab::{tick, tick_all};
use crate::remote_environment::{environment_config, serve};
use crate::test_app::{Client, TestApp};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::api::{CleanupState, LogsState, SyncState};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use serde_json::{Value, json};
use server::config::EnvironmentConfig;
use server::poller::passes::fetch_files;
use server::poller::{self, Clock, Poller};
use server::remote::Server;
use server::run::pollers;
use server::store::jobs::Job;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub const JOB: JobId = JobId(1);
/// Less than the pauses whose absence is noticed, and far more than what is waited for takes.
const SOON: Duration = Duration::from_secs(15);
/// Long after all that is due.
const STANDSTILL: Timestamp = Timestamp(4_102_444_800_000);

pub struct Odd {
    pub app: TestApp,
    pub ada: Client,
}

impl Odd {
    /// A server that answers calls (`GET /api/status/1`) as told, and else knows nothing; one job of two tasks.
    pub async fn start(answer: impl Fn(&str) -> Response + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, answer).await
    }

    pub async fn with(
        change: impl FnOnce(&mut EnvironmentConfig),
        answer: impl Fn(&str) -> Response + Send + Sync + 'static,
    ) -> Self {
        let answer = move |request: &Request| answer(&format!("{} {}", request.method(), request.uri().path()));
        Self::with_requests(change, answer).await
    }

    /// A server that looks at whole requests, without their bodies.
    pub async fn asked(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::with_requests(|_| {}, answer).await
    }

    pub async fn with_requests(
        change: impl FnOnce(&mut EnvironmentConfig),
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        let url = serve(move |request: Request| std::future::ready(answer(&request))).await;
        let mut config = environment_config(url);
        change(&mut config);
        let app = TestApp::with_environments(vec![config]).await;
        let ada = app.user("ada").await;
        app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
        Self { app, ada }
    }

    /// As if the server had accepted the job.
    pub async fn accept(&self) {
        self.accept_of(JOB).await;
    }

    pub async fn accept_of(&self, id: JobId) {
        self.app
            .change_job(id, |job, _| {
                (job.submit_attempted_at, job.accepted_at) = (Some(Timestamp(1)), Some(Timestamp(2)));
                job.sync_state = SyncState::Synced;
            })
            .await;
    }

    /// As if all tasks had passed, with their logs still to be fetched.
    pub async fn end(&self) {
        self.end_of(JOB).await;
    }

    pub async fn end_of(&self, id: JobId) {
        self.accept_of(id).await;
        self.app
            .change_job(id, |job, tasks| {
                (job.status, job.finished_at) = (JobStatus::Passed, Some(Timestamp(9)));
                (job.logs_state, job.cleanup_state) = (LogsState::Mirroring, CleanupState::Pending);
                for task in tasks {
                    (task.status, task.started_at) = (TaskStatus::Passed, Some(Timestamp(3)));
                }
            })
            .await;
    }

    pub async fn tick(&self) {
        tick_all(&self.app.state, Timestamp::now()).await;
    }

    /// Two passes at one moment, so that no pause is over by the second, however long the first one takes.
    async fn tick_at_standstill(&self) {
        let mut poller = self.poller();
        Arc::get_mut(&mut poller).unwrap().clock = Clock::told_by(|| STANDSTILL);
        for _ in 0..2 {
            tick(&poller).await.unwrap();
        }
    }

    /// One environment's poller, which remembers from one pass to the next.
    pub fn poller(&self) -> Arc<Poller<Server>> {
        pollers(&self.app.state).pop().unwrap()
    }

    pub async fn job(&self) -> Value {
        self.ada.get("/api/job/1").await.expect(200)
    }

    /// Lets the poller run by itself until the job is as wanted; `false` if it did not become so soon.
    /// It looks into the store, because a job that somebody looks at through the API is asked about more often.
    pub async fn becomes(&self, is_wanted: impl Fn(&Job) -> bool) -> bool {
        self.becomes_of(JOB, is_wanted).await
    }

    pub async fn becomes_of(&self, id: JobId, is_wanted: impl Fn(&Job) -> bool) -> bool {
        let shutdown = CancellationToken::new();
        let _stop = shutdown.clone().drop_guard();
        tokio::spawn(poller::run(pollers(&self.app.state), shutdown));
        let looking = async {
            let mut saved = self.app.state.bell.listen_for_saved();
            while !is_wanted(&self.app.find_job(id).await.unwrap()) {
                saved.changed().await.unwrap();
            }
        };
        tokio::time::timeout(SOON, looking).await.is_ok()
    }
}

pub fn unknown_id() -> Response {
    (StatusCode::NOT_FOUND, json!({"code": "unknown_id", "message": "no such id"}).to_string()).into_response()
}

pub fn says(body: Value) -> Response {
    body.to_string().into_response()
}

/// An answer whose body never comes.
pub fn silence() -> Response {
    Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()).into_response()
}

pub fn healthy(features: &[&str]) -> Response {
    says(json!({"status": "ok", "features": features}))
}

#[tokio::test]
async fn a_task_that_the_server_does_not_know_does_not_end_its_job() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => says(json!({"id": "1", "kind": "queue", "status": "running"})),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("synced")));
}

#[tokio::test]
async fn the_servers_words_are_cut_to_what_people_read_and_databases_take() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let task = |n: u8, message: &str| json!({"task_id": format!("1-{n}"), "status": "running", "started_at": "2026-01-04T10:00:00Z", "message": message});
            let tasks = [task(1, &"x".repeat(100_000)), task(2, "a\0b\u{1b}[31mc\u{1b}[0m\u{202e}d\u{8}")];
            says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": tasks}))
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!(job["tasks"][0]["message"].as_str().unwrap().chars().count(), 2_001);
    assert_eq!(job["tasks"][1]["message"], "a\u{fffd}bcd");
}

#[tokio::test]
async fn a_log_that_the_server_has_not_keeps_no_other_from_being_kept() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/logs/1-2" | "GET /api/logs/1" => "here\n".into_response(),
        "GET /api/results/1-1" | "GET /api/results/1-2" => says(json!({"task_id": "1-2", "files": []})),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    let (mut poller, words) = (odd.poller(), "the remote server does not know this id");
    for (seconds, state) in [(0, "mirroring"), (31, "mirroring"), (62, "incomplete")] {
        let now = Timestamp::now().plus(Duration::from_secs(seconds));
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(now);
        fetch_files(&poller, now).await.unwrap();
        assert_eq!(odd.job().await["logs"], json!({"state": state, "error": words}), "it may only be starting");
    }
    assert_eq!(odd.ada.get("/api/job/1/tasks/1-2/log").await.body, "here\n");
    assert_eq!(odd.ada.get("/api/job/1/log").await.body, "here\n");
}

#[tokio::test]
async fn a_result_file_that_is_listed_twice_is_kept_once() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/results/1-1" => {
            let file = json!({"path": "a.xml", "size": 1, "content_type": "text/plain\0"});
            says(json!({"task_id": "1-1", "files": [file, file]}))
        }
        "GET /api/results/1-2" => says(json!({"task_id": "1-2", "files": []})),
        call if call.starts_with("GET /api/logs/") || call.ends_with("/a.xml") => "here\n".into_response(),
        _ => unknown_id(),
    })
    .await;
    odd.end().await;
    odd.tick().await;
    assert_eq!(odd.job().await["logs"]["state"], "complete");
    let results = odd.ada.get("/api/job/1/tasks/1-1/results").await.expect(200);
    assert_eq!(results["files"].as_array().unwrap().len(), 1, "{results:#}");
}

#[tokio::test]
async fn an_old_queue_that_can_not_be_deleted_leaves_the_words_of_its_job_alone() {
    let odd = Odd::with(
        |config| config.remote_retention = Some(Duration::from_secs(1)),
        |call| match call {
            "GET /api/health" => healthy(&[]),
            "DELETE /api/delete/1" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => unknown_id(),
        },
    )
    .await;
    odd.end().await;
    odd.app
        .change_job(JOB, |job, _| {
            (job.status, job.status_reason) = (JobStatus::Error, Some("remote_error".to_owned()));
            job.sync_error = Some("the bench burns".to_owned());
            (job.logs_state, job.cleanup_state) = (LogsState::Complete, CleanupState::Done);
            job.cleaned_at = Some(Timestamp(10));
        })
        .await;
    odd.tick_at_standstill().await;
    let row = odd.app.find_job(JOB).await.unwrap();
    assert!(row.attempts == 1 && row.next_at > Some(STANDSTILL), "{row:?}");
    assert_eq!((row.sync_state, row.sync_error.as_deref()), (SyncState::Synced, Some("the bench burns")));
}

#[tokio::test]
async fn files_that_can_not_be_removed_are_tried_again_later() {
    let odd = Odd::start(|call| if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }).await;
    let folder = odd.app.state.config.data_dir.join("jobs/0");
    std::fs::create_dir_all(&folder).unwrap();
    // A file where the job's folder should be.
    std::fs::write(folder.join("1"), "").unwrap();
    odd.app.change_job(JOB, |job, _| job.delete_requested_at = Some(Timestamp(1))).await;
    odd.tick_at_standstill().await;
    let row = odd.app.find_job(JOB).await.unwrap();
    assert!(row.attempts == 1 && row.next_at > Some(STANDSTILL), "{row:?}");
    assert_eq!(row.sync_state, SyncState::Failing);
}
