//! All that TestArena has at one remote test server: its HTTP API, its shell, its repository.
//! Each can be asked by itself; `check` tries them all.

use super::commands::Commands;
use super::host_key::load_known_hosts;
use super::repository::Repository;
use super::server::Server;
use super::shell::Shell;
use super::ssh::{Output, load_identity};
use super::ssh_state::{Purpose, SshState};
use super::{Failure, known_hosts};
use crate::config::{EnvironmentConfig, HostKeyCheck, SshCredential};
use protocol::Timestamp;
use std::sync::Arc;

pub struct Environment {
    pub config: Arc<EnvironmentConfig>,
    pub server: Arc<Server>,
    pub repository: Repository,
    /// Since when this process knows of it.
    pub known_since: Timestamp,
    shell: Shell,
    commands: Commands,
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
        let shell = Shell::new(&config.name, config.ssh.clone());
        let repository = Repository::new(&config.ssh, shell.clone(), commands.clone());
        let config = Arc::new(config);
        let server = Arc::new(Server::new(Arc::clone(&config), shell.clone(), commands.clone())?);
        Ok(Self { config, server, repository, known_since: Timestamp::now(), shell, commands })
    }

    /// How its SSH fared, as far as this process has seen it.
    pub fn ssh_state(&self) -> &SshState {
        self.shell.state()
    }

    pub(super) fn shell(&self) -> &Shell {
        &self.shell
    }

    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Connects anew, beside the connection that is kept, and lets go again.
    pub(super) async fn try_to_connect(&self) -> Result<(), Failure> {
        self.shell.try_to_connect().await
    }

    pub(super) async fn host_keys(&self) -> Result<Vec<String>, Failure> {
        self.shell.host_keys().await
    }

    pub(super) async fn run<T>(
        &self,
        purpose: Purpose,
        command: String,
        read: impl FnOnce(&Output) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.shell.run(purpose, command, read).await
    }
}

/// Whether the files are there and readable that an environment's SSH needs: the key and the known hosts.
pub async fn require_files(environment: &EnvironmentConfig) -> Result<(), String> {
    let named = |failure: &Failure| format!("environment \"{}\": {}", environment.name, failure.private());
    if let SshCredential::IdentityFile(path) = &environment.ssh.credential {
        load_identity(path).await.map_err(|error| named(error.failure()))?;
    }
    if let HostKeyCheck::KnownHosts(path) = &environment.ssh.host_key {
        load_known_hosts(path).await.map_err(|failure| named(&failure))?;
    }
    Ok(())
}
