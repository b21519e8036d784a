//! Fetching from a source that is slow, silent or broken: what takes longer than its asker waits goes on, and what fails is told.
//! The source's side of git is a script of each test's own.

use crate::clones::queue_on;
use crate::damage::insist;
use crate::test_runner::{TestRunner, git, refusal, statuses, tasks};
use protocol::QueueStatus;
use protocol::TaskStatus::{Passed, Running};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const PASS: (&str, &str) = ("pass", "true");
/// The first answer comes when there is a file `go`; no other ever comes to an end.
pub const WHEN_TOLD: &str = "mkdir \"${0%/*}/first\" || exec sleep 600\n\
                             while ! [ -e \"${0%/*}/go\" ]; do sleep 0.05; done\nexec git-upload-pack \"$@\"";

/// Has a script in a test's folder answer what a clone asks its source.
pub fn answer_by(folder: &Path, clone: &Path, script: &str) {
    let path = folder.join("upload-pack");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    git(clone, &["config", "remote.origin.uploadpack", &path.display().to_string()]);
    // Known, so that only its commit is asked for.
    git(clone, &["update-ref", "refs/remotes/origin/feature", "HEAD"]);
}

#[tokio::test]
async fn a_fetch_that_takes_longer_than_a_call_goes_on_for_the_next_one() {
    let server = TestRunner::start_in(&[PASS], |config, folder| answer_by(folder, &config.repository, WHEN_TOLD)).await;
    let queue = queue_on(&server, "41", "feature");
    let answer = server.client.post_queue(&queue).await;
    assert_eq!(refusal(answer).await, (503, "repository_unavailable".to_owned()));
    std::fs::write(server.folder.path().join("go"), "").unwrap();
    insist(&server, &queue).await;
    assert_eq!(statuses(&server.client.ended("41").await), (QueueStatus::Finished, vec![Passed]));
}

#[tokio::test]
async fn a_fetch_that_fails_when_nobody_waits_any_more_is_told_to_the_next_one() {
    let breaks_off = "sleep 13\necho boom >&2\nexit 1";
    let server =
        TestRunner::start_in(&[PASS], |config, folder| answer_by(folder, &config.repository, breaks_off)).await;
    let queue = queue_on(&server, "41", "feature");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = server.client.post_queue(&queue).await;
        assert_eq!(answer.status(), 503);
        answers.push(answer.text().await.unwrap());
    }
    assert!(!answers[0].contains("boom") && answers[1].contains("boom"), "{answers:?}");
    // What has come since then is no longer broken.
    answer_by(server.folder.path(), &server.config.repository, "exec git-upload-pack \"$@\"");
    insist(&server, &queue).await;
}

#[tokio::test]
async fn a_checkout_waits_for_the_fetch_of_a_commit_that_the_clone_has_lost() {
    let wait = ("wait", "while ! [ -e go ]; do sleep 0.05; done");
    let server = TestRunner::start_with(&[wait], |config| config.slots.truncate(1)).await;
    server.submit("1", &["wait"]).await;
    server.client.until("1", |queue| tasks(queue)[0].status == Running).await;
    let queue = queue_on(&server, "2", "feature");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let repository = &server.config.repository;
    for name in ["refs/testarena/2", "refs/remotes/origin/feature"] {
        git(repository, &["update-ref", "-d", name]);
    }
    std::fs::remove_file(repository.join(".git/FETCH_HEAD")).unwrap();
    git(repository, &["reflog", "expire", "--expire=now", "--all"]);
    git(repository, &["gc", "--quiet", "--prune=now"]);
    answer_by(server.folder.path(), repository, "sleep 14\nexec git-upload-pack \"$@\"");
    std::fs::write(server.workspace("1").join("go"), "").unwrap();
    let ended = server.client.ended("2").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{ended:?}");
}

/// As the master of an SSH connection does, or a helper that keeps credentials.
#[tokio::test]
async fn what_git_leaves_at_work_holds_up_nobody() {
    let leaves_one = "sleep 600 &\nexec git-upload-pack \"$@\"";
    let server =
        TestRunner::start_in(&[PASS], |config, folder| answer_by(folder, &config.repository, leaves_one)).await;
    let start = std::time::Instant::now();
    for id in ["41", "42"] {
        let queue = queue_on(&server, id, &format!("feature{id}"));
        assert_eq!(server.client.post_queue(&queue).await.status(), 202);
        assert_eq!(statuses(&server.client.ended(id).await), (QueueStatus::Finished, vec![Passed]));
    }
    assert!(start.elapsed() < std::time::Duration::from_mins(1), "{:?}", start.elapsed());
}
