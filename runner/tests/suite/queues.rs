//! Handing in, status, abort, delete: who may, what comes back, and what is remembered.
//! Whole bodies are compared, with the times taken out.

use crate::test_runner::{OTHER_INSTANCE, TestRunner, refusal, statuses, wait_until, write_scenario};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Passed};
use reqwest::Method;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const PASS: (&str, &str) = ("smoke/pass.sh", "echo hello");
/// Runs until it is killed, or its workspace holds a file `go`.
const WAIT: (&str, &str) = ("smoke/wait.sh", "echo started; while ! [ -e go ]; do sleep 0.05; done");

/// Times become a word, `null` stays.
fn without_times(mut body: Value) -> Value {
    let fields = ["created_at", "started_at", "finished_at"];
    let hide = |object: &mut Value| {
        for field in fields.iter().filter(|field| object[**field].is_string()).collect::<Vec<_>>() {
            object[*field] = "time".into();
        }
    };
    hide(&mut body);
    body.get_mut("tasks").and_then(Value::as_array_mut).into_iter().flatten().for_each(hide);
    body
}

#[tokio::test]
async fn a_queue_and_its_task_have_the_contracts_bodies() {
    let server = TestRunner::start(&[PASS]).await;
    let accepted = server.client.post_queue(&server.queue("42", &["smoke/pass"])).await;
    assert_eq!(accepted.status(), 202);
    assert_eq!(accepted.json::<Value>().await.unwrap(), json!({"queue_id": "42", "status": "waiting"}));
    server.client.ended("42").await;
    let queue = json!({
        "id": "42", "kind": "queue", "status": "finished", "position": null, "message": "",
        "created_at": "time", "started_at": "time", "finished_at": "time",
        "tasks": [{"task_id": "42-1", "scenario": "smoke/pass", "status": "passed", "progress": 1.0, "message": "",
                   "log_size": 6, "started_at": "time", "finished_at": "time", "exit_code": 0}],
    });
    assert_eq!(without_times(server.client.get_json("/api/status/42").await), queue);
    let task = json!({
        "id": "42-1", "kind": "task", "queue_id": "42", "scenario": "smoke/pass", "status": "passed", "progress": 1.0,
        "started_at": "time", "finished_at": "time", "exit_code": 0, "message": "", "log_size": 6,
    });
    assert_eq!(without_times(server.client.get_json("/api/status/42-1").await), task);
}

#[tokio::test]
async fn handing_in_twice_starts_nothing_twice() {
    let server = TestRunner::start(&[PASS, WAIT]).await;
    let queue = server.queue("42", &["smoke/pass"]);
    server.submit("42", &["smoke/pass"]).await;
    server.client.ended("42").await;
    let again = server.client.post_queue(&queue).await;
    assert_eq!(again.status(), 200);
    assert_eq!(again.json::<Value>().await.unwrap(), json!({"queue_id": "42", "status": "finished"}));
    assert_eq!(server.client.log("42").await.matches("starts in slot").count(), 1);

    let mut other = queue.clone();
    other.commit = "0".repeat(40);
    assert_eq!(refusal(server.client.post_queue(&other).await).await, (409, "id_taken".into()));
    let mut other = queue.clone();
    other.tasks[0].task_id = "42-7".to_owned();
    assert_eq!(refusal(server.client.post_queue(&other).await).await, (409, "id_taken".into()), "other task ids");
    let other = server.queue("42", &["smoke/wait"]);
    assert_eq!(refusal(server.client.post_queue(&other).await).await, (409, "id_taken".into()));
}

#[tokio::test]
async fn many_at_once_are_all_kept_and_run_once() {
    let server = TestRunner::start(&[PASS]).await;
    let posts = (0..50).map(|n| server.queue(&format!("a.{}", n / 2), &["smoke/pass"])).map(|queue| {
        let client = server.client.clone();
        tokio::spawn(async move { client.post_queue(&queue).await.status().as_u16() })
    });
    let mut answers = Vec::new();
    for post in posts.collect::<Vec<_>>() {
        answers.push(post.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [vec![200; 25], vec![202; 25]].concat());
    for n in 0..25 {
        let queue = server.client.ended(&format!("a.{n}")).await;
        assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed]));
    }
}

#[tokio::test]
async fn the_longest_id_serves_for_all_that_is_named_after_it() {
    let server = TestRunner::start(&[PASS]).await;
    let id = format!("lab.{}", "4".repeat(236));
    assert_eq!(statuses(&server.run(&id, &["smoke/pass"]).await), (QueueStatus::Finished, vec![Passed]));
    assert!(server.client.log(&id).await.contains("starts in slot"));
    assert_eq!(server.client.get(&format!("/api/logs/{id}-1")).await.status(), 200);
    assert_eq!(server.client.get(&format!("/api/results/{id}-1")).await.status(), 200);
    assert_eq!(server.client.delete(&id).await.status(), 204);
    assert_eq!(refusal(server.client.get(&format!("/api/status/{id}")).await).await, (404, "unknown_id".into()));
}

#[tokio::test]
async fn what_can_not_run_is_refused_for_good() {
    let server = TestRunner::start(&[PASS]).await;
    let good = server.queue("42", &["smoke/pass"]);
    let changed = |change: &dyn Fn(&mut protocol::remote::QueueRequest)| {
        let mut queue = good.clone();
        change(&mut queue);
        queue
    };
    for (queue, code) in [
        (changed(&|q| q.tasks.clear()), "no_tasks"),
        (changed(&|q| q.branch = "nowhere".into()), "unknown_branch"),
        (changed(&|q| q.branch = "a..b".into()), "bad_branch"),
        (changed(&|q| q.commit = "0".repeat(40)), "unknown_commit"),
        (changed(&|q| q.commit = "HEAD".into()), "bad_commit"),
        (changed(&|q| q.tasks[0].scenario = "../etc/passwd".into()), "bad_scenario"),
        (changed(&|q| q.tasks[0].scenario = "smoke/none".into()), "unknown_scenario"),
        (changed(&|q| q.tasks[0].task_id = "42-2".into()), "bad_task_id"),
        (changed(&|q| q.tasks[0].task_id = "43-1".into()), "bad_task_id"),
        (changed(&|q| q.queue_id = "4-2".into()), "bad_queue_id"),
        (changed(&|q| q.queue_id = "..".into()), "bad_queue_id"),
        (changed(&|q| q.queue_id = "4".repeat(241)), "bad_queue_id"),
        (changed(&|q| q.timeout_s = 0), "bad_timeout"),
    ] {
        assert_eq!(refusal(server.client.post_queue(&queue).await).await, (422, code.into()));
    }
    assert_eq!(refusal(server.client.get("/api/status/42").await).await, (404, "unknown_id".into()));
}

#[tokio::test]
async fn a_commit_that_is_not_here_yet_is_fetched_from_its_branch() {
    let server = TestRunner::start(&[PASS]).await;
    let branch = "feature/it's-$(x)";
    server.git_at_source(&["checkout", "--quiet", "-b", branch]);
    write_scenario(&server.folder.path().join("source"), "smoke/new.sh", "printf %s \"$TESTARENA_BRANCH\"");
    server.git_at_source(&["add", "--all"]);
    server.git_at_source(&["commit", "--quiet", "--message", "new"]);
    let mut queue = server.queue("42", &["smoke/new"]);
    queue.branch = branch.to_owned();
    queue.commit = server.git_at_source(&["rev-parse", "HEAD"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    assert_eq!(statuses(&server.client.ended("42").await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(server.client.log("42-1").await, branch);
}

#[tokio::test]
async fn another_instances_queue_can_not_be_touched() {
    let server = TestRunner::start(&[PASS]).await;
    server.run("42", &["smoke/pass"]).await;
    let other = server.as_instance(OTHER_INSTANCE);
    for (method, path) in [
        (Method::GET, "/api/status/42"),
        (Method::GET, "/api/status/42-1"),
        (Method::POST, "/api/abort/42"),
        (Method::DELETE, "/api/delete/42"),
        (Method::GET, "/api/logs/42"),
        (Method::GET, "/api/logs/42-1"),
        (Method::GET, "/api/results/42-1"),
        (Method::GET, "/api/results/42-1/junit.xml"),
    ] {
        assert_eq!(refusal(other.send(method, path).await).await, (409, "other_instance".into()), "{path}");
    }
    let post = other.post_queue(&server.queue("42", &["smoke/pass"])).await;
    assert_eq!(refusal(post).await, (409, "other_instance".into()));
    assert_eq!(server.client.status("42").await.status, QueueStatus::Finished);
}

#[tokio::test]
async fn abort_kills_what_runs_and_what_waits_never_starts() {
    let server = TestRunner::start_with(&[WAIT], |config| config.slots.truncate(1)).await;
    server.submit("42", &["smoke/wait", "smoke/wait"]).await;
    server.submit("43", &["smoke/wait"]).await;
    server.client.logged("42-1", "started").await;
    // One that has not started ends at once.
    assert_eq!(server.client.status("43").await.position, Some(1));
    let answer = server.client.abort("43").await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "aborted");

    server.client.abort("42").await;
    let queue = server.client.ended("42").await;
    assert_eq!(statuses(&queue), (QueueStatus::Aborted, vec![Aborted, Aborted]));
    assert_eq!(server.client.log("42-2").await, "");
    assert!(server.client.log("42").await.contains("aborted on request"));
    assert!(server.client.abort("42").await.status().is_success());
}

#[tokio::test]
async fn an_abort_that_comes_too_late_changes_nothing() {
    let server = TestRunner::start(&[PASS]).await;
    let before = server.run("42", &["smoke/pass"]).await;
    let answer = server.client.abort("42").await;
    assert!(answer.status().is_success());
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "finished");
    assert_eq!(server.client.status("42").await, before);
}

#[tokio::test]
async fn a_request_overtaken_by_its_own_abort_or_delete_starts_nothing() {
    let server = TestRunner::start(&[PASS]).await;
    assert_eq!(refusal(server.client.abort("42").await).await, (404, "unknown_id".into()));
    assert_eq!(server.client.delete("43").await.status(), 204);
    for id in ["42", "43"] {
        let post = server.client.post_queue(&server.queue(id, &["smoke/pass"])).await;
        assert_eq!(refusal(post).await, (410, "gone".into()));
    }
    // Another's memory is none of ours.
    let post = server.as_instance(OTHER_INSTANCE).post_queue(&server.queue("42", &["smoke/pass"])).await;
    assert_eq!(post.status(), 202);
}

#[tokio::test]
async fn delete_removes_a_running_queue_with_all_its_files() {
    let server = TestRunner::start(&[WAIT]).await;
    server.submit("42", &["smoke/wait"]).await;
    server.client.logged("42-1", "started").await;
    assert!(server.workspace("42").is_dir());
    for _ in 0..2 {
        assert_eq!(server.client.delete("42").await.status(), 204);
    }
    let data = &server.config.data_dir;
    for folder in [server.workspace("42"), data.join("logs/42"), data.join("results/42")] {
        assert!(!folder.exists(), "{folder:?}");
    }
    for path in ["/api/status/42", "/api/status/42-1", "/api/logs/42", "/api/results/42-1"] {
        assert_eq!(refusal(server.client.get(path).await).await, (404, "unknown_id".into()));
    }
    let post = server.client.post_queue(&server.queue("42", &["smoke/wait"])).await;
    assert_eq!(refusal(post).await, (410, "gone".into()));
}

#[tokio::test]
async fn a_status_that_has_not_changed_is_not_sent_again() {
    let server = TestRunner::start(&[PASS]).await;
    server.run("42", &["smoke/pass"]).await;
    let answer = server.client.get("/api/status/42").await;
    assert!(answer.headers().contains_key("date"));
    let tag = answer.headers()["etag"].clone();
    let again =
        server.client.request(Method::GET, "/api/status/42").header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers()["etag"].clone()), (304, tag));
    let other =
        server.client.request(Method::GET, "/api/status/42").header("If-None-Match", "\"x\"").send().await.unwrap();
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn a_queue_is_accepted_to_the_end_when_its_client_goes_away() {
    let server = TestRunner::start_in(&[PASS], |config, _| {
        // Git asks it before it makes a ref.
        let hook = config.repository.join(".git/hooks/reference-transaction");
        let script = "#!/bin/sh\n[ $1 = prepared ] && mkdir \"${0%/*}/seen\" || exit 0\n\
                      while ! [ -e \"${0%/*}/go\" ]; do sleep 0.05; done\n";
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, script).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    })
    .await;
    let (client, queue) = (server.client.clone(), server.queue("42", &["smoke/pass"]));
    let call = tokio::spawn(async move { client.post_queue(&queue).await });
    let hooks = server.config.repository.join(".git/hooks");
    wait_until("a question to the hook", async || hooks.join("seen").exists()).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // A call that is answered after the connection has closed.
    server.client.get("/api/health").await;
    std::fs::write(hooks.join("go"), "").unwrap();
    wait_until("a queue that is accepted", async || server.client.get("/api/status/42").await.status() != 404).await;
    assert_eq!(statuses(&server.client.ended("42").await), (QueueStatus::Finished, vec![Passed]));
}
