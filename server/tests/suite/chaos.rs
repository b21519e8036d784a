//! The program killed again and again, whatever it is doing: jobs are submitted, polled, aborted, deleted and cleaned up
//! meanwhile, on the real runner. On PostgreSQL it also stands beside its successor for a while, as in a rolling restart.

use crate::bench::Bench;
use crate::command_line::{good, run};
use crate::killed::{Server, config_of};
use crate::test_app::PASSWORD;
use crate::test_database::TestDatabase;
use protocol::Timestamp;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use server::store::DatabaseUrl;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Kills of `make test`; `make chaos` asks for more.
const KILLS: u64 = 4;
const PEOPLE: u64 = 3;
/// From the last kill on; far more than it takes.
const PATIENCE: Duration = Duration::from_mins(10);
/// Between two looks at what goes on at its own speed.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// A process that died is succeeded on a shared database after so long.
const TAKE_OVER: Duration = Duration::from_secs(13);
/// In which jobs come to their end.
const GOOD_WHILE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_nothing_is_lost_and_nothing_done_twice() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (kills, seed) = (variable("KILLS").unwrap_or(KILLS), variable("SEED").unwrap_or(1));
    let ground = Ground::new().await;
    let mut server = Server::start(ground.folder.path());
    let site = Site::new(&server.url);
    let people: Vec<_> = (0..PEOPLE).map(|n| tokio::spawn(work(site.clone(), n, seed))).collect();
    let mut chance = Chance(seed);
    for n in 0..kills {
        tokio::time::sleep(ground.moment(&mut chance)).await;
        server = ground.succeed(server, n);
        site.moves_to(&server.url);
    }
    site.is_over.store(true, Ordering::Relaxed);
    let mut jobs = Vec::new();
    for person in people {
        jobs.extend(person.await.unwrap());
    }
    let last_kill = Instant::now();
    for job in &jobs {
        site.wait_until_done(job, last_kill).await;
    }
    judge(&ground.bench, &jobs);
    for job in jobs.iter().filter(|job| job.deleted) {
        site.wait_until_unknown(&ground.bench, job, last_kill).await;
    }
    let unwanted = jobs.iter().filter(|job| job.is_unwanted()).count();
    println!("{kills} kills, {} jobs, {unwanted} of them aborted or deleted", jobs.len());
    server.kill();
}

/// Only where processes share a database there is a neighbour.
#[tokio::test]
async fn whoever_dies_is_succeeded_by_a_neighbour_within_half_a_minute() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let ground = Ground::new().await;
    if !ground.is_shared() {
        return;
    }
    let polls = Server::start(ground.folder.path());
    assert_eq!(polls.run_job("before").await["status"], "passed");
    let neighbour = Server::start(ground.folder.path());
    polls.kill();
    let died_at = Timestamp::now();
    let job = neighbour.run_job("after").await;
    assert_eq!(job["status"], "passed", "{job:#}");
    let started_at: Timestamp = job["started_at"].as_str().unwrap().parse().unwrap();
    assert!(started_at.since(died_at) < Duration::from_secs(30), "{:?}", started_at.since(died_at));
    neighbour.kill();
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Chance that can be repeated (splitmix64); what it meets at which moment can't.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16) % n
    }
}

/// Bench, database and folder, which outlive every process.
struct Ground {
    bench: Bench,
    /// Dropped with it.
    database: TestDatabase,
    folder: TempDir,
}

impl Ground {
    async fn new() -> Self {
        let (bench, folder) = (Bench::start().await, tempfile::tempdir().unwrap());
        let database = TestDatabase::create(folder.path());
        let url = match &database.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        };
        let config = format!("database_url = \"{url}\"\n{}", config_of(&bench.environment()));
        std::fs::write(folder.path().join("testarena.toml"), config).unwrap();
        good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));
        Self { bench, database, folder }
    }

    fn is_shared(&self) -> bool {
        matches!(self.database.url, DatabaseUrl::Postgres(_))
    }

    /// How long a process lives: often only as long as a few calls take, sometimes as long as it takes to get to work.
    fn moment(&self, chance: &mut Chance) -> Duration {
        let gets_to_work = chance.below(2) == 0;
        let base = match (gets_to_work, self.is_shared()) {
            (false, _) => Duration::ZERO,
            (true, false) => GOOD_WHILE,
            (true, true) => TAKE_OVER,
        };
        base + Duration::from_millis(20 + chance.below(1_500))
    }

    /// Kills it and starts another, which on a shared database may be there before.
    fn succeed(&self, server: Server, n: u64) -> Server {
        if self.is_shared() && n % 2 == 1 {
            let successor = Server::start(self.folder.path());
            server.kill();
            return successor;
        }
        server.kill();
        Server::start(self.folder.path())
    }
}

/// The program at the address at which it is now, as people see it: asked until it answers.
#[derive(Clone)]
struct Site {
    client: Client,
    url: Arc<Mutex<String>>,
    is_over: Arc<AtomicBool>,
}

impl Site {
    fn new(url: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { client, url: Arc::new(Mutex::new(url.to_owned())), is_over: Arc::default() }
    }

    fn moves_to(&self, url: &str) {
        url.clone_into(&mut self.url.lock().unwrap());
    }

    /// Again and again until something answers that is not "not now"; the key makes that harmless.
    async fn call(&self, method: Method, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "{method} {path} is never answered");
            pace.tick().await;
            let url = self.url.lock().unwrap().clone();
            let request = self
                .client
                .request(method.clone(), format!("{url}{path}"))
                .header("idempotency-key", key)
                .header("content-type", "application/json")
                .basic_auth("ada", Some(PASSWORD));
            let Ok(answer) = request.body(body.to_string()).send().await else { continue };
            let status = answer.status();
            let Ok(text) = answer.text().await else { continue };
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                continue;
            }
            return (status, serde_json::from_str(&text).unwrap_or_default());
        }
    }

    /// A deleted job's queue is gone at the bench as well; what came late, soon afterwards.
    async fn wait_until_unknown(&self, bench: &Bench, job: &Wanted, since: Instant) {
        let url = format!("http://{}/api/status/{}", bench.http(), job.id);
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        while self.client.get(&url).send().await.unwrap().status() != StatusCode::NOT_FOUND {
            assert!(since.elapsed() < PATIENCE, "the queue of {job:?} is left");
            pace.tick().await;
        }
    }

    async fn wait_until_done(&self, job: &Wanted, since: Instant) {
        let path = format!("/api/job/{}", job.id);
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let (status, said) = self.call(Method::GET, &path, "", Value::Null).await;
            if status == StatusCode::NOT_FOUND {
                assert!(job.deleted, "{job:?} is lost");
                return;
            }
            let has_ended = ["passed", "aborted"].iter().any(|word| said["status"] == *word);
            // Aborted before the bench was seen to know it, it may still come there: its workspace is let be until it can't.
            let never_came = job.aborted && said["started_at"].is_null() && since.elapsed() > TAKE_OVER;
            let is_cleaned = said["cleanup"]["state"] != "pending" || never_came && said["cleanup"]["error"].is_null();
            if has_ended && is_cleaned && said["logs"]["state"] == "complete" && !job.deleted {
                let is_right = said["status"] == "passed" || job.aborted;
                assert!(is_right, "{job:?} ended otherwise: {said}");
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{job:?} is not done with: {said}");
            pace.tick().await;
        }
    }
}

/// A job that was accepted, and what is wanted of it.
#[derive(Debug)]
struct Wanted {
    id: i64,
    aborted: bool,
    deleted: bool,
}

impl Wanted {
    fn is_unwanted(&self) -> bool {
        self.aborted || self.deleted
    }
}

/// What one of the people does, until all is over.
async fn work(site: Site, person: u64, seed: u64) -> Vec<Wanted> {
    let mut chance = Chance(seed.wrapping_mul(1_000) + person);
    let mut pace = tokio::time::interval(LOOK_INTERVAL);
    let mut jobs = Vec::new();
    while !site.is_over.load(Ordering::Relaxed) {
        let (aborted, deleted) = (chance.below(4) == 0, chance.below(4) == 0);
        // One that never ends by itself, if nobody waits for its end.
        let last = if aborted || deleted { "slow" } else { "smoke/pass" };
        let body = json!({"branch_name": "main", "scenarios": ["count", last]});
        let key = format!("{person}-{}", jobs.len());
        let (status, said) = site.call(Method::POST, "/api/submit_job", &key, body).await;
        assert!(status.is_success(), "{status}: {said}");
        let id = said["id"].as_i64().unwrap();
        for _ in 0..chance.below(30) {
            pace.tick().await;
        }
        if aborted {
            let (status, said) = site.call(Method::POST, &format!("/api/job/{id}/abort"), "", json!({})).await;
            // A call whose answer was lost may have ended it.
            assert!(status.is_success() || status == StatusCode::CONFLICT, "{status}: {said}");
        }
        if deleted {
            let (status, said) = site.call(Method::DELETE, &format!("/api/job/{id}"), "", Value::Null).await;
            // Asked before, by a call whose answer was lost.
            assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{status}: {said}");
        }
        jobs.push(Wanted { id, aborted, deleted });
    }
    jobs
}

/// What is true at the bench when all is done.
fn judge(bench: &Bench, jobs: &[Wanted]) {
    let ids: BTreeSet<i64> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids.len(), jobs.len(), "a job answers to two keys");
    let mut runs = bench.counted_runs();
    runs.sort_unstable();
    let once: BTreeSet<&String> = runs.iter().collect();
    assert_eq!(once.len(), runs.len(), "a queue ran twice: {runs:?}");
    for job in jobs {
        let has_run = once.contains(&format!("{}-1", job.id));
        assert!(has_run || job.is_unwanted(), "{job:?} passed, and never ran");
        let workspace = bench.workspace(&job.id.to_string());
        assert!(!workspace.exists(), "the workspace of {job:?} is left");
    }
    let known = ids.iter().map(|id| format!("{id}-1")).collect::<BTreeSet<_>>();
    assert!(once.iter().all(|run| known.contains(*run)), "what nobody submitted ran: {runs:?}");
}
