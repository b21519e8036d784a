//! Handing in, status, abort, delete: who may, what comes back, and what is remembered.
//! Whole bodies are compared, with the times taken out.

use crate::test_runner::{OTHER_INSTANCE, TestRunner, refusal, statuses, tasks};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Failed, Passed, Skipped};
use reqwest::Method;
use serde_json::json;

const PASS: (&str, &str) = ("smoke/pass.sh", "echo hello");
/// Runs until it is killed, or its workspace holds a file `go`.
const WAIT: (&str, &str) = ("smoke/wait.sh", "echo started; while ! [ -e go ]; do sleep 0.05; done");

#[tokio::test]
async fn exit_codes_become_verdicts() {
    let scenarios =
        [PASS, ("smoke/fail.sh", "exit 3"), ("smoke/skip", "exit 77"), ("a/error.py.sh", "exit 99"), ("a/kill", "kill -9 $$")];
    let server = TestRunner::start(&scenarios).await;
    let queue = server.run("42", &["smoke/pass", "smoke/fail", "smoke/skip", "a/error.py", "a/kill"]).await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed, Failed, Skipped, Error, Failed]));
    let codes: Vec<Option<i32>> = tasks(&queue).iter().map(|task| task.exit_code).collect();
    assert_eq!(codes, [Some(0), Some(3), Some(77), Some(99), None]);
    assert_eq!(tasks(&queue)[4].message, "killed by signal 9");
    assert!(queue.created_at <= queue.started_at && queue.started_at <= queue.finished_at);
}
