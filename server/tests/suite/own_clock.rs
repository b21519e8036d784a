//! Our own clock, which is put back, or differs from that of another server on the same database: nothing that is wanted
//! waits for a clock.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::test_app::COMMIT;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::api::{AuditAction, CleanupState, LogsState, SyncState, Via};
use protocol::{JobId, JobStatus, Timestamp};
use serde_json::json;
use server::poller::{self, Clock, Poller};
use server::remote::Server;
use server::store::audit::AuditEntry;
use server::store::environments::find_environment_status;
use server::store::jobs::{Job, NewJob, insert_job_after};
use server::store::tombstones::{NewTombstone, Wanted, insert_tombstone};
use server::wishes::Wishes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

const HOUR: Duration = Duration::from_hours(1);
/// Far less than the pauses whose absence is noticed, and far more than what is waited for takes.
const SOON: Duration = Duration::from_secs(20);
const LOOK_INTERVAL: Duration = Duration::from_millis(25);

/// A server that does at once whatever is wanted of any job.
fn willing() -> impl Fn(&str) -> Response + Send + Sync {
    let known = Mutex::new(HashMap::new());
    move |call| {
        let (path, id) = call.rsplit_once('/').unwrap();
        let mut known = known.lock().unwrap();
        match path {
            "GET /api" => return healthy(&[]),
            "POST /api" => return says(json!({"queue_id": "", "status": "waiting"})),
            "GET /api/logs" => return "".into_response(),
            "GET /api/results" => return says(json!({"task_id": id, "files": []})),
            "POST /api/abort" => known.insert(id.to_owned(), Some("aborted")),
            "DELETE /api/delete" => {
                known.insert(id.to_owned(), None);
                return StatusCode::NO_CONTENT.into_response();
            }
            _ => None,
        };
        match known.get(id).copied().unwrap_or(Some("running")) {
            Some(status) => says(json!({"id": id, "kind": "queue", "status": status})),
            None => unknown_id(),
        }
    }
}

fn was_accepted(job: &mut Job) {
    (job.submit_attempted_at, job.accepted_at) = (Some(Timestamp(1)), Some(Timestamp(2)));
}

fn has_passed(job: &mut Job) {
    was_accepted(job);
    (job.status, job.finished_at) = (JobStatus::Passed, Some(Timestamp(9)));
    (job.logs_state, job.cleanup_state) = (LogsState::Complete, CleanupState::Pending);
}

/// What was written by the old clock of a job, and when it is done.
type Left = (&'static str, fn(&mut Job, Timestamp), fn(&Job) -> bool);

const LEFT: [Left; 5] = [
    ("a submission", |_, _| {}, |job| job.status == JobStatus::InProgress),
    (
        "an abort that was sent and lost",
        |job, ahead| {
            was_accepted(job);
            (job.abort_requested_at, job.abort_reason) = (Some(ahead), Some("aborted_by:ada".to_owned()));
            (job.abort_sent_at, job.abort_sends) = (Some(ahead), 1);
        },
        |job| job.status == JobStatus::Aborted,
    ),
    (
        "logs",
        |job, _| {
            has_passed(job);
            job.logs_state = LogsState::Mirroring;
        },
        |job| job.logs_state == LogsState::Complete,
    ),
    // It is tried: SSH leads nowhere here.
    ("a workspace", |job, _| has_passed(job), |job| job.cleanup_error.is_some()),
    (
        "a deletion",
        |job, ahead| {
            has_passed(job);
            job.delete_requested_at = Some(ahead);
        },
        |job| job.remote_deleted_at.is_some(),
    ),
];

/// This server was off while its clock was put back by an hour.
#[tokio::test]
async fn at_the_start_nothing_waits_for_the_clock_of_the_process_before() {
    for (what, change, is_done) in LEFT {
        let odd = Odd::start(willing()).await;
        let ahead = Timestamp::now().plus(HOUR);
        odd.app
            .change_job(JOB, |job, _| {
                change(job, ahead);
                job.next_at = Some(ahead);
            })
            .await;
        assert!(odd.becomes(is_done).await, "{what}");
    }
}

/// Lets it run until the test ends.
fn run(poller: Arc<Poller<Server>>) -> DropGuard {
    let shutdown = CancellationToken::new();
    tokio::spawn(poller::run(vec![poller], shutdown.clone()));
    shutdown.drop_guard()
}

pub async fn wait_until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looking = async {
        let mut pace = tokio::time::interval(LOOK_INTERVAL);
        while !is_so().await {
            pace.tick().await;
        }
    };
    assert!(tokio::time::timeout(SOON, looking).await.is_ok(), "{what}");
}

async fn becomes(odd: &Odd, id: JobId, what: &str, is_wanted: impl Fn(&Job) -> bool) {
    wait_until(what, async || odd.app.find_job(id).await.is_some_and(|job| is_wanted(&job))).await;
}

/// Another server on the same database takes in what people want.
#[tokio::test]
async fn what_is_wanted_at_a_server_whose_clock_is_ahead_is_done_at_once() {
    let (is_gone, does_all) = (Arc::new(AtomicBool::new(false)), willing());
    let gone = Arc::clone(&is_gone);
    let odd = Odd::start(move |call| {
        gone.fetch_or(call == "DELETE /api/delete/1", Ordering::Relaxed);
        does_all(call)
    })
    .await;
    let _running = run(odd.poller());
    // The start itself, at which all pauses end, is over.
    becomes(&odd, JOB, "it runs", |job| job.status == JobStatus::InProgress).await;
    let ahead = Timestamp::now().plus(HOUR);
    let new = NewJob {
        instance: odd.app.state.instance.to_string(),
        user_id: odd.app.find_user("ada").await.id,
        environment: "bench-a".to_owned(),
        queue_id_prefix: String::new(),
        branch_name: "main".to_owned(),
        commit: COMMIT.to_owned(),
        scenarios: vec!["smoke/boot".to_owned()],
        rerun_of: None,
        timeout: HOUR,
    };
    let wishes = Wishes {
        store: odd.app.state.store.clone(),
        logs: odd.app.state.logs.clone(),
        bell: odd.app.state.bell.clone(),
    };
    let audit = || AuditEntry::by_nobody(Via::System, AuditAction::AbortJob, "job:2".to_owned(), &json!({}));
    let id = JobId(2);
    wishes.store.write(move |c| insert_job_after(c, JobId(0), &new, ahead).map(drop)).await.unwrap();
    wishes.bell.ring_work();
    becomes(&odd, id, "sent", |job| job.accepted_at.is_some()).await;
    wishes.abort(id, "aborted_by:ada".to_owned(), audit(), ahead).await.unwrap();
    becomes(&odd, id, "aborted", |job| job.status == JobStatus::Aborted).await;
    wishes.delete(id, "aborted_by:ada".to_owned(), audit(), ahead).await.unwrap();
    becomes(&odd, id, "deleted", |job| job.remote_deleted_at.is_some()).await;
    wishes.force_removal(JOB, "aborted_by:ada".to_owned(), audit(), ahead).await.unwrap();
    wait_until("removed there", async || is_gone.load(Ordering::Relaxed)).await;
}

/// The machine's clock, and by how many milliseconds it is set.
fn clock() -> (Arc<AtomicI64>, Clock) {
    let set = Arc::<AtomicI64>::default();
    let by = Arc::clone(&set);
    (set, Clock::told_by(move || Timestamp(Timestamp::now().0 + by.load(Ordering::Relaxed))))
}

fn tombstone(odd: &Odd, look_until: Timestamp) -> NewTombstone {
    NewTombstone {
        environment: "bench-a".to_owned(),
        instance: odd.app.state.instance.to_string(),
        remote_queue_id: "3".to_owned(),
        wanted: Wanted::Abort,
        look_until,
    }
}

fn poller_with(odd: &Odd, clock: Clock) -> Arc<Poller<Server>> {
    let mut poller = odd.poller();
    let changed = Arc::get_mut(&mut poller).unwrap();
    (changed.clock, changed.poll_interval) = (clock, Duration::from_secs(1));
    poller
}

/// By an hour, while this server runs and what it does fails.
#[tokio::test]
async fn a_clock_that_is_put_back_delays_nothing() {
    let is_well = Arc::new(AtomicBool::new(false));
    let (well, does_all) = (Arc::clone(&is_well), willing());
    let odd = Odd::start(move |call| match call {
        _ if well.load(Ordering::Relaxed) => does_all(call),
        "POST /api/queue" => StatusCode::TOO_MANY_REQUESTS.into_response(),
        // Yes, in no words of the contract.
        "POST /api/abort/2" => "<html>".into_response(),
        "GET /api/status/3" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        call => does_all(call),
    })
    .await;
    let aborted = odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    odd.accept_of(aborted).await;
    odd.ada.send_nothing(&format!("/api/job/{aborted}/abort")).await.expect(202);
    let (set, clock) = clock();
    let tombstone = tombstone(&odd, Timestamp(0));
    odd.app.state.store.write(move |c| insert_tombstone(c, tombstone, Timestamp::now())).await.unwrap();
    let _running = run(poller_with(&odd, clock));
    becomes(&odd, JOB, "refused", |job| job.attempts > 0).await;
    becomes(&odd, aborted, "its abort is lost", |job| job.abort_sends > 0).await;
    set.store(-3_600_000, Ordering::Relaxed);
    is_well.store(true, Ordering::Relaxed);
    becomes(&odd, JOB, "sent", |job| job.status == JobStatus::InProgress).await;
    let is_over = |at: Timestamp| at.0 <= Timestamp::now().0 - 3_600_000;
    becomes(&odd, JOB, "reckoned from a moment that is over", |job| job.submit_attempted_at.is_some_and(is_over)).await;
    becomes(&odd, aborted, "aborted", |job| job.status == JobStatus::Aborted).await;
    wait_until("looked at again", async || odd.app.count("tombstones").await == 0).await;
}

/// By a day, while a job runs of which nothing can be read any more, and a queue may still arrive.
#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_nothing() {
    let (is_ill, asked, does_all) = (Arc::new(AtomicBool::new(false)), Arc::<AtomicI64>::default(), willing());
    let (ill, count) = (Arc::clone(&is_ill), Arc::clone(&asked));
    let odd = Odd::start(move |call| match call {
        "GET /api/status/1" if ill.load(Ordering::Relaxed) => {
            count.fetch_add(1, Ordering::Relaxed);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        "GET /api/status/3" => unknown_id(),
        call => does_all(call),
    })
    .await;
    let (set, clock) = clock();
    let tombstone = tombstone(&odd, Timestamp::now().plus(Duration::from_mins(15)));
    odd.app.state.store.write(move |c| insert_tombstone(c, tombstone, Timestamp::now())).await.unwrap();
    let _running = run(poller_with(&odd, clock));
    becomes(&odd, JOB, "it runs", |job| job.status == JobStatus::InProgress).await;
    let noted = odd.app.find_job(JOB).await.unwrap().seen_running_at.unwrap();
    set.store(24 * 3_600_000, Ordering::Relaxed);
    is_ill.store(true, Ordering::Relaxed);
    let has_moved = |at: Timestamp| at.since(noted) > Duration::from_hours(23);
    becomes(&odd, JOB, "followed", |job| job.seen_running_at.is_some_and(has_moved)).await;
    let before = asked.load(Ordering::Relaxed);
    wait_until("asked again", async || asked.load(Ordering::Relaxed) > before + 1).await;
    let job = odd.app.find_job(JOB).await.unwrap();
    assert_eq!((job.status, job.abort_requested_at), (JobStatus::InProgress, None));
    assert_eq!(odd.app.count("tombstones").await, 1, "what may still arrive is looked for");
}

/// Put back, just before its server goes away.
#[tokio::test]
async fn what_is_known_is_never_of_a_time_to_come() {
    let (is_away, does_all) = (Arc::new(AtomicBool::new(false)), willing());
    let away = Arc::clone(&is_away);
    let odd =
        Odd::start(
            move |call| {
                if away.load(Ordering::Relaxed) { StatusCode::BAD_GATEWAY.into_response() } else { does_all(call) }
            },
        )
        .await;
    let (set, clock) = clock();
    let _running = run(poller_with(&odd, clock));
    becomes(&odd, JOB, "it runs", |job| job.status == JobStatus::InProgress).await;
    let is_known = async || {
        let known = odd.app.state.store.read(|c| find_environment_status(c, "bench-a")).await.unwrap();
        known.is_some_and(|known| known.round_at.is_some())
    };
    wait_until("a round is over", is_known).await;
    set.store(-3_600_000, Ordering::Relaxed);
    is_away.store(true, Ordering::Relaxed);
    becomes(&odd, JOB, "old", |job| {
        let is_over = |at: Timestamp| at.0 <= Timestamp::now().0 - 3_600_000;
        job.sync_state == SyncState::Failing && job.last_synced_at.is_some_and(is_over)
    })
    .await;
}

/// The lease was given up and taken again, and nobody else has held it.
#[tokio::test]
async fn a_clock_that_is_set_between_two_terms_moves_what_the_first_has_noted() {
    let odd = Odd::start(willing()).await;
    let (set, clock) = clock();
    let poller = poller_with(&odd, clock);
    let shutdown = CancellationToken::new();
    let first_term = tokio::spawn(poller::run(vec![Arc::clone(&poller)], shutdown.clone()));
    becomes(&odd, JOB, "it runs", |job| job.status == JobStatus::InProgress).await;
    shutdown.cancel();
    first_term.await.unwrap().unwrap();
    let noted = odd.app.find_job(JOB).await.unwrap().seen_running_at.unwrap();
    set.store(24 * 3_600_000, Ordering::Relaxed);
    let _running = run(poller);
    let has_moved = |at: Timestamp| at.since(noted) > Duration::from_hours(23);
    becomes(&odd, JOB, "moved", |job| job.seen_running_at.is_some_and(has_moved)).await;
}
