//! What the program refuses to start with, and what `testarena check` finds before anybody starts it.
//! Only the configuration and the machine itself are looked at here; remote servers have files of their own.

use crate::command_line::{program, run};
use crate::sshd::make_key;
use std::fs;
use std::path::Path;

/// An environment with these lines in its `ssh` table.
fn configure(folder: &Path, lines: &str) {
    let config = format!(
        r#"
        listen = "127.0.0.1:0"
        [[environments]]
        name = "bench-a"
        url = "http://127.0.0.1:9"
        [environments.ssh]
        host = "127.0.0.1"
        port = 9
        user = "tests"
        repository = "/srv/tests/repo"
        workspace_root = "/srv/tests/workspaces"
        {lines}
    "#
    );
    fs::write(folder.join("testarena.toml"), config).unwrap();
}

#[test]
fn a_key_or_a_known_hosts_file_that_can_not_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("a_folder")).unwrap();
    fs::write(path.join("junk"), "no key").unwrap();
    fs::write(path.join("known"), "").unwrap();
    make_key(&path.join("locked"), "ed25519", "a secret");
    let pinned = r#"host_key = "SHA256:jvBr9YdF6TUUwoVSX0xVgB2fLSE9ZRmhO3J2RoRWTLU""#;
    let known = r#"known_hosts = "known""#;
    make_key(&path.join("good"), "ed25519", "");
    for (identity, host_key, key, file) in [
        ("missing", pinned, "ssh.identity_file", "missing"),
        ("a_folder", known, "ssh.identity_file", "a_folder"),
        ("junk", known, "ssh.identity_file", "junk"),
        ("locked", known, "ssh.identity_file", "locked"),
        ("good", r#"known_hosts = "missing""#, "ssh.known_hosts", "missing"),
        ("good", r#"known_hosts = "a_folder""#, "ssh.known_hosts", "a_folder"),
    ] {
        configure(path, &format!("identity_file = \"{identity}\"\n{host_key}"));
        let output = run(path, &["serve"], "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        for words in ["bench-a", key, file] {
            assert!(said.contains(words), "{words} is not in: {said}");
        }
    }
    assert!(!path.join("data").exists(), "it began all the same");
}

#[test]
fn a_check_names_what_can_not_be_written_and_an_address_that_nobody_can_open() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a_file"), "").unwrap();
    let config =
        "listen = \"0.0.0.0:3000\"\ndatabase_url = \"sqlite://a_file/testarena.db\"\ndata_dir = \"a_file/data\"\n";
    fs::write(folder.path().join("testarena.toml"), config).unwrap();
    let output = program(folder.path(), &["check"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "{said}");
    for words in ["FAILED Database", "FAILED Storage", "FAILED Public URL", "set public_url"] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
}

#[test]
fn a_check_of_a_database_that_is_there_leaves_nothing_in_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("testarena.toml"), "").unwrap();
    assert!(run(folder.path(), &["migrate"], "").status.success());
    for _ in 0..2 {
        let output = run(folder.path(), &["check"], "");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("ok     Database: answers and can be written"), "{said}");
    }
}
