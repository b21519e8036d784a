//! What a restart keeps, what it ends, and that two runners never share a data folder.
//! One test kills a runner in a process of its own, as a crash would; the others stop it in good order.

use crate::test_runner::{
    Client, INSTANCE, TestRunner, config_in, is_alive, refusal, statuses, tasks, until_dead, wait_until,
};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Passed};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

const PASS: (&str, &str) = ("pass", "echo hello");
const WAIT: (&str, &str) = ("wait", "echo pid $$; while ! [ -e go ]; do sleep 0.05; done");
const STOPPED: &str = "the test server stopped while this task was running";

#[tokio::test]
async fn after_a_stop_finished_tasks_keep_their_result_and_waiting_ones_run() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    let before = server.run("1", &["pass"]).await;
    server.submit("2", &["pass", "wait", "pass"]).await;
    server.submit("3", &["pass"]).await;
    let log = server.client.logged("2-2", "pid").await;
    server.shut_down().await;
    until_dead(log.trim().trim_start_matches("pid ")).await;

    server.start_again().await;
    assert_eq!(server.client.status("1").await, before);
    let queue = server.client.ended("2").await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed, Error, Passed]));
    assert_eq!(tasks(&queue)[1].message, STOPPED);
    assert_eq!(tasks(&queue)[1].log_size, Some(log.len() as u64));
    assert_eq!(statuses(&server.client.ended("3").await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(server.client.log("1-1").await, "hello\n");
}

/// The other half of the next test: a runner in a process of its own, which is there to be killed.
/// Run without that test it has nothing to do.
#[tokio::test]
async fn a_runner_that_will_be_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let running = runner::Runner::start(config_in(&folder)).await.unwrap();
    std::fs::write(folder.join("address.new"), running.http_addr.to_string()).unwrap();
    std::fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
    std::future::pending::<()>().await;
}

const FOLDER: &str = "RUNNER_TEST_FOLDER";

#[tokio::test]
async fn after_a_crash_what_ran_is_an_error_and_its_processes_are_ended() {
    let mut server = TestRunner::start(&[PASS, WAIT]).await;
    server.shut_down().await;
    let folder = server.folder.path().to_owned();
    let mut other = Command::new(std::env::current_exe().unwrap());
    other.args(["--exact", "restart::a_runner_that_will_be_killed"]).env(FOLDER, &folder).kill_on_drop(true);
    let mut other = other.stdout(Stdio::null()).spawn().unwrap();
    server.client = Client::new(address_in(&folder).await, INSTANCE);
    server.submit("2", &["wait", "wait", "pass"]).await;
    let logs = [server.client.logged("2-1", "\n").await, server.client.logged("2-2", "\n").await];
    other.kill().await.unwrap();
    let pids = logs.map(|log| log.trim().trim_start_matches("pid ").to_owned());
    assert!(pids.iter().all(|pid| is_alive(pid)), "nobody was there to end them");

    server.start_again().await;
    let queue = server.client.ended("2").await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Error, Error, Passed]));
    assert_eq!(tasks(&queue)[0].message, STOPPED);
    for pid in pids {
        until_dead(&pid).await;
    }
}

pub async fn address_in(folder: &Path) -> SocketAddr {
    let file = folder.join("address");
    wait_until("the other runner's address", async || file.exists()).await;
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

#[tokio::test]
async fn only_what_carries_the_very_mark_of_a_task_is_ended() {
    let mut server = TestRunner::start(&[WAIT]).await;
    server.submit("2", &["wait"]).await;
    server.client.logged("2-1", "pid").await;
    let results = server.config.data_dir.join("results/2/1");
    let marked = |path: &Path| Command::new("sleep").arg("600").env("TESTARENA_RESULTS", path).spawn().unwrap();
    let (mut leftover, mut stranger) = (marked(&results), marked(&results.join("x")));
    drop(server.running.take());
    server.start_again().await;
    assert!(!leftover.wait().await.unwrap().success());
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().await.unwrap();
}

#[tokio::test]
async fn deleted_ids_are_remembered_across_a_restart() {
    let mut server = TestRunner::start(&[PASS]).await;
    server.run("42", &["pass"]).await;
    server.client.delete("42").await;
    server.shut_down().await;
    server.start_again().await;
    let post = server.client.post_queue(&server.queue("42", &["pass"])).await;
    assert_eq!(refusal(post).await, (410, "gone".into()));
}

#[tokio::test]
async fn a_queue_whose_workspace_was_lost_is_checked_out_again() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.submit("2", &["wait", "pass"]).await;
    server.client.logged("2-1", "pid").await;
    server.shut_down().await;
    std::fs::remove_dir_all(server.workspace("2")).unwrap();
    server.start_again().await;
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Error, Passed]));
}

#[tokio::test]
async fn a_checkout_that_a_power_cut_may_have_emptied_is_made_anew() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.submit("2", &["wait", "pass"]).await;
    server.client.logged("2-1", "pid").await;
    server.shut_down().await;
    let script = server.workspace("2").join("scenarios/pass");
    assert!(std::fs::metadata(&script).unwrap().len() > 0);
    std::fs::write(&script, "").unwrap();
    let noted = std::fs::read_to_string(server.config.data_dir.join("boot")).unwrap();
    assert!(!noted.is_empty());
    std::fs::write(server.config.data_dir.join("boot"), "of yesterday").unwrap();
    server.start_again().await;
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Error, Passed]));
}

#[tokio::test]
async fn a_checkout_stays_as_it_is_while_the_machine_runs_on() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.submit("2", &["wait", "pass"]).await;
    server.client.logged("2-1", "pid").await;
    server.shut_down().await;
    let left = server.workspace("2").join("left-by-a-task");
    std::fs::write(&left, "").unwrap();
    server.start_again().await;
    server.client.ended("2").await;
    assert!(left.exists());
}

#[tokio::test]
async fn the_time_in_which_the_runner_is_down_counts_for_a_queues_limit() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| {
        config.slots.truncate(1);
        config.queue_overtime = Duration::ZERO;
    })
    .await;
    let mut queue = server.queue("2", &["wait", "pass"]);
    queue.timeout_s = 4;
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    server.client.logged("2-1", "pid").await;
    let running = Instant::now();
    server.shut_down().await;
    while running.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.start_again().await;
    let ended = server.client.ended("2").await;
    assert_eq!(statuses(&ended), (QueueStatus::Aborted, vec![Error, Aborted]));
    assert_eq!(ended.message, "ended by the test server: it ran for longer than its limit of 4 s");
}

#[tokio::test]
async fn a_second_runner_on_the_same_data_folder_does_not_start() {
    let server = TestRunner::start(&[]).await;
    let error = runner::Runner::start(server.config.clone()).await.err().unwrap();
    assert!(error.to_string().starts_with("another runner works on "), "{error}");
}
