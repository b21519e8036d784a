//! The schema's way up and down again, with rows in every table: nothing that people have is lost on it.

use crate::test_app::TestApp;
use crate::test_database::{MIGRATIONS, TestDatabase, Way, count, execute_all, execute_at, step};
use server::store::migrations::find_newer;
use server::store::{DatabaseUrl, Store};

fn all() -> usize {
    std::fs::read_dir(MIGRATIONS).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

/// What a team had when there was only the first schema.
const FIRST: &str = "
    INSERT INTO users (id, username, login, password_hash, is_admin, must_change_password, created_at)
        VALUES (1, 'ada', 'ada', 'x', TRUE, FALSE, 5), (2, 'bob', NULL, 'x', FALSE, FALSE, 6);
    INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ('s', 1, 7, 9000000000000);
    INSERT INTO jobs (id, revision, instance, user_id, environment, branch_name, commit_hash, remote_queue_id, timeout_ms,
        created_at, status, finished_at, count_waiting, count_running, count_passed, count_failed, count_error,
        count_aborted, count_skipped, submit_attempted_at, accepted_at, sync_state, logs_state, cleanup_state, attempts)
        VALUES (1, 3, 'i', 1, 'bench-a', 'main', 'c', '1', 1000, 5, 'failed', 9, 0, 0, 1, 1, 0, 0, 0, 6, 7, 'synced',
            'complete', 'done', 0),
        (2, 1, 'i', 2, 'bench-a', 'main', 'c', '2', 1000, 5, 'waiting', NULL, 1, 0, 0, 0, 0, 0, 0, NULL, NULL, 'pending',
            'mirroring', 'none', 0);
    INSERT INTO tasks (job_id, n, scenario, status, message, started_at, finished_at, log_size, log_complete,
        results_complete)
        VALUES (1, 1, 'a', 'passed', '', 6, 8, 10, TRUE, TRUE), (1, 2, 'b', 'failed', '', 6, 9, 10, TRUE, TRUE),
        (2, 1, 'a', 'waiting', '', NULL, NULL, 0, FALSE, FALSE);
    INSERT INTO result_files (job_id, n, path, size, content_type) VALUES (1, 1, 'x', 1, 'text/plain');
    INSERT INTO idempotency_keys (user_id, idempotency_key, request_hash, job_id, created_at) VALUES (1, 'k', 'h', 1, 5);
    INSERT INTO environment_status (environment, health, since) VALUES ('bench-a', 'ok', 5);
    INSERT INTO abandoned_queues (id, environment, instance, remote_queue_id, created_at, next_at, attempts)
        VALUES (1, 'bench-a', 'i', '9', 5, 6, 0);
    INSERT INTO audit_log (id, at, via, action, object, detail) VALUES (1, 5, 'cli', 'user.add', 'user:1', '{}');
    UPDATE counters SET value = 2;";

/// Of the tables that came later.
const LATER: &str = "
    INSERT INTO tokens (id, user_id, name, token_hash, scope, created_at) VALUES (1, 1, 'ci', 'h', 'submit', 5);
    INSERT INTO oidc_accounts (issuer, subject, user_id, created_at) VALUES ('i', 's', 1, 5);
    INSERT INTO leases (environment, holder, fence, beat) VALUES ('bench-a', 'p', 1, 1);
    INSERT INTO ssh_status (environment, at) VALUES ('bench-a', 5);";

const KEPT: [(&str, i64); 8] = [
    ("users", 2),
    ("sessions", 1),
    ("jobs", 2),
    ("tasks", 3),
    ("result_files", 1),
    ("idempotency_keys", 1),
    ("environment_status", 1),
    ("audit_log", 1),
];

async fn require_all_kept(url: &DatabaseUrl, more: &[(&'static str, i64)]) {
    let store = Store::open(url);
    for (table, kept) in KEPT.iter().chain(more).copied() {
        let found = store.read(move |connection| count(connection, table)).await.unwrap();
        assert_eq!(found, kept, "{table}");
    }
}

#[tokio::test]
async fn what_is_there_stays_on_the_way_up_and_down_and_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path());
    let url = &database.url;
    assert_eq!(step(url, Way::Up), 1);
    execute_all(url, FIRST);
    while step(url, Way::Up) < all() {}
    require_all_kept(url, &[("tombstones", 1), ("runs", 2)]).await;
    execute_all(url, LATER);
    while step(url, Way::Down) > 1 {}
    require_all_kept(url, &[("abandoned_queues", 1)]).await;
    while step(url, Way::Up) < all() {}
    require_all_kept(url, &[("tombstones", 1), ("runs", 2), ("tokens", 0)]).await;

    let app = TestApp::with_config(|config| config.database_url = url.clone()).await;
    let eve = app.user("eve").await;
    let job = eve.get("/api/job/1").await.expect(200);
    assert_eq!((&job["user"]["username"], &job["status"]), (&"ada".into(), &"failed".into()));
    let next = app.store_job("eve", "bench-a", "main", &["a"]).await;
    assert_eq!(next.0, 3, "ids go on where they were");
    assert_eq!(eve.get("/api/jobs?search=ada").await.expect(200)["jobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let app = TestApp::start().await;
    app.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')").await;
    let refused = Store::open(&app.state.config.database_url).migrate().await.unwrap_err().to_string();
    assert!(refused.contains("newer TestArena") && refused.contains("29990101000000"), "{refused}");
    let found = app.state.store.read(find_newer).await.unwrap();
    assert!(found.is_some_and(|found| refused.contains(&found)));
}

#[tokio::test]
#[ignore = "for PostgreSQL"]
async fn a_database_that_can_not_hold_every_character_is_refused() {
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    let name = format!("latin_{}", uuid::Uuid::new_v4().simple());
    let latin = "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'";
    execute_at(&server, &format!("CREATE DATABASE {name} {latin}"));
    let (address, _) = server.rsplit_once('/').unwrap();
    let refused =
        Store::open(&DatabaseUrl::Postgres(format!("{address}/{name}"))).migrate().await.unwrap_err().to_string();
    execute_at(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(refused.contains("LATIN1") && refused.contains("ENCODING 'UTF8'"), "{refused}");
}
