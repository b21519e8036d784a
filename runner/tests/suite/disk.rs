//! A disk that fills up: with what a task prints, with what it writes. Deletions make room again, whatever has happened.

use crate::leftovers::{children, make_slow, start_other, until_exists};
use crate::restart::address_in;
use crate::test_runner::{Client, INSTANCE, TestRunner, refusal, statuses, tasks, wait_until};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Passed};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const PASS: (&str, &str) = ("pass", "echo fine");
/// Fills the disk with a result file, says so, and goes on trying by its log.
const FILL: (&str, &str) = ("fill", "cat /dev/zero > $TESTARENA_RESULTS/zero\necho '::progress 0.5 full'\nexec yes");
/// The same, once it is told to.
const FILL_LATER: (&str, &str) = (
    "later",
    "echo ready\nwhile ! [ -e go ]; do sleep 0.05; done\ncat /dev/zero > $TESTARENA_RESULTS/zero\necho '::progress 0.5 full'\nexec sleep 600",
);
const WAIT: (&str, &str) = ("wait", "echo ready; while ! [ -e $RUNNER_TEST_FOLDER/go ]; do sleep 0.05; done");
const HOLD: (&str, &str) = ("hold", "exec sleep 600");
/// Gives the runner a folder of 64 MiB.
const SMALL_DISK: &str = "mount -t tmpfs -o size=64m none \"$RUNNER_TEST_FOLDER/$0\" || exit\nexec \"$@\"";
/// Starts the runner again when it is killed.
const TWICE: &str = "mount -t tmpfs -o size=64m none \"$RUNNER_TEST_FOLDER/$0\" || exit\n\"$@\"\nexec \"$@\"";

#[tokio::test]
async fn a_task_that_prints_without_end_has_the_beginning_kept() {
    let text = "printf '%0200000d' 0; echo; echo '::progress 0.5 half'; printf '%0200000d' 0; exit 0";
    let server = TestRunner::start_with(&[("a", text)], |config| config.max_log_bytes = 100 << 10).await;
    let queue = server.run("42", &["a"]).await;
    let task = &tasks(&queue)[0];
    assert_eq!((task.status, task.message.as_str()), (Passed, "half"));
    let log = server.client.log("42-1").await;
    let (kept, mark) = log.split_at(100 << 10);
    assert!(kept.bytes().all(|byte| byte == b'0'));
    assert_eq!(mark, "\n[cut here, because this log is longer than 100 KiB (max_log_bytes)]\n");
    assert_eq!(task.log_size, Some(log.len() as u64));
    assert!(server.client.log("42").await.contains("the log of task 42-1 was cut at 100 KiB (max_log_bytes)"));
}

/// Runs what fills the disk until it has, and sees that nothing more is accepted.
async fn fill(server: &TestRunner, id: &str) {
    server.submit(id, &["fill"]).await;
    server.client.until(id, |queue| tasks(queue)[0].message == "full").await;
    expect_refusal(server).await;
}

async fn expect_refusal(server: &TestRunner) {
    let answer = server.client.post_queue(&server.queue("99", &["pass"])).await;
    assert_eq!(refusal(answer).await, (503, "disk_full".to_owned()));
}

/// Starts the runner of a test again in a process of its own, for which this folder is a small disk.
async fn start_on_a_small_disk(server: &mut TestRunner, folder: &str, script: &str) -> tokio::process::Child {
    server.shut_down().await;
    let front = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    start_other(server, &["unshare", front, "sh", "-c", script, folder]).await
}

#[tokio::test]
async fn what_waits_when_the_disk_fills_up_waits_on_and_runs_when_there_is_room() {
    let mut server = TestRunner::start(&[PASS, FILL_LATER, HOLD]).await;
    let mut child = start_on_a_small_disk(&mut server, "data", SMALL_DISK).await;
    // Both slots.
    server.submit("1", &["later", "hold"]).await;
    server.client.logged("1-1", "ready").await;
    server.submit("2", &["pass"]).await;
    server.submit("3", &["pass", "pass"]).await;
    std::fs::write(server.workspace("1").join("go"), "").unwrap();
    server.client.until("1", |queue| tasks(queue)[0].message == "full").await;
    server.client.abort("1").await;
    server.client.ended("1").await;
    // Longer than the scheduler takes to look again.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        for id in ["2", "3"] {
            let queue = server.client.status(id).await;
            assert_eq!(queue.status, QueueStatus::Waiting, "{queue:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.client.delete("1").await.status(), 204);
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(statuses(&server.client.ended("3").await), (QueueStatus::Finished, vec![Passed, Passed]));
    child.kill().await.unwrap();
}

/// Puts files of a checkout into the source, and tells their commit. Of zeros git would make holes, which take no room.
fn commit_files(server: &TestRunner, files: usize, bytes: usize) -> String {
    let source = server.folder.path().join("source");
    for n in 0..files {
        std::fs::write(source.join(format!("file{n}")), vec![b'x'; bytes]).unwrap();
    }
    server.git_at_source(&["add", "--all"]);
    server.git_at_source(&["commit", "--quiet", "--message", "files"]);
    server.git_at_source(&["rev-parse", "HEAD"])
}

/// What looks like enough by the bytes that are free is too little for one more checkout.
#[tokio::test]
async fn a_queue_whose_checkout_finds_no_room_waits_and_runs_when_there_is_some() {
    for (disk, files, bytes) in [("size=64m", 1, 40 << 20), ("size=64m,nr_inodes=90", 50, 1)] {
        let mut server = TestRunner::start(&[PASS, WAIT]).await;
        server.commit = commit_files(&server, files, bytes);
        let script = SMALL_DISK.replace("size=64m", disk);
        let mut child = start_on_a_small_disk(&mut server, "workspaces", &script).await;
        // Both slots, until the others have been accepted.
        server.submit("1", &["wait", "wait"]).await;
        server.client.logged("1-1", "ready").await;
        server.submit("2", &["pass"]).await;
        server.submit("3", &["pass", "pass"]).await;
        std::fs::write(server.folder.path().join("go"), "").unwrap();
        wait_until(&format!("a queue that waits on {disk}"), async || {
            server.client.log("2").await.contains("no room for the checkout, so the queue waits")
        })
        .await;
        // The other slot may have tried the third.
        for (id, position) in [("2", 1), ("3", 2)] {
            let queue = server.client.until(id, |queue| queue.position == Some(position)).await;
            assert_eq!((queue.status, queue.started_at), (QueueStatus::Waiting, None), "{disk}");
        }
        expect_refusal(&server).await;
        assert!(!server.client.log("2").await.contains("has ended"), "{disk}");
        assert_eq!(server.client.delete("1").await.status(), 204);
        assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Passed]), "{disk}");
        assert_eq!(server.client.delete("2").await.status(), 204);
        let ended = server.client.ended("3").await;
        assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed, Passed]), "{disk}: {}", ended.message);
        child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_that_needs_more_room_than_there_is_ends_and_stops_no_other() {
    let mut server = TestRunner::start(&[PASS]).await;
    let small = server.commit.clone();
    server.commit = commit_files(&server, 1, 80 << 20);
    let mut child = start_on_a_small_disk(&mut server, "workspaces", SMALL_DISK).await;
    let ended = server.run("1", &["pass"]).await;
    assert_eq!(statuses(&ended), (QueueStatus::Error, vec![Error]));
    assert!(ended.message.contains("needs more room than there is at "), "{}", ended.message);
    server.commit = small;
    assert_eq!(statuses(&server.run("2", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
    child.kill().await.unwrap();
}

/// Its time begins with its checkout, for which there is no room.
#[tokio::test]
async fn a_queue_whose_checkout_was_cut_off_by_a_restart_waits_while_the_disk_is_full() {
    let mut server = TestRunner::start_in(&[("a", "true")], |_, folder| make_slow(folder)).await;
    server.commit = server.git_at_source(&["rev-parse", "HEAD"]);
    server.submit("1", &["a"]).await;
    let folder = server.folder.path().to_owned();
    until_exists(&folder.join("slow-began")).await;
    assert_eq!(server.client.status("1").await.status, QueueStatus::Running);
    std::fs::write(folder.join("go"), "").unwrap();
    let script = SMALL_DISK.replace("exec", "head -c 64M /dev/zero > \"$RUNNER_TEST_FOLDER/$0/filler\"\nexec");
    let mut child = start_on_a_small_disk(&mut server, "workspaces", &script).await;
    let queue = server.client.until("1", |queue| queue.position == Some(1)).await;
    assert_eq!((queue.status, queue.started_at), (QueueStatus::Waiting, None));
    let its_root = format!("/proc/{}/root", child.id().unwrap());
    let filler = folder.join("workspaces/filler");
    std::fs::remove_file(format!("{its_root}{}", filler.display())).unwrap();
    assert_eq!(statuses(&server.client.ended("1").await), (QueueStatus::Finished, vec![Passed]));
    child.kill().await.unwrap();
}

#[tokio::test]
async fn on_a_full_disk_an_abort_a_crash_and_a_deletion_work() {
    let mut server = TestRunner::start(&[PASS, FILL]).await;
    let mut child = start_on_a_small_disk(&mut server, "data", TWICE).await;

    fill(&server, "1").await;
    assert_eq!(server.client.abort("1").await.status(), 202);
    assert_eq!(statuses(&server.client.ended("1").await), (QueueStatus::Aborted, vec![Aborted]));
    expect_refusal(&server).await;
    assert_eq!(server.client.delete("1").await.status(), 204);
    assert_eq!(statuses(&server.run("2", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));

    fill(&server, "3").await;
    let folder = server.folder.path().to_owned();
    std::fs::remove_file(folder.join("address")).unwrap();
    let runner = children(child.id().unwrap())[0];
    kill_process(Pid::from_raw(runner.cast_signed()).unwrap(), Signal::KILL).unwrap();
    server.client = Client::new(address_in(&folder).await, INSTANCE);
    assert_eq!(statuses(&server.client.ended("3").await), (QueueStatus::Finished, vec![Error]));
    expect_refusal(&server).await;
    assert_eq!(server.client.delete("3").await.status(), 204);
    assert_eq!(statuses(&server.run("4", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_disk_that_only_the_results_lie_on_is_looked_at_too() {
    let mut server = TestRunner::start(&[PASS, FILL]).await;
    let results = server.folder.path().join("data/results");
    std::fs::remove_dir(&results).unwrap();
    std::fs::create_dir(server.folder.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &results).unwrap();
    let mut child = start_on_a_small_disk(&mut server, "elsewhere", SMALL_DISK).await;
    fill(&server, "1").await;
    assert_eq!(server.client.delete("1").await.status(), 204);
    assert_eq!(statuses(&server.run("2", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_workspace_root_that_was_removed_is_made_again() {
    let server = TestRunner::start(&[PASS]).await;
    std::fs::remove_dir_all(&server.config.workspace_root).unwrap();
    assert_eq!(statuses(&server.run("42", &["pass"]).await), (QueueStatus::Finished, vec![Passed]));
}
