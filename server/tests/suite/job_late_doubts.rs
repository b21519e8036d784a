//! What a remote server says of a queue after its job has ended here without a word of its end, or beside other trouble:
//! a server that lacks its store for some minutes says the same as one that has lost a queue for good.

use crate::job_faults::{Calls, noting, queue};
use crate::job_odd_remote::{JOB, Odd, says, unknown_id};
use crate::lab::{tick, tick_whole};
use crate::own_clock::wait_until;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use protocol::api::{Health, LogsState};
use protocol::{JobId, Timestamp};
use serde_json::{Value, json};
use server::poller::passes::{ask_about_all, end_what_is_left, work_off};
use server::store::AnyConnection;
use server::store::environments::{EnvironmentStatus, find_environment_status, save_health};
use server::store::jobs::{Job, Lane};
use server::store::tombstones::{Tombstone, list_due_tombstones};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// What the server is like just now, as a test says.
type Mood = Arc<Mutex<&'static str>>;

/// A server whose answers go by its mood; whatever that leaves out is not known there.
async fn moody(answer: impl Fn(&str, &str) -> Option<Response> + Send + Sync + 'static) -> (Odd, Calls, Mood) {
    let mood = Mood::default();
    let now = Arc::clone(&mood);
    let (odd, calls) = noting(move |call, _| answer(*now.lock().unwrap(), call).unwrap_or_else(unknown_id)).await;
    (odd, calls, mood)
}

/// A queue with the job's own tasks, or another's.
fn queue_of(scenario: &str, status: &str) -> Value {
    let task = |n: u32, scenario: &str| json!({"task_id": format!("1-{n}"), "scenario": scenario, "status": status});
    json!({"id": "1", "kind": "queue", "status": status, "tasks": [task(1, scenario), task(2, "smoke/net")]})
}

fn broken() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn changes(calls: &Calls) -> Vec<String> {
    calls.about_jobs().into_iter().filter(|call| !call.starts_with("GET") && call != "POST /api/queue").collect()
}

async fn tombstones(odd: &Odd) -> Vec<Tombstone> {
    let far = Timestamp::now().plus(Duration::from_hours(24));
    odd.app.state.store.read(move |c| list_due_tombstones(c, "bench-a", far, 9)).await.unwrap()
}

/// One poller that remembers, at so many seconds from the beginning.
async fn tick_at(odd: &Odd, seconds: &[u64]) {
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    for seconds in seconds {
        tick_whole(&mut poller, began.plus(Duration::from_secs(*seconds))).await;
    }
}

/// Sent without an answer, asked about in vain and aborted, so that a tombstone looks for it from then on.
async fn abort_unseen(odd: &Odd) {
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    tick_at(odd, &[10]).await;
    assert_eq!(odd.job().await["status"], "aborted");
}

#[tokio::test]
async fn a_deletion_leaves_alone_what_was_seen_to_be_anothers() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        (_, "POST /api/queue") => Some(StatusCode::BAD_GATEWAY.into_response()),
        ("another", "GET /api/status/1") => Some(says(queue_of("other/scenario", "running"))),
        ("another", "POST /api/abort/1" | "DELETE /api/delete/1") => Some(says(queue_of("other/scenario", "aborted"))),
        _ => None,
    })
    .await;
    abort_unseen(&odd).await;
    let before = changes(&calls);
    *mood.lock().unwrap() = "another";
    odd.ada.delete("/api/job/1").await;
    tick_at(&odd, &[20, 120, 240, 1_200, 2_400]).await;
    assert_eq!(odd.app.find_job(JOB).await, None);
    assert_eq!((changes(&calls), tombstones(&odd).await), (before, vec![]));
}

#[tokio::test]
async fn a_failure_beside_a_deletion_does_not_make_sure_that_nothing_runs() {
    let (odd, _, mood) = moody(|mood, call| match (mood, call) {
        ("well", "GET /api/status/1") => Some(says(queue("running"))),
        ("broken", _) => Some(broken()),
        _ => None,
    })
    .await;
    *mood.lock().unwrap() = "well";
    odd.accept().await;
    odd.tick().await;
    *mood.lock().unwrap() = "forgetful";
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    tick_at(&odd, &[1, 22, 43, 64]).await;
    assert_eq!(odd.job().await["status"], "aborted");
    odd.ada.delete("/api/job/1").await.expect(202);
    *mood.lock().unwrap() = "broken";
    tick_at(&odd, &[66]).await;
    *mood.lock().unwrap() = "forgetful";
    // Long enough that it would be believed, and not so long that the queue must be over.
    tick_at(&odd, &[130, 190, 250, 310]).await;
    assert_eq!(odd.app.find_job(JOB).await, None);
    // Its abort is still wanted as well.
    let mut left: Vec<_> = tombstones(&odd).await.into_iter().map(|left| (left.wanted.as_str(), left.error)).collect();
    left.sort();
    assert_eq!(left, [("abort", None), ("delete", None)], "nothing was tried over SSH");
}

#[tokio::test]
async fn what_was_sent_and_never_seen_is_looked_for_after_its_job_has_ended_at_the_first_word() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        (_, "POST /api/queue") => Some(StatusCode::BAD_GATEWAY.into_response()),
        ("broken", "GET /api/status/1") => Some(broken()),
        ("well", "GET /api/status/1") => Some(says(queue_of("smoke/boot", "running"))),
        ("well", "POST /api/abort/1") => Some(says(queue_of("smoke/boot", "aborted"))),
        _ => None,
    })
    .await;
    *mood.lock().unwrap() = "broken";
    odd.tick().await;
    tick_at(&odd, &[960]).await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    *mood.lock().unwrap() = "forgetful";
    tick_at(&odd, &[1_300, 1_301, 1_310]).await;
    assert_eq!(odd.job().await["status"], "aborted");
    assert_eq!(odd.app.find_job(JOB).await.unwrap().cleanup_since, None, "it may run");
    let before = changes(&calls).len();
    *mood.lock().unwrap() = "well";
    tick_at(&odd, &[1_400]).await;
    assert_eq!(changes(&calls)[before..], ["POST /api/abort/1"]);
}

#[tokio::test]
async fn a_task_that_is_not_told_of_makes_no_single_unknown_believed() {
    let (odd, _, mood) = moody(|mood, call| match (mood, call) {
        ("ended", "GET /api/status/1") => Some(says(queue("finished"))),
        ("ended", _) => Some(broken()),
        _ => None,
    })
    .await;
    odd.accept().await;
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    *mood.lock().unwrap() = "ended";
    for seconds in [0, 5, 20, 70] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    *mood.lock().unwrap() = "forgetful";
    tick_whole(&mut poller, began.plus(Duration::from_secs(140))).await;
    assert_eq!(odd.job().await["status"], "in_progress");
}

#[tokio::test]
async fn a_task_that_has_no_answer_uses_up_none_of_the_time_for_one_that_is_answered_wrongly() {
    let (odd, _, mood) = moody(|mood, call| match (mood, call) {
        (_, "GET /api/status/1") => Some(says(queue("finished"))),
        ("silent", _) => Some(StatusCode::GATEWAY_TIMEOUT.into_response()),
        ("broken", _) => Some(broken()),
        _ => None,
    })
    .await;
    odd.accept().await;
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    *mood.lock().unwrap() = "silent";
    for seconds in [0, 5, 60, 660] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    *mood.lock().unwrap() = "broken";
    tick_whole(&mut poller, began.plus(Duration::from_secs(1_000))).await;
    assert_eq!(odd.job().await["status"], "in_progress");
}

#[tokio::test]
async fn a_lost_job_that_is_deleted_keeps_its_workspace_until_it_must_be_over() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        ("well", "GET /api/status/1") => Some(says(queue("running"))),
        ("well", "POST /api/abort/1") => Some(says(queue("aborted"))),
        _ => None,
    })
    .await;
    odd.accept().await;
    odd.tick().await;
    tick_at(&odd, &[1, 22, 43, 64]).await;
    assert_eq!(odd.job().await["status_reason"], "lost");
    odd.ada.delete("/api/job/1").await.expect(202);
    tick_at(&odd, &[65, 66, 126, 186, 246]).await;
    let [left] = tombstones(&odd).await.try_into().unwrap();
    assert_eq!(left.error, None, "nothing was tried over SSH");
    *mood.lock().unwrap() = "well";
    tick_at(&odd, &[320]).await;
    assert_eq!(changes(&calls).last().map(String::as_str), Some("POST /api/abort/1"));
}

/// Two jobs, of which the first can't be aborted at the address that is configured, and the second is answered with 500.
#[tokio::test]
async fn an_abort_that_is_always_unknown_ends_nobodys_pauses() {
    let (odd, calls, _) = moody(|_, call| match call {
        "GET /api/status/1" => Some(says(queue("running"))),
        "GET /api/status/2" => Some(broken()),
        _ => None,
    })
    .await;
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept().await;
    odd.accept_of(JobId(2)).await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    let seconds: Vec<u64> = (0..60).map(|n| n * 20).collect();
    tick_at(&odd, &seconds).await;
    let questions = calls.about_jobs().iter().filter(|call| *call == "GET /api/status/2").count();
    assert!(questions < 20, "{questions} questions in 20 minutes");
}

#[tokio::test]
async fn what_was_unknown_before_an_outage_is_not_counted_with_what_is_so_after_it() {
    let (odd, _, mood) = moody(|mood, call| match (mood, call) {
        ("well", "GET /api/status/1") => Some(says(queue("running"))),
        _ => None,
    })
    .await;
    *mood.lock().unwrap() = "well";
    odd.accept().await;
    odd.tick().await;
    odd.app.admin("root").await.delete("/api/job/1?force=true").await;
    assert_eq!(odd.app.find_job(JOB).await, None);
    *mood.lock().unwrap() = "forgetful";
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    for seconds in [1, 22] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    // Meanwhile it was restarted.
    let note_outage = |c: &mut AnyConnection| {
        let known = find_environment_status(c, "bench-a")?.unwrap();
        save_health(c, EnvironmentStatus { health: Health::Unreachable, ..known })
    };
    odd.app.state.store.write(note_outage).await.unwrap();
    tick_whole(&mut poller, began.plus(Duration::from_secs(160))).await;
    let [left] = tombstones(&odd).await.try_into().unwrap();
    assert_eq!(left.error, None, "nothing was tried over SSH");
}

#[tokio::test]
async fn a_submission_waits_as_long_as_it_was_told_to_whatever_works_again_meanwhile() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        (_, "POST /api/queue") => Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "600")]).into_response()),
        ("well", "GET /api/status/2") => Some(says(json!({"id": "2", "kind": "queue", "status": "running"}))),
        ("broken", "GET /api/status/2") => Some(broken()),
        _ => None,
    })
    .await;
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept_of(JobId(2)).await;
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    *mood.lock().unwrap() = "broken";
    for seconds in [0, 5, 20, 50] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    *mood.lock().unwrap() = "well";
    for seconds in [100, 120, 140] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    let sent = calls.about_jobs().iter().filter(|call| *call == "POST /api/queue").count();
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn one_job_that_fails_makes_no_round_less_than_whole() {
    let (odd, _, _) = moody(|_, call| match call {
        "GET /api/status/1" => Some(broken()),
        "GET /api/status/2" => Some(says(json!({"id": "2", "kind": "queue", "status": "running"}))),
        _ => None,
    })
    .await;
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept().await;
    odd.accept_of(JobId(2)).await;
    let poller = odd.poller();
    tick(&poller).await.unwrap();
    assert!(ask_about_all(&poller).await.unwrap());
}

/// An answer that comes when it may.
fn held(body: &Value, may_come: &Arc<Notify>) -> Response {
    let (body, may_come) = (body.to_string(), Arc::clone(may_come));
    let piece = async move {
        may_come.notified().await;
        Ok::<_, Infallible>(Bytes::from(body))
    };
    Body::from_stream(stream::once(piece)).into_response()
}

#[tokio::test]
async fn a_look_that_is_under_way_ends_nothing_that_has_turned_out_to_be_anothers() {
    let may_come = Arc::new(Notify::new());
    let may_answer = Arc::clone(&may_come);
    let (odd, calls, mood) = moody(move |mood, call| match (mood, call) {
        (_, "POST /api/queue") => Some(StatusCode::BAD_GATEWAY.into_response()),
        ("slow", "GET /api/status/1") => Some(held(&queue_of("other/scenario", "running"), &may_answer)),
        ("another", "GET /api/status/1") => Some(says(queue_of("other/scenario", "running"))),
        ("another", "POST /api/abort/1") => Some(says(queue_of("other/scenario", "aborted"))),
        _ => None,
    })
    .await;
    abort_unseen(&odd).await;
    odd.app.sql("UPDATE tombstones SET next_at = 0").await;
    let (before, asked) = (changes(&calls), calls.of("GET /api/status/1"));
    *mood.lock().unwrap() = "slow";
    let poller = odd.poller();
    let looking = tokio::spawn(async move { end_what_is_left(&poller).await.unwrap() });
    wait_until("it is looked at", async || calls.of("GET /api/status/1") > asked).await;
    *mood.lock().unwrap() = "another";
    odd.ada.delete("/api/job/1").await;
    work_off(&odd.poller(), Lane::Act).await.unwrap();
    assert_eq!(odd.app.find_job(JOB).await, None);
    may_come.notify_one();
    looking.await.unwrap();
    assert_eq!((changes(&calls), tombstones(&odd).await), (before, vec![]));
}

#[tokio::test]
async fn a_clean_up_that_waits_for_a_busy_server_waits_as_long_as_it_is_told_to() {
    let (odd, _, mood) = moody(|mood, call| match (mood, call) {
        (_, "POST /api/queue") => Some(StatusCode::BAD_GATEWAY.into_response()),
        ("busy", _) => Some((StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "240")]).into_response()),
        _ => None,
    })
    .await;
    odd.tick().await;
    odd.ada.send_nothing("/api/job/1/abort").await.expect(202);
    tick_at(&odd, &[10]).await;
    let ready = |job: &mut Job| {
        (job.next_at, job.last_sent_at) = (Some(Timestamp(0)), Some(Timestamp(1)));
        job.logs_state = LogsState::Complete;
    };
    odd.app
        .change_job(JOB, |job, _| {
            ready(job);
            job.cleanup_error = Some("Permission denied".to_owned());
        })
        .await;
    // Its tombstone still looks for the queue.
    work_off(&odd.poller(), Lane::Shell).await.unwrap();
    let job = odd.app.find_job(JOB).await.unwrap();
    assert_eq!(job.cleanup_error.as_deref(), Some("Permission denied"));
    odd.app.sql("DELETE FROM tombstones").await;
    odd.app.change_job(JOB, |job, _| ready(job)).await;
    *mood.lock().unwrap() = "busy";
    let now = Timestamp::now();
    work_off(&odd.poller(), Lane::Shell).await.unwrap();
    let next_at = odd.app.find_job(JOB).await.unwrap().next_at.unwrap();
    assert!(next_at.since(now) >= Duration::from_mins(4), "{:?}", next_at.since(now));
}

/// At so many seconds from the beginning, so that the pauses are as long as they get.
const LONG_TROUBLE: [u64; 9] = [0, 10, 30, 60, 120, 240, 480, 780, 1_080];

#[tokio::test]
async fn aborts_that_work_again_end_the_pause_of_what_was_given_up_by_force() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        (_, "GET /api/status/1") => Some(says(queue("running"))),
        (_, "GET /api/status/2") => Some(says(json!({"id": "2", "kind": "queue", "status": "running"}))),
        ("broken", "POST /api/abort/1" | "POST /api/abort/2") => Some(broken()),
        ("well", "POST /api/abort/2") => Some(says(json!({"id": "2", "kind": "queue", "status": "aborted"}))),
        ("well", "POST /api/abort/1") => Some(says(queue("aborted"))),
        _ => None,
    })
    .await;
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept().await;
    odd.accept_of(JobId(2)).await;
    odd.tick().await;
    odd.app.admin("root").await.send_nothing("/api/job/1/abort?force=true").await;
    *mood.lock().unwrap() = "broken";
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    for seconds in LONG_TROUBLE {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    let before = calls.of("POST /api/abort/1");
    *mood.lock().unwrap() = "well";
    odd.ada.send_nothing("/api/job/2/abort").await.expect(202);
    for seconds in [1_090, 1_100] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    assert_eq!(calls.of("POST /api/abort/1"), before + 1);
}

#[tokio::test]
async fn submissions_that_work_again_end_the_pauses_of_the_others() {
    let (odd, calls, mood) = moody(|mood, call| match (mood, call) {
        ("broken", "POST /api/queue") => Some(broken()),
        ("well", "POST /api/queue") => Some(says(json!({"queue_id": "3", "status": "waiting"}))),
        _ => None,
    })
    .await;
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    *mood.lock().unwrap() = "broken";
    let (mut poller, began) = (odd.poller(), Timestamp::now());
    for seconds in LONG_TROUBLE {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    let before = calls.of("POST /api/queue");
    *mood.lock().unwrap() = "well";
    odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for seconds in [1_090, 1_100] {
        tick_whole(&mut poller, began.plus(Duration::from_secs(seconds))).await;
    }
    assert!(calls.of("POST /api/queue") >= before + 3);
}
