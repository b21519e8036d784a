//! The configuration file as it stands on disk: texts and tables, nothing checked yet but the names of the keys.
//! `load` and `environment` turn it into the typed configuration.

use serde::Deserialize;

/// The top-level keys; each may be given by an environment variable instead.
pub(super) const KEYS: [&str; 19] = [
    "listen",
    "public_url",
    "trusted_proxies",
    "database_url",
    "data_dir",
    "poll_interval",
    "job_timeout",
    "waiting_timeout",
    "cleanup_give_up",
    "retry_max_interval",
    "remote_retention",
    "session_lifetime",
    "session_idle",
    "audit_retention",
    "max_log_bytes",
    "max_results_bytes",
    "http_timeout",
    "oidc",
    "environments",
];

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) trusted_proxies: Option<Vec<String>>,
    pub(super) database_url: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) poll_interval: Option<String>,
    pub(super) job_timeout: Option<String>,
    pub(super) waiting_timeout: Option<String>,
    pub(super) cleanup_give_up: Option<String>,
    pub(super) retry_max_interval: Option<String>,
    pub(super) remote_retention: Option<String>,
    pub(super) session_lifetime: Option<String>,
    pub(super) session_idle: Option<String>,
    pub(super) audit_retention: Option<String>,
    pub(super) max_log_bytes: Option<String>,
    pub(super) max_results_bytes: Option<String>,
    pub(super) http_timeout: Option<String>,
    pub(super) oidc: Option<Oidc>,
    #[serde(default)]
    pub(super) environments: Vec<Environment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oidc {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret_env: Option<String>,
    pub(super) label: Option<String>,
    pub(super) username_claim: Option<String>,
    pub(super) groups_claim: Option<String>,
    #[serde(default)]
    pub(super) allowed_groups: Vec<String>,
    #[serde(default)]
    pub(super) admin_groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) token_env: Option<String>,
    #[serde(default)]
    pub(super) queue_id_prefix: String,
    #[serde(default)]
    pub(super) plain_404_means_unknown: bool,
    pub(super) paths: Option<Paths>,
    pub(super) job_timeout: Option<String>,
    pub(super) waiting_timeout: Option<String>,
    pub(super) cleanup_give_up: Option<String>,
    pub(super) retry_max_interval: Option<String>,
    pub(super) remote_retention: Option<String>,
    pub(super) http_timeout: Option<String>,
    pub(super) ssh: Ssh,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paths {
    pub(super) queue: Option<String>,
    pub(super) status: Option<String>,
    pub(super) abort: Option<String>,
    pub(super) delete: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ssh {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) user: String,
    pub(super) identity_file: Option<String>,
    pub(super) password_env: Option<String>,
    pub(super) known_hosts: Option<String>,
    pub(super) host_key: Option<String>,
    pub(super) repository: String,
    pub(super) scenario_dir: Option<String>,
    pub(super) workspace_root: String,
    pub(super) timeout: Option<String>,
    pub(super) commands: Option<Commands>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commands {
    pub(super) branches: Option<String>,
    pub(super) validate: Option<String>,
    pub(super) present: Option<String>,
    pub(super) fetch: Option<String>,
    pub(super) scenarios: Option<String>,
    pub(super) cleanup: Option<String>,
}
