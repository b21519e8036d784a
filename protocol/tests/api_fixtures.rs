//! Bodies of the JSON API as fixtures, read and written again without loss.
//! Requests refuse what they do not know; answers leave it aside, so that an older client survives a newer server.

use protocol::api::{
    Environment, Environments, ErrorCode, Job, JobList, LogLines, LogMatches, LoginRequest, Problem, RerunRequest,
    Results, Scenarios, SubmitJobRequest, SyncState, TaskCounts, User, ValidateBranchRequest, ValidatedBranch,
};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads the fixture and checks that writing it again gives the same.
fn read<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let fixture: Value = serde_json::from_str(text).expect("a fixture is JSON");
    let value: T = serde_json::from_value(fixture.clone()).expect("the fixture is a body");
    assert_eq!(serde_json::to_value(&value).expect("a body is JSON"), fixture);
    value
}

fn is_refused<T: DeserializeOwned>(body: Value) -> bool {
    serde_json::from_value::<T>(body).is_err()
}

#[test]
fn a_job_carries_its_tasks() {
    let job: Job = read(include_str!("fixtures/api/job.json"));
    assert_eq!((job.summary.id, job.summary.status), (JobId(42), JobStatus::InProgress));
    assert_eq!(job.summary.sync.state, SyncState::Synced);
    assert_eq!(job.summary.counts, TaskCounts::of(job.tasks.iter().map(|task| task.status)));
    assert_eq!(job.scenarios, job.tasks.iter().map(|task| task.scenario.clone()).collect::<Vec<_>>());
    let (first, second) = (&job.tasks[0], &job.tasks[1]);
    assert_eq!((first.duration_ms, first.finished_at), (Some(812), Some(Timestamp(1_767_520_803_812))));
    assert_eq!((second.status, second.progress, second.exit_code), (TaskStatus::Running, Some(0.4), None));
}

#[test]
fn a_list_has_jobs_without_tasks_and_scenarios() {
    let mut job: Value = serde_json::from_str(include_str!("fixtures/api/job.json")).expect("a fixture is JSON");
    let fields = job.as_object_mut().expect("a job is an object");
    fields.remove("tasks");
    fields.remove("scenarios");
    let list: JobList = read(&json!({"jobs": [job], "next_cursor": "YmVmb3JlIDQy"}).to_string());
    assert_eq!(list.jobs[0].id, JobId(42));
}

#[test]
fn a_submission_may_leave_out_what_has_a_default_and_nothing_else() {
    let whole: SubmitJobRequest = read(include_str!("fixtures/api/submit_job.json"));
    assert_eq!((whole.environment.as_deref(), whole.timeout_s), (Some("bench-a"), Some(600)));
    let least: SubmitJobRequest = read(r#"{"branch_name": "main", "scenarios": ["smoke/boot"]}"#);
    assert_eq!((least.environment, least.timeout_s), (None, None));
    assert!(is_refused::<SubmitJobRequest>(json!({"branch_name": "main"})));
    assert_eq!(serde_json::from_value::<RerunRequest>(json!({})).ok(), Some(RerunRequest::default()));
}

#[test]
fn no_request_takes_a_field_that_it_does_not_know() {
    assert!(is_refused::<SubmitJobRequest>(json!({"branch_name": "main", "scenarios": [], "timeout": 1})));
    assert!(is_refused::<LoginRequest>(json!({"username": "ada", "password": "x", "remember": true})));
    assert!(is_refused::<ValidateBranchRequest>(json!({"branch_name": "main", "env": "a"})));
    assert!(is_refused::<RerunRequest>(json!({"failed_only": true})));
}

#[test]
fn an_answer_may_have_fields_of_a_newer_server() {
    let mut user: Value = serde_json::from_str(include_str!("fixtures/api/user.json")).expect("a fixture is JSON");
    user["colour"] = json!("green");
    assert!(!is_refused::<User>(user));
}

#[test]
fn errors_have_a_stable_code() {
    let problem: Problem = read(include_str!("fixtures/api/problem.json"));
    assert_eq!(problem.code, ErrorCode::BranchNotFound);
    assert_eq!((problem.status, problem.title.as_str()), (problem.code.status(), problem.code.title()));
    let plain: Problem = read(
        r#"{"type": "about:blank", "title": "Not found", "status": 404, "code": "not_found", "detail": "there is no job 7"}"#,
    );
    assert_eq!(plain.fields, None);
}

#[test]
fn environments_tell_admins_more() {
    let all: Environments = read(include_str!("fixtures/api/environments.json"));
    assert_eq!(all.environments[0].last_error, Some(None));
    let plain: Environment = read(
        r#"{"name": "bench-a", "health": "unknown", "since": "2026-01-04T10:00:00Z", "slots": null, "busy": null, "waiting": null, "ssh": "unknown"}"#,
    );
    assert_eq!((plain.url, plain.host_key), (None, None));
}

#[test]
fn the_other_answers() {
    read::<User>(include_str!("fixtures/api/user.json"));
    read::<ValidatedBranch>(include_str!("fixtures/api/validated_branch.json"));
    read::<Scenarios>(include_str!("fixtures/api/scenarios.json"));
    read::<LogLines>(include_str!("fixtures/api/log_lines.json"));
    read::<LogMatches>(include_str!("fixtures/api/log_matches.json"));
    read::<Results>(include_str!("fixtures/api/results.json"));
}
