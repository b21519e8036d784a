//! A database that is put back from a backup, beside a runner that knows of all that has happened since.

use crate::bench::Bench;
use crate::command_line::{good, run};
use crate::killed::{Server, config_of};
use crate::remote_bench;
use crate::test_app::{PASSWORD, TestApp};
use protocol::{JobId, Timestamp};
use serde_json::{Value, json};
use server::restored::keep_mark;
use server::store::jobs::remove_job;
use std::fs;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Stops the server and puts the database's file at another place.
fn copy_database(server: Server, from: &Path, to: &Path) {
    server.kill();
    for end in ["", "-wal", "-shm"] {
        let with_end = |path: &Path| format!("{}{end}", path.display());
        let _there_was_none = fs::remove_file(with_end(to));
        let _there_is_none = fs::copy(with_end(from), with_end(to));
    }
}

#[tokio::test]
async fn after_a_restore_no_new_job_is_taken_for_an_older_one() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let bench = Bench::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (database, backup) = (folder.path().join("data/testarena.db"), folder.path().join("backup.db"));
    fs::write(folder.path().join("testarena.toml"), config_of(&bench.environment())).unwrap();
    good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));

    let server = Server::start(folder.path());
    let first = server.run_job("first").await;
    let etags_before = (server.etag("/api/job/1").await, server.etag("/api/jobs").await);
    copy_database(server, &database, &backup);
    let server = Server::start(folder.path());
    let lost = server.run_job("second").await;
    assert_eq!((&first["id"], &lost["id"]), (&Value::from(1), &Value::from(2)));
    copy_database(server, &backup, &database);

    let server = Server::start(folder.path());
    // What happens to a job from here on has the numbers of what is forgotten.
    let etags = (server.etag("/api/job/1").await, server.etag("/api/jobs").await);
    assert!(etags.0 != etags_before.0 && etags.1 != etags_before.1, "{etags:?} {etags_before:?}");
    let new = server.run_job("third").await;
    assert!(new["id"].as_i64().unwrap() > 100_000, "{new}");
    assert_eq!(new["status"], "passed");
    let time = |of: &Value| of.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time(&new["tasks"][0]["started_at"]) >= time(&new["created_at"]), "{new}");
    // What is left of the job that nobody knows of any more may be all that there is.
    assert!(folder.path().join("data/jobs/0/2").exists());
    server.kill();
    let server = Server::start(folder.path());
    assert_eq!(server.run_job("fourth").await["id"].as_i64().unwrap(), new["id"].as_i64().unwrap() + 1);
}

/// As after a failover to a standby that lacks the last commits, or where somebody puts a backup back meanwhile.
#[tokio::test]
async fn a_database_that_goes_back_under_the_server_gives_out_no_id_twice() {
    let bench = remote_bench::Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let ada = app.user("ada").await;
    let submit = async || {
        let body = json!({"branch_name": "main", "scenarios": ["smoke/boot"]});
        ada.post("/api/submit_job", body).await.expect(201)["id"].as_i64().unwrap()
    };
    let forget = async |id: i64| {
        app.state.store.write(move |connection| remove_job(connection, JobId(id))).await.unwrap();
        app.sql(format!("UPDATE counters SET value = {} WHERE name = 'job'", id - 1)).await;
    };
    let mark = async || {
        let (store, logs, last) = (app.state.store.clone(), app.state.logs.clone(), app.state.last_job.clone());
        let ended = CancellationToken::new();
        ended.cancel();
        keep_mark(store, logs, last, ended).await;
        fs::read_to_string(app.state.config.data_dir.join("last-job")).unwrap().trim().parse::<i64>().unwrap()
    };
    assert_eq!((submit().await, submit().await), (1, 2));
    forget(2).await;
    let next = submit().await;
    assert!(next > 100_000, "{next}");
    assert_eq!((submit().await, mark().await), (next + 1, next + 1));
    // The mark stays where the database has gone back, and the ids go on beyond it.
    forget(next + 1).await;
    assert_eq!(mark().await, next + 1);
    assert!(submit().await > next + 100_000);
}
