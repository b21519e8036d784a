//! Our own clock is set: what stands in the rows is moved with it, whoever has them in hand meanwhile, so that nothing
//! is waited for any longer or shorter.

use crate::test_app::TestApp;
use protocol::api::{AuditAction, CleanupState, Via};
use protocol::{JobId, JobStatus, Timestamp};
use serde_json::json;
use server::lifecycle::SUBMISSION_HORIZON;
use server::store::audit::AuditEntry;
use server::store::jobs;
use server::store::tombstones::{
    self, NewTombstone, Tombstone, Wanted, insert_tombstone, list_due_tombstones, postpone_tombstone, remove_tombstone,
};
use server::wishes::Wishes;
use std::time::Duration;

const HOUR: i64 = 3_600_000;
const JOB: JobId = JobId(1);

/// One job, of which nothing has been sent.
async fn one_job() -> TestApp {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app
}

/// By so many milliseconds the clock, which stood at `before`, is set.
async fn set_clock(app: &TestApp, before: Timestamp, step: i64) -> Timestamp {
    let shift = move |c: &mut _| {
        jobs::shift_times(c, "bench-a", before, step, SUBMISSION_HORIZON)?;
        tombstones::shift_times(c, "bench-a", before, step)
    };
    app.state.store.write(shift).await.unwrap();
    Timestamp(before.0 + step)
}

async fn look_for(app: &TestApp, look_until: Timestamp) {
    let new = NewTombstone {
        environment: "bench-a".to_owned(),
        instance: app.state.instance.to_string(),
        remote_queue_id: "3".to_owned(),
        wanted: Wanted::Delete,
        look_until,
    };
    app.state.store.write(move |c| insert_tombstone(c, new, Timestamp::now())).await.unwrap();
}

async fn due(app: &TestApp, now: Timestamp) -> Vec<Tombstone> {
    app.state.store.read(move |c| list_due_tombstones(c, "bench-a", now, 9)).await.unwrap()
}

#[tokio::test]
async fn what_is_looked_for_is_so_as_long_as_before_also_where_a_look_was_under_way() {
    for step in [24 * HOUR, -6 * HOUR] {
        let (app, before) = (TestApp::start().await, Timestamp::now());
        look_for(&app, before.plus(Duration::from_mins(10))).await;
        let seen = due(&app, before).await.remove(0);
        let now = set_clock(&app, before, step).await;
        let (postponed, removed) = (seen.clone(), seen);
        let later = before.plus(Duration::from_mins(1));
        app.state.store.write(move |c| postpone_tombstone(c, &postponed, later, None)).await.unwrap();
        app.state.store.write(move |c| remove_tombstone(c, &removed)).await.unwrap();
        let looked_for: Vec<Timestamp> = due(&app, now).await.iter().map(|tombstone| tombstone.look_until).collect();
        assert_eq!(looked_for, [now.plus(Duration::from_mins(10))], "by {step} ms");
    }
}

#[tokio::test]
async fn what_is_over_does_not_come_again_where_the_clock_is_put_back() {
    let (app, before) = (one_job().await, Timestamp::now());
    look_for(&app, before.minus(Duration::from_mins(1))).await;
    let sent = Some(before.minus(Duration::from_mins(30)));
    app.change_job(JOB, |job, _| {
        (job.submit_attempted_at, job.last_sent_at) = (sent, sent);
        job.status = JobStatus::Aborted;
    })
    .await;
    let now = set_clock(&app, before, -6 * HOUR).await;
    let looked_for = due(&app, now).await.remove(0).look_until;
    assert!(looked_for <= now, "{looked_for:?} is to come at {now:?}");
    let sent = app.find_job(JOB).await.unwrap().last_sent_at.unwrap();
    assert!(sent <= now, "{sent:?} is to come at {now:?}");
}

#[tokio::test]
async fn what_is_given_up_after_a_while_is_not_given_up_at_a_jump() {
    for step in [48 * HOUR, -6 * HOUR] {
        let (app, before) = (one_job().await, Timestamp::now());
        app.change_job(JOB, |job, _| {
            job.status = JobStatus::Passed;
            (job.ended_here_at, job.cleanup_since) = (Some(before), Some(before));
            job.cleanup_state = CleanupState::Pending;
        })
        .await;
        let now = set_clock(&app, before, step).await;
        let job = app.find_job(JOB).await.unwrap();
        assert_eq!((job.ended_here_at, job.cleanup_since), (Some(now), Some(now)), "by {step} ms");
    }
}

/// A machine without a clock of its own starts in 1970; another one's is wrong for a moment.
#[tokio::test]
async fn a_job_has_waited_no_longer_than_it_has_whatever_the_clock_said() {
    let days = 24 * HOUR;
    for steps in [&[40 * days][..], &[40 * days, -40 * days], &[20_000 * days]] {
        let app = one_job().await;
        let created = if steps == [20_000 * days] { Timestamp(6_000) } else { Timestamp::now() };
        app.change_job(JOB, |job, _| job.created_at = created).await;
        let mut now = Timestamp(created.0 + 6_000);
        for step in steps {
            now = set_clock(&app, now, *step).await;
        }
        let waits_since = app.find_job(JOB).await.unwrap().waits_since;
        assert_eq!(waits_since, Some(Timestamp(now.0 - 6_000)), "{steps:?}");
    }
}

/// What an admin forces is written down by the clock of the machine, which the poller follows a little later.
#[tokio::test]
async fn what_is_forced_between_a_jump_ahead_and_its_notice_is_not_looked_for_once_more() {
    let (app, before) = (one_job().await, Timestamp::now());
    app.change_job(JOB, |job, _| {
        (job.submit_attempted_at, job.last_sent_at, job.accepted_at) = (Some(before), Some(before), Some(before));
    })
    .await;
    let wishes = Wishes { store: app.state.store.clone(), logs: app.state.logs.clone(), bell: app.state.bell.clone() };
    let audit = AuditEntry::by_nobody(Via::System, AuditAction::AbortJob, "job:1".to_owned(), &json!({}));
    let ahead = Timestamp(before.0 + 24 * HOUR);
    assert!(wishes.force_removal(JOB, "aborted_by:ada".to_owned(), audit, ahead).await.unwrap());
    let now = set_clock(&app, before, 24 * HOUR).await;
    let looked_for = due(&app, now).await.remove(0).look_until;
    assert!(looked_for <= now, "{looked_for:?} is to come at {now:?}");
}
