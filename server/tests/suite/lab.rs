//! TestArena and a bench together: jobs submitted through the API run on the real runner.
//! The poller moves when a test ticks it; waiting means ticking until something is so.

use crate::bench::Bench;
use crate::test_app::{Answer, Client, TestApp};
use protocol::Timestamp;
use serde_json::{Value, json};
use server::config::EnvironmentConfig;
use server::poller::passes::{ask_about_all, end_what_is_left, fetch_files, look_at_health, work_off};
use server::poller::{Clock, Poller};
use server::remote::Remote;
use server::run::pollers;
use server::state::AppState;
use server::store::StoreError;
use server::store::jobs::Lane;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Far more than anything here takes; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at a runner that works at its own speed.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

pub struct Lab {
    pub app: TestApp,
    pub bench: Bench,
    pub ada: Client,
}

impl Lab {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut EnvironmentConfig)) -> Self {
        let bench = Bench::start().await;
        let mut environment = bench.environment();
        change(&mut environment);
        let app = TestApp::with_environments(vec![environment]).await;
        let ada = app.user("ada").await;
        Self { app, bench, ada }
    }

    /// Submits these scenarios of `main`; the new job's id.
    pub async fn submit(&self, scenarios: &[&str]) -> i64 {
        let body = json!({ "branch_name": "main", "scenarios": scenarios });
        self.ada.post("/api/submit_job", body).await.expect(201)["id"].as_i64().unwrap()
    }

    /// Two jobs that hold the bench's two slots until its gate is opened.
    pub async fn occupy_all_slots(&self) -> [i64; 2] {
        let ids = [self.submit(&["slow"]).await, self.submit(&["slow"]).await];
        for id in ids {
            self.tick_until(id, |job| statuses(job) == ["running"]).await;
        }
        ids
    }

    pub async fn tick(&self) {
        self.tick_at(Timestamp::now()).await;
    }

    pub async fn tick_at(&self, now: Timestamp) {
        tick_all(&self.app.state, now).await;
    }

    pub async fn job(&self, id: i64) -> Value {
        self.ada.get(&format!("/api/job/{id}")).await.expect(200)
    }

    /// Ticks until the job is as wanted.
    pub async fn tick_until(&self, id: i64, is_wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(|| self.tick(), id, is_wanted).await
    }

    /// Ticks until the job is removed.
    pub async fn tick_until_gone(&self, id: i64) {
        let start = Instant::now();
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        while self.ada.get(&format!("/api/job/{id}")).await.status != 404 {
            assert!(start.elapsed() < PATIENCE, "job {id} is still there");
            self.tick().await;
            pace.tick().await;
        }
    }

    /// Ticks further and further ahead, from `minutes` from now on, until an answer about the job has this status; the
    /// minutes that it took.
    pub async fn tick_on_until(&self, mut minutes: u64, id: i64, is_wanted: impl Fn(&Answer) -> bool) -> u64 {
        let start = Instant::now();
        while !is_wanted(&self.ada.get(&format!("/api/job/{id}")).await) {
            assert!(start.elapsed() < PATIENCE, "job {id} is not as wanted after {minutes} minutes");
            minutes += 1;
            self.tick_at(Timestamp::now().plus(Duration::from_mins(minutes))).await;
        }
        minutes
    }

    pub async fn tick_until_status(&self, id: i64, status: &str) -> Value {
        self.tick_until(id, |job| job["status"] == status).await
    }

    /// Looks until the job is as wanted, with something to be done before each look.
    pub async fn wait_for<F: Future<Output = ()>>(
        &self,
        before_look: impl Fn() -> F,
        id: i64,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = Instant::now();
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            before_look().await;
            let job = self.job(id).await;
            if is_wanted(&job) {
                return job;
            }
            assert!(start.elapsed() < PATIENCE, "the job never became so: {job:#}");
            pace.tick().await;
        }
    }
}

/// One pass over an environment in all its lanes but those of files and clean-ups, in an order in which one thing leads to
/// the next. Of production's loops none waits for another.
pub async fn tick<R: Remote>(poller: &Arc<Poller<R>>) -> Result<(), StoreError> {
    look_at_health(poller).await?;
    for lane in [Lane::Send, Lane::Act] {
        work_off(poller, lane).await?;
    }
    ask_about_all(poller).await?;
    for lane in [Lane::Ask, Lane::Act] {
        work_off(poller, lane).await?;
    }
    end_what_is_left(poller).await
}

/// One full round over every environment of this TestArena, in all lanes, and over what the last of them left.
pub async fn tick_all(state: &AppState, now: Timestamp) {
    for mut poller in pollers(state) {
        tick_whole(&mut poller, now).await;
    }
}

/// The same over one environment, by a poller that remembers what it heard in the rounds before.
pub async fn tick_whole<R: Remote>(poller: &mut Arc<Poller<R>>, now: Timestamp) {
    Arc::get_mut(poller).unwrap().clock = Clock::starting_at(now);
    Box::pin(tick(poller)).await.unwrap();
    fetch_files(poller, now).await.unwrap();
    work_off(poller, Lane::Shell).await.unwrap();
    Box::pin(tick(poller)).await.unwrap();
    fetch_files(poller, now).await.unwrap();
}

/// Each task's status, in order.
pub fn statuses(job: &Value) -> Vec<&str> {
    job["tasks"].as_array().unwrap().iter().map(|task| task["status"].as_str().unwrap()).collect()
}

/// What the runner itself says, past TestArena.
impl Lab {
    /// The HTTP status of the queue's status call.
    pub async fn status_at_runner(&self, id: i64) -> u16 {
        self.call_runner(reqwest::Method::GET, &format!("/api/status/{id}")).await
    }

    pub async fn queue_at_runner(&self, id: i64) -> Value {
        let answer = self.ask_runner(reqwest::Method::GET, &format!("/api/status/{id}")).await;
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub async fn delete_at_runner(&self, id: i64) {
        assert_eq!(self.call_runner(reqwest::Method::DELETE, &format!("/api/delete/{id}")).await, 204);
    }

    async fn call_runner(&self, method: reqwest::Method, path: &str) -> u16 {
        self.ask_runner(method, path).await.status().as_u16()
    }

    async fn ask_runner(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        // Plain HTTP on loopback; the client still wants a provider for TLS.
        drop(rustls::crypto::ring::default_provider().install_default());
        let request = reqwest::Client::new().request(method, format!("http://{}{path}", self.bench.http()));
        let request = request.header("TestArena-Instance", &*self.app.state.instance);
        request.send().await.unwrap()
    }
}
