//! The configuration: every key documented and typed, read once at the start.
//! A bad value, an unknown key or a half-given group stops the start with a message that names it.

mod environment;
mod file;
mod load;
mod oidc;
mod values;
mod variables;

pub use variables::Variables;

use crate::store::DatabaseUrl;
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: std::net::SocketAddr,
    /// Where users reach this server, without a slash at the end; decides about `Secure` cookies and allowed origins.
    pub public_url: String,
    /// Networks of reverse proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    pub database_url: DatabaseUrl,
    /// Kept logs and result files.
    pub data_dir: PathBuf,
    /// Time between two plain rounds over an environment's open jobs.
    pub poll_interval: Duration,
    pub session_lifetime: Duration,
    /// A session that is not used for so long ends.
    pub session_idle: Duration,
    /// How long entries of the audit log are kept.
    pub audit_retention: Duration,
    /// Kept of one log.
    pub max_log_bytes: u64,
    /// Kept of the result files of one job.
    pub max_results_bytes: u64,
    pub metrics_token: Option<Secret>,
    /// Single sign-on beside the local accounts.
    pub oidc: Option<OidcConfig>,
    pub environments: Vec<EnvironmentConfig>,
}

/// A single sign-on provider.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Exactly as the provider writes it.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// What the button on the sign-in page says.
    pub label: String,
    pub username_claim: String,
    pub groups_claim: String,
    /// Empty: everybody whom the provider lets in.
    pub allowed_groups: Vec<String>,
    /// Empty: administrators are made here.
    pub admin_groups: Vec<String>,
}

/// One remote test server. The limits are the environment's own or else the file's top-level ones.
#[derive(Clone, Debug)]
pub struct EnvironmentConfig {
    pub name: String,
    /// Base URL; a path prefix in it is kept.
    pub url: String,
    pub token: Option<Secret>,
    pub queue_id_prefix: String,
    /// A 404 without `unknown_id` counts as "unknown id", for old servers that can't say it.
    pub plain_404_means_unknown: bool,
    pub paths: PathTemplates,
    pub job_timeout: Duration,
    pub waiting_timeout: Duration,
    pub cleanup_give_up: Duration,
    pub retry_max_interval: Duration,
    /// `None`: queues stay at the remote server for ever.
    pub remote_retention: Option<Duration>,
    /// Limit of a whole HTTP call.
    pub http_timeout: Duration,
    pub ssh: SshConfig,
}

/// Paths below the base URL, with `{id}` for the queue or task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplates {
    pub queue: String,
    pub status: String,
    pub abort: String,
    pub delete: String,
}

impl Default for PathTemplates {
    fn default() -> Self {
        Self {
            queue: "/api/queue".to_owned(),
            status: "/api/status/{id}".to_owned(),
            abort: "/api/abort/{id}".to_owned(),
            delete: "/api/delete/{id}".to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct SshConfig {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub credential: SshCredential,
    pub host_key: HostKeyCheck,
    pub repository: String,
    pub scenario_dir: String,
    pub workspace_root: String,
    /// Limit of one command.
    pub timeout: Duration,
    pub commands: CommandTemplates,
}

#[derive(Clone, Debug)]
pub enum SshCredential {
    IdentityFile(PathBuf),
    Password(Secret),
}

/// How the server proves who it is; there is no way to skip it.
#[derive(Clone, Debug)]
pub enum HostKeyCheck {
    KnownHosts(PathBuf),
    /// `SHA256:…`
    Fingerprint(String),
}

/// Commands with `{repository}`, `{branch}`, `{commit}`, `{scenario_dir}`, `{workspace_root}` and `{queue_id}`,
/// each of which is quoted for a POSIX shell when it is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplates {
    pub branches: String,
    pub validate: String,
    pub present: String,
    pub fetch: String,
    pub scenarios: String,
    pub cleanup: String,
}

impl Default for CommandTemplates {
    fn default() -> Self {
        Self {
            branches: "git -C {repository} ls-remote --heads origin".to_owned(),
            validate: "git -C {repository} ls-remote --heads origin refs/heads/{branch}".to_owned(),
            present: "git -C {repository} cat-file -e {commit}^{commit}".to_owned(),
            fetch: "git -C {repository} fetch --quiet origin refs/heads/{branch}".to_owned(),
            scenarios: "git -C {repository} ls-tree -rz --full-tree {commit} -- {scenario_dir}".to_owned(),
            cleanup: "rm -rf -- {workspace_root}/{queue_id}".to_owned(),
        }
    }
}

/// Why the program does not start, for the one who wrote the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// A secret prints as stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
