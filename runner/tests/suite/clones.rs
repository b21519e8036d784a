//! Every way in which a bench's clone may be less than whole: shallow, partial, borrowed, sparse, bare, locked.
//! Whatever the kind, a queue on any branch runs, and its commit is held for as long as the queue is known.

use crate::test_runner::{TestRunner, git, refusal, statuses, tasks, write_scenario};
use protocol::QueueStatus;
use protocol::TaskStatus::{Passed, Running};
use protocol::remote::QueueRequest;
use std::path::Path;

const PASS: (&str, &str) = ("pass", "true");

/// Makes a branch with a commit of its own at the source, and a queue for it.
pub fn queue_on(server: &TestRunner, id: &str, branch: &str) -> QueueRequest {
    let source = server.folder.path().join("source");
    server.git_at_source(&["checkout", "--quiet", "-b", branch, "main"]);
    write_scenario(&source, "side", &format!("grep -q {id} big && git log -1 --format=%s && git show HEAD~1 --stat"));
    std::fs::write(source.join("big"), format!("{id}\n")).unwrap();
    server.git_at_source(&["add", "--all"]);
    server.git_at_source(&["commit", "--quiet", "--message", branch]);
    let mut queue = server.queue(id, &["side"]);
    branch.clone_into(&mut queue.branch);
    queue.commit = server.git_at_source(&["rev-parse", "HEAD"]);
    server.git_at_source(&["checkout", "--quiet", "main"]);
    queue
}

fn held(repository: &Path) -> Vec<String> {
    let listing = git(repository, &["for-each-ref", "--format=%(refname) %(objectname)", "refs/testarena"]);
    listing.lines().map(str::to_owned).collect()
}

/// A runner whose repository was made by these arguments of `git clone`.
async fn start_from(clone: &[&str]) -> TestRunner {
    let clone: Vec<String> = clone.iter().map(|word| (*word).to_owned()).collect();
    TestRunner::start_in(&[PASS], move |config, folder| {
        git(&folder.join("source"), &["config", "uploadpack.allowFilter", "true"]);
        std::fs::remove_dir_all(&config.repository).unwrap();
        let url = format!("file://{}", folder.join("source").display());
        let words: Vec<&str> = clone.iter().map(String::as_str).collect();
        git(folder, &[&["clone", "--quiet"], &words[..], &[&url, "repository"]].concat());
    })
    .await
}

#[tokio::test]
async fn a_queue_runs_from_every_kind_of_clone_and_its_commit_is_held() {
    for clone in [
        &["--depth", "1"][..],
        &["--depth", "1", "--no-single-branch", "--no-tags"],
        &["--filter=blob:none"],
        &["--filter=tree:0"],
        &["--filter=blob:none", "--depth", "1", "--sparse"],
        &["--sparse"],
        &["--bare"],
        &["--mirror"],
        &["--single-branch"],
        &["--separate-git-dir", "elsewhere"],
    ] {
        let server = start_from(clone).await;
        let queue = queue_on(&server, "41", "feature/x");
        let answer = server.client.post_queue(&queue).await;
        assert_eq!(answer.status(), 202, "{clone:?}: {}", answer.text().await.unwrap());
        let ended = server.client.ended("41").await;
        let log = server.client.log("41-1").await;
        assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{clone:?}: {ended:?} {log}");
        assert_eq!(server.run("42", &["pass"]).await.status, QueueStatus::Finished, "{clone:?}");
        let repository = &server.config.repository;
        let expected = [format!("refs/testarena/41 {}", queue.commit), format!("refs/testarena/42 {}", server.commit)];
        assert_eq!(held(repository), expected, "{clone:?}");
        assert_eq!(server.client.delete("41").await.status(), 204);
        assert_eq!(held(repository), expected[1..], "{clone:?}");
    }
}

#[tokio::test]
async fn a_clone_that_borrows_works_and_one_whose_lender_is_gone_is_refused_at_the_start() {
    let mut server = TestRunner::start_in(&[PASS], |config, folder| {
        git(folder, &["clone", "--quiet", "--bare", "source", "lender"]);
        git(folder, &["clone", "--quiet", "--shared", "lender", "middle"]);
        std::fs::remove_dir_all(&config.repository).unwrap();
        git(folder, &["clone", "--quiet", "--shared", "middle", "repository"]);
        git(&config.repository, &["remote", "set-url", "origin", "../source"]);
    })
    .await;
    let queue = queue_on(&server, "41", "side");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let ended = server.client.ended("41").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{}", server.client.log("41-1").await);
    server.shut_down().await;
    std::fs::remove_dir_all(server.folder.path().join("lender")).unwrap();
    let error = runner::Runner::start(server.config.clone()).await.err().unwrap().to_string();
    assert!(error.contains("lender") && error.contains("git clone"), "{error}");
}

#[tokio::test]
async fn what_git_can_not_note_is_no_refusal_when_the_commit_is_there() {
    let server = TestRunner::start(&[PASS]).await;
    let repository = server.config.repository.clone();
    server.git_at_source(&["branch", "feature"]);
    git(&repository, &["fetch", "--quiet", "origin"]);
    server.git_at_source(&["branch", "-D", "feature"]);
    // Below a branch that was deleted, and whose tracking ref is still here.
    let queue = queue_on(&server, "41", "feature/x");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    // Locks that a power cut has left.
    let refs = repository.join(".git/refs/remotes/origin");
    std::fs::write(refs.join("next.lock"), "").unwrap();
    let queue = queue_on(&server, "42", "next");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    for id in ["41", "42"] {
        assert_eq!(statuses(&server.client.ended(id).await), (QueueStatus::Finished, vec![Passed]));
    }
}

#[tokio::test]
async fn what_is_fetched_comes_whole_or_not_at_all() {
    let server = TestRunner::start(&[PASS]).await;
    let repository = server.config.repository.clone();
    let loose = || git(&repository, &["count-objects"]);
    let before = loose();
    let queue = queue_on(&server, "1", "next");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    assert_eq!(statuses(&server.client.ended("1").await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(loose(), before, "objects that came one by one may be there in part");
}

#[tokio::test]
async fn a_held_commit_survives_the_loss_of_its_branch_and_a_clearing_of_the_clone() {
    let server = TestRunner::start_with(&[("wait", "while ! [ -e go ]; do sleep 0.05; done")], |config| {
        config.slots.truncate(1);
    })
    .await;
    server.submit("1", &["wait"]).await;
    // Its checkout is over, and in nobody's way.
    server.client.until("1", |queue| tasks(queue)[0].status == Running).await;
    let queue = queue_on(&server, "2", "gone");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    server.git_at_source(&["branch", "-D", "gone"]);
    let repository = &server.config.repository;
    git(repository, &["fetch", "--quiet", "--prune", "origin"]);
    git(repository, &["reflog", "expire", "--expire=now", "--all"]);
    std::fs::remove_file(repository.join(".git/FETCH_HEAD")).unwrap();
    git(repository, &["gc", "--quiet", "--prune=now"]);
    std::fs::write(server.workspace("1").join("go"), "").unwrap();
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Passed]));
}

#[tokio::test]
async fn refs_that_a_crash_left_are_swept_and_missing_ones_come_back() {
    let mut server = TestRunner::start(&[PASS]).await;
    server.run("42", &["pass"]).await;
    server.shut_down().await;
    let repository = &server.config.repository;
    git(repository, &["update-ref", "refs/testarena/77", &server.commit]);
    git(repository, &["update-ref", "-d", "refs/testarena/42"]);
    std::fs::create_dir_all(repository.join(".git/refs/testarena")).unwrap();
    std::fs::write(repository.join(".git/refs/testarena/43.lock"), "").unwrap();
    server.start_again().await;
    assert_eq!(held(&server.config.repository), [format!("refs/testarena/42 {}", server.commit)]);
    // As a power cut leaves what was written just before: the name is on the disk, and the text is not.
    server.shut_down().await;
    let refs = server.config.repository.join(".git/refs");
    for name in ["testarena/42", "testarena/78", "remotes/origin/feature"] {
        for text in ["", "\0\0\0\0"] {
            std::fs::write(refs.join(name), text).unwrap();
            server.start_again().await;
            assert_eq!(held(&server.config.repository), [format!("refs/testarena/42 {}", server.commit)], "{name}");
            git(&server.config.repository, &["fetch", "--quiet", "origin"]);
            git(&server.config.repository, &["gc", "--quiet"]);
            server.shut_down().await;
        }
    }
    server.start_again().await;
    assert_eq!(server.run("43", &["pass"]).await.status, QueueStatus::Finished);
}

#[tokio::test]
async fn another_runner_at_the_same_clone_leaves_what_is_held_there() {
    let server = TestRunner::start(&[PASS]).await;
    server.run("42", &["pass"]).await;
    let mut other = TestRunner::start(&[PASS]).await;
    other.shut_down().await;
    other.config.repository.clone_from(&server.config.repository);
    for _ in 0..2 {
        other.start_again().await;
        assert_eq!(held(&server.config.repository), [format!("refs/testarena/42 {}", server.commit)]);
        other.shut_down().await;
    }
}

#[tokio::test]
async fn what_keeps_a_ref_from_being_removed_keeps_no_commit_from_being_held() {
    let mut server = TestRunner::start(&[PASS]).await;
    server.run("42", &["pass"]).await;
    server.shut_down().await;
    let repository = &server.config.repository;
    git(repository, &["update-ref", "refs/testarena/77", &server.commit]);
    git(repository, &["update-ref", "-d", "refs/testarena/42"]);
    let lock = repository.join(".git/packed-refs.lock");
    std::fs::write(&lock, "").unwrap();
    server.start_again().await;
    let [mine, stale] = ["42", "77"].map(|id| format!("refs/testarena/{id} {}", server.commit));
    assert_eq!(held(&server.config.repository), [mine.clone(), stale]);
    assert!(lock.exists(), "somebody may be at work there");
    std::fs::remove_file(lock).unwrap();
    server.shut_down().await;
    server.start_again().await;
    assert_eq!(held(&server.config.repository), [mine]);
}

#[tokio::test]
async fn locks_that_a_power_cut_left_are_removed_at_the_start() {
    let mut server = start_from(&["--depth", "1", "--separate-git-dir", "elsewhere"]).await;
    server.run("42", &["pass"]).await;
    server.shut_down().await;
    let git_dir = server.folder.path().join("elsewhere");
    let (removed, left) = (["packed-refs.lock", "shallow.lock", "config.lock"], ["HEAD.lock", "index.lock"]);
    for lock in removed.iter().chain(&left) {
        // From before any start of this machine.
        let file = std::fs::File::create(git_dir.join(lock)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    }
    server.start_again().await;
    for lock in removed {
        assert!(!git_dir.join(lock).exists(), "{lock}");
    }
    for lock in left {
        assert!(git_dir.join(lock).exists(), "{lock} may be somebody's");
    }
    let queue = queue_on(&server, "43", "feature/x");
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    assert_eq!(statuses(&server.client.ended("43").await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(server.client.delete("42").await.status(), 204);
    assert_eq!(held(&server.config.repository), [format!("refs/testarena/43 {}", queue.commit)]);
}

#[tokio::test]
async fn a_repository_that_can_not_be_asked_is_a_refusal_for_now_with_gits_words() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let server = TestRunner::start(&[PASS]).await;
    let chown = |user: &str| {
        let mut command = std::process::Command::new("chown");
        assert!(command.args(["-R", user]).arg(&server.config.repository).status().unwrap().success());
    };
    chown("65534");
    let answer = server.client.post_queue(&server.queue("42", &["pass"])).await;
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.status(), 503);
    let text = answer.text().await.unwrap();
    assert!(text.contains("dubious ownership") && text.contains("safe.directory"), "{text}");
    chown("0");
    assert_eq!(server.client.post_queue(&server.queue("42", &["pass"])).await.status(), 202);
    let _moved = std::fs::rename(&server.config.repository, server.folder.path().join("away"));
    let answer = server.client.post_queue(&server.queue("43", &["pass"])).await;
    assert_eq!(refusal(answer).await, (503, "repository_unavailable".to_owned()));
}

/// A source with a submodule, given by this URL, that has one itself.
fn add_submodules(folder: &Path, url: &str) {
    for name in ["inner", "lib"] {
        let path = folder.join(name);
        std::fs::create_dir(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(path.join("tool"), name).unwrap();
        if name == "lib" {
            git(&path, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../inner", "deep"]);
        }
        git(&path, &["add", "--all"]);
        git(&path, &["commit", "--quiet", "--message", name]);
    }
    let source = folder.join("source");
    git(&source, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "lib"]);
    git(&source, &["commit", "--quiet", "--message", "submodule"]);
}

const USES_LIB: (&str, &str) = ("lib", "cat lib/tool lib/deep/tool");

#[tokio::test]
async fn submodules_are_there_at_the_recorded_commits_also_relative_and_nested_ones() {
    let server = TestRunner::start_in(&[USES_LIB], |_, folder| add_submodules(folder, "../lib")).await;
    let lib = server.folder.path().join("lib");
    let recorded = git(&lib, &["rev-parse", "HEAD"]);
    std::fs::write(lib.join("tool"), "newer").unwrap();
    git(&lib, &["commit", "--quiet", "--all", "--message", "newer"]);
    let queue = server.queue_of_newest("42", &["lib"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let ended = server.client.ended("42").await;
    assert_eq!(ended.status, QueueStatus::Finished, "{ended:?}");
    assert_eq!(server.client.log("42-1").await, "libinner");
    let log = server.client.log("42").await;
    assert!(log.contains(&format!("submodule lib at {recorded}")) && log.contains("submodule lib/deep at "), "{log}");
}

#[tokio::test]
async fn a_checkout_reaches_servers_as_its_clone_does() {
    let server = TestRunner::start_in(&[USES_LIB], |config, folder| {
        add_submodules(folder, "../lib");
        let source = folder.join("source");
        git(&source, &["config", "--file", ".gitmodules", "submodule.lib.url", "https://nowhere.invalid/lib"]);
        git(&source, &["commit", "--quiet", "--all", "--message", "an address of the company's"]);
        let here = format!("url.{}/.insteadOf", folder.display());
        git(&config.repository, &["config", &here, "https://nowhere.invalid/"]);
        git(&config.repository, &["config", "core.sshCommand", "ssh -i \"deploy key\""]);
    })
    .await;
    let queue = server.queue_of_newest("42", &["lib"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let ended = server.client.ended("42").await;
    assert_eq!(ended.status, QueueStatus::Finished, "{ended:?}");
    assert_eq!(server.client.log("42-1").await, "libinner");
    assert_eq!(git(&server.workspace("42"), &["config", "core.sshCommand"]), "ssh -i \"deploy key\"");
}

#[tokio::test]
async fn a_clone_that_keeps_its_own_branches_like_the_sources_takes_new_commits() {
    let server = TestRunner::start_in(&[PASS], |config, _| {
        git(&config.repository, &["config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"]);
    })
    .await;
    server.git_at_source(&["commit", "--quiet", "--allow-empty", "--message", "newer"]);
    let queue = server.queue_of_newest("42", &["pass"]);
    let answer = server.client.post_queue(&queue).await;
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    assert_eq!(server.client.ended("42").await.status, QueueStatus::Finished);
}

#[tokio::test]
async fn submodules_that_are_not_wanted_are_told_and_one_that_can_not_be_had_is_an_error() {
    let mut server = TestRunner::start_in(&[USES_LIB], |config, folder| {
        add_submodules(folder, "../lib");
        config.submodules = false;
    })
    .await;
    let queue = server.queue_of_newest("42", &["lib"]);
    server.client.post_queue(&queue).await;
    server.client.ended("42").await;
    let log = server.client.log("42").await;
    assert!(log.contains("has submodules, not fetched (submodules = false): lib"), "{log}");
    server.shut_down().await;
    server.config.submodules = true;
    std::fs::remove_dir_all(server.folder.path().join("lib")).unwrap();
    server.start_again().await;
    let queue = server.queue_of_newest("43", &["lib"]);
    server.client.post_queue(&queue).await;
    let ended = server.client.ended("43").await;
    assert_eq!(ended.status, QueueStatus::Error);
    assert!(ended.message.contains("git submodule failed: ") && ended.message.contains("lib"), "{}", ended.message);
    assert!(!server.workspace("43").exists(), "no half workspace is left");
}

#[tokio::test]
async fn without_git_lfs_a_pointer_is_told_from_a_program_and_a_required_filter_ends_the_queue() {
    let server = TestRunner::start(&[("blob", "true")]).await;
    let source = server.folder.path().join("source");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n";
    std::fs::write(source.join("scenarios/blob"), pointer).unwrap();
    std::fs::write(source.join(".gitattributes"), "scenarios/blob filter=lfs\n").unwrap();
    server.git_at_source(&["add", "--all"]);
    server.git_at_source(&["commit", "--quiet", "--message", "pointer"]);
    let mut queue = server.queue_of_newest("42", &["blob"]);
    server.client.post_queue(&queue).await;
    let ended = server.client.ended("42").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![protocol::TaskStatus::Error]));
    let message = &tasks(&ended)[0].message;
    assert!(message.contains("is a Git LFS pointer; install git-lfs on the bench"), "{message}");
    git(&server.config.repository, &["config", "filter.lfs.smudge", "no-such-lfs smudge %f"]);
    git(&server.config.repository, &["config", "filter.lfs.required", "true"]);
    queue.queue_id = "43".to_owned();
    queue.tasks[0].task_id = "43-1".to_owned();
    server.client.post_queue(&queue).await;
    let ended = server.client.ended("43").await;
    assert_eq!(ended.status, QueueStatus::Error);
    assert!(ended.message.contains("smudge filter lfs failed"), "{}", ended.message);
}

/// Somebody has added a repository that lay in theirs, of which git only warns.
#[tokio::test]
async fn a_submodule_that_nobody_says_where_from_keeps_no_other_away() {
    let server = TestRunner::start_in(&[USES_LIB], |_, folder| {
        add_submodules(folder, "../lib");
        for (repository, path) in [("lib", "old/inner"), ("source", "old/vendored")] {
            let repository = folder.join(repository);
            let entry = format!("160000,{},{path}", git(&repository, &["rev-parse", "HEAD"]));
            git(&repository, &["update-index", "--add", "--cacheinfo", &entry]);
            git(&repository, &["commit", "--quiet", "--message", "stray"]);
        }
        let source = folder.join("source");
        git(&source, &["-C", "lib", "pull", "--quiet", "--no-recurse-submodules", "origin", "main"]);
        git(&source, &["commit", "--quiet", "--message", "newer", "lib"]);
    })
    .await;
    let queue = server.queue_of_newest("42", &["lib"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let ended = server.client.ended("42").await;
    assert_eq!(ended.status, QueueStatus::Finished, "{ended:?}");
    assert_eq!(server.client.log("42-1").await, "libinner");
    let log = server.client.log("42").await;
    for path in ["old/vendored", "lib/old/inner"] {
        let words = format!("has submodules that .gitmodules does not name; left empty: {path}\n");
        assert!(log.contains(&words), "{path}: {log}");
    }
}

/// Git makes it so itself where a clone is made on a file system without links.
#[tokio::test]
async fn what_the_clones_file_system_can_not_do_is_done_in_a_checkout() {
    let server = TestRunner::start_in(
        &[("a", "[ -L link ] && cat link; printf 'x\\n' | cmp - lines && echo same")],
        |config, folder| {
            let source = folder.join("source");
            std::os::unix::fs::symlink("lines", source.join("link")).unwrap();
            std::fs::write(source.join("lines"), "x\n").unwrap();
            git(&source, &["add", "--all"]);
            git(&source, &["commit", "--quiet", "--message", "link"]);
            for setting in [["core.symlinks", "false"], ["core.autocrlf", "true"]] {
                git(&config.repository, &[&["config"][..], &setting].concat());
            }
        },
    )
    .await;
    let queue = server.queue_of_newest("42", &["a"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    server.client.ended("42").await;
    assert_eq!(server.client.log("42-1").await, "x\nsame\n");
}
