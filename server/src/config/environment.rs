//! One environment of the file, checked: names, URLs, templates, and one credential and one host key check each.
//! Its limits default to the file's top-level ones.

use super::file;
use super::load::{Limits, Loader};
use super::{
    CommandTemplates, ConfigError, EnvironmentConfig, HostKeyCheck, PathTemplates, Secret, SshConfig, SshCredential,
    values,
};
use protocol::names;
use std::time::Duration;

const DEFAULT_SSH_PORT: u16 = 22;
/// Of one command; a fetch of a large repository over a slow line takes the longest.
const DEFAULT_SSH_TIMEOUT: Duration = Duration::from_secs(30);

impl Loader<'_> {
    pub(super) fn environment(&self, raw: &file::Environment, top: &Limits) -> Result<EnvironmentConfig, ConfigError> {
        self.checked(raw, top).map_err(|ConfigError(why)| ConfigError(format!("environment \"{}\": {why}", raw.name)))
    }

    fn checked(&self, raw: &file::Environment, top: &Limits) -> Result<EnvironmentConfig, ConfigError> {
        require(
            is_plain_name(&raw.name),
            "name: letters, digits, '.', '_' and '-', at most 64, a letter or digit first",
        )?;
        require(
            names::is_queue_id_prefix(&raw.queue_id_prefix),
            "queue_id_prefix: only letters, digits and dots, at most 200",
        )?;
        let retention = raw.remote_retention.as_deref().map(values::duration_or_never).transpose();
        Ok(EnvironmentConfig {
            name: raw.name.clone(),
            url: values::http_url(&raw.url).map_err(|why| ConfigError(format!("url: {why}")))?,
            token: raw.token_env.as_deref().map(|name| self.secret("token_env", name)).transpose()?,
            queue_id_prefix: raw.queue_id_prefix.clone(),
            plain_404_means_unknown: raw.plain_404_means_unknown,
            paths: paths(raw.paths.as_ref())?,
            job_timeout: raw
                .job_timeout
                .as_deref()
                .map_or(Ok(top.job_timeout), values::job_timeout)
                .map_err(|why| ConfigError(format!("job_timeout: {why}")))?,
            waiting_timeout: own_limit("waiting_timeout", raw.waiting_timeout.as_deref(), top.waiting_timeout)?,
            cleanup_give_up: own_limit("cleanup_give_up", raw.cleanup_give_up.as_deref(), top.cleanup_give_up)?,
            retry_max_interval: own_limit(
                "retry_max_interval",
                raw.retry_max_interval.as_deref(),
                top.retry_max_interval,
            )?,
            remote_retention: retention
                .map_err(|why| ConfigError(format!("remote_retention: {why}")))?
                .unwrap_or(top.remote_retention),
            http_timeout: own_limit("http_timeout", raw.http_timeout.as_deref(), top.http_timeout)?,
            ssh: self.ssh(&raw.ssh)?,
        })
    }

    fn ssh(&self, raw: &file::Ssh) -> Result<SshConfig, ConfigError> {
        require(is_word(&raw.host), "ssh.host: a name or an address is needed")?;
        require(raw.port != Some(0), "ssh.port: 0 is no port to connect to")?;
        require(is_word(&raw.user), "ssh.user: a user name is needed")?;
        require(is_path(&raw.repository), "ssh.repository: the path of a clone at the remote server is needed")?;
        let root = raw.workspace_root.trim_end_matches('/');
        // Whole folders below it are removed: an empty or relative one would be somebody's home.
        require(is_path(root) && root.starts_with('/'), "ssh.workspace_root: an absolute path below / is needed")?;
        let scenario_dir = raw.scenario_dir.as_deref().unwrap_or("scenarios").trim_end_matches('/');
        require(
            is_path(scenario_dir)
                && !scenario_dir.starts_with('/')
                && !scenario_dir.split('/').any(|part| part == ".."),
            "ssh.scenario_dir: a plain path inside the repository is needed",
        )?;
        Ok(SshConfig {
            host: raw.host.clone(),
            port: raw.port.unwrap_or(DEFAULT_SSH_PORT),
            user: raw.user.clone(),
            credential: self.credential(raw)?,
            host_key: self.host_key(raw)?,
            repository: raw.repository.clone(),
            scenario_dir: scenario_dir.to_owned(),
            workspace_root: root.to_owned(),
            timeout: own_limit("ssh.timeout", raw.timeout.as_deref(), DEFAULT_SSH_TIMEOUT)?,
            commands: commands(raw.commands.as_ref())?,
        })
    }

    fn credential(&self, raw: &file::Ssh) -> Result<SshCredential, ConfigError> {
        match (&raw.identity_file, &raw.password_env) {
            (Some(file), None) => Ok(SshCredential::IdentityFile(self.path(file))),
            (None, Some(name)) => Ok(SshCredential::Password(self.secret("ssh.password_env", name)?)),
            _ => Err(ConfigError("ssh: give either identity_file or password_env".into())),
        }
    }

    fn host_key(&self, raw: &file::Ssh) -> Result<HostKeyCheck, ConfigError> {
        match (&raw.known_hosts, &raw.host_key) {
            (Some(file), None) => Ok(HostKeyCheck::KnownHosts(self.path(file))),
            (None, Some(key)) if key.starts_with("SHA256:") => Ok(HostKeyCheck::Fingerprint(key.clone())),
            (None, Some(_)) => Err(ConfigError("ssh.host_key: a fingerprint begins with SHA256:".into())),
            _ => Err(ConfigError("ssh: give either known_hosts or host_key".into())),
        }
    }

    pub(super) fn secret(&self, key: &str, name: &str) -> Result<Secret, ConfigError> {
        let value = self.variables.get(name);
        let missing = || ConfigError(format!("{key}: the environment variable {name} is not set"));
        value.map(|secret| Secret::new(secret.to_owned())).ok_or_else(missing)
    }
}

fn require(holds: bool, why: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError(why.to_owned())) }
}

fn own_limit(key: &str, own: Option<&str>, otherwise: Duration) -> Result<Duration, ConfigError> {
    own.map_or(Ok(otherwise), values::duration).map_err(|why| ConfigError(format!("{key}: {why}")))
}

fn is_plain_name(name: &str) -> bool {
    name.len() <= 64 && !name.contains('/') && names::is_scenario_name(name)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control)
}

fn paths(raw: Option<&file::Paths>) -> Result<PathTemplates, ConfigError> {
    let default = PathTemplates::default();
    let Some(raw) = raw else {
        return Ok(default);
    };
    let template = |key: &str, given: &Option<String>, default: String, needs_id: bool| {
        let path = given.clone().unwrap_or(default);
        let is_right = path.starts_with('/') && path.contains("{id}") == needs_id;
        let rule = if needs_id { "contain {id}" } else { "not contain {id}" };
        require(is_right, &format!("paths.{key}: must begin with / and {rule}")).map(|()| path)
    };
    Ok(PathTemplates {
        queue: template("queue", &raw.queue, default.queue, false)?,
        status: template("status", &raw.status, default.status, true)?,
        abort: template("abort", &raw.abort, default.abort, true)?,
        delete: template("delete", &raw.delete, default.delete, true)?,
    })
}

/// What a template may contain is checked where it is read; what it must contain, so that it does what it is for, here.
fn commands(raw: Option<&file::Commands>) -> Result<CommandTemplates, ConfigError> {
    let default = CommandTemplates::default();
    let Some(raw) = raw else {
        return Ok(default);
    };
    let template = |key: &str, given: &Option<String>, default: String, needed: &[&str]| {
        let command = given.clone().unwrap_or(default);
        match needed.iter().find(|field| !command.contains(&format!("{{{field}}}"))) {
            Some(missing) => Err(ConfigError(format!("ssh.commands.{key}: must contain {{{missing}}}"))),
            None => Ok(command),
        }
    };
    Ok(CommandTemplates {
        branches: template("branches", &raw.branches, default.branches, &[])?,
        validate: template("validate", &raw.validate, default.validate, &[])?,
        present: template("present", &raw.present, default.present, &["commit"])?,
        fetch: template("fetch", &raw.fetch, default.fetch, &[])?,
        scenarios: template("scenarios", &raw.scenarios, default.scenarios, &["commit"])?,
        cleanup: template("cleanup", &raw.cleanup, default.cleanup, &["queue_id"])?,
    })
}
