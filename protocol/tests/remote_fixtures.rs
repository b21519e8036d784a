//! The examples of `docs/remote-protocol.md`, each as a fixture, read and written again without loss.
//! What other servers send beside it is ignored, and what the contract calls optional may be missing.

use protocol::remote::{
    Changes, ErrorBody, HealthBody, QueueAccepted, QueueBody, QueueRequest, StatusBody, TaskResults,
};
use protocol::{QueueStatus, TaskStatus, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Whether everything in `part` is in `whole` too, object by object.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|found| contains(found, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}

/// Reads the fixture and checks that writing it again loses nothing.
fn read<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let fixture: Value = serde_json::from_str(text).expect("a fixture is JSON");
    let value: T = serde_json::from_value(fixture.clone()).expect("the fixture is a body");
    let written = serde_json::to_value(&value).expect("a body is JSON");
    assert!(contains(&written, &fixture), "{written} lost something of {fixture}");
    value
}

#[test]
fn a_queue_is_handed_in() {
    let request: QueueRequest = read(include_str!("fixtures/queue_request.json"));
    assert_eq!((request.queue_id.as_str(), request.branch.as_str(), request.timeout_s), ("42", "feature/boot", 3600));
    assert_eq!(request.tasks[1].scenario, "smoke/net");
    let accepted: QueueAccepted = read(include_str!("fixtures/queue_accepted.json"));
    assert_eq!(accepted.status, QueueStatus::Waiting);
}

#[test]
fn the_status_of_a_queue_names_its_tasks() {
    let status: StatusBody = read(include_str!("fixtures/queue_status.json"));
    let StatusBody::Queue(queue) = status else { panic!("not a queue: {status:?}") };
    assert_eq!((queue.status, queue.position, queue.finished_at), (QueueStatus::Running, None, None));
    assert_eq!(queue.started_at, Some(Timestamp(1_767_520_803_000)));
    let tasks = queue.tasks.expect("the fixture has tasks");
    assert_eq!((tasks[0].status, tasks[0].log_size), (TaskStatus::Passed, Some(812)));
    assert_eq!((tasks[1].progress, tasks[1].message.as_str()), (Some(0.4), "3 of 7 checks"));
}

#[test]
fn the_status_of_a_task_names_its_queue() {
    let status: StatusBody = read(include_str!("fixtures/task_status.json"));
    let StatusBody::Task(task) = status else { panic!("not a task: {status:?}") };
    assert_eq!((task.id.as_str(), task.queue_id.as_str(), task.status), ("42-2", "42", TaskStatus::Running));
    assert_eq!((task.exit_code, task.log_size), (None, Some(18_231)));
}

#[test]
fn the_feed_holds_queues_as_their_status_does() {
    let changes: Changes = read(include_str!("fixtures/changes.json"));
    assert!(!changes.reset);
    assert!(matches!(&changes.queues[..], [StatusBody::Queue(queue)] if queue.id == "42"));
}

#[test]
fn health_results_and_errors_are_read() {
    let health: HealthBody = read(include_str!("fixtures/health.json"));
    assert_eq!((health.slots, health.busy, health.waiting), (Some(4), Some(1), Some(7)));
    assert_eq!(health.features, ["changes"]);
    let results: TaskResults = read(include_str!("fixtures/results.json"));
    assert_eq!((results.files[0].path.as_str(), results.files[0].size), ("junit.xml", 812));
    let error: ErrorBody = read(include_str!("fixtures/error.json"));
    assert_eq!(error.code, "unknown_id");
}

#[test]
fn an_older_server_may_leave_out_what_is_optional() {
    let old = json!({"id": "42", "kind": "queue", "status": "waiting", "host": "of its own"});
    let body: StatusBody = serde_json::from_value(old).expect("optional fields are optional");
    let StatusBody::Queue(queue) = body else { panic!("not a queue: {body:?}") };
    let QueueBody { position, created_at, message, tasks, .. } = queue;
    assert_eq!((position, created_at, message.as_str(), tasks), (None, None, "", None));
    let health: HealthBody = serde_json::from_value(json!({"status": "ok"})).expect("optional fields are optional");
    assert!(health.slots.is_none() && health.features.is_empty());
}

#[test]
fn a_word_that_is_no_status_is_refused() {
    let odd = json!({"id": "42", "kind": "queue", "status": "paused"});
    assert!(serde_json::from_value::<StatusBody>(odd).is_err());
}
