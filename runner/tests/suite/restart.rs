//! What a restart keeps, what it ends, and that two runners never share a data folder.

use crate::test_runner::{TestRunner, refusal, statuses, tasks, until_dead};
use protocol::QueueStatus;
use protocol::TaskStatus::{Error, Passed};
use std::process::Command;

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

#[tokio::test]
async fn after_a_crash_what_ran_is_an_error_and_its_processes_are_ended() {
    let mut server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.submit("2", &["wait", "pass"]).await;
    let log = server.client.logged("2-1", "pid").await;
    let results = server.config.data_dir.join("results/2/1");
    // As a process would be that the crashed runner could not end: it has only the mark of its task.
    let mut leftover = Command::new("sleep").arg("600").env("TESTARENA_RESULTS", &results).spawn().unwrap();
    let mut stranger = Command::new("sleep").arg("600").env("TESTARENA_RESULTS", results.join("x")).spawn().unwrap();
    drop(server.running.take());

    server.start_again().await;
    let queue = server.client.ended("2").await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Error, Passed]));
    assert_eq!(tasks(&queue)[0].message, STOPPED);
    until_dead(log.trim().trim_start_matches("pid ")).await;
    assert!(!leftover.wait().unwrap().success());
    assert!(stranger.try_wait().unwrap().is_none(), "only what carries the very mark is ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
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
async fn a_second_runner_on_the_same_data_folder_does_not_start() {
    let server = TestRunner::start(&[]).await;
    let error = runner::Runner::start(server.config.clone()).await.err().unwrap();
    assert!(error.to_string().starts_with("another runner works on "), "{error}");
}
