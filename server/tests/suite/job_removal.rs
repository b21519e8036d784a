//! Abort and delete: who may, what is noted for the poller, and what an administrator can force.

use crate::job_odd_remote::{JOB, Odd, healthy, unknown_id};
use crate::test_app::{Client, TestApp};
use protocol::api::{CleanupState, LogsState, SyncState};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use serde_json::json;
use server::lifecycle::{Limits, Step, next_step};
use server::poller::Clock;
use server::poller::passes::{end_what_is_left, work_off};
use server::store::jobs::{Job, Lane, list_due, save_job, want_abort};
use server::store::tombstones::{NewTombstone, Wanted, insert_tombstone, list_due_tombstones};
use std::sync::Arc;
use std::time::Duration;

async fn start() -> (TestApp, Client, Client, Client) {
    let app = TestApp::start().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("root").await);
    app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
    (app, ada, bob, admin)
}

/// As the poller leaves it once the remote server may know it.
async fn send(app: &TestApp, id: JobId) {
    app.change_job(id, |job, tasks| {
        job.submit_attempted_at = Some(Timestamp(1));
        job.accepted_at = Some(Timestamp(2));
        (job.sync_state, job.status) = (SyncState::Synced, JobStatus::InProgress);
        (tasks[0].status, tasks[0].started_at) = (TaskStatus::Running, Some(Timestamp(3)));
    })
    .await;
}

async fn abandoned(app: &TestApp) -> Vec<String> {
    let due = |connection: &mut _| list_due_tombstones(connection, "bench-a", Timestamp::now(), 10);
    app.state.store.read(due).await.unwrap().into_iter().map(|queue| queue.remote_queue_id).collect()
}

#[tokio::test]
async fn an_abort_is_noted_once_and_wakes_the_poller() {
    let (app, ada, bob, _) = start().await;
    send(&app, JobId(1)).await;
    assert_eq!(bob.post("/api/job/1/abort", json!({})).await.code(), "forbidden");
    let work = app.state.bell.listen_for_work();
    let job = ada.post("/api/job/1/abort", json!({})).await.expect(202);
    assert_eq!((&job["abort_requested"], &job["status"]), (&json!(true), &json!("in_progress")));
    assert!(work.has_changed());
    let row = app.find_job(JobId(1)).await.unwrap();
    assert_eq!(row.abort_reason.as_deref(), Some("aborted_by:ada"));
    assert_eq!(ada.post("/api/job/1/abort", json!({})).await.expect(202), job);

    app.change_job(JobId(1), |job, _| (job.status, job.finished_at) = (JobStatus::Aborted, Some(Timestamp(9)))).await;
    assert_eq!(ada.post("/api/job/1/abort", json!({})).await.code(), "job_finished");
    assert_eq!(ada.get("/api/job/1").await.expect(200)["abort_requested"], false);
    assert_eq!(ada.post("/api/job/2/abort", json!({})).await.code(), "not_found");
}

/// Nobody here follows such a job: its environment is not configured.
#[tokio::test]
async fn an_abort_ends_at_once_what_was_never_sent_to_where_nobody_goes_any_more() {
    let (app, ada, bob, _) = start().await;
    let abort = async |client: &Client, id: i64| client.send_nothing(&format!("/api/job/{id}/abort")).await;
    assert_eq!(abort(&bob, 1).await.code(), "forbidden");
    let job = abort(&ada, 1).await.expect(202);
    let told = json!([job["status"], job["status_reason"], job["abort_requested"], job["counts"]["aborted"]]);
    assert_eq!(told, json!(["aborted", "aborted_by:ada", false, 2]));
    assert_eq!((&job["tasks"][0]["status"], &job["logs"]["state"]), (&json!("aborted"), &json!("complete")));
    assert_eq!(abort(&ada, 1).await.code(), "job_finished");
    ada.delete("/api/job/1").await.expect(204);

    // Aborted before its environment went, and noted once.
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.change_job(id, |job, _| want_abort(job, "aborted_by:bob", Timestamp(1))).await;
    let noted = app.count("audit_log").await;
    assert_eq!(abort(&ada, 2).await.expect(202)["status_reason"], "aborted_by:bob");
    assert_eq!(app.count("audit_log").await, noted);

    // What may have arrived there stays until somebody who may forces it.
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.change_job(id, |job, _| job.submit_attempted_at = Some(Timestamp(1))).await;
    let job = abort(&ada, 3).await.expect(202);
    assert_eq!((&job["status"], &job["abort_requested"]), (&json!("waiting"), &json!(true)));
    assert_eq!(abort(&ada, 3).await.expect(202)["status"], "waiting");
    assert_eq!(ada.delete("/api/job/3").await.expect(202)["delete_requested"], true);
}

#[tokio::test]
async fn a_job_that_was_never_sent_is_deleted_at_once() {
    let (app, ada, bob, _) = start().await;
    assert_eq!(bob.delete("/api/job/1").await.code(), "forbidden");
    ada.delete("/api/job/1").await.expect(204);
    assert_eq!(ada.get("/api/job/1").await.code(), "not_found");
    assert_eq!(ada.delete("/api/job/1").await.code(), "not_found");
    // Its number is never used again.
    assert_eq!(app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await, JobId(2));
}

#[tokio::test]
async fn a_job_that_was_sent_stays_until_the_remote_server_has_confirmed() {
    let (app, ada, _, admin) = start().await;
    send(&app, JobId(1)).await;
    let job = admin.delete("/api/job/1").await.expect(202);
    assert_eq!(job["delete_requested"], true);
    assert_eq!(ada.delete("/api/job/1").await.expect(202), job);
    assert_eq!(ada.get("/api/job/1").await.expect(200), job);
}

#[tokio::test]
async fn an_admin_can_end_a_job_without_the_remote_server() {
    let (app, ada, _, admin) = start().await;
    send(&app, JobId(1)).await;
    assert_eq!(ada.post("/api/job/1/abort?force=true", json!({})).await.code(), "forbidden");
    ada.post("/api/job/1/abort", json!({})).await.expect(202);
    let job = admin.post("/api/job/1/abort?force=true", json!({})).await.expect(202);
    assert_eq!((&job["status"], &job["status_reason"]), (&json!("error"), &json!("forced")));
    assert_eq!((&job["counts"]["error"], &job["counts"]["total"]), (&json!(2), &json!(2)));
    assert_eq!((&job["tasks"][0]["status"], &job["abort_requested"]), (&json!("error"), &json!(false)));
    assert_eq!(abandoned(&app).await, ["1"]);
    assert_eq!(admin.post("/api/job/1/abort?force=true", json!({})).await.code(), "job_finished");
    assert_eq!(abandoned(&app).await, ["1"]);
}

#[tokio::test]
async fn an_admin_can_remove_a_job_without_the_remote_server() {
    let (app, ada, _, admin) = start().await;
    send(&app, JobId(1)).await;
    assert_eq!(ada.delete("/api/job/1?force=true").await.code(), "forbidden");
    ada.delete("/api/job/1").await.expect(202);
    admin.delete("/api/job/1?force=true").await.expect(204);
    assert_eq!(ada.get("/api/job/1").await.code(), "not_found");
    assert_eq!(admin.delete("/api/job/1?force=true").await.code(), "not_found");
    assert_eq!(abandoned(&app).await, ["1"]);
}

#[tokio::test]
async fn nothing_is_left_to_do_for_a_job_that_has_nothing_of_its_own_there() {
    let (app, _, _, admin) = start().await;
    admin.delete("/api/job/1?force=true").await.expect(204);
    for reason in ["id_taken", "other_instance", "rejected"] {
        let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        send(&app, id).await;
        app.change_job(id, |job, _| (job.status, job.status_reason) = (JobStatus::Error, Some(reason.into()))).await;
        admin.delete(&format!("/api/job/{id}?force=true")).await.expect(204);
    }
    assert_eq!(abandoned(&app).await, [""; 0]);
}

#[tokio::test]
async fn nobody_saves_over_a_submission_that_they_have_not_seen() {
    let (app, ..) = start().await;
    let before = app.find_job(JobId(1)).await.unwrap();
    app.change_job(JobId(1), |job, _| job.submit_attempted_at = Some(Timestamp(1))).await;
    let after = Job { status: JobStatus::Error, ..before.clone() };
    let saved = app.state.store.write(move |connection| save_job(connection, &before, &after, Vec::new())).await;
    assert!(!saved.unwrap());
}

#[tokio::test]
async fn a_job_that_has_nothing_at_the_remote_server_is_deleted_at_once() {
    let (app, ada, _, _) = start().await;
    send(&app, JobId(1)).await;
    app.change_job(JobId(1), |job, _| {
        (job.status, job.finished_at) = (JobStatus::Error, Some(Timestamp(9)));
        job.status_reason = Some("rejected".to_owned());
    })
    .await;
    ada.delete("/api/job/1").await.expect(204);
    assert_eq!(ada.get("/api/job/1").await.code(), "not_found");
}

#[tokio::test]
async fn the_store_and_the_decisions_agree_on_the_lane_of_each_job() {
    let (app, ..) = start().await;
    let limits = Limits {
        waiting_timeout: Duration::from_hours(1),
        cleanup_give_up: Duration::from_hours(1),
        retry_max_interval: Duration::from_mins(5),
        remote_retention: None,
    };
    let moment = Some(Timestamp(1));
    for bits in 0..64_u32 {
        let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        let is = |bit: u32| bits >> bit & 1 == 1;
        app.change_job(id, |job, _| {
            (job.submit_attempted_at, job.next_at) = (moment, moment);
            if is(0) {
                (job.status, job.finished_at) = (JobStatus::Passed, moment);
                job.cleanup_state = if is(1) { CleanupState::Pending } else { CleanupState::Done };
            }
            job.logs_state = if is(2) { LogsState::Mirroring } else { LogsState::Incomplete };
            job.delete_requested_at = moment.filter(|_| is(3));
            job.remote_deleted_at = moment.filter(|_| is(4));
            job.cleaned_at = moment.filter(|_| is(5));
        })
        .await;
    }
    let due = |lane| app.state.store.read(move |c| list_due(c, "bench-a", lane, Timestamp::now(), &[], 100));
    for lane in [Lane::Act, Lane::Files, Lane::Shell] {
        let jobs = due(lane).await.unwrap();
        assert!(jobs.len() > 3);
        for job in jobs {
            let step = next_step(&job, &limits, Timestamp::now());
            let lane_of_step = match step {
                Step::Mirror => Lane::Files,
                Step::CleanUp => Lane::Shell,
                _ => Lane::Act,
            };
            assert_eq!(lane_of_step, lane, "{step:?} of {job:?}");
        }
    }
}

/// However often its queue was looked for before.
#[tokio::test]
async fn a_workspace_is_left_after_attempts_to_remove_it_and_not_after_looks_for_its_queue() {
    // No SSH server listens there.
    let odd = Odd::start(|call| if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }).await;
    let start = Timestamp::now();
    let new = NewTombstone {
        environment: "bench-a".to_owned(),
        instance: odd.app.state.instance.to_string(),
        remote_queue_id: "3".to_owned(),
        wanted: Wanted::Delete,
        look_until: start.minus(Duration::from_hours(48)),
    };
    odd.app.state.store.write(move |c| insert_tombstone(c, new, start.minus(Duration::from_hours(49)))).await.unwrap();
    odd.app.sql("UPDATE tombstones SET attempts = 30").await;
    let mut poller = odd.poller();
    let give_up = poller.environment.cleanup_give_up;
    let mut look_after = async |after: Duration| {
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(start.plus(after));
        end_what_is_left(&poller).await.unwrap();
        odd.app.count("tombstones").await
    };
    for minutes in 0..30 {
        assert_eq!(look_after(Duration::from_mins(minutes)).await, 1, "after {minutes} minutes");
    }
    assert_eq!(look_after(give_up + Duration::from_hours(1)).await, 0);
}

/// One that arrived late may run, at a server that could not be asked since.
#[tokio::test]
async fn the_workspace_of_a_queue_that_is_still_looked_for_is_left_alone() {
    // No SSH server listens there.
    let odd = Odd::start(|call| if call == "GET /api/health" { healthy(&[]) } else { unknown_id() }).await;
    let start = Timestamp::now();
    let sent = Some(start.minus(Duration::from_mins(16)));
    odd.app
        .change_job(JOB, |job, _| {
            (job.submit_attempted_at, job.last_sent_at, job.next_at) = (sent, sent, Some(Timestamp(1)));
            (job.status, job.finished_at, job.ended_here_at) = (JobStatus::Aborted, sent, sent);
            (job.logs_state, job.cleanup_state) = (LogsState::Complete, CleanupState::Pending);
        })
        .await;
    let tombstone = NewTombstone {
        environment: "bench-a".to_owned(),
        instance: odd.app.state.instance.to_string(),
        remote_queue_id: "1".to_owned(),
        wanted: Wanted::Abort,
        look_until: start,
    };
    odd.app.state.store.write(move |c| insert_tombstone(c, tombstone, start)).await.unwrap();
    let mut poller = odd.poller();
    for (seconds, is_tried) in [(0, false), (30, false), (65, false), (90, true)] {
        if is_tried {
            odd.app.sql("DELETE FROM tombstones").await;
            odd.app.sql("UPDATE jobs SET next_at = 1").await;
        }
        Arc::get_mut(&mut poller).unwrap().clock = Clock::starting_at(start.plus(Duration::from_secs(seconds)));
        work_off(&poller, Lane::Shell).await.unwrap();
        let job = odd.app.find_job(JOB).await.unwrap();
        assert_eq!(job.cleanup_since.is_some(), is_tried, "after {seconds} s: {job:?}");
    }
}
