//! The demo's git repository: an origin with three branches of scenarios, and the runner's clone of it.
//! The files lie in `server/demo/` and are part of the program, so that the demo needs nothing but git.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Each git command here takes milliseconds; one that hangs (on a prompt, a dead disk) shall not hang the start.
const GIT_TIME_LIMIT: Duration = Duration::from_secs(30);

/// A file of a branch: its path in the repository and its content.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($branch:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../demo/", $branch, "/", $path)))),+]
    };
}

/// The branches, each with what it adds to or changes in the first.
const BRANCHES: [(&str, &str, &[File]); 3] = [
    (
        "main",
        "Add the demo scenarios",
        files!["main":
            "README.md",
            "scenarios/_lib/say.sh",
            "scenarios/_lib/scope.png",
            "scenarios/firmware/checksum.sh",
            "scenarios/firmware/flash.sh",
            "scenarios/firmware/programmer.sh",
            "scenarios/firmware/report.sh",
            "scenarios/load/flood.sh",
            "scenarios/load/memory.sh",
            "scenarios/load/soak.sh",
            "scenarios/load/stubborn.sh",
            "scenarios/smoke/boot.sh",
            "scenarios/smoke/network.sh",
            "scenarios/smoke/storage.sh",
            "scenarios/smoke/wifi.sh",
        ],
    ),
    (
        "feature/bluetooth",
        "Add a bluetooth scenario and mend the checksum",
        files!["feature":
            "scenarios/firmware/checksum.sh",
            "scenarios/smoke/bluetooth.sh",
        ],
    ),
    (
        "wip/broken",
        "Begin a new test bench",
        files!["broken":
            "scenarios/smoke/boot.py",
            "scenarios/smoke/typo.sh",
        ],
    ),
];

#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    #[error("could not write the demo's repository: {0}")]
    Write(#[from] io::Error),
    #[error("`git {command}` failed: {message}; the demo needs git on the path")]
    Git { command: String, message: String },
}

/// Makes the origin at `origin` and the runner's clone of it at `clone`, unless they are there already.
/// Each is made beside its place and moved there when it is whole, so that a start that was cut off does no harm.
pub async fn create(origin: &Path, clone: &Path) -> Result<(), RepositoryError> {
    if !origin.exists() {
        let unfinished = beside(origin).await?;
        create_origin(&unfinished).await?;
        tokio::fs::rename(&unfinished, origin).await?;
    }
    if !clone.exists() {
        let unfinished = beside(clone).await?;
        git(&unfinished, &["clone", "--quiet", &origin.to_string_lossy(), "."]).await?;
        tokio::fs::rename(&unfinished, clone).await?;
    }
    Ok(())
}

async fn beside(place: &Path) -> io::Result<PathBuf> {
    let unfinished = place.with_extension("unfinished");
    match tokio::fs::remove_dir_all(&unfinished).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => tokio::fs::create_dir_all(&unfinished).await?,
    }
    Ok(unfinished)
}

async fn create_origin(origin: &Path) -> Result<(), RepositoryError> {
    let (main, _, _) = BRANCHES[0];
    git(origin, &["init", "--quiet", "--initial-branch", main]).await?;
    for (branch, subject, files) in BRANCHES {
        if branch != main {
            git(origin, &["switch", "--quiet", "--create", branch, main]).await?;
        }
        write_files(origin, files).await?;
        git(origin, &["add", "--all"]).await?;
        git(origin, &["commit", "--quiet", "--message", subject]).await?;
    }
    git(origin, &["switch", "--quiet", main]).await
}

async fn write_files(folder: &Path, files: &[File]) -> io::Result<()> {
    for (path, content) in files {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        tokio::fs::write(&file, content).await?;
        let is_scenario = path.starts_with("scenarios/") && !path.contains("/_");
        let mode = if is_scenario { 0o755 } else { 0o644 };
        tokio::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).await?;
    }
    Ok(())
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<(), RepositoryError> {
    let failed = |message: String| RepositoryError::Git { command: arguments.join(" "), message };
    let running = Command::new("git")
        .args(["-c", "user.name=TestArena demo", "-c", "user.email=demo@testarena.invalid"])
        .args(arguments)
        .current_dir(folder)
        // The visitor's own git settings (signing, hooks, templates) have no say in the demo.
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(GIT_TIME_LIMIT, running)
        .await
        .map_err(|_| failed(format!("no answer within {} s", GIT_TIME_LIMIT.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_clone_knows_three_branches_and_their_executable_scenarios() {
        let dir = tempfile::tempdir().unwrap();
        let clone = dir.path().join("clone");
        create(&dir.path().join("origin"), &clone).await.unwrap();

        let heads = read(&clone, &["ls-remote", "--heads", "origin"]).await;
        assert_eq!(heads.lines().count(), 3, "{heads}");

        let tree = read(&clone, &["ls-tree", "-r", "origin/main", "--", "scenarios"]).await;
        assert_eq!(tree.lines().filter(|line| line.starts_with("100755")).count(), 12, "{tree}");
        assert!(tree.lines().any(|line| line.starts_with("100644") && line.ends_with("_lib/say.sh")), "{tree}");
    }

    async fn read(folder: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(folder).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}
