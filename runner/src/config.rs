//! Everything that `runner.toml` says, checked once at the start and typed.
//! An unknown key or a bad value stops the start with a message that names it.

use protocol::{size, text};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// The server itself ends a queue at most this long after its limit. The contract says 60 s at the latest;
/// 10 s of it are kept for noticing and for the grace between SIGTERM and SIGKILL.
pub const MAX_QUEUE_OVERTIME: Duration = Duration::from_secs(50);
/// More slots than this on one machine is a typing error.
const MAX_SLOTS: usize = 1_024;

/// A runner's configuration. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub name: String,
    /// Where requests must carry a bearer token: the token.
    pub token: Option<Token>,
    /// The environment variable that holds the token; tasks do not inherit it.
    pub token_env: Option<String>,
    pub data_dir: PathBuf,
    /// A clone whose `origin` is the source.
    pub repository: PathBuf,
    /// The scenarios' folder, relative to the repository's root.
    pub scenario_dir: String,
    pub workspace_root: PathBuf,
    /// Whether checkouts get the submodules that their commit records.
    pub submodules: bool,
    /// One entry per slot: the variables that tasks in it get.
    pub slots: Vec<BTreeMap<String, String>>,
    pub task_timeout: Duration,
    /// The most that is kept of what one task prints.
    pub max_log_bytes: u64,
    /// How long after a queue's own limit the server ends it by itself; at most [`MAX_QUEUE_OVERTIME`].
    pub queue_overtime: Duration,
    pub ssh: Option<SshConfig>,
}

/// The runner's own small SSH server.
#[derive(Clone, Debug)]
pub struct SshConfig {
    pub listen: SocketAddr,
    /// An OpenSSH private key; made if missing.
    pub host_key: PathBuf,
    pub authorized_keys: PathBuf,
}

/// A bearer token, kept as its SHA-256 only.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    pub fn new(value: &str) -> Self {
        Self(Sha256::digest(value.as_bytes()).into())
    }

    /// Compares in a time that does not depend on where the two differ.
    pub fn matches(&self, offered: &str) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered.as_bytes()).into();
        self.0.iter().zip(offered).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs)) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("can't read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {problem}", path.display())]
    Parse { path: PathBuf, problem: String },
    #[error("{}: {key}: {problem}", path.display())]
    Value { path: PathBuf, key: &'static str, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "default_listen")]
    listen: SocketAddr,
    name: String,
    token_env: Option<String>,
    #[serde(default = "default_data_dir")]
    data_dir: PathBuf,
    repository: PathBuf,
    #[serde(default = "default_scenario_dir")]
    scenario_dir: String,
    workspace_root: PathBuf,
    #[serde(default = "default_submodules")]
    submodules: bool,
    slots: Option<usize>,
    slot: Option<Vec<Slot>>,
    #[serde(default = "default_task_timeout")]
    task_timeout: String,
    #[serde(default = "default_max_log_bytes")]
    max_log_bytes: String,
    queue_overtime: Option<String>,
    ssh: Option<SshFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    #[serde(default)]
    env: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SshFile {
    listen: SocketAddr,
    host_key: PathBuf,
    authorized_keys: PathBuf,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9000))
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("data")
}

fn default_scenario_dir() -> String {
    "scenarios".to_owned()
}

fn default_submodules() -> bool {
    true
}

fn default_task_timeout() -> String {
    "1h".to_owned()
}

fn default_max_log_bytes() -> String {
    "1GiB".to_owned()
}

type Problem = (&'static str, String);

impl Config {
    /// Reads a `runner.toml`. Relative paths in it are relative to the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read_error = |source| ConfigError::Read { path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(read_error)?;
        let text = text::of_file(bytes).map_err(|error| read_error(io::Error::other(error)))?;
        let absolute = std::path::absolute(path).map_err(read_error)?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let file: File = toml::from_str(&text).map_err(|error: toml::de::Error| ConfigError::Parse {
            path: path.to_owned(),
            problem: text::wrong_at(&text, error.span(), error.message()),
        })?;
        from_file(file, folder).map_err(|(key, problem)| ConfigError::Value { path: path.to_owned(), key, problem })
    }
}

fn from_file(file: File, folder: &Path) -> Result<Config, Problem> {
    let config = Config {
        listen: file.listen,
        token: file.token_env.as_deref().map(read_token).transpose()?,
        token_env: file.token_env,
        data_dir: folder.join(file.data_dir),
        repository: folder.join(file.repository),
        scenario_dir: scenario_dir(&file.scenario_dir)?,
        workspace_root: folder.join(file.workspace_root),
        submodules: file.submodules,
        slots: slots(file.slots, file.slot)?,
        task_timeout: duration("task_timeout", &file.task_timeout)?,
        max_log_bytes: size::parse(&file.max_log_bytes).map_err(|problem| ("max_log_bytes", problem))?,
        queue_overtime: match file.queue_overtime {
            Some(text) => duration("queue_overtime", &text)?,
            None => MAX_QUEUE_OVERTIME,
        },
        ssh: file.ssh.map(|ssh| SshConfig {
            listen: ssh.listen,
            host_key: folder.join(ssh.host_key),
            authorized_keys: folder.join(ssh.authorized_keys),
        }),
        name: file.name,
    };
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), Problem> {
    if config.name.trim().is_empty() {
        return Err(("name", "must not be empty".to_owned()));
    }
    if config.task_timeout < Duration::from_secs(1) {
        return Err(("task_timeout", "must be at least 1s".to_owned()));
    }
    if config.queue_overtime > MAX_QUEUE_OVERTIME {
        return Err(("queue_overtime", format!("must be at most {}s", MAX_QUEUE_OVERTIME.as_secs())));
    }
    // A queue's id names its folder there, and the clean-up removes that folder.
    for (key, path) in [("data_dir", &config.data_dir), ("repository", &config.repository)] {
        if path.starts_with(&config.workspace_root) {
            return Err((
                key,
                "must not lie in workspace_root, where the clean-up of a queue could remove it".to_owned(),
            ));
        }
    }
    Ok(())
}

fn read_token(variable: &str) -> Result<Token, Problem> {
    match std::env::var(variable) {
        Ok(value) if !value.trim().is_empty() => Ok(Token::new(value.trim())),
        _ => Err(("token_env", format!("the environment variable {variable} is not set; set it to the bearer token"))),
    }
}

fn scenario_dir(text: &str) -> Result<String, Problem> {
    let parts: Option<Vec<&str>> = Path::new(text)
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match parts {
        Some(parts) if !parts.is_empty() => Ok(parts.join("/")),
        _ => Err(("scenario_dir", "must be a folder inside the repository, such as \"scenarios\"".to_owned())),
    }
}

fn slots(count: Option<usize>, list: Option<Vec<Slot>>) -> Result<Vec<BTreeMap<String, String>>, Problem> {
    let slots = match (count, list) {
        (Some(_), Some(_)) => return Err(("slots", "give either slots or [[slot]] tables, not both".to_owned())),
        (None, Some(list)) => list.into_iter().map(|slot| slot.env).collect(),
        (count, None) => vec![BTreeMap::new(); count.unwrap_or(1).min(MAX_SLOTS + 1)],
    };
    if slots.is_empty() || slots.len() > MAX_SLOTS {
        return Err(("slots", format!("must be 1 to {MAX_SLOTS}")));
    }
    for (name, value) in slots.iter().flatten() {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') || value.contains('\0') {
            return Err(("slot.env", format!("\"{name}\" is no environment variable that a program could read")));
        }
        if name.starts_with("TESTARENA_") {
            return Err(("slot.env", format!("{name}: names that begin with TESTARENA_ are the runner's own")));
        }
    }
    Ok(slots)
}

fn duration(key: &'static str, text: &str) -> Result<Duration, Problem> {
    humantime::parse_duration(text).map_err(|error| (key, format!("\"{text}\": {error}; write for example \"30m\"")))
}
