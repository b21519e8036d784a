//! The real router on a throw-away database, and clients that talk to it without a socket.
//! The poller does not run by itself; a test that wants it moves it.

use crate::api_document;
use crate::test_database::{self, TestDatabase};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::api::{ErrorCode, Problem};
use protocol::{JobId, Timestamp, UserId};
use serde_json::Value;
use server::auth::Hasher;
use server::clock::Clock;
use server::config::{Config, EnvironmentConfig, Variables};
use server::state::{AppState, Parts};
use server::store::DatabaseUrl;
use server::store::jobs::{Job, NewJob, find_job, insert_job_after, save_job};
use server::store::tasks::{Task, find_tasks, save_mirrored};
use server::store::users::{NewUser, User, find_user_by_login, insert_user};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Of every user of the tests.
pub const PASSWORD: &str = "correct horse";
pub const COMMIT: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

pub struct TestApp {
    pub state: AppState,
    router: Router,
    // Dropped in this order: the database may lie in the folder.
    _database: TestDatabase,
    _folder: TempDir,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with_environments(Vec::new()).await
    }

    /// With SQLite whatever else is tested: what happens to a file happens to no server.
    pub async fn on_a_file() -> Self {
        Self::with_config(|config| config.database_url = DatabaseUrl::Sqlite(config.data_dir.join("testarena.db")))
            .await
    }

    pub async fn with_environments(environments: Vec<EnvironmentConfig>) -> Self {
        Self::with_config(|config| config.environments = environments).await
    }

    pub async fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(folder.path());
        let mut config = Config::parse("", folder.path(), &Variables::default()).unwrap();
        config.database_url = database.url.clone();
        change(&mut config);
        let state = AppState::new(config, CancellationToken::new()).await.unwrap();
        Self { router: server::build(state.clone()), state, _database: database, _folder: folder }
    }

    /// The same with another clock.
    pub fn with_clock(self, clock: Clock) -> Self {
        let state = AppState::from(Parts { clock, ..Parts::clone(&self.state) });
        Self { router: server::build(state.clone()), state, ..self }
    }

    /// Somebody who is not signed in, at another server on the same database, which has a memory of its own.
    pub async fn replica(&self) -> Client {
        Client::new(&server::build(
            AppState::new((*self.state.config).clone(), CancellationToken::new()).await.unwrap(),
        ))
    }

    /// What no call can bring about, such as the passing of time.
    pub async fn sql(&self, statement: impl Into<String>) {
        let statement = statement.into();
        self.state.store.write(move |connection| test_database::execute(connection, &statement)).await.unwrap();
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        self.state.store.read(move |connection| test_database::count(connection, table)).await.unwrap()
    }

    /// As if a second had passed for what is remembered of users, sessions and tokens.
    pub fn forget_everything(&self) {
        for id in 1..=100 {
            self.state.auth.forget_user(UserId(id));
        }
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Somebody who is not signed in.
    pub fn anybody(&self) -> Client {
        Client::new(&self.router)
    }

    /// A user who signs in with Basic.
    pub async fn user(&self, name: &str) -> Client {
        self.add_user(name, false).await;
        self.anybody().with_password(name, PASSWORD)
    }

    pub async fn admin(&self, name: &str) -> Client {
        self.add_user(name, true).await;
        self.anybody().with_password(name, PASSWORD)
    }

    async fn add_user(&self, name: &str, is_admin: bool) {
        static HASH: OnceCell<String> = OnceCell::const_new();
        // Hashed once: every user of the tests has the same password.
        let hash = HASH.get_or_init(|| async { Hasher::default().hash(PASSWORD.to_owned()).await.unwrap() }).await;
        let new =
            NewUser { username: name.to_owned(), password_hash: hash.clone(), is_admin, must_change_password: false };
        let added = self.state.store.write(move |connection| insert_user(connection, new, Timestamp(0))).await.unwrap();
        let added = added.unwrap_or_else(|| panic!("{name} is there already"));
        self.state.auth.forget_user(added.id);
    }

    pub async fn find_user(&self, name: &str) -> User {
        let name = name.to_owned();
        self.state.store.read(move |connection| find_user_by_login(connection, &name)).await.unwrap().unwrap()
    }

    /// Stores a job as a submission would, without asking an environment.
    pub async fn store_job(&self, owner: &str, environment: &str, branch: &str, scenarios: &[&str]) -> JobId {
        let new = NewJob {
            instance: self.state.instance.to_string(),
            user_id: self.user_id(owner).await,
            environment: environment.to_owned(),
            queue_id_prefix: String::new(),
            branch_name: branch.to_owned(),
            commit: COMMIT.to_owned(),
            scenarios: scenarios.iter().map(|name| (*name).to_owned()).collect(),
            rerun_of: None,
            timeout: Duration::from_hours(1),
        };
        self.state
            .store
            .write(move |connection| insert_job_after(connection, JobId(0), &new, Timestamp::now()))
            .await
            .unwrap()
            .id
    }

    /// One that may have arrived where it was sent to, so that an abort of it waits for that server's word.
    pub async fn store_sent_job(&self, owner: &str, environment: &str, branch: &str, scenarios: &[&str]) -> JobId {
        let id = self.store_job(owner, environment, branch, scenarios).await;
        self.change_job(id, |job, _| job.submit_attempted_at = Some(Timestamp(1))).await;
        id
    }

    async fn user_id(&self, name: &str) -> UserId {
        self.find_user(name).await.id
    }

    /// Saves a job as the poller would.
    pub async fn change_job(&self, id: JobId, change: impl FnOnce(&mut Job, &mut [Task])) {
        let read = move |connection: &mut _| Ok((find_job(connection, id)?.unwrap(), find_tasks(connection, id)?));
        let (before, mut tasks) = self.state.store.read(read).await.unwrap();
        let (mut after, tasks_before) = (before.clone(), tasks.clone());
        change(&mut after, &mut tasks);
        tasks.retain(|task| !tasks_before.contains(task));
        let save = move |connection: &mut _| {
            for task in &tasks {
                save_mirrored(connection, task)?;
            }
            save_job(connection, &before, &after, tasks)
        };
        assert!(self.state.store.write(save).await.unwrap());
        self.state.bell.ring_saved();
    }

    pub async fn find_job(&self, id: JobId) -> Option<Job> {
        self.state.store.read(move |connection| find_job(connection, id)).await.unwrap()
    }
}

/// Sends requests with the same headers from the same address. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: HeaderMap,
    peer: SocketAddr,
}

impl Client {
    fn new(router: &Router) -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4_711));
        Self { router: router.clone(), headers: HeaderMap::new(), peer }
    }

    pub fn with_password(self, username: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        self.with(AUTHORIZATION.as_str(), &format!("Basic {encoded}"))
    }

    /// A browser that has signed in by name and password.
    pub async fn sign_in(&self, username: &str) -> Client {
        let answer = self.post("/api/login", serde_json::json!({"username": username, "password": PASSWORD})).await;
        answer.expect(200);
        self.clone().with_session(&answer)
    }

    /// A script with a personal API token.
    pub fn with_token(self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The same user at another server.
    pub fn with_all_of(self, other: &Self) -> Self {
        Self { headers: other.headers.clone(), ..self }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Whatever type the body has that it sends, it says JSON, unless another is set.
    pub fn with_json(self) -> Self {
        if self.headers.contains_key(CONTENT_TYPE) { self } else { self.with("content-type", "application/json") }
    }

    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn at(mut self, address: [u8; 4]) -> Self {
        self.peer = SocketAddr::from((address, 4_711));
        self
    }

    /// A browser with the session that an answer's cookie carries, on a page of ours.
    pub fn with_session(self, answer: &Answer) -> Self {
        let cookie = answer.header(SET_COOKIE.as_str()).split(';').next().unwrap().to_owned();
        self.without("authorization").with(COOKIE.as_str(), &cookie).with("sec-fetch-site", "same-origin")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.clone().with_json().send(Method::POST, path, Body::from(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.clone().with_json().send(Method::PATCH, path, Body::from(body.to_string())).await
    }

    /// A POST without a body.
    pub async fn send_nothing(&self, path: &str) -> Answer {
        self.send(Method::POST, path, Body::empty()).await
    }

    pub async fn post_form(&self, path: &str, form: &str) -> Answer {
        let client = self.clone().with("content-type", "application/x-www-form-urlencoded");
        client.send(Method::POST, path, Body::from(form.to_owned())).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        request.headers_mut().extend(self.headers.clone());
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (status, headers, body) = api_document::send(&self.router, request).await;
        Answer { status, headers, body: String::from_utf8(body.into()).unwrap() }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The code of an error whose status, type and title must be those that go with it.
    #[track_caller]
    pub fn problem(&self) -> Problem {
        let problem: Problem = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no problem: {self:?}"));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem.status, self.status.as_u16());
        assert_eq!(problem.status, problem.code.status());
        assert_eq!((problem.kind.as_str(), problem.title.as_str()), ("about:blank", problem.code.title()));
        // Who is to come again is told when.
        assert!(problem.code != ErrorCode::Unavailable || !self.header("retry-after").is_empty(), "{self:?}");
        problem
    }

    #[track_caller]
    pub fn code(&self) -> &'static str {
        self.problem().code.as_str()
    }
}

/// Puts `"…"` in the place of every time, so that whole bodies can be compared.
pub fn redact_times(mut body: Value) -> Value {
    redact(&mut body);
    body
}

fn redact(value: &mut Value) {
    match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "…".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        _ => {}
    }
}
