//! A clone that a power cut or a failing disk has taken objects from: what can be fetched anew is, and for the rest
//! the words say what to do.

use crate::clones::queue_on;
use crate::test_runner::{TestRunner, git, statuses, wait_until};
use protocol::QueueStatus;
use protocol::TaskStatus::Passed;
use protocol::remote::QueueRequest;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PASS: (&str, &str) = ("pass", "true");

/// The file of an object that lies by itself.
pub fn file_of(clone: &Path, object: &str) -> PathBuf {
    let id = git(clone, &["rev-parse", object]);
    clone.join(".git/objects").join(&id[..2]).join(&id[2..])
}

/// Puts something else in an object's place. Its file may be the source's as well, so it is not written into.
pub fn replace(file: &Path, content: Option<&[u8]>) {
    std::fs::remove_file(file).unwrap();
    if let Some(content) = content {
        std::fs::write(file, content).unwrap();
    }
}

/// Hands a queue in until it is taken, as TestArena does.
pub async fn insist(server: &TestRunner, queue: &QueueRequest) {
    let start = Instant::now();
    loop {
        let answer = server.client.post_queue(queue).await;
        if answer.status() == 202 {
            return;
        }
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status == 503 && start.elapsed() < Duration::from_mins(1), "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn objects_that_a_clone_has_lost_are_fetched_anew() {
    for object in ["HEAD:scenarios/pass", "HEAD:scenarios", "HEAD^{tree}", "HEAD"] {
        for content in [None, Some(&b""[..]), Some(&[0; 100])] {
            let server = TestRunner::start(&[PASS]).await;
            replace(&file_of(&server.config.repository, object), content);
            insist(&server, &server.queue("42", &["pass"])).await;
            let ended = server.client.ended("42").await;
            assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{object} {content:?}: {ended:?}");
            let log = server.client.log("42").await;
            let is_told = log.contains("the clone lacks objects of branch main; all of it is fetched anew");
            assert_eq!(is_told, object == "HEAD:scenarios/pass", "{object} {content:?}: {log}");
        }
    }
}

#[tokio::test]
async fn what_git_can_do_without_or_make_anew_holds_up_no_new_commit() {
    for file in ["index", "objects/pack/multi-pack-index"] {
        let server = TestRunner::start(&[PASS]).await;
        let repository = &server.config.repository;
        git(repository, &["repack", "-q", "-a", "-d"]);
        std::fs::write(repository.join(".git").join(file), [0; 100]).unwrap();
        server.git_at_source(&["commit", "--quiet", "--allow-empty", "--message", "newer"]);
        let queue = server.queue_of_newest("42", &["pass"]);
        insist(&server, &queue).await;
        let ended = server.client.ended("42").await;
        assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{file}: {ended:?}");
    }
}

/// Where the system's sshd reads the clone for TestArena, no queue is ever sent that would meet the damage.
#[tokio::test]
async fn folders_of_scenarios_that_a_clone_has_lost_are_fetched_anew_at_the_start() {
    for object in ["HEAD:scenarios", "HEAD^{tree}", "HEAD"] {
        for content in [None, Some(&b""[..]), Some(&[0; 100])] {
            let mut server = TestRunner::start(&[PASS]).await;
            server.shut_down().await;
            replace(&file_of(&server.config.repository, object), content);
            server.start_again().await;
            let listing = ["ls-tree", "-rz", "--full-tree", &server.commit, "--", "scenarios"];
            let list = || {
                let mut git = std::process::Command::new("git");
                git.arg("-C").arg(&server.config.repository).args(listing).output().unwrap()
            };
            let is_there = async || {
                let listed = list();
                listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("scenarios/pass")
            };
            wait_until(&format!("{object} after {content:?}"), is_there).await;
        }
    }
}

#[tokio::test]
async fn a_new_commit_that_uses_what_was_lost_runs_too() {
    let server = TestRunner::start(&[PASS]).await;
    replace(&file_of(&server.config.repository, "HEAD:scenarios/pass"), Some(b""));
    insist(&server, &queue_on(&server, "41", "feature/x")).await;
    let ended = server.client.ended("41").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{ended:?}");
}

/// Whoever did what is advised for a damaged clone would lose a good one.
#[tokio::test]
async fn a_damaged_source_is_no_damaged_clone() {
    let server = TestRunner::start(&[PASS]).await;
    let queue = queue_on(&server, "41", "feature");
    replace(&file_of(&server.folder.path().join("source"), "feature"), Some(b""));
    let answer = server.client.post_queue(&queue).await;
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("git clone URL"), "{text}");
}

#[tokio::test]
async fn damage_that_no_fetch_mends_is_told_with_the_command_that_does() {
    let mut server = TestRunner::start(&[PASS]).await;
    let clone = &server.config.repository;
    git(clone, &["repack", "--quiet", "-a", "-d"]);
    let mut packs = std::fs::read_dir(clone.join(".git/objects/pack")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.find(|path| path.extension().is_some_and(|end| end == "pack")).unwrap();
    let blob = git(clone, &["rev-parse", "HEAD:scenarios/pass"]);
    // `<object> blob <size> <size in the pack> <offset>`
    let listing = git(clone, &["verify-pack", "-v", &pack.display().to_string()]);
    let line = listing.lines().find(|line| line.starts_with(&blob)).unwrap();
    let numbers: Vec<usize> = line.split_whitespace().skip(2).map(|word| word.parse().unwrap()).collect();
    let mut bytes = std::fs::read(&pack).unwrap();
    // Behind what says which kind of object follows, and how large.
    bytes[numbers[2] + 2..numbers[2] + numbers[1]].fill(0);
    replace(&pack, Some(&bytes));
    insist(&server, &server.queue("42", &["pass"])).await;
    let ended = server.client.ended("42").await;
    assert_eq!(ended.status, QueueStatus::Error);
    assert!(ended.message.contains("git clone URL"), "{}", ended.message);
    let command = ended.message.split('`').nth(1).unwrap().to_owned();
    server.shut_down().await;
    let done = std::process::Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(done.success(), "{command}");
    server.start_again().await;
    assert_eq!(statuses(&server.run("43", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
}

#[tokio::test]
async fn files_of_a_clone_that_a_power_cut_emptied_are_named_at_the_start() {
    for (file, content) in [
        ("HEAD", &[0; 21][..]),
        ("HEAD", &[]),
        ("config", &[0; 240]),
        ("config", &[]),
        ("packed-refs", &[0; 80]),
        ("shallow", &[0; 41]),
    ] {
        let mut server = TestRunner::start(&[PASS]).await;
        server.shut_down().await;
        let path = server.config.repository.join(".git").join(file);
        std::fs::write(&path, content).unwrap();
        let error = runner::Runner::start(server.config.clone()).await.err().unwrap().to_string();
        let is_told = error.contains(&path.display().to_string()) && error.contains("git clone URL");
        assert!(is_told, "{file} {content:?}: {error}");
    }
}

/// A clone whose `.git` is a file, in a folder that a shell would take for several words.
#[tokio::test]
async fn a_linked_working_tree_is_judged_by_gits_files_and_not_by_its_own() {
    let mut server = TestRunner::start_in(&[PASS], |config, folder| {
        let main = folder.join("main clone");
        std::fs::rename(&config.repository, &main).unwrap();
        config.repository = folder.join("it's linked");
        let linked = config.repository.display().to_string();
        git(&main, &["worktree", "add", "--quiet", "--detach", &linked]);
    })
    .await;
    assert_eq!(statuses(&server.run("42", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
    server.shut_down().await;
    // The tested tree's own.
    for name in ["HEAD", "config", "packed-refs", "shallow"] {
        std::fs::write(server.config.repository.join(name), "\0").unwrap();
    }
    server.start_again().await;
    assert_eq!(statuses(&server.run("43", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
    server.shut_down().await;
    let own = PathBuf::from(git(&server.config.repository, &["rev-parse", "--git-dir"]));
    let common = server.folder.path().join("main clone/.git/config");
    for file in [server.config.repository.join(".git"), own.join("HEAD"), common] {
        let content = std::fs::read(&file).unwrap();
        std::fs::write(&file, vec![0; content.len()]).unwrap();
        let error = runner::Runner::start(server.config.clone()).await.err().unwrap().to_string();
        assert!(error.contains(&format!("{} holds zeros", file.display())), "{error}");
        let command = error.split('`').nth(1).unwrap();
        let word = format!("'{}'", server.config.repository.display().to_string().replace('\'', r"'\''"));
        assert_eq!(command, format!("rm -rf {word} && git clone URL {word}"));
        std::fs::write(&file, content).unwrap();
    }
}
