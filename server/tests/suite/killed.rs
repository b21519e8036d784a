//! The program killed in the middle of its work and started again: what was accepted is neither lost nor done twice.
//! The runner goes on meanwhile, as it would on another machine.

use crate::bench::Bench;
use crate::command_line::{good, program, run};
use crate::test_app::PASSWORD;
use crate::test_database::execute_all;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use server::config::{EnvironmentConfig, HostKeyCheck, SshCredential};
use server::store::DatabaseUrl;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const JOBS: usize = 9;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at what goes on at its own speed.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The program as it is now; killed when it is dropped.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        let mut child = program(folder, &["serve"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("serving at ")?.1.split(' ').next()?.to_owned()));
        // What comes later is read by nobody, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://{}", address.expect("it ended early")) }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end; gives its exit code, and how long it took.
    pub async fn terminate(mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), start.elapsed());
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            pace.tick().await;
        }
    }

    async fn call(&self, method: Method, path: &str, key: &str, body: Value) -> reqwest::Result<Response> {
        let request = Client::new()
            .request(method, format!("{}{path}", self.url))
            .header("idempotency-key", key)
            .header("content-type", "application/json");
        request.basic_auth("ada", Some(PASSWORD)).body(body.to_string()).send().await?.error_for_status()
    }

    /// Submits a job and waits for its end; the job then.
    pub async fn run_job(&self, key: &str) -> Value {
        let body = json!({"branch_name": "main", "scenarios": ["smoke/pass"]});
        let answer = self.call(Method::POST, "/api/submit_job", key, body).await.unwrap();
        let id = serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()["id"].clone();
        let start = Instant::now();
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let job = self.get(&format!("/api/job/{id}")).await;
            if job["cleanup"]["state"] == "done" {
                return job;
            }
            assert!(start.elapsed() < PATIENCE, "{job:#}");
            pace.tick().await;
        }
    }

    pub async fn etag(&self, path: &str) -> String {
        let answer = self.call(Method::GET, path, "", Value::Null).await.unwrap();
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, "", Value::Null).await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Usually it has been killed before.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub fn config_of(environment: &EnvironmentConfig) -> String {
    let ssh = &environment.ssh;
    let SshCredential::IdentityFile(identity_file) = &ssh.credential else { panic!("the bench has a key") };
    let HostKeyCheck::Fingerprint(host_key) = &ssh.host_key else { panic!("the bench has a fingerprint") };
    format!(
        r#"
        listen = "127.0.0.1:0"
        poll_interval = "1s"
        [[environments]]
        name = "bench"
        url = "{url}"
        [environments.ssh]
        host = "{host}"
        port = {port}
        user = "{user}"
        identity_file = "{identity_file}"
        host_key = "{host_key}"
        repository = "{repository}"
        workspace_root = "{workspace_root}"
        "#,
        url = environment.url,
        host = ssh.host,
        port = ssh.port,
        user = ssh.user,
        identity_file = identity_file.display(),
        repository = ssh.repository,
        workspace_root = ssh.workspace_root,
    )
}

#[tokio::test]
async fn a_killed_server_loses_no_job_and_runs_none_twice() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let bench = Bench::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("testarena.toml"), config_of(&bench.environment())).unwrap();
    good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));
    let mut server = Server::start(folder.path());
    let body = json!({"branch_name": "main", "scenarios": ["count", "smoke/pass"]});
    let mut accepted = BTreeSet::new();
    for n in 0..JOBS {
        let key = format!("job-{n}");
        let submit = async |server: &Server| {
            let answer = server.call(Method::POST, "/api/submit_job", &key, body.clone()).await?;
            answer.text().await.map(|text| serde_json::from_str::<Value>(&text).unwrap()["id"].as_i64().unwrap())
        };
        if n % 3 == 1 {
            // Into the middle of it, each time a little later; whether it was accepted nobody has heard.
            let moment = Duration::from_millis(n as u64 * 10);
            let _unheard = tokio::time::timeout(moment, submit(&server)).await;
            server.kill();
            server = Server::start(folder.path());
        }
        let id = submit(&server).await.unwrap();
        assert!(accepted.insert(id), "job {id} answers to two keys");
    }
    let start = Instant::now();
    let mut pace = tokio::time::interval(LOOK_INTERVAL);
    let jobs = loop {
        let jobs = server.get("/api/jobs").await["jobs"].as_array().unwrap().clone();
        if jobs.iter().all(|job| job["cleanup"]["state"] == "done") {
            break jobs;
        }
        assert!(start.elapsed() < PATIENCE, "{jobs:#?}");
        pace.tick().await;
    };
    let ids: BTreeSet<i64> = jobs.iter().map(|job| job["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, accepted);
    assert!(jobs.iter().all(|job| job["status"] == "passed" && job["logs"]["state"] == "complete"), "{jobs:#?}");
    let mut runs = bench.counted_runs();
    runs.sort_unstable();
    let mut wanted: Vec<String> = accepted.iter().map(|id| format!("{id}-1")).collect();
    wanted.sort_unstable();
    assert_eq!(runs, wanted);
    server.kill();
}

/// Whether the process holds a lock on the file itself, as the system tells it.
fn holds_lock(process: u32, file: &Path) -> bool {
    let inode = std::fs::metadata(file).unwrap().ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&process.to_string().as_str())
            && words.iter().any(|word| word.rsplit_once(':').is_some_and(|(_, found)| found == inode))
    })
}

/// By the lock other programs know that the database is in use. Without it a look with SQLite's own shell takes the
/// write-ahead log away, and all that is written later with it.
#[tokio::test]
async fn other_programs_are_told_that_the_database_is_in_use() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("data/testarena.db");
    std::fs::write(folder.path().join("testarena.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));
    let server = Server::start(folder.path());
    let make = async |server: &Server, name: &str| {
        server.call(Method::POST, "/api/tokens", name, json!({"name": name})).await.unwrap();
    };
    make(&server, "before").await;
    // All of its connections are open after some reading.
    for _ in 0..20 {
        server.get("/api/tokens").await;
    }
    assert!(holds_lock(server.child.id(), &database));
    execute_all(&DatabaseUrl::Sqlite(database.clone()), "SELECT count(*) FROM users;");
    assert!(holds_lock(server.child.id(), &database));
    make(&server, "after").await;
    server.kill();
    let server = Server::start(folder.path());
    let listed = server.get("/api/tokens").await;
    let names = listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["before", "after"]);
}
