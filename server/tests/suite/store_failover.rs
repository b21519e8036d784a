//! PostgreSQL with more around it than one server: a failover to another one, and a pooler of transactions in between.

use crate::postgres_server::{Forwarder, Pooler, PostgresServer, is_tested};
use crate::store_outage::becomes;
use crate::test_app::TestApp;
use crate::test_database::execute_at;
use server::store::DatabaseUrl;
use std::time::{Duration, Instant};

/// The connections that there are stay with the old server, which answers reads and refuses writes.
#[tokio::test]
async fn after_a_failover_the_new_server_is_used_within_seconds() {
    if !is_tested() {
        return;
    }
    let old = PostgresServer::start();
    let forwarder = Forwarder::start(old.address()).await;
    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(forwarder.url())).await;
    let ada = app.user("ada").await;
    let ids = [(); 3].map(|()| app.store_job("ada", "bench-a", "main", &["smoke/boot"]));
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
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
}

#[tokio::test]
async fn behind_a_pooler_of_transactions_everything_works() {
    if !is_tested() {
        return;
    }
    let server = PostgresServer::start();
    let pooler = Pooler::start(&server);
    let app = TestApp::with_config(|config| config.database_url = DatabaseUrl::Postgres(pooler.url())).await;
    let ada = app.user("ada").await;
    app.admin("root").await;
    for _ in 0..5 {
        app.store_job("ada", "bench-a", "main", &["smoke/boot", "smoke/net"]).await;
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
