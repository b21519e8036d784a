//! PostgreSQL with more around it than one server: a failover to another one, and a pooler of transactions in between.

use crate::command_line::run;
use crate::postgres_server::{Forwarder, Pooler, PostgresServer};
use crate::store_outage::becomes;
use crate::test_app::TestApp;
use crate::test_database::{execute, execute_at};
use futures_util::future::join_all;
use server::store::DatabaseUrl;
use std::time::{Duration, Instant};

/// The connections that there are stay with the old server, which answers reads and refuses writes.
#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn after_a_failover_the_new_server_is_used_within_seconds() {
    let old = PostgresServer::start();
    let forwarder = Forwarder::start(old.address()).await;
    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(forwarder.url())).await;
    let ada = app.user("ada").await;
    let ids = [(); 3].map(|()| app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]));
    let mut jobs = Vec::new();
    for id in ids {
        jobs.push(format!("/api/job/{}", id.await));
    }
    ada.get(&jobs[0]).await.expect(200);
    let new = old.copy();
    for statement in ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"] {
        execute_at(&old.url(), statement);
    }
    forwarder.lead_to(new.address());
    let start = Instant::now();
    for job in &jobs {
        becomes(&ada, &format!("{job}/abort"), true, 202).await;
        // What was accepted is there for whoever reads next.
        let seen = ada.get(job).await.expect(200);
        assert_eq!(seen["abort_requested"], true, "{seen}");
    }
    becomes(&ada, "/readyz", false, 200).await;
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
}

#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn behind_a_pooler_of_transactions_everything_works() {
    let server = PostgresServer::start();
    let pooler = Pooler::start(&server);
    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(pooler.url())).await;
    let ada = app.user("ada").await;
    app.admin("root").await;
    for _ in 0..5 {
        app.store_sent_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
    }
    // More at once than the pooler has sessions, each statement many times.
    let calls = (0..60).map(|n| {
        let ada = ada.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                let path = ["/api/jobs", "/api/job/1", "/api/jobs?search=ada", "/api/tokens", "/readyz"][n % 5];
                assert_eq!(ada.get(path).await.status, 200, "{path}");
            }
            let named = serde_json::json!({"name": format!("ci {n}")});
            ada.post("/api/tokens", named).await.status
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 201);
    }
    ada.send_nothing("/api/job/1/abort").await.expect(202);
    assert_eq!(ada.get("/api/tokens").await.json()["tokens"].as_array().unwrap().len(), 60);
    // Another replica starts on the same database, whose schema is up to date.
    assert_eq!(app.replica().await.with_all_of(&ada).get("/api/job/1").await.status, 200);
}

/// Its few sessions go from hand to hand, so that one who looks twice need not meet the same one.
#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_pooler_that_is_busy_is_recognized_as_well() {
    let server = PostgresServer::start();
    let pooler = Pooler::start(&server);
    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(pooler.url())).await;
    let ada = app.user("ada").await;
    app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let busy = (0..20).map(|_| {
        let ada = ada.clone();
        tokio::spawn(async move {
            loop {
                ada.get("/api/jobs").await.expect(200);
            }
        })
    });
    let busy: Vec<_> = busy.collect();
    for _ in 0..5 {
        let other = app.replica().await.with_all_of(&ada);
        for _ in 0..20 {
            for path in ["/api/jobs", "/api/job/1", "/api/tokens"] {
                assert_eq!(other.get(path).await.status, 200, "{path}");
            }
        }
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Debian makes a cluster that speaks its administrator's language.
#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn what_a_server_says_in_another_language_is_understood_as_far_as_it_can_be() {
    let Some(server) = PostgresServer::start_in_german() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("testarena.toml"), format!("database_url = \"{}\"\n", server.url())).unwrap();
    let output = run(folder.path(), &["migrate"], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("speaks de_DE.UTF-8 (lc_messages)"), "{said}");

    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(server.url())).await;
    let ada = app.user("ada").await;
    app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for _ in 0..3 {
        let defect = app.state.store.write(|c| execute(c, "SELECT 1/0")).await.unwrap_err();
        assert!(!defect.is_unavailable(), "the database is there: {defect}");
        let defect = app.state.store.read(|c| execute(c, "SELECT 1/0")).await.unwrap_err();
        assert!(!defect.is_unavailable(), "the database is there: {defect}");
    }
    app.sql("DEALLOCATE ALL").await;
    for _ in 0..20 {
        let answer = ada.send_nothing("/api/job/1/abort").await;
        assert!([202, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
    ada.send_nothing("/api/job/1/abort").await.expect(202);
}

/// As behind a pooler that was not recognized: another session, or one that was tidied up.
#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_session_that_lost_its_prepared_statements_costs_no_answer_but_not_now() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let (job, abort) = (format!("/api/job/{id}"), format!("/api/job/{id}/abort"));
    for _ in 0..3 {
        ada.get(&job).await.expect(200);
        ada.send_nothing(&abort).await.expect(202);
    }
    let forget = || app.state.store.read(|connection| execute(connection, "DEALLOCATE ALL"));
    for gone in join_all((0..50).map(|_| forget())).await {
        gone.unwrap();
    }
    app.sql("DEALLOCATE ALL").await;
    // Each connection has its turn, also one that was not there to forget.
    for _ in 0..20 {
        becomes(&ada, &job, false, 200).await;
    }
    becomes(&ada, &abort, true, 202).await;
    for _ in 0..20 {
        ada.get(&job).await.expect(200);
    }
}
