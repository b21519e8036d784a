//! A server that keeps one job, its logs and results, for tests of those who read them.
//! No remote server is needed: readers see only what is here.

use crate::api_document;
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, AsHeaderName, RANGE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{JobId, TaskStatus, Timestamp};
use serde_json::Value;
use server::config::{Config, Variables};
use server::logs::{Budget, LogId, Outcome};
use server::state::AppState;
use server::store::jobs::{self, NewJob};
use server::store::tasks::{self, ResultFile};
use server::store::{DatabaseUrl, users};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A server that keeps one job with two scenarios.
pub(crate) struct Kept {
    _folder: TempDir,
    pub(crate) state: AppState,
    pub(crate) router: Router,
    pub(crate) job: JobId,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: impl AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Kept {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = AppState::new(config(&folder), CancellationToken::new()).await.unwrap();
        let password_hash = state.auth.hasher().hash("a good password".to_owned()).await.unwrap();
        let ada =
            users::NewUser { username: "ada".to_owned(), password_hash, is_admin: false, must_change_password: false };
        let job = state
            .store
            .write(|connection| {
                let ada = users::insert_user(connection, ada, Timestamp(0))?.unwrap();
                let new = NewJob {
                    instance: "test".to_owned(),
                    user_id: ada.id,
                    environment: "bench-a".to_owned(),
                    queue_id_prefix: "a.".to_owned(),
                    branch_name: "main".to_owned(),
                    commit: "4f1c".repeat(10),
                    scenarios: vec!["smoke/boot".to_owned(), "smoke/net".to_owned()],
                    rerun_of: None,
                    timeout: Duration::from_hours(1),
                };
                jobs::insert_job_after(connection, JobId(0), &new, Timestamp(0))
            })
            .await
            .unwrap();
        let router = server::api::routes(state.clone());
        Self { _folder: folder, state, router, job: job.id }
    }

    pub(crate) async fn append(&self, log: LogId, text: impl Into<Vec<u8>>) {
        let at = self.state.logs.size(self.job, log).await.unwrap();
        self.state.logs.append(self.job, log, at, text.into()).await.unwrap();
    }

    pub(crate) async fn end_task(&self, n: i64, status: TaskStatus, log_complete: bool) {
        let job = self.job;
        let ended = move |connection: &mut _| {
            let task = tasks::find_task(connection, job, n)?.unwrap();
            let task = tasks::Task { status, log_complete, exit_code: Some(1), ..task };
            tasks::save_mirrored(connection, &task)?;
            tasks::save_task(connection, task)
        };
        self.state.store.write(ended).await.unwrap();
    }

    /// Ends a task whose log is wholly here.
    pub(crate) async fn note_kept_log(&self, n: i64, status: TaskStatus) {
        let (job, size) = (self.job, self.state.logs.size(self.job, LogId::Task(n)).await.unwrap());
        let noted = move |connection: &mut _| {
            let task = tasks::find_task(connection, job, n)?.unwrap();
            tasks::save_mirrored(connection, &tasks::Task { log_size: i64::try_from(size).unwrap(), ..task })
        };
        self.state.store.write(noted).await.unwrap();
        self.end_task(n, status, true).await;
    }

    pub(crate) async fn keep_result(&self, path: &str, content_type: &str, content: &[u8]) {
        let budget = Budget::new(u64::MAX);
        let mut part = self.state.logs.begin_result(self.job, 1, path, &budget).unwrap();
        assert!(part.write(content).await);
        assert!(matches!(part.keep().await.unwrap(), Outcome::Kept(_)));
        let size = i64::try_from(content.len()).unwrap();
        let (path, content_type) = (path.to_owned(), content_type.to_owned());
        let file = ResultFile { job_id: self.job, n: 1, path, size, content_type };
        self.state.store.write(move |connection| tasks::add_results(connection, vec![file])).await.unwrap();
    }

    /// Gets a path below `/api/job/`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_part(path, None).await
    }

    pub(crate) async fn get_part(&self, path: &str, range: Option<&str>) -> Answer {
        self.ask(Method::GET, path, range).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, range: Option<&str>) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode("ada:a good password"));
        let request = Request::builder().method(method).uri(format!("/api/job/{path}"));
        let mut request = request.header(AUTHORIZATION, basic);
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        send(&self.router, request.body(Body::empty()).unwrap()).await
    }
}

fn config(folder: &TempDir) -> Config {
    let mut config = Config::parse("", folder.path(), &Variables::default()).unwrap();
    config.database_url = DatabaseUrl::Sqlite(folder.path().join("testarena.db"));
    config
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (status, headers, body) = api_document::send(router, request).await;
    Answer { status, headers, body: body.into() }
}
