//! The commands that a remote test server is asked to run, each from its template.
//! No value gets into a command before its name rule has been checked.

use super::quote::{Template, Value};
use crate::config::{CommandTemplates, SshConfig};
use protocol::names;
use protocol::shell::quote;

/// Filled in for one environment.
#[derive(Clone, Debug)]
pub struct Commands {
    repository: String,
    scenario_dir: String,
    workspace_root: String,
    branches: Template,
    validate: Template,
    present: Template,
    fetch: Template,
    scenarios: Template,
    cleanup: Template,
    has_own_present: bool,
}

impl Commands {
    /// Refuses templates and folders that can't work, with the key's name.
    pub fn new(ssh: &SshConfig) -> Result<Self, String> {
        use Value::{Branch, Commit, QueueId, Repository, ScenarioDir, WorkspaceRoot};
        let parse = |key: &str, text: &str, allowed: &[Value]| {
            Template::parse(text, allowed).map_err(|error| format!("ssh.commands.{key}: {error}"))
        };
        let folder = |key: &str, path: &str| {
            check_folder(path).map(|()| path.to_owned()).map_err(|error| format!("ssh.{key}: {error}"))
        };
        let templates = &ssh.commands;
        let commands = Self {
            repository: folder("repository", &ssh.repository)?,
            scenario_dir: folder("scenario_dir", &ssh.scenario_dir)?,
            workspace_root: folder("workspace_root", &ssh.workspace_root)?,
            branches: parse("branches", &templates.branches, &[Repository])?,
            validate: parse("validate", &templates.validate, &[Repository, Branch])?,
            present: parse("present", &templates.present, &[Repository, Commit])?,
            fetch: parse("fetch", &templates.fetch, &[Repository, Branch, Commit])?,
            scenarios: parse("scenarios", &templates.scenarios, &[Repository, Branch, Commit, ScenarioDir])?,
            cleanup: parse("cleanup", &templates.cleanup, &[Repository, WorkspaceRoot, QueueId])?,
            has_own_present: templates.present != CommandTemplates::default().present,
        };
        // It is the one that removes things: an empty root would make it remove from the file system's root.
        if ssh.workspace_root.trim_end_matches('/').is_empty() {
            return Err("ssh.workspace_root: the root folder can't be it; name a folder of its own".to_owned());
        }
        Ok(commands)
    }

    pub fn branches(&self) -> Result<String, String> {
        self.fill(&self.branches, &[])
    }

    pub fn validate(&self, branch: &str) -> Result<String, String> {
        self.fill(&self.validate, &[(Value::Branch, branch)])
    }

    pub fn present(&self, commit: &str) -> Result<String, String> {
        self.fill(&self.present, &[(Value::Commit, commit)])
    }

    /// Whether somebody has said so in the configuration (`present = "true"`): then it is no answer that one is there.
    pub fn takes_each_commit_for_present(&self) -> bool {
        self.has_own_present
    }

    pub fn fetch(&self, branch: &str, commit: &str) -> Result<String, String> {
        self.fill(&self.fetch, &[(Value::Branch, branch), (Value::Commit, commit)])
    }

    pub fn scenarios(&self, branch: &str, commit: &str) -> Result<String, String> {
        self.fill(&self.scenarios, &[(Value::Branch, branch), (Value::Commit, commit)])
    }

    pub fn cleanup(&self, queue_id: &str) -> Result<String, String> {
        self.fill(&self.cleanup, &[(Value::QueueId, queue_id)])
    }

    /// Whether the folder of workspaces is there, and whether it can be written.
    pub fn workspace_checks(&self) -> [String; 2] {
        let root = quote(&self.workspace_root);
        [format!("test -d {root}"), format!("test -w {root}")]
    }

    fn fill(&self, template: &Template, given: &[(Value, &str)]) -> Result<String, String> {
        template.fill(|value| {
            let text = match value {
                Value::Repository => self.repository.as_str(),
                Value::ScenarioDir => self.scenario_dir.as_str(),
                Value::WorkspaceRoot => self.workspace_root.as_str(),
                Value::Branch | Value::Commit | Value::QueueId => {
                    given.iter().find(|(name, _)| *name == value).map_or("", |(_, text)| *text)
                }
            };
            let is_valid = match value {
                Value::Branch => names::is_branch_name(text),
                Value::Commit => names::is_commit(text),
                Value::QueueId => names::is_queue_id(text),
                Value::Repository | Value::ScenarioDir | Value::WorkspaceRoot => true,
            };
            if !is_valid {
                return Err(format!("{text:?} is not valid as {}", value.name()));
            }
            Ok(text.to_owned())
        })
    }
}

fn check_folder(path: &str) -> Result<(), String> {
    if path.is_empty() || path.chars().any(char::is_control) {
        return Err("name a folder".to_owned());
    }
    if path.starts_with('~') {
        return Err("\"~\" is not expanded; write the path from the root on".to_owned());
    }
    if path.split('/').any(|segment| segment == "..") {
        return Err("\"..\" is not allowed; write the path without it".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostKeyCheck, Secret, SshCredential};
    use std::time::Duration;

    fn config() -> SshConfig {
        SshConfig {
            host: "bench".into(),
            port: 22,
            user: "tests".into(),
            credential: SshCredential::Password(Secret::new("x".into())),
            host_key: HostKeyCheck::Fingerprint("SHA256:x".into()),
            repository: "/srv/tests/re po".into(),
            scenario_dir: "scenarios".into(),
            workspace_root: "/srv/w".into(),
            timeout: Duration::from_secs(30),
            commands: CommandTemplates::default(),
        }
    }

    #[test]
    fn the_default_commands_are_those_of_the_contract() {
        let commands = Commands::new(&config()).unwrap();
        let commit = "a1".repeat(20);
        assert_eq!(commands.branches().unwrap(), "git -C '/srv/tests/re po' ls-remote --heads origin");
        assert_eq!(
            commands.validate("feature/boot").unwrap(),
            "git -C '/srv/tests/re po' ls-remote --heads origin refs/heads/feature/boot"
        );
        assert_eq!(
            commands.present(&commit).unwrap(),
            format!("git -C '/srv/tests/re po' cat-file -e {commit}^{{commit}}")
        );
        assert_eq!(
            commands.fetch("main", &commit).unwrap(),
            "git -C '/srv/tests/re po' fetch --quiet origin refs/heads/main"
        );
        assert_eq!(
            commands.scenarios("main", &commit).unwrap(),
            format!("git -C '/srv/tests/re po' ls-tree -rz --full-tree {commit} -- scenarios")
        );
        assert_eq!(commands.cleanup("42").unwrap(), "rm -rf -- /srv/w/42");
    }

    #[test]
    fn hostile_branch_names_stay_one_word() {
        let commands = Commands::new(&config()).unwrap();
        let command = commands.validate("a';touch$(x)`y`").unwrap();
        assert!(command.ends_with(r"refs/heads/'a'\'';touch$(x)`y`'"), "{command}");
    }

    #[test]
    fn values_that_break_their_rule_never_reach_a_shell() {
        let commands = Commands::new(&config()).unwrap();
        assert!(commands.validate("a b").is_err());
        assert!(commands.validate("--upload-pack=x").is_err());
        assert!(commands.present("HEAD").is_err());
        assert!(commands.cleanup("..").is_err());
        assert!(commands.cleanup("").is_err());
        assert!(commands.cleanup("42/../..").is_err());
    }

    #[test]
    fn folders_that_can_not_work_stop_the_start() {
        let with = |change: fn(&mut SshConfig)| {
            let mut config = config();
            change(&mut config);
            Commands::new(&config).unwrap_err()
        };
        assert!(with(|c| c.workspace_root = "/".into()).starts_with("ssh.workspace_root"));
        assert!(with(|c| c.workspace_root = String::new()).starts_with("ssh.workspace_root"));
        assert!(with(|c| c.workspace_root = "/srv/..".into()).starts_with("ssh.workspace_root"));
        assert!(with(|c| c.repository = "~/repo".into()).starts_with("ssh.repository"));
        assert!(with(|c| c.commands.fetch = "git {queue_id}".into()).starts_with("ssh.commands.fetch"));
    }
}
