//! Answers that are odd in parts: no other part of them is worthless for it, and none costs more than it should.

use crate::job_odd_remote::{Odd, healthy, says, unknown_id};
use crate::lab::tick_whole;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::api::SyncState;
use protocol::{JobStatus, Timestamp};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn one_odd_optional_field_makes_no_answer_worthless() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let tasks = r#"[{"task_id":"1-1","status":"running","progress":NaN,"message":7,"log_size":-1,
                "started_at":"yesterday"},{"task_id":"1-2","status":"dancing"}]"#;
            format!(r#"{{"id":"1","kind":"queue","status":"running","position":-3,"started_at":5,"tasks":{tasks}}}"#)
                .into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("synced")));
    assert_eq!((&job["tasks"][0]["status"], &job["tasks"][1]["status"]), (&json!("running"), &json!("waiting")));
}

/// What a Python server makes of a file name's byte, a shell script of its output, and another of Latin-1.
const ODD_TEXTS: [&[u8]; 3] = [br"broken \udcff here", b"broken \n here", b"broken \xe4 here"];

fn status_with(text: &[u8]) -> Vec<u8> {
    let task = br#"","tasks":[{"task_id":"1-1","status":"running","scenario":"\udcff","message":""#;
    let head = br#"{"id":"1","kind":"queue","status":"running","message":""#;
    [head.as_slice(), text, task, text, br#""}]}"#].concat()
}

#[tokio::test]
async fn a_text_that_is_no_text_makes_no_answer_worthless() {
    for text in ODD_TEXTS {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => status_with(text).into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.accept().await;
        odd.tick().await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("synced")), "{job:#}");
        let message = job["tasks"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("broken ") && message.ends_with(" here"), "{message}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_text_stops_no_feed() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&["changes"]),
        "GET /api/changes" => {
            let queues = status_with(ODD_TEXTS[0]);
            [br#"{"cursor":"c1","queues":["#.as_slice(), &queues, b"]}"].concat().into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    assert!(odd.becomes(|job| job.status == JobStatus::InProgress && job.sync_state == SyncState::Synced).await);
}

#[tokio::test]
async fn what_a_list_of_tasks_leaves_out_is_asked_task_by_task() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            let tasks = [("1-1", "running"), ("1-2", "waiting")]
                .map(|(id, status)| json!({"task_id": id, "scenario": "smoke/boot", "status": status}));
            says(json!({"id": "1", "kind": "queue", "status": "running", "tasks": tasks}))
        }
        "GET /api/status/1-1" => says(json!({
            "id": "1-1", "kind": "task", "status": "running", "progress": 0.4, "message": "3 of 7 checks",
            "started_at": "2026-01-04T10:00:09Z"
        })),
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    let task = &odd.job().await["tasks"][0];
    let said = ["progress", "message", "started_at"].map(|name| task[name].clone());
    assert_eq!(said, [json!(0.4), json!("3 of 7 checks"), json!("2026-01-04T10:00:09Z")]);
}

#[tokio::test]
async fn tasks_beyond_all_measure_cost_seconds_and_hide_none_of_its_own() {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        "GET /api/status/1" => {
            // As many as an answer of 8 MiB has room for.
            let task = |id: String| format!(r#"{{"task_id":"{id}","status":"running"}}"#);
            let mut tasks: Vec<String> = (3..=200_000).map(|n| task(format!("1-{n}"))).collect();
            tasks.push(
                r#"{"task_id":"1-2","status":"running","message":"x","started_at":"2026-01-04T10:00:00Z"}"#.to_owned(),
            );
            format!(r#"{{"id":"1","kind":"queue","status":"running","tasks":[{}]}}"#, tasks.join(",")).into_response()
        }
        _ => unknown_id(),
    })
    .await;
    odd.accept().await;
    tokio::time::timeout(Duration::from_mins(1), odd.tick()).await.unwrap();
    let job = odd.job().await;
    assert_eq!((&job["status"], &job["tasks"][1]["status"]), (&json!("in_progress"), &json!("running")), "{job:#}");
}

/// A word for a task that is not of the contract, or a question about it that always fails: its job ends without it.
#[tokio::test]
async fn a_task_of_which_nobody_ever_tells_how_it_ended_keeps_no_job_open() {
    for (code, body, waited, is_over) in [
        (200, r#"{"id":"1-1","kind":"task","status":"success"}"#, [0, 4, 8], 13),
        (500, "", [0, 4, 8], 13),
        // A gateway that no answer has come to.
        (504, "", [0, 13, 55], 62),
    ] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "GET /api/status/1" => {
                let (began, ended) = ("2026-01-04T10:00:00Z", "2026-01-04T10:00:09Z");
                let passed = json!({"task_id": "1-2", "status": "passed", "started_at": began, "finished_at": ended});
                let odd = json!({"task_id": "1-1", "status": "success"});
                says(json!({"id": "1", "kind": "queue", "status": "finished", "tasks": [odd, passed]}))
            }
            "GET /api/status/1-1" => (StatusCode::from_u16(code).unwrap(), body).into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.accept().await;
        let (mut poller, began) = (odd.poller(), Timestamp::now());
        for minutes in waited {
            tick_whole(&mut poller, began.plus(Duration::from_mins(minutes))).await;
            let job = odd.job().await;
            assert_eq!((&job["status"], &job["sync"]["state"]), (&json!("in_progress"), &json!("failing")), "{code}");
        }
        tick_whole(&mut poller, began.plus(Duration::from_mins(is_over))).await;
        let job = odd.job().await;
        assert_eq!((&job["status"], &job["status_reason"]), (&json!("error"), &json!("tasks_errored")), "{job:#}");
        assert_eq!((&job["tasks"][0]["status"], &job["tasks"][1]["status"]), (&json!("error"), &json!("passed")));
    }
}
