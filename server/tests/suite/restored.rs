//! A database that is put back from a backup, beside a runner that knows of all that has happened since.

use crate::bench::Bench;
use crate::command_line::{good, run};
use crate::killed::{Server, config_of};
use crate::test_app::PASSWORD;
use protocol::Timestamp;
use serde_json::Value;
use std::fs;
use std::path::Path;

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
    copy_database(server, &database, &backup);
    let server = Server::start(folder.path());
    let lost = server.run_job("second").await;
    assert_eq!((&first["id"], &lost["id"]), (&Value::from(1), &Value::from(2)));
    copy_database(server, &backup, &database);

    let server = Server::start(folder.path());
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
