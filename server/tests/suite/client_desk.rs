//! A desk at which somebody uses the command-line client: the real program against the real server with a real runner.
//! The runner lives in the test's own process, so nothing here may block it.

use crate::api_document::{self, Exchange};
use crate::bench::Bench;
use crate::command_line::{good, run};
use crate::held_address::HeldAddress;
use crate::killed::{Server, config_of};
use crate::test_app::PASSWORD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_mins(3);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

pub struct Desk {
    pub bench: Bench,
    pub server: Option<Server>,
    pub url: String,
    pub token: String,
    folder: TempDir,
    /// Where the server is, also after a restart.
    _address: HeldAddress,
}

impl Desk {
    /// With a user `ada` and a token of hers.
    pub async fn set_up() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let bench = Bench::start().await;
        let folder = tempfile::tempdir().unwrap();
        let address = HeldAddress::take();
        let config = config_of(&bench.environment()).replace("127.0.0.1:0", &address.get().to_string());
        std::fs::write(folder.path().join("testarena.toml"), config).unwrap();
        good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));
        let server = Server::start(folder.path());
        let url = server.url.clone();
        let mut desk = Self { bench, server: Some(server), url, token: String::new(), folder, _address: address };
        desk.token = desk.call(Method::POST, "/api/tokens", json!({"name": "desk"})).await["token"].to_string();
        desk.token = desk.token.trim_matches('"').to_owned();
        desk
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request =
            Client::new().request(method.clone(), format!("{}{path}", self.url)).basic_auth("ada", Some(PASSWORD));
        let sent = body.to_string();
        let request = request.header("content-type", "application/json").body(sent.clone());
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        let read =
            async { reqwest::get(format!("{}/api/openapi.json", self.url)).await.unwrap().bytes().await.unwrap() };
        let exchange =
            Exchange { method: &method, path, sent: sent.as_bytes(), status, headers: &headers, body: &body };
        api_document::document(read).await.check(&exchange);
        serde_json::from_slice(&body).unwrap()
    }

    pub fn kill_server(&mut self) {
        self.server.take().unwrap().kill();
    }

    pub fn start_server(&mut self) {
        self.server = Some(Server::start(&self.server_folder()));
    }

    fn server_folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Where the client keeps what `login` made.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn kept_file(&self) -> PathBuf {
        self.home().join("testarena/config.toml")
    }

    /// The client, which knows the server and the token.
    pub fn client(&self, words: &[&str]) -> Command {
        let mut command = bare_client(&self.home(), words);
        command.env("TESTARENA_URL", &self.url).env("TESTARENA_TOKEN", &self.token);
        command
    }

    pub async fn run(&self, words: &[&str]) -> Told {
        finish(self.client(words)).await
    }

    /// Runs to success; what it printed.
    pub async fn good(&self, words: &[&str]) -> String {
        let told = self.run(words).await;
        assert_eq!(told.code, 0, "{words:?}: {told:?}");
        told.out
    }

    /// A submitted job's id.
    pub async fn submit(&self, scenarios: &[&str]) -> String {
        let words = [&["job", "submit", "--branch", "main", "--scenario"], scenarios].concat();
        self.good(&words).await.split_once(' ').unwrap().0.to_owned()
    }

    pub async fn job(&self, id: &str) -> Value {
        self.call(Method::GET, &format!("/api/job/{id}"), Value::Null).await
    }

    /// The job when it is as it should be.
    pub async fn job_when(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        loop {
            let job = self.job(id).await;
            if is_so(&job) {
                return job;
            }
            assert!(start.elapsed() < PATIENCE, "{job:#}");
            pace.tick().await;
        }
    }
}

/// The client without anything that says where the server is.
pub fn bare_client(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testarena"));
    command.args(words).env_clear().env("XDG_CONFIG_HOME", home).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[derive(Debug)]
pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub async fn finish(mut command: Command) -> Told {
    tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap().into()
}

pub async fn finish_with_input(mut command: Command, input: &str) -> Told {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // One that says no before it reads may have ended by now.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap().into()
}

/// Reads until a line has these words; that line.
pub async fn line_with(lines: &mut (impl AsyncBufReadExt + Unpin), words: &str) -> String {
    let find = async {
        let mut line = String::new();
        while lines.read_line(&mut line).await.unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("it ended without saying \"{words}\"");
    };
    tokio::time::timeout(PATIENCE, find).await.unwrap()
}

/// A client at work, whose two outputs are read line by line.
pub struct Working {
    pub child: Child,
    pub out: BufReader<tokio::process::ChildStdout>,
    pub err: BufReader<tokio::process::ChildStderr>,
}

impl Working {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, out: BufReader::new(out), err: BufReader::new(err) }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    pub async fn code(&mut self) -> i32 {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code().unwrap()
    }
}
