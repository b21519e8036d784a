//! SSH servers that stop in the middle: frozen, dying, silent after each step, busy with clean-ups.
//! Each is given up in time, and the next question finds a new connection.

use crate::command_line::{good, run};
use crate::killed::{Server, config_of};
use crate::remote_bench::{Bench, unreachable};
use crate::test_app::{PASSWORD, TestApp};
use server::config::HostKeyCheck;
use server::remote::Remote;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// What an answer may take beyond its limit on a busy machine; less than until a silent connection is given up.
const SLACK: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_server_that_freezes_under_a_command_is_given_up_at_its_limit() {
    let bench = Bench::start();
    let limit = Duration::from_secs(2);
    let flag = bench.path("begun");
    let environment = bench.environment_with(|ssh| {
        ssh.timeout = limit;
        let commit = "a1".repeat(20);
        ssh.commands.branches = format!("printf '{commit}\\trefs/heads/half\\n'; touch {}; sleep 60", flag.display());
    });
    let other = Bench::start();
    let elsewhere = other.environment();
    let start = Instant::now();
    let freeze = async {
        while !flag.exists() {
            assert!(start.elapsed() < PATIENCE, "the command does not begin");
            tokio::task::yield_now().await;
        }
        bench.sshd.freeze_connections();
        // Another environment notices nothing.
        let asked = Instant::now();
        elsewhere.repository.branches().await.unwrap();
        assert!(asked.elapsed() < SLACK, "{:?}", asked.elapsed());
    };
    let (answer, ()) = tokio::join!(environment.repository.branches(), freeze);
    assert!(unreachable(answer).contains("did not end within 2 s"));
    assert!(start.elapsed() < limit + SLACK, "{:?}", start.elapsed());
    // A new connection at once afterwards.
    let asked = Instant::now();
    environment.repository.resolve("main").await.unwrap();
    assert!(asked.elapsed() < SLACK, "{:?}", asked.elapsed());
    assert_eq!(bench.sshd.connection_count(), 2);
}

#[tokio::test]
async fn a_server_that_dies_under_its_output_gives_no_shorter_list() {
    let bench = Bench::start();
    let commit = "a1".repeat(20);
    let environment = bench.environment_with(|ssh| {
        ssh.commands.branches =
            format!("printf '{commit}\\trefs/heads/one\\n{commit}\\trefs/heads/tw'; kill -9 $PPID; sleep 60");
    });
    let message = unreachable(environment.repository.branches().await);
    assert!(message.contains("ended before") || message.contains("broke"), "{message}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let bench = Bench::start();
    // Its backlog takes the connection; nobody ever speaks.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let app = TestApp::with_environments(vec![bench.config_with(|ssh| ssh.port = port)]).await;
    let (ada, start) = (app.user("ada").await, Instant::now());
    let (one, two) = tokio::join!(ada.get("/api/branches"), ada.get("/api/scenarios?branch=main"));
    assert_eq!((one.code(), two.code()), ("environment_unreachable", "environment_unreachable"));
    assert_eq!(one.problem().detail, "bench-a can't be reached over SSH: no SSH handshake in time");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_connection_that_freezes_at_its_beginning_is_not_kept_open() {
    let bench = Bench::start();
    let frozen = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = frozen.local_addr().unwrap().port();
    let environment = bench.environment_with(|ssh| ssh.port = port);
    let accept = async {
        let (mut stream, _) = frozen.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-frozen\r\n").await.unwrap();
        // Its words are taken in, and never answered.
        tokio::time::timeout(Duration::from_secs(90), tokio::io::copy(&mut stream, &mut tokio::io::sink())).await
    };
    let (answer, closed) = tokio::join!(environment.repository.branches(), accept);
    unreachable(answer);
    assert!(closed.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn clean_ups_that_hang_keep_no_question_waiting() {
    let bench = Bench::start();
    let flag = bench.path("go");
    let environment = bench.environment_with(|ssh| {
        // Nobody is given up here.
        ssh.timeout = PATIENCE;
        ssh.commands.cleanup = format!("while [ ! -e {} ]; do sleep 0.05; done; : {{queue_id}}", flag.display());
    });
    let server = environment.server.clone();
    let ids: Vec<String> = (1..=8).map(|n| n.to_string()).collect();
    let clean_ups =
        tokio::spawn(async move { futures_util::future::join_all(ids.iter().map(|id| server.clean_up(id))).await });
    let start = Instant::now();
    let repository = &environment.repository;
    let (branches, commit) = tokio::join!(repository.branches(), repository.read_branch("main"));
    assert!(branches.is_ok() && commit.is_ok(), "{branches:?} {commit:?}");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    std::fs::write(&flag, "").unwrap();
    assert_eq!(clean_ups.await.unwrap(), vec![Ok(()); 8]);
    assert_eq!(bench.sshd.connection_count(), 1);
}

#[tokio::test]
async fn the_program_ends_in_time_beside_a_server_that_froze_under_a_question() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let bench = Bench::start();
    let flag = bench.path("begun");
    bench.sshd.bashrc(&format!("touch {}; sleep 60", flag.display()));
    let fingerprint = bench.sshd.fingerprint("host_ed25519");
    let config = bench.config_with(|ssh| ssh.host_key = HostKeyCheck::Fingerprint(fingerprint));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("testarena.toml"), config_of(&config)).unwrap();
    good(&run(folder.path(), &["user", "add", "ada"], &format!("{PASSWORD}\n")));
    let server = Server::start(folder.path());
    let question = reqwest::Client::new().get(format!("{}/api/branches", server.url));
    let question = tokio::spawn(question.basic_auth("ada", Some(PASSWORD)).send());
    while !flag.exists() {
        assert!(!question.is_finished(), "{:?}", question.await);
        tokio::task::yield_now().await;
    }
    bench.sshd.freeze_connections();
    let (code, took) = server.terminate().await;
    assert_eq!(code, Some(0));
    // It gives itself less than 10 s; what it does by then may take longer on a busy machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Cut off, or told that nobody can be asked now.
    let answer = question.await.unwrap();
    assert!(answer.as_ref().map_or(true, |answer| answer.status() == 503), "{answer:?}");
}
