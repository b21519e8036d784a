//! The SSH connection to a real OpenSSH server: sign-in, commands, and what happens when they break.
//! Each test has a server of its own.

use crate::remote_bench::{Bench, unreachable};
use crate::remote_environment::serve;
use crate::sshd::make_key;
use axum::response::IntoResponse;
use server::config::SshCredential;
use server::remote::{Remote, RemoteError};
use std::time::Duration;

fn cleanup_failure(result: Result<(), RemoteError>) -> String {
    match result {
        Err(RemoteError::Transient { message, .. }) => message.private().to_owned(),
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_key_that_does_not_let_us_in_says_why() {
    let bench = Bench::start();
    make_key(&bench.path("stranger"), "ed25519", "");
    make_key(&bench.path("locked"), "ed25519", "secret phrase");
    make_key(&bench.path("rsa"), "rsa", "");
    std::fs::write(bench.path("junk"), "junk").unwrap();
    let ask = async |file: &str| {
        let credential = SshCredential::IdentityFile(bench.path(file));
        bench.environment_with(|ssh| ssh.credential = credential).repository.branches().await
    };
    for (file, words) in [
        ("stranger", "authorized_keys"),
        ("locked", "is encrypted"),
        ("junk", "no private key"),
        ("missing", "can't read ssh.identity_file"),
    ] {
        let message = unreachable(ask(file).await);
        assert!(message.contains(words), "{file}: {message}");
    }
    std::fs::copy(bench.path("rsa.pub"), bench.path("authorized_keys")).unwrap();
    assert!(ask("rsa").await.is_ok(), "{:?}", ask("rsa").await);
}

#[tokio::test]
async fn a_cut_connection_is_replaced_without_a_failure() {
    let bench = Bench::start();
    let environment = bench.environment();
    for round in 1..=3 {
        assert_eq!(environment.server.clean_up("42").await, Ok(()));
        assert_eq!(bench.sshd.connection_count(), round);
        bench.sshd.cut_connections();
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_under_a_command_gets_a_second_try() {
    let bench = Bench::start();
    let flag = bench.path("flag");
    let environment = bench.environment_with(|ssh| {
        ssh.commands.cleanup = format!("test -e {0} || {{ touch {0}; kill -9 $PPID; sleep 30; }}", flag.display());
        ssh.commands.branches = "true".into();
    });
    environment.repository.branches().await.unwrap();
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    assert_eq!(bench.sshd.connection_count(), 2);
}

#[tokio::test]
async fn a_frozen_connection_is_replaced_instead_of_waited_for() {
    let bench = Bench::start();
    let environment = bench.environment();
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    bench.sshd.freeze_connections();
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    assert_eq!(bench.sshd.connection_count(), 2);
}

#[tokio::test]
async fn at_most_four_commands_run_at_once_over_one_connection() {
    let bench = Bench::start();
    let environment = bench.environment_with(|ssh| {
        ssh.commands.cleanup =
            "touch {workspace_root}/{queue_id}; ls {workspace_root} | wc -l >> {workspace_root}.log; \
                                sleep 0.2; rm {workspace_root}/{queue_id}"
                .into();
    });
    let queue_ids: Vec<String> = (1..=12).map(|n| n.to_string()).collect();
    let results = futures_util::future::join_all(queue_ids.iter().map(|id| environment.server.clean_up(id))).await;
    assert_eq!(results, vec![Ok(()); 12]);
    let log = std::fs::read_to_string(bench.path("workspaces.log")).unwrap();
    let most = log.lines().map(|line| line.trim().parse::<usize>().unwrap()).max().unwrap();
    assert!((2..=4).contains(&most), "{log}");
    assert_eq!(bench.sshd.connection_count(), 1);
}

#[tokio::test]
async fn cleaning_up_removes_the_queues_workspace_and_nothing_else() {
    let bench = Bench::start();
    std::fs::create_dir_all(bench.path("workspaces/42/deep/down")).unwrap();
    std::fs::create_dir_all(bench.path("workspaces/43")).unwrap();
    let server = bench.environment().server;
    for _ in 0..2 {
        assert_eq!(server.clean_up("42").await, Ok(()));
    }
    assert!(!bench.path("workspaces/42").exists() && bench.path("workspaces/43").exists());
    cleanup_failure(server.clean_up("..").await);
    assert!(bench.path("workspaces/43").exists());
}

#[tokio::test]
async fn a_command_that_does_not_end_well_is_a_failure_that_says_how() {
    let bench = Bench::start();
    let clean_up = async |command: &str, timeout: Duration| {
        let environment = bench.environment_with(|ssh| {
            ssh.commands.cleanup = command.into();
            ssh.timeout = timeout;
        });
        cleanup_failure(environment.server.clean_up("42").await)
    };
    let long = Duration::from_mins(1);
    let message = clean_up("echo out; echo no space >&2; exit 3", long).await;
    assert!(message.ends_with("ended with exit status 3: no space"), "{message}");
    let message = clean_up("kill -TERM $$; sleep 5", long).await;
    assert!(message.contains("ended by signal TERM"), "{message}");
    let message = clean_up("head -c 9000000 /dev/zero; sleep 60", long).await;
    assert!(message.contains("more than 8 MiB"), "{message}");
    let message = clean_up("sleep 60", Duration::from_millis(300)).await;
    assert!(message.contains("did not end within 0.3 s"), "{message}");
}

#[tokio::test]
async fn output_after_the_exit_status_is_not_lost() {
    let bench = Bench::start();
    let commit = "a1".repeat(20);
    let lines = 50_000;
    let environment = bench.environment_with(|ssh| {
        ssh.commands.branches = format!(
            "(sleep 0.3; seq -f '{commit}%tt' {lines} >&2; \
             seq {lines} | sed 's|^|{commit}\\trefs/heads/b|') & exit 0"
        );
    });
    assert_eq!(environment.repository.branches().await.unwrap().len(), lines);
}

#[tokio::test]
async fn nobody_at_the_port_and_a_silent_port_are_failures_in_time() {
    let bench = Bench::start();
    let nobody = bench.environment_with(|ssh| ssh.port = 1);
    assert!(unreachable(nobody.repository.branches().await).contains("can't connect to 127.0.0.1:1"));
    let url = serve(|_| async { "not SSH".into_response() }).await;
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let wrong = bench.environment_with(|ssh| ssh.port = port);
    unreachable(wrong.repository.branches().await);
}

#[tokio::test]
async fn a_server_that_takes_few_sessions_at_once_is_asked_one_after_the_other() {
    let bench = Bench::start();
    let commit = bench.commit("smoke/more");
    for most in [1, 2] {
        bench.sshd.reconfigure(&format!("MaxSessions {most}"));
        bench.sshd.bashrc("sleep 0.3");
        let environment = bench.environment();
        let branches = ["b1", "b2", "b3", "b4", "b5"];
        for branch in branches {
            bench.push(branch);
        }
        let asked = branches.map(|branch| environment.repository.resolve(branch));
        for (branch, found) in branches.iter().zip(futures_util::future::join_all(asked).await) {
            assert_eq!(found.as_deref(), Ok(commit.as_str()), "{branch}, {most}");
        }
        assert_eq!(environment.server.clean_up("42").await, Ok(()));
    }
    assert_eq!(bench.sshd.connection_count(), 2, "one connection for each environment");
}

#[tokio::test]
async fn a_connection_over_which_no_session_can_be_had_is_not_kept() {
    let bench = Bench::start();
    let environment = bench.environment();
    bench.sshd.reconfigure("MaxSessions 0");
    assert!(unreachable(environment.repository.resolve("main").await).contains("see its MaxSessions"));
    // What a server's configuration says holds for connections to come.
    bench.sshd.reconfigure("MaxSessions 10");
    assert!(environment.repository.resolve("main").await.is_ok());
}

#[tokio::test]
async fn a_server_that_exchanges_keys_by_nist_curves_alone_is_reached() {
    let bench = Bench::start();
    bench.sshd.reconfigure("KexAlgorithms ecdh-sha2-nistp256");
    assert!(bench.environment().repository.resolve("main").await.is_ok());
}
