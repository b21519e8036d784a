//! All that TestArena has at one remote test server: its HTTP API, its shell, its repository.
//! `check` tries each of them for `testarena check` and says how to mend what does not work.

use super::commands::Commands;
use super::repository::Repository;
use super::server::Server;
use super::shell::Shell;
use super::{Remote, known_hosts};
use crate::config::{EnvironmentConfig, HostKeyCheck};
use std::sync::Arc;

pub struct Environment {
    pub config: Arc<EnvironmentConfig>,
    pub server: Arc<Server>,
    pub repository: Repository,
    shell: Shell,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was tried, in a few words.
    pub what: String,
    pub ok: bool,
    /// What came of it; of a failure, how to mend it.
    pub message: String,
}

impl Environment {
    /// Refuses a configuration that can't work. Connects to nothing yet.
    pub fn new(config: EnvironmentConfig) -> Result<Self, String> {
        let named = |error: String| format!("environment {}: {error}", config.name);
        let commands = Commands::new(&config.ssh).map_err(named)?;
        if let HostKeyCheck::Fingerprint(pinned) = &config.ssh.host_key
            && !known_hosts::is_fingerprint(pinned)
        {
            let form = "SHA256: and 43 characters, as \"ssh-keygen -l\" prints it";
            return Err(named(format!("ssh.host_key: {pinned:?} is no fingerprint; write {form}")));
        }
        let shell = Shell::new(config.ssh.clone());
        let repository = Repository::new(&config.ssh, shell.clone(), commands.clone());
        let config = Arc::new(config);
        let server = Arc::new(Server::new(Arc::clone(&config), shell.clone(), commands)?);
        Ok(Self { config, server, repository, shell })
    }

    /// The fingerprint of the host key that the SSH server showed last, trusted or not; `None` before the first contact.
    pub fn offered_host_key(&self) -> Option<String> {
        self.shell.offered_host_key()
    }

    /// Tries HTTP, SSH and the repository, one after another; later steps are left out where an earlier one failed.
    pub async fn check(&self, instance: &str) -> Vec<Finding> {
        let mut findings = vec![self.check_http(instance).await, self.check_ssh().await];
        if findings[1].ok {
            findings.push(self.check_repository().await);
        }
        findings
    }

    async fn check_http(&self, instance: &str) -> Finding {
        let result = match self.server.health(instance).await {
            Ok(health) if health.status != "ok" => {
                Err(format!("the server says that it is {:?}; see its log", health.status))
            }
            Ok(health) => {
                let features = if health.features.is_empty() { "none".to_owned() } else { health.features.join(", ") };
                Ok(format!("{} answers; optional features: {features}", health.name))
            }
            Err(error) => Err(error.to_string()),
        };
        Finding::new(format!("HTTP API at {}", self.config.url), result)
    }

    async fn check_ssh(&self) -> Finding {
        let ssh = &self.config.ssh;
        let result = self.shell.connect().await.map_err(|error| error.to_string());
        let key = self.offered_host_key().unwrap_or_default();
        let result = result.map(|()| format!("signed in; the host key is {key}"));
        Finding::new(format!("SSH to {}@{}:{}", ssh.user, ssh.host, ssh.port), result)
    }

    async fn check_repository(&self) -> Finding {
        let what = format!("Repository {}", self.config.ssh.repository);
        let branches = match self.repository.branches().await {
            Ok(branches) => branches,
            Err(error) => return Finding::new(what, Err(error.to_string())),
        };
        let Some(first) = branches.first() else {
            return Finding::new(what, Err("it has no branches: push one to its origin".to_owned()));
        };
        let result = self.repository.scenarios(&first.name, &first.commit).await;
        let result = result
            .map_err(|error| error.to_string())
            .map(|list| format!("{} branches; {} has {} scenarios", branches.len(), first.name, list.scenarios.len()));
        Finding::new(what, result)
    }
}

impl Finding {
    fn new(what: String, result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        Self { what, ok, message: result.unwrap_or_else(|error| error) }
    }
}
