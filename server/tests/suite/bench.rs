//! A bench to run jobs on: a git repository with scenarios and the real runner with its SSH server, on free ports.
//! What its scenarios do is told by files that a test makes, so that no test has to wait for a clock.

use crate::held_address::HeldAddress;
use runner::{Runner, Running};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use server::config::{CommandTemplates, EnvironmentConfig, HostKeyCheck, PathTemplates, SshConfig, SshCredential};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Name, executable?, text. `gate` holds `slow` up until a test opens it.
const FILES: &[(&str, bool, &str)] = &[
    ("scenarios/smoke/pass.sh", true, "#!/bin/sh\necho it works\n"),
    ("scenarios/smoke/fail.sh", true, "#!/bin/sh\necho it breaks\nexit 1\n"),
    ("scenarios/smoke/skip.sh", true, "#!/bin/sh\nexit 77\n"),
    ("scenarios/smoke/error.sh", true, "#!/bin/sh\nexit 99\n"),
    (
        "scenarios/slow.sh",
        true,
        "#!/bin/sh\necho waiting\necho '::progress 0.5 half way'\nwhile [ ! -e \"$GATE\" ]; do sleep 0.05; done\necho done\n",
    ),
    ("scenarios/count.sh", true, "#!/bin/sh\necho \"$TESTARENA_TASK_ID\" >> \"$GATE.runs\"\n"),
    ("scenarios/files.sh", true, "#!/bin/sh\necho '<a/>' > \"$TESTARENA_RESULTS/junit.xml\"\n"),
    ("scenarios/bytes.sh", true, "#!/bin/sh\nprintf 'first\\n\\033[31mred\\033[0m\\r\\n\\377\\376\\nno end'\n"),
    ("scenarios/_helper.sh", true, "#!/bin/sh\n"),
    ("scenarios/readme.txt", false, "no scenario\n"),
];

pub struct Bench {
    folder: TempDir,
    config: runner::Config,
    running: Option<Running>,
    fingerprint: String,
    /// Those of HTTP and SSH, also while the runner is away.
    _addresses: [HeldAddress; 2],
}

impl Bench {
    pub async fn start() -> Self {
        Self::with_slots(2).await
    }

    pub async fn with_slots(slots: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make_repository(root);
        make_client_key(root);
        let (http, ssh) = (HeldAddress::take(), HeldAddress::take());
        let slot = BTreeMap::from([("GATE".to_owned(), root.join("gate").display().to_string())]);
        let config = runner::Config {
            listen: http.get(),
            name: "bench".to_owned(),
            token: None,
            token_env: None,
            data_dir: root.join("runner"),
            repository: root.join("clone"),
            scenario_dir: "scenarios".to_owned(),
            workspace_root: root.join("workspaces"),
            slots: vec![slot; slots],
            task_timeout: Duration::from_mins(1),
            max_log_bytes: 1 << 30,
            queue_overtime: Duration::from_secs(1),
            submodules: true,
            ssh: Some(runner::SshConfig {
                listen: ssh.get(),
                host_key: root.join("host_key"),
                authorized_keys: root.join("authorized_keys"),
            }),
        };
        let addresses = [http, ssh];
        let mut bench = Self { folder, config, running: None, fingerprint: String::new(), _addresses: addresses };
        bench.start_runner().await;
        bench
    }

    /// Starts the runner, always at the same addresses.
    pub async fn start_runner(&mut self) {
        let running = Runner::start(self.config.clone()).await.unwrap();
        self.fingerprint = running.ssh_host_key_fingerprint.clone().unwrap();
        self.running = Some(running);
    }

    pub async fn stop_runner(&mut self) {
        self.running.take().unwrap().shutdown().await;
    }

    /// The bench as an environment of TestArena.
    pub fn environment(&self) -> EnvironmentConfig {
        let ssh = self.config.ssh.as_ref().unwrap();
        EnvironmentConfig {
            name: "bench".to_owned(),
            url: format!("http://{}", self.config.listen),
            token: None,
            queue_id_prefix: String::new(),
            plain_404_means_unknown: false,
            paths: PathTemplates::default(),
            job_timeout: Duration::from_hours(1),
            waiting_timeout: Duration::from_hours(24),
            cleanup_give_up: Duration::from_hours(24),
            retry_max_interval: Duration::from_mins(5),
            remote_retention: Some(Duration::from_hours(24)),
            http_timeout: Duration::from_secs(10),
            ssh: SshConfig {
                host: ssh.listen.ip().to_string(),
                port: ssh.listen.port(),
                user: "tests".to_owned(),
                credential: SshCredential::IdentityFile(self.folder.path().join("client_key")),
                host_key: HostKeyCheck::Fingerprint(self.fingerprint.clone()),
                repository: self.config.repository.display().to_string(),
                scenario_dir: "scenarios".to_owned(),
                workspace_root: self.config.workspace_root.display().to_string(),
                timeout: Duration::from_secs(10),
                commands: CommandTemplates::default(),
            },
        }
    }

    /// Lets the scenario `slow` end.
    pub fn open_gate(&self) {
        std::fs::write(self.folder.path().join("gate"), "").unwrap();
    }

    /// The task of each run of the scenario `count`.
    pub fn counted_runs(&self) -> Vec<String> {
        let runs = std::fs::read_to_string(self.folder.path().join("gate.runs")).unwrap();
        runs.lines().map(str::to_owned).collect()
    }

    pub fn workspace(&self, queue_id: &str) -> PathBuf {
        self.config.workspace_root.join(queue_id)
    }

    /// Where files of a queue may lie.
    pub fn left_of(&self, id: i64) -> Vec<PathBuf> {
        let in_data = |folder: &str| self.config.data_dir.join(folder).join(id.to_string());
        vec![self.workspace(&id.to_string()), in_data("logs"), in_data("results")]
    }

    pub fn http(&self) -> SocketAddr {
        self.config.listen
    }
}

fn make_repository(root: &Path) {
    let (origin, work) = (root.join("origin.git"), root.join("work"));
    std::fs::create_dir_all(&work).unwrap();
    git(root, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    git(&work, &["init", "-q", "-b", "main"]);
    for (path, is_executable, text) in FILES {
        write_file(&work, path, *is_executable, text);
    }
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-q", "-m", "Add scenarios"]);
    git(&work, &["remote", "add", "origin", &origin.display().to_string()]);
    git(&work, &["push", "-q", "origin", "main"]);
    git(root, &["clone", "-q", "origin.git", "clone"]);
}

fn write_file(folder: &Path, path: &str, is_executable: bool, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    let mode = if is_executable { 0o755 } else { 0o644 };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn make_client_key(root: &Path) {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    key.write_openssh_file(root.join("client_key"), LineEnding::LF).unwrap();
    std::fs::write(root.join("authorized_keys"), key.public_key().to_openssh().unwrap()).unwrap();
}

/// Runs git without anything of the user's own configuration; its output.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
