//! The database busy, full, read-only or gone for a moment: who asks is told to come again, nothing is lost,
//! and all is well again by itself.

use crate::test_app::{Client, TestApp};
use crate::test_database::{
    allow_growth, end_connections, insert_counter, lock_out_writers, lock_table, make_database_read_only,
    make_session_read_only, unlock,
};
use serde_json::json;
use server::store::{DatabaseUrl, Outage};
use std::time::{Duration, Instant};

/// Longest that anything may take to be well again; far more than it takes, for a machine that has much else to do.
const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn who_hangs_up_does_not_keep_others_from_hearing_of_what_was_stored() {
    let app = TestApp::start().await;
    let (sender, heard) = tokio::sync::oneshot::channel();
    {
        let tell = move |(): &()| sender.send(()).unwrap();
        let mut call = Box::pin(app.state.store.write_then(|connection| insert_counter(connection, "a"), tell));
        assert!(futures_util::poll!(&mut call).is_pending());
    }
    tokio::time::timeout(SOON, heard).await.unwrap().unwrap();
}

#[tokio::test]
async fn writes_that_are_made_durable_together_fail_each_by_itself() {
    let app = TestApp::start().await;
    // More than one group of them, and every third inserts what is there already. Few enough that nobody waits too long
    // where each is a transaction by itself.
    let calls = (0..150).map(|n| {
        let store = app.state.store.clone();
        let name = if n % 3 == 0 { "job".to_owned() } else { format!("counter {n}") };
        tokio::spawn(async move { store.write(move |connection| insert_counter(connection, &name)).await })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        match call.await.unwrap() {
            Ok(()) => assert!(n % 3 > 0, "{n}"),
            Err(error) => assert!(n % 3 == 0 && error.is_duplicate(), "{n}: {error}"),
        }
    }
    let again = app.state.store.write(|connection| insert_counter(connection, "counter 1")).await;
    assert!(again.unwrap_err().is_duplicate(), "what was answered is stored");
}

#[tokio::test]
async fn a_backup_that_locks_the_database_puts_off_writes_and_no_reads() {
    let app = TestApp::on_a_file().await;
    let ada = app.user("ada").await;
    let id = app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let lock = lock_out_writers(&app.state.config.database_url);
    let abort = format!("/api/job/{id}/abort");
    let calls = (0..3).map(|_| {
        let (ada, abort) = (ada.clone(), abort.clone());
        tokio::spawn(async move { ada.send_nothing(&abort).await })
    });
    let calls: Vec<_> = calls.collect();
    ada.get(&format!("/api/job/{id}")).await.expect(200);
    let start = Instant::now();
    for call in calls {
        let refused = call.await.unwrap();
        assert_eq!(refused.code(), "unavailable");
        assert!(!refused.header("retry-after").is_empty());
    }
    assert!(start.elapsed() < SOON);
    ada.get(&format!("/api/job/{id}")).await.expect(200);
    assert_eq!(app.anybody().get("/readyz").await.status, 503);
    drop(lock);
    ada.send_nothing(&abort).await.expect(202);
    assert_eq!(app.anybody().get("/readyz").await.status, 200);
}

/// A limit of the database server's own, for its role or in the URL, and somebody who locks a table for long.
#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_time_limit_of_the_database_servers_puts_off_what_it_ends() {
    for limit in ["lock_timeout", "statement_timeout"] {
        let mut outside = String::new();
        let app = TestApp::with_config(|config| {
            let DatabaseUrl::Postgres(url) = &config.database_url else { panic!("for PostgreSQL") };
            outside.clone_from(url);
            // Far longer than any statement takes here, those that make the tables among them.
            config.database_url = DatabaseUrl::Postgres(format!("{url}?options=-c%20{limit}%3D1500"));
        })
        .await;
        let ada = app.user("ada").await;
        let id = app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
        let (job, abort) = (format!("/api/job/{id}"), format!("/api/job/{id}/abort"));
        let lock = lock_table(&outside, "jobs");
        let (read, written) = tokio::join!(ada.get(&job), ada.send_nothing(&abort));
        for answer in [read, written] {
            assert_eq!(answer.code(), "unavailable", "{limit}");
            assert!(!answer.header("retry-after").is_empty());
        }
        unlock(lock);
        ada.get(&job).await.expect(200);
        ada.send_nothing(&abort).await.expect(202);
    }
}

/// No limit is set anywhere, and a table is held by somebody who needs long (VACUUM FULL, ALTER).
#[tokio::test]
async fn a_table_that_somebody_holds_puts_off_what_needs_it_and_is_told() {
    let app = TestApp::start().await;
    let DatabaseUrl::Postgres(url) = app.state.config.database_url.clone() else { return };
    let ada = app.user("ada").await;
    let lock = lock_table(&url, "users");
    app.forget_everything();
    let anybody = app.anybody();
    let (me, ready) = tokio::join!(ada.get("/api/me"), anybody.get("/readyz"));
    assert_eq!((me.code(), ready.status.as_u16()), ("unavailable", 503));
    assert!(!me.header("retry-after").is_empty());
    unlock(lock);
    ada.get("/api/me").await.expect(200);
    assert_eq!(anybody.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_passes() {
    let app = TestApp::on_a_file().await;
    allow_growth(&app.state.store, false).await;
    let long = "x".repeat(1_000_000);
    let refused = app.state.store.write(move |connection| insert_counter(connection, &long)).await.unwrap_err();
    assert_eq!(refused.outage(), Some(Outage::Full), "{refused}");
    allow_growth(&app.state.store, true).await;
    app.state.store.write(|connection| insert_counter(connection, "short")).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_for_a_full_disk_is_not_there_and_can_be_had_later() {
    let app = TestApp::on_a_file().await;
    let ada = app.user("ada").await;
    allow_growth(&app.state.store, false).await;
    let add = async |n: i64| ada.post("/api/tokens", json!({"name": format!("token {n}")})).await;
    let mut made = 0;
    // Some fit in where there was room left.
    let refused = loop {
        assert!(made < 100, "it takes up more room than it may");
        let answer = add(made).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
    };
    assert_eq!(refused.code(), "unavailable");
    assert!(refused.problem().detail.contains("disk full"), "{}", refused.problem().detail);
    assert!(!refused.header("retry-after").is_empty());
    ada.get("/api/tokens").await.expect(200);
    assert_eq!(app.count("tokens").await, made);
    allow_growth(&app.state.store, true).await;
    add(made).await.expect(201);
    assert_eq!(app.count("tokens").await, made + 1);
}

/// Asks until the answer is the wanted one; on the way there is no other than 503 with a hint when to come again.
pub async fn becomes(client: &Client, path: &str, is_post: bool, wanted: u16) {
    let start = Instant::now();
    loop {
        let answer = if is_post { client.send_nothing(path).await } else { client.get(path).await };
        if answer.status == wanted {
            return;
        }
        assert!(start.elapsed() < SOON, "{path} is still {answer:?}");
        if answer.status == 503 {
            assert_eq!(answer.code(), "unavailable");
            assert!(!answer.header("retry-after").is_empty());
        } else {
            assert!(answer.status.is_success(), "{answer:?}");
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_server_that_has_become_a_standby_is_left_for_the_new_one() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let abort = format!("/api/job/{id}/abort");
    for _ in 0..5 {
        make_session_read_only(&app.state.store).await;
        becomes(&ada, &abort, true, 202).await;
        becomes(&ada, "/readyz", false, 200).await;
    }
}

#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_database_server_that_starts_again_is_found_again() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = app.store_sent_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    let (job, abort) = (format!("/api/job/{id}"), format!("/api/job/{id}/abort"));
    for _ in 0..3 {
        end_connections(&app.state.config.database_url);
        becomes(&ada, &job, false, 200).await;
        becomes(&ada, &abort, true, 202).await;
    }
    // As long as no server takes writes, nobody is told something that may be old.
    make_database_read_only(&app.state.config.database_url, true);
    end_connections(&app.state.config.database_url);
    becomes(&ada, &abort, true, 503).await;
    becomes(&ada, "/readyz", false, 503).await;
    make_database_read_only(&app.state.config.database_url, false);
    becomes(&ada, &abort, true, 202).await;
    becomes(&ada, "/readyz", false, 200).await;
}

#[tokio::test]
async fn a_database_file_that_is_gone_or_another_one_takes_nothing_in() {
    let app = TestApp::on_a_file().await;
    let ada = app.user("ada").await;
    let DatabaseUrl::Sqlite(file) = app.state.config.database_url.clone() else { panic!("no file") };
    let away = file.with_extension("away");
    let becomes = async |status: u16| {
        let start = Instant::now();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while ada.get("/readyz").await.status != status {
            assert!(start.elapsed() < SOON, "/readyz is never {status}");
            pace.tick().await;
        }
    };
    becomes(200).await;
    std::fs::rename(&file, &away).unwrap();
    becomes(503).await;
    assert_eq!(ada.post("/api/tokens", json!({"name": "a"})).await.code(), "unavailable");
    assert!(!file.exists(), "another one has been made");
    std::fs::copy(&away, &file).unwrap();
    assert_eq!(ada.post("/api/tokens", json!({"name": "b"})).await.code(), "unavailable");
    std::fs::rename(&away, &file).unwrap();
    becomes(200).await;
    // Each connection looks for itself, the one that writes perhaps a moment later than the one that was asked.
    let start = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while ada.post("/api/tokens", json!({"name": "c"})).await.status != 201 {
        assert!(start.elapsed() < SOON, "nothing can be stored");
        pace.tick().await;
    }
}
