//! How long a status takes on a runner that holds 10,000 finished and 1,000 waiting queues, over real HTTP.
//! Run by hand: `cargo run -p runner --example status_latency`. It takes some minutes to fill the database.

use protocol::QueueStatus;
use protocol::remote::{QueueBody, QueueRequest, StatusBody, TaskRequest};
use runner::{Config, Runner};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FINISHED: u32 = 10_000;
const WAITING: u32 = 1_000;
const TASKS_PER_QUEUE: u32 = 5;
const CALLS: usize = 2_000;
/// Queues are handed in by this many clients at once.
const CLIENTS: u32 = 16;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let commit = make_repository(folder.path())?;
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        name: "bench".to_owned(),
        token: None,
        token_env: None,
        data_dir: folder.path().join("data"),
        repository: folder.path().join("repository"),
        scenario_dir: "scenarios".to_owned(),
        workspace_root: folder.path().join("workspaces"),
        slots: vec![BTreeMap::new(); 1],
        task_timeout: Duration::from_hours(1),
        max_log_bytes: 1 << 30,
        queue_overtime: Duration::from_secs(50),
        submodules: true,
        ssh: None,
    };
    let running = Runner::start(config).await?;
    // There is one provider in this program, so it is the default.
    let _only_one = rustls::crypto::ring::default_provider().install_default();
    let client = Client { http: reqwest::Client::new(), base: format!("http://{}", running.http_addr), commit };

    // One queue that runs all the time keeps the others waiting; aborted, they are final at once.
    client.submit(1, 1).await?;
    let start = Instant::now();
    client.fill(2, FINISHED + 1, true).await?;
    client.fill(FINISHED + 2, FINISHED + WAITING + 1, false).await?;
    println!("filled in {:.0} s", start.elapsed().as_secs_f64());

    let (first, last) = (FINISHED + 2, FINISHED + WAITING + 1);
    client
        .measure(&[
            ("finished queue", format!("/api/status/{}", FINISHED / 2)),
            ("first waiting queue", format!("/api/status/{first}")),
            ("last waiting queue", format!("/api/status/{last}")),
            ("running queue", "/api/status/1".to_owned()),
            ("waiting task", format!("/api/status/{last}-1")),
            ("health", "/api/health".to_owned()),
            ("for comparison, a path that asks no database", "/api/none".to_owned()),
        ])
        .await?;
    running.shutdown().await;
    Ok(())
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    base: String,
    commit: String,
}

impl Client {
    /// Hands in queues of these numbers, and aborts them where they shall be final.
    async fn fill(&self, first: u32, last: u32, is_final: bool) -> Result<(), Failure> {
        let workers = (0..CLIENTS).map(|worker| {
            let client = self.clone();
            tokio::spawn(async move {
                for number in (first..=last).filter(|number| number % CLIENTS == worker) {
                    client.submit(number, TASKS_PER_QUEUE).await?;
                    if is_final {
                        let abort = client.http.post(format!("{}/api/abort/{number}", client.base));
                        abort.send().await?.error_for_status()?;
                    }
                }
                Ok::<_, Failure>(())
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await??;
        }
        let status = if is_final { QueueStatus::Aborted } else { QueueStatus::Waiting };
        let body: StatusBody = self.http.get(format!("{}/api/status/{last}", self.base)).send().await?.json().await?;
        match body {
            StatusBody::Queue(QueueBody { status: found, .. }) if found == status => Ok(()),
            other => Err(format!("expected {status}, found {other:?}").into()),
        }
    }

    async fn submit(&self, number: u32, tasks: u32) -> Result<(), Failure> {
        let task = |n| TaskRequest { task_id: format!("{number}-{n}"), scenario: "wait".to_owned() };
        let queue = QueueRequest {
            queue_id: number.to_string(),
            branch: "main".to_owned(),
            commit: self.commit.clone(),
            submitted_by: "bench".to_owned(),
            timeout_s: 36_000,
            tasks: (1..=tasks).map(task).collect(),
        };
        self.http.post(format!("{}/api/queue", self.base)).json(&queue).send().await?.error_for_status()?;
        Ok(())
    }

    /// Calls all of them in turn, so that whatever else the machine does is spread evenly over them.
    async fn measure(&self, calls: &[(&str, String)]) -> Result<(), Failure> {
        let mut times = vec![Vec::with_capacity(CALLS); calls.len()];
        for _ in 0..CALLS {
            for ((_, path), times) in calls.iter().zip(&mut times) {
                let start = Instant::now();
                self.http.get(format!("{}{path}", self.base)).send().await?.bytes().await?;
                times.push(start.elapsed());
            }
        }
        for ((what, _), mut times) in calls.iter().zip(times) {
            times.sort_unstable();
            let ms = |per_mille: usize| times[CALLS * per_mille / 1_000].as_secs_f64() * 1_000.0;
            println!("{what}: median {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", ms(500), ms(990), ms(999));
        }
        Ok(())
    }
}

fn make_repository(folder: &Path) -> Result<String, Failure> {
    let repository = folder.join("repository");
    let scenario = repository.join("scenarios/wait");
    std::fs::create_dir_all(repository.join("scenarios"))?;
    std::fs::write(&scenario, "#!/bin/sh\nexec sleep 36000\n")?;
    std::fs::set_permissions(&scenario, std::fs::Permissions::from_mode(0o755))?;
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
        Command::new("git").arg("-C").arg(&repository).args(who).args(arguments).output()
    };
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "scenarios"])?;
    Ok(String::from_utf8(git(&["rev-parse", "HEAD"])?.stdout)?.trim().to_owned())
}
