//! PostgreSQL servers and a pooler of a test's own, on loopback, for what a shared one must not suffer. They are stopped
//! and deleted when they are dropped. The tests with them are for the run on PostgreSQL, since not every machine has one.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

const GERMAN: &str = "de_DE.UTF-8";
const PATIENCE: Duration = Duration::from_mins(1);

pub struct PostgresServer {
    folder: TempDir,
    pub port: u16,
}

impl PostgresServer {
    pub fn start() -> Self {
        Self::start_with(folder(), &[])
    }

    /// One that speaks German. `None`: its words are not installed here.
    pub fn start_in_german() -> Option<Self> {
        let folder = folder();
        let made =
            Command::new("localedef").args(["-i", "de_DE", "-f", "UTF-8"]).arg(folder.path().join(GERMAN)).status();
        if !made.is_ok_and(|made| made.success()) {
            return None;
        }
        let server = Self::start_with(folder, &["--lc-messages", GERMAN]);
        let output = as_owner("psql").arg(server.url()).args(["--command", "SELECT 1/0"]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("Division durch Null").then_some(server)
    }

    fn start_with(folder: TempDir, options: &[&str]) -> Self {
        let data = folder.path().join("data");
        let init = ["--username", "testarena", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"];
        let mut make = as_owner("initdb");
        run(make.env("LOCPATH", folder.path()).arg("--pgdata").arg(&data).args(init).args(options));
        Self::start_in(folder)
    }

    /// Another server with the same data, which goes its own way from now on.
    pub fn copy(&self) -> Self {
        let folder = folder();
        let port = self.port.to_string();
        let mut copy = as_owner("pg_basebackup");
        copy.args(["--host", "127.0.0.1", "--port", &port, "--username", "testarena", "--checkpoint", "fast"]);
        run(copy.arg("--no-sync").arg("--pgdata").arg(folder.path().join("data")));
        Self::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        let start = Instant::now();
        loop {
            // Somebody else may take it in between: then another one is tried.
            let port = free_port();
            let options = format!(
                "-c listen_addresses=127.0.0.1 -p {port} -k {} -c fsync=off -c synchronous_commit=off",
                folder.path().display()
            );
            let mut server = pg_ctl(folder.path(), "start");
            // Where a language was made for it.
            server.env("LOCPATH", folder.path());
            server.args(["--wait", "--silent", "--options", &options, "--log"]).arg(folder.path().join("log"));
            if server.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success() {
                return Self { folder, port };
            }
            assert!(start.elapsed() < PATIENCE, "no server starts");
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://testarena@127.0.0.1:{}/postgres", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let mut stop = pg_ctl(self.folder.path(), "stop");
        let _gone = stop.args(["--mode", "immediate", "--silent"]).status();
    }
}

/// `PgBouncer` that gives each transaction whatever session is free.
pub struct Pooler {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Pooler {
    pub fn start(server: &PostgresServer) -> Self {
        let start = Instant::now();
        loop {
            if let Some(pooler) = Self::try_to_start(server) {
                return pooler;
            }
            assert!(start.elapsed() < PATIENCE, "the pooler does not start");
        }
    }

    /// `None`: somebody else has taken its port in between.
    fn try_to_start(server: &PostgresServer) -> Option<Self> {
        let (folder, port) = (folder(), free_port());
        let config = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=testarena\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 3\nmax_client_conn = 200\n",
            server.port
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::File::create(&path).unwrap().write_all(config.as_bytes()).unwrap();
        let program = if Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
        let mut pooler = as_owner(program);
        let child = pooler.arg("--quiet").arg(&path).stderr(Stdio::null()).spawn().unwrap();
        let mut pooler = Self { child, port, _folder: folder };
        let start = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if pooler.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "the pooler does not answer");
            std::thread::yield_now();
        }
        Some(pooler)
    }

    pub fn url(&self) -> String {
        format!("postgres://testarena@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Leads new connections to whatever server is the first one now; those that there are stay where they are.
pub struct Forwarder {
    pub address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Forwarder {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(target));
        let to = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let target = *to.lock().unwrap();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        Self { address, target }
    }

    pub fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = target;
    }

    pub fn url(&self) -> String {
        format!("postgres://testarena@{}/postgres", self.address)
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Below /tmp, because the servers' user can't enter a folder in root's home.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("testarena-postgres.").tempdir_in("/tmp").unwrap();
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    folder
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn pg_ctl(folder: &Path, word: &str) -> Command {
    let mut command = as_owner("pg_ctl");
    command.arg(word).arg("--pgdata").arg(folder.join("data"));
    command
}

/// A program of PostgreSQL's; they refuse to run as root.
fn as_owner(program: &str) -> Command {
    let program = if program.starts_with('/') { PathBuf::from(program) } else { find_program(program) };
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    // Nobody's terminal ends it, and it can be in its folder.
    command.current_dir("/").process_group(0).stdin(Stdio::null());
    command
}

/// On the path, or else of the newest PostgreSQL there is.
fn find_program(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&on_path).map(|folder| folder.join(name)).find(|path| path.exists()) {
        return found;
    }
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path().join("bin")).collect();
    versions.sort();
    versions.pop().unwrap().join(name)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
