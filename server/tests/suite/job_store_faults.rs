//! A store that is away for a moment, or refuses what is known of one job: the poller hears of all the others meanwhile,
//! and of every job afterwards.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::lab::{tick, tick_all};
use crate::test_app::TestApp;
use protocol::{JobId, JobStatus, Timestamp};
use serde_json::json;
use server::store::DatabaseUrl;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// More than are asked about at once.
const JOBS: i64 = 20;
/// How long the database refuses what is tried again all the while.
const HICCUP: Duration = Duration::from_secs(1);

/// Jobs that a server has accepted, all running there.
async fn running_jobs() -> Odd {
    let odd = Odd::start(|call| match call {
        "GET /api/health" => healthy(&[]),
        call => match call.strip_prefix("GET /api/status/") {
            Some(id) if !id.contains('-') => says(json!({"id": id, "kind": "queue", "status": "running"})),
            _ => unknown_id(),
        },
    })
    .await;
    for _ in 1..JOBS {
        odd.app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    }
    for id in 1..=JOBS {
        odd.accept_of(JobId(id)).await;
    }
    odd
}

async fn waiting(odd: &Odd) -> Vec<JobId> {
    let mut waiting = Vec::new();
    for id in (1..=JOBS).map(JobId) {
        if odd.app.find_job(id).await.unwrap().status == JobStatus::Waiting {
            waiting.push(id);
        }
    }
    waiting
}

/// The database refuses, in these words, to change jobs for which a condition holds.
async fn refuse(app: &TestApp, condition: &str, words: &str) {
    if let DatabaseUrl::Sqlite(_) = app.state.config.database_url {
        app.sql(format!(
            "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN {condition} BEGIN SELECT RAISE(ABORT, '{words}'); END"
        ))
        .await;
        return;
    }
    let raise = format!("BEGIN RAISE EXCEPTION '{words}'; END");
    app.sql(format!("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${raise}$$")).await;
    app.sql(format!(
        "CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"
    ))
    .await;
}

/// Words by which a database says that it takes nothing now.
fn away(app: &TestApp) -> &'static str {
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    if is_sqlite { "database is locked" } else { "canceling statement due to a test" }
}

async fn refuse_no_more(app: &TestApp) {
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    app.sql(if is_sqlite { "DROP TRIGGER refuse" } else { "DROP TRIGGER refuse ON jobs" }).await;
}

#[tokio::test]
async fn after_a_moment_without_the_store_every_job_is_asked_about_again() {
    let odd = running_jobs().await;
    let poller = odd.poller();
    refuse(&odd.app, "NEW.id > 0", away(&odd.app)).await;
    assert!(tick(&poller).await.unwrap_err().is_unavailable());
    assert_eq!(waiting(&odd).await.len(), usize::try_from(JOBS).unwrap());
    refuse_no_more(&odd.app).await;
    tick(&poller).await.unwrap();
    assert_eq!(waiting(&odd).await, []);
}

#[tokio::test]
async fn what_the_store_refuses_of_one_job_keeps_no_other_from_being_asked_about() {
    let odd = running_jobs().await;
    let poller = odd.poller();
    refuse(&odd.app, "NEW.id = 1 AND NEW.status <> 'waiting'", "not this one").await;
    tick(&poller).await.unwrap();
    assert_eq!(waiting(&odd).await, [JOB]);
    refuse_no_more(&odd.app).await;
    tick(&poller).await.unwrap();
    assert_eq!(waiting(&odd).await, []);
}

#[tokio::test]
async fn a_server_that_is_back_is_so_also_where_the_store_fails_just_then() {
    let odd = running_jobs().await;
    let poller = odd.poller();
    tick(&poller).await.unwrap();
    odd.app.sql("UPDATE environment_status SET health = 'unreachable'").await;
    let later = Some(Timestamp::now().plus(Duration::from_mins(5)));
    odd.app.change_job(JOB, |job, _| (job.attempts, job.next_at) = (9, later)).await;
    refuse(&odd.app, "NEW.id > 0", "not now").await;
    assert!(tick(&poller).await.is_err());
    refuse_no_more(&odd.app).await;
    tick(&poller).await.unwrap();
    assert_eq!(odd.app.find_job(JOB).await.unwrap().attempts, 0, "it was asked about, and not in five minutes");
}

/// A server that takes the first job; and how often it was sent.
async fn takes_the_first_job() -> (Odd, Arc<AtomicUsize>) {
    let submissions = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&submissions);
    let odd = Odd::start(move |call| match call {
        "GET /api/health" => healthy(&[]),
        "POST /api/queue" => {
            count.fetch_add(1, Ordering::Relaxed);
            says(json!({"queue_id": "1", "status": "waiting"}))
        }
        "GET /api/status/1" if count.load(Ordering::Relaxed) > 0 => {
            says(json!({"id": "1", "kind": "queue", "status": "waiting"}))
        }
        _ => unknown_id(),
    })
    .await;
    (odd, submissions)
}

#[tokio::test]
async fn a_job_that_can_not_be_saved_while_it_is_sent_is_sent_once_and_soon() {
    // Before it is sent, and when its answer is there.
    for when in ["NEW.submit_attempted_at IS NOT NULL", "NEW.accepted_at IS NOT NULL"] {
        for is_away in [true, false] {
            let (odd, submissions) = takes_the_first_job().await;
            let words = if is_away { away(&odd.app) } else { "not this one" };
            refuse(&odd.app, when, words).await;
            drop(tokio::time::timeout(HICCUP, tick(&odd.poller())).await);
            assert_eq!(odd.app.find_job(JOB).await.unwrap().accepted_at, None, "{when}: {words}");
            refuse_no_more(&odd.app).await;
            tick_all(&odd.app.state, Timestamp::now().plus(Duration::from_secs(40))).await;
            let job = odd.app.find_job(JOB).await.unwrap();
            assert!(job.accepted_at.is_some(), "{when}: {words}: {job:?}");
            assert_eq!(submissions.load(Ordering::Relaxed), 1, "{when}: {words}");
        }
    }
}
