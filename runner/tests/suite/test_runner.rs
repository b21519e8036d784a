//! A runner for one test: its folders, a git repository with scenarios, and a client that speaks for one instance.
//! Every wait looks at a state and has a bound.

use protocol::remote::{QueueBody, QueueRequest, QueueTask, StatusBody, TaskRequest};
use protocol::{QueueStatus, TaskStatus};
use reqwest::{Method, Response};
use runner::{Config, Runner, Running};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Longer than anything takes on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// Tells a process that it runs one test alone.
const ALONE: &str = "TEST_ALONE";
pub const INSTANCE: &str = "6f3b1a52-8a47-4f0c-9c53-0f6f6f1f0001";
pub const OTHER_INSTANCE: &str = "6f3b1a52-8a47-4f0c-9c53-0f6f6f1f0002";

pub struct TestRunner {
    pub config: Config,
    pub running: Option<Running>,
    /// The commit of branch `main`.
    pub commit: String,
    pub folder: tempfile::TempDir,
    pub client: Client,
}

/// Speaks for one instance.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    pub instance: &'static str,
}

impl TestRunner {
    /// A runner with these scenarios (`smoke/boot.sh` and its text) on branch `main`.
    pub async fn start(scenarios: &[(&str, &str)]) -> Self {
        Self::start_with(scenarios, |_| {}).await
    }

    pub async fn start_with(scenarios: &[(&str, &str)], configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(scenarios, |config, _| configure(config)).await
    }

    /// `configure` may also change what lies in the folder.
    pub async fn start_in(scenarios: &[(&str, &str)], configure: impl FnOnce(&mut Config, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let commit = make_repositories(folder.path(), scenarios);
        let mut config = config_in(folder.path());
        configure(&mut config, folder.path());
        let running = Runner::start(config.clone()).await.unwrap();
        let client = Client::new(running.http_addr, INSTANCE);
        Self { config, running: Some(running), commit, folder, client }
    }

    pub fn as_instance(&self, instance: &'static str) -> Client {
        Client { instance, ..self.client.clone() }
    }

    pub async fn shut_down(&mut self) {
        self.running.take().unwrap().shutdown().await;
    }

    /// Starts again on the same folders, at a new port.
    pub async fn start_again(&mut self) {
        let running = Runner::start(self.config.clone()).await.unwrap();
        self.client = Client::new(running.http_addr, INSTANCE);
        self.running = Some(running);
    }

    pub fn queue(&self, id: &str, scenarios: &[&str]) -> QueueRequest {
        let tasks = (1..).zip(scenarios);
        QueueRequest {
            queue_id: id.to_owned(),
            branch: "main".to_owned(),
            commit: self.commit.clone(),
            submitted_by: "ada".to_owned(),
            timeout_s: 3600,
            tasks: tasks
                .map(|(n, scenario)| TaskRequest { task_id: format!("{id}-{n}"), scenario: (*scenario).to_owned() })
                .collect(),
        }
    }

    /// Of the source's last commit, whatever the runner was started with.
    pub fn queue_of_newest(&self, id: &str, scenarios: &[&str]) -> QueueRequest {
        QueueRequest { commit: self.git_at_source(&["rev-parse", "HEAD"]), ..self.queue(id, scenarios) }
    }

    pub async fn submit(&self, id: &str, scenarios: &[&str]) {
        let answer = self.client.post_queue(&self.queue(id, scenarios)).await;
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    }

    pub async fn run(&self, id: &str, scenarios: &[&str]) -> QueueBody {
        self.submit(id, scenarios).await;
        self.client.ended(id).await
    }

    pub fn workspace(&self, id: &str) -> PathBuf {
        self.config.workspace_root.join(id)
    }

    /// Runs git in the repository from which the runner's own is cloned.
    pub fn git_at_source(&self, arguments: &[&str]) -> String {
        git(&self.folder.path().join("source"), arguments)
    }
}

impl Client {
    pub fn new(http_addr: SocketAddr, instance: &'static str) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let http = reqwest::Client::builder().timeout(BOUND).build().unwrap();
        Self { http, base: format!("http://{http_addr}"), instance }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header("TestArena-Instance", self.instance)
    }

    pub async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path).await
    }

    pub async fn get_json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub async fn post_queue(&self, queue: &QueueRequest) -> Response {
        self.request(Method::POST, "/api/queue").json(queue).send().await.unwrap()
    }

    pub async fn abort(&self, id: &str) -> Response {
        self.send(Method::POST, &format!("/api/abort/{id}")).await
    }

    pub async fn delete(&self, id: &str) -> Response {
        self.send(Method::DELETE, &format!("/api/delete/{id}")).await
    }

    pub async fn log(&self, id: &str) -> String {
        self.get(&format!("/api/logs/{id}")).await.text().await.unwrap()
    }

    pub async fn status(&self, id: &str) -> QueueBody {
        match self.get(&format!("/api/status/{id}")).await.json().await.unwrap() {
            StatusBody::Queue(queue) => queue,
            StatusBody::Task(task) => panic!("a task: {task:?}"),
        }
    }

    pub async fn until(&self, id: &str, is_wanted: impl Fn(&QueueBody) -> bool) -> QueueBody {
        let start = Instant::now();
        loop {
            let queue = self.status(id).await;
            if is_wanted(&queue) {
                return queue;
            }
            assert!(start.elapsed() < BOUND, "still {queue:?}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    pub async fn ended(&self, id: &str) -> QueueBody {
        self.until(id, |queue| queue.status.is_terminal()).await
    }

    /// Waits until the first task's log holds this text.
    pub async fn logged(&self, id: &str, text: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log(id).await;
            if log.contains(text) {
                return log;
            }
            assert!(start.elapsed() < BOUND, "still {log:?}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Two slots, everything in one folder.
pub fn config_in(folder: &Path) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        name: "bench-a".to_owned(),
        token: None,
        token_env: None,
        data_dir: folder.join("data"),
        repository: folder.join("repository"),
        scenario_dir: "scenarios".to_owned(),
        workspace_root: folder.join("workspaces"),
        submodules: true,
        slots: vec![BTreeMap::new(); 2],
        task_timeout: Duration::from_mins(1),
        max_log_bytes: 1 << 30,
        queue_overtime: Duration::from_secs(50),
        ssh: None,
    }
}

/// Status and code of a refusal.
pub async fn refusal(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    (status, body["code"].as_str().unwrap().to_owned())
}

pub fn tasks(queue: &QueueBody) -> &[QueueTask] {
    queue.tasks.as_deref().unwrap()
}

pub fn statuses(queue: &QueueBody) -> (QueueStatus, Vec<TaskStatus>) {
    (queue.status, tasks(queue).iter().map(|task| task.status).collect())
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn write_scenario(repository: &Path, name: &str, text: &str) {
    let path = repository.join("scenarios").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn make_repositories(folder: &Path, scenarios: &[(&str, &str)]) -> String {
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "--quiet", "--initial-branch", "main"]);
    for (name, text) in scenarios {
        write_scenario(&source, name, text);
    }
    git(&source, &["add", "--all"]);
    git(&source, &["commit", "--quiet", "--allow-empty", "--message", "scenarios"]);
    git(folder, &["clone", "--quiet", "source", "repository"]);
    git(&source, &["rev-parse", "HEAD"])
}

/// Whether a process of this id lives (a zombie does not).
pub fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Looks again and again until it is so; `what` is what has not come about if it never is.
pub async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < BOUND, "{what}");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Waits until no process of this id lives.
pub async fn until_dead(pid: &str) {
    wait_until(&format!("the end of process {pid}"), async || !is_alive(pid)).await;
}

/// Whether this process runs one test alone.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs a test of this binary again in a process of its own, as `change` wants it.
#[track_caller]
pub fn run_alone(test: &str, change: impl FnOnce(&mut Command)) {
    // Not by its path, which another user may not be allowed to walk.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", test, "--nocapture"]).current_dir("/").env(ALONE, "1").env("HOME", "/nonexistent");
    change(&mut command);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
