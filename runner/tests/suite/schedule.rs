//! Slots, order and limits over several queues.
//! Scenarios write what they see into one file beside the workspaces.

use crate::test_runner::{TestRunner, statuses, tasks};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Passed, Running, Waiting};
use std::collections::BTreeMap;
use std::time::Duration;

const PASS: (&str, &str) = ("pass", "true");
const WAIT: (&str, &str) = ("wait", "echo started; while ! [ -e go ]; do sleep 0.05; done");
/// Runs longer than starting three others takes.
const SHORT: (&str, &str) = ("short", "echo $TESTARENA_TASK_ID $TESTARENA_SLOT >> ../../order; sleep 0.3");

#[tokio::test]
async fn tasks_start_in_order_the_oldest_queue_first() {
    let server = TestRunner::start_with(&[SHORT], |config| config.slots.truncate(1)).await;
    for id in ["1", "2", "3"] {
        server.submit(id, &["short", "short"]).await;
    }
    server.client.ended("3").await;
    let order = std::fs::read_to_string(server.folder.path().join("order")).unwrap();
    assert_eq!(order, "1-1 0\n1-2 0\n2-1 0\n2-2 0\n3-1 0\n3-2 0\n");
}

#[tokio::test]
async fn all_slots_are_used_at_once_and_no_more() {
    let server = TestRunner::start_with(&[WAIT], |config| config.slots.resize(3, BTreeMap::default())).await;
    server.submit("1", &["wait", "wait"]).await;
    server.submit("2", &["wait", "wait"]).await;
    server.client.until("1", |queue| tasks(queue).iter().all(|task| task.status == Running)).await;
    let second = server.client.until("2", |queue| tasks(queue)[0].status == Running).await;
    assert_eq!(statuses(&second), (QueueStatus::Running, vec![Running, Waiting]));
    let health = server.client.get_json("/api/health").await;
    assert_eq!((&health["slots"], &health["busy"], &health["waiting"]), (&3.into(), &3.into(), &0.into()));
    for id in ["1", "2"] {
        server.client.logged(&format!("{id}-1"), "started").await;
        std::fs::write(server.workspace(id).join("go"), "").unwrap();
    }
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Finished, vec![Passed, Passed]));
}

#[tokio::test]
async fn waiting_queues_know_their_place() {
    let server = TestRunner::start_with(&[WAIT], |config| config.slots.truncate(1)).await;
    for id in ["1", "2", "3", "4"] {
        server.submit(id, &["wait"]).await;
    }
    server.client.logged("1-1", "started").await;
    for (id, place) in [("1", None), ("2", Some(1)), ("3", Some(2)), ("4", Some(3))] {
        assert_eq!(server.client.status(id).await.position, place, "{id}");
    }
    server.client.abort("2").await;
    assert_eq!(server.client.status("4").await.position, Some(2));
    assert_eq!(server.client.get_json("/api/health").await["waiting"], 2);
}

#[tokio::test]
async fn a_queue_past_its_limit_is_ended_by_the_server() {
    let server = TestRunner::start_with(&[WAIT], |config| {
        config.slots.truncate(1);
        config.queue_overtime = Duration::from_secs(1);
    })
    .await;
    let mut queue = server.queue("42", &["wait", "wait"]);
    queue.timeout_s = 1;
    server.client.post_queue(&queue).await;
    let ended = server.client.ended("42").await;
    assert_eq!(statuses(&ended), (QueueStatus::Aborted, vec![Aborted, Aborted]));
    assert_eq!(ended.message, "ended by the test server: it ran for longer than its limit of 1 s");
    assert!(server.client.log("42").await.contains("longer than its limit"));
}

#[tokio::test]
async fn a_checkout_that_fails_ends_its_queue_as_an_error_and_no_other() {
    let server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.submit("1", &["wait"]).await;
    server.client.logged("1-1", "started").await;
    server.submit("2", &["pass", "pass"]).await;
    // A file that is no folder stands in the way of everything below it.
    let repository = &server.config.repository;
    std::fs::rename(repository, server.folder.path().join("away")).unwrap();
    std::fs::write(server.workspace("1").join("go"), "").unwrap();
    let queue = server.client.ended("2").await;
    assert_eq!(statuses(&queue), (QueueStatus::Error, vec![Error, Error]));
    assert!(queue.message.starts_with("the checkout failed: git rev-parse failed: "), "{}", queue.message);
    std::fs::rename(server.folder.path().join("away"), repository).unwrap();
    assert_eq!(server.run("3", &["pass"]).await.status, QueueStatus::Finished);
}
