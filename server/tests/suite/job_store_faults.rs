//! A store that is away for a moment, or refuses what is known of one job: the poller hears of all the others meanwhile,
//! and of every job afterwards.

use crate::job_odd_remote::{JOB, Odd, healthy, says, unknown_id};
use crate::test_app::TestApp;
use protocol::{JobId, JobStatus};
use serde_json::json;
use server::poller::tick;
use server::store::DatabaseUrl;

/// More than are asked about at once.
const JOBS: i64 = 20;

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

async fn refuse_no_more(app: &TestApp) {
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    app.sql(if is_sqlite { "DROP TRIGGER refuse" } else { "DROP TRIGGER refuse ON jobs" }).await;
}

#[tokio::test]
async fn after_a_moment_without_the_store_every_job_is_asked_about_again() {
    let odd = running_jobs().await;
    let poller = odd.poller();
    let is_sqlite = matches!(odd.app.state.config.database_url, DatabaseUrl::Sqlite(_));
    refuse(&odd.app, "NEW.id > 0", if is_sqlite { "database is locked" } else { "canceling statement due to a test" })
        .await;
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
