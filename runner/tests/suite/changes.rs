//! The changes feed: complete, prompt, one instance's own, and good across a restart.
//! Nothing here knows how a cursor is made; it is only handed back.

use crate::test_runner::{Client, OTHER_INSTANCE, TestRunner, refusal};
use protocol::QueueStatus;
use protocol::remote::{Changes, StatusBody};
use std::time::{Duration, Instant};

const PASS: (&str, &str) = ("pass", "true");
const WAIT: (&str, &str) = ("wait", "echo started; while ! [ -e go ]; do sleep 0.05; done");

async fn feed(client: &Client, query: &str) -> Changes {
    client.get(&format!("/api/changes{query}")).await.json().await.unwrap()
}

fn ids(changes: &Changes) -> Vec<(&str, QueueStatus)> {
    let of_queue = |body: &StatusBody| matches!(body, StatusBody::Queue(_));
    assert!(changes.queues.iter().all(of_queue), "{changes:?}");
    let queues = changes.queues.iter().filter_map(|body| match body {
        StatusBody::Queue(queue) => Some((queue.id.as_str(), queue.status)),
        StatusBody::Task(_) => None,
    });
    queues.collect()
}

#[tokio::test]
async fn without_a_cursor_it_starts_over_with_every_unfinished_queue() {
    let server = TestRunner::start_with(&[PASS, WAIT], |config| config.slots.truncate(1)).await;
    server.run("1", &["pass"]).await;
    server.submit("2", &["wait"]).await;
    server.submit("3", &["pass"]).await;
    server.client.logged("2-1", "started").await;
    let changes = feed(&server.client, "").await;
    assert!(changes.reset);
    let mut found = ids(&changes);
    found.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(found, [("2", QueueStatus::Running), ("3", QueueStatus::Waiting)]);
    for cursor in ["x", "0123.4", &format!("{}0", changes.cursor)] {
        assert!(feed(&server.client, &format!("?since={cursor}")).await.reset, "{cursor}");
    }
    let other = feed(&server.as_instance(OTHER_INSTANCE), "").await;
    assert!(other.reset && other.queues.is_empty());
}

#[tokio::test]
async fn every_change_is_told_once_and_soon() {
    let server = TestRunner::start(&[WAIT]).await;
    let mut cursor = feed(&server.client, "").await.cursor;
    server.submit("42", &["wait"]).await;
    server.client.logged("42-1", "started").await;
    let client = server.client.clone();
    // Drains what has happened so far.
    loop {
        let changes = feed(&client, &format!("?since={cursor}&wait=1")).await;
        assert!(!changes.reset);
        cursor = changes.cursor.clone();
        if changes.queues.is_empty() {
            break;
        }
        assert_eq!(ids(&changes), [("42", QueueStatus::Running)]);
    }
    let waiting =
        tokio::spawn(async move { (feed(&client, &format!("?since={cursor}&wait=30")).await, Instant::now()) });
    let aborted_at = Instant::now();
    server.client.abort("42").await;
    let (changes, told_at) = waiting.await.unwrap();
    // Half of what it would wait.
    assert!(told_at - aborted_at < Duration::from_secs(15));
    let mut last = changes;
    while ids(&last) != [("42", QueueStatus::Aborted)] {
        last = feed(&server.client, &format!("?since={}&wait=10", last.cursor)).await;
    }
    let after = feed(&server.client, &format!("?since={}", last.cursor)).await;
    assert!(!after.reset && after.queues.is_empty());
}

#[tokio::test]
async fn it_answers_in_time_when_nothing_happens_and_is_not_woken_by_others() {
    let server = TestRunner::start(&[PASS]).await;
    let cursor = feed(&server.client, "").await.cursor;
    let client = server.client.clone();
    let waiting = tokio::spawn(async move {
        let start = Instant::now();
        (feed(&client, &format!("?since={cursor}&wait=2")).await, start.elapsed())
    });
    let other = server.as_instance(OTHER_INSTANCE);
    other.post_queue(&server.queue("42", &["pass"])).await;
    other.ended("42").await;
    let (changes, waited) = waiting.await.unwrap();
    assert!(!changes.reset && changes.queues.is_empty());
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn a_cursor_holds_across_a_restart() {
    let mut server = TestRunner::start(&[WAIT]).await;
    server.submit("42", &["wait"]).await;
    server.client.logged("42-1", "started").await;
    let cursor = feed(&server.client, "").await.cursor;
    server.shut_down().await;
    server.start_again().await;
    let changes = feed(&server.client, &format!("?since={cursor}&wait=10")).await;
    assert!(!changes.reset);
    assert_eq!(ids(&changes), [("42", QueueStatus::Finished)]);
}

#[tokio::test]
async fn long_answers_come_in_pages_and_lose_nothing() {
    let server = TestRunner::start_with(&[WAIT], |config| {
        config.slots.truncate(1);
        // On a busy machine so many take longer than tasks have here, and one that has ended is not told of.
        config.task_timeout = Duration::from_mins(10);
    })
    .await;
    for n in 1..=510 {
        server.submit(&format!("{n}"), &["wait"]).await;
    }
    server.client.logged("1-1", "started").await;
    let first = feed(&server.client, "").await;
    assert_eq!((first.reset, first.queues.len()), (true, 500));
    let second = feed(&server.client, &format!("?since={}", first.cursor)).await;
    assert!(!second.reset);
    let mut all: Vec<&str> = ids(&first).into_iter().chain(ids(&second)).map(|(id, _)| id).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 510);
}

#[tokio::test]
async fn a_stop_of_the_server_ends_the_wait() {
    let mut server = TestRunner::start(&[]).await;
    let cursor = feed(&server.client, "").await.cursor;
    let client = server.client.clone();
    let start = Instant::now();
    let waiting = tokio::spawn(async move { feed(&client, &format!("?since={cursor}&wait=30")).await });
    server.client.get("/api/health").await;
    server.shut_down().await;
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(waiting.await);
}

#[tokio::test]
async fn a_query_that_says_two_things_is_refused_in_the_contracts_shape() {
    let server = TestRunner::start(&[PASS]).await;
    let answer = server.client.get("/api/changes?since=a&since=b").await;
    assert_eq!(refusal(answer).await, (400, "bad_query".to_owned()));
}

#[tokio::test]
async fn a_page_ends_where_it_would_grow_too_large_for_a_client() {
    let server = TestRunner::start_with(&[WAIT], |config| config.slots.truncate(1)).await;
    let thousand = vec!["wait"; 1_000];
    for n in 1..=20 {
        server.submit(&format!("{n}"), &thousand).await;
    }
    let (mut found, mut query) = (Vec::new(), String::new());
    while found.len() < 20 {
        let answer = server.client.get(&format!("/api/changes{query}")).await;
        let text = answer.text().await.unwrap();
        assert!(text.len() < 5 * 1024 * 1024, "{}", text.len());
        let page: Changes = serde_json::from_str(&text).unwrap();
        assert!(!page.queues.is_empty());
        found.extend(ids(&page).into_iter().map(|(id, _)| id.to_owned()));
        found.sort();
        found.dedup();
        query = format!("?since={}", page.cursor);
    }
}
