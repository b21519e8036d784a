//! A remote test server's SSH side for tests: an OpenSSH server and a git repository beside it,
//! with an author who commits scenarios and pushes them.

use crate::remote_environment::environment_config;
use crate::sshd::Sshd;
use server::config::{EnvironmentConfig, SshConfig};
use server::remote::{Environment, QuestionError};
use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bare `origin`, the server's clone `repository` of it, and an author's `work` tree.
pub struct Bench {
    pub sshd: Sshd,
}

impl Bench {
    pub fn start() -> Self {
        let bench = Self { sshd: Sshd::start() };
        git(&bench.path(""), &["init", "-q", "--bare", "-b", "main", "origin"]);
        git(&bench.path(""), &["clone", "-q", "origin", "work"]);
        git(&bench.work(), &["checkout", "-q", "-b", "main"]);
        bench.commit("smoke/boot.sh");
        bench.push("main");
        git(&bench.path(""), &["clone", "-q", "origin", "repository"]);
        std::fs::create_dir(bench.path("workspaces")).unwrap();
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.sshd.path(name)
    }

    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Adds an executable scenario; gives the new commit.
    pub fn commit(&self, scenario: &str) -> String {
        let file = self.work().join("scenarios").join(scenario);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        git(&self.work(), &["add", "."]);
        git(&self.work(), &["commit", "-q", "-m", "scenario"]);
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    pub fn push(&self, branch: &str) {
        git(&self.work(), &["push", "-q", "--force", "origin", &format!("HEAD:refs/heads/{branch}")]);
    }

    /// Gives the origin these branches besides its own, in one file: as many files would take minutes, and a file
    /// system may take two names for one.
    pub fn add_packed_branches(&self, commit: &str, names: impl Iterator<Item = String>) {
        let own = git(&self.path("origin"), &["for-each-ref", "--format=%(objectname) %(refname)"]);
        let mut refs: Vec<(String, String)> = own
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(commit, name)| (name.to_owned(), commit.to_owned()))
            .collect();
        refs.extend(names.map(|name| (format!("refs/heads/{name}"), commit.to_owned())));
        refs.sort();
        refs.dedup();
        let mut file = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
        for (name, commit) in refs {
            writeln!(file, "{commit} {name}").unwrap();
        }
        std::fs::write(self.path("origin/packed-refs"), file).unwrap();
    }

    pub fn environment(&self) -> Environment {
        self.environment_with(|_| {})
    }

    pub fn environment_with(&self, change: impl FnOnce(&mut SshConfig)) -> Environment {
        Environment::new(self.config_with(change)).unwrap()
    }

    pub fn config_with(&self, change: impl FnOnce(&mut SshConfig)) -> EnvironmentConfig {
        let mut config = environment_config("http://127.0.0.1:1".into());
        self.sshd.configure(&mut config);
        config.ssh.repository = self.path("repository").display().to_string();
        config.ssh.workspace_root = self.path("workspaces").display().to_string();
        change(&mut config.ssh);
        config
    }
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What admins are told of a server that could not be asked.
pub fn unreachable<T: std::fmt::Debug>(result: Result<T, QuestionError>) -> String {
    match result {
        Err(QuestionError::Unreachable(failure)) => failure.private().to_owned(),
        other => panic!("not unreachable: {other:?}"),
    }
}
