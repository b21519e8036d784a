//! A login shell that does something else than run the command, over a real OpenSSH server: it reads what
//! nobody types. And what git and the system say of it in words of their own.

use crate::remote_bench::{Bench, git, unreachable};
use server::remote::{QuestionError, Remote};
use std::time::{Duration, Instant};

#[tokio::test]
async fn what_reads_before_a_command_finds_the_end_instead_of_waiting_for_it() {
    let bench = Bench::start();
    let start = Instant::now();
    bench.sshd.bashrc("read -r -p 'Proxy? ' proxy; cat; export proxy");
    let environment = bench.environment();
    assert_eq!(environment.repository.read_branch("main").await.unwrap().1.scenarios, ["smoke/boot"]);
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_command_past_its_time_is_told_with_what_it_had_printed() {
    let bench = Bench::start();
    let with = |command: &str| {
        bench.environment_with(|ssh| {
            ssh.commands.branches = command.into();
            ssh.timeout = Duration::from_secs(1);
        })
    };
    let message = unreachable(with("sleep 60").repository.branches().await);
    assert!(message.contains("printed nothing") && message.contains("standard input is closed"), "{message}");
    let message = unreachable(with("echo Choose a menu: >&2; sleep 60").repository.branches().await);
    assert!(message.contains("had printed \"Choose a menu:"), "{message}");
}

#[tokio::test]
async fn commands_speak_english_where_the_server_lets_them() {
    let bench = Bench::start();
    bench.sshd.reconfigure("AcceptEnv LANG LC_*");
    bench.sshd.bashrc("LANG=de_DE.UTF-8; echo \"[$LC_ALL]\" >&2");
    let broken = bench.environment_with(|ssh| ssh.repository = "/nonexistent".into()).repository;
    let message = unreachable(broken.branches().await);
    assert!(message.contains("[C]"), "{message}");
}

#[tokio::test]
async fn reasons_of_git_and_the_shell_are_not_taken_for_one_another() {
    let bench = Bench::start();
    for (command, reason) in [
        (r#"echo "fatal: repository 'https://git.lab/x.git/' not found" >&2; exit 128"#, "(its origin is not there)"),
        (
            r#"echo "fatal: could not read Username for 'https://git.lab': terminal prompts disabled" >&2; exit 128"#,
            "(its origin wants a sign-in)",
        ),
        ("nonsuch --heads", "(command not found)"),
        ("sh -c nonsuch", "(command not found)"),
        ("echo gone not found >&2; exit 1", "status 1"),
    ] {
        let repository = bench.environment_with(|ssh| ssh.commands.branches = command.into()).repository;
        let Err(QuestionError::Unreachable(failure)) = repository.branches().await else { panic!("{command}") };
        assert!(failure.public().ends_with(reason), "{command}: {failure}");
        assert!(!failure.public().contains("git.lab"), "{failure}");
    }
}

#[tokio::test]
async fn a_clone_that_lost_objects_is_told_with_what_mends_it() {
    let bench = Bench::start();
    let clone = bench.path("repository");
    let commit = git(&clone, &["rev-parse", "HEAD"]);
    for tree in ["HEAD:scenarios", "HEAD^{tree}"] {
        let object = git(&bench.path("origin"), &["rev-parse", tree]);
        let file = clone.join(".git/objects").join(&object[..2]).join(&object[2..]);
        std::fs::remove_file(&file).unwrap();
        let Err(QuestionError::Unreachable(failure)) = bench.environment().repository.scenarios("main", &commit).await
        else {
            panic!("{tree}")
        };
        assert!(failure.public().contains("(the clone lacks objects"), "{tree}: {failure}");
        assert!(failure.private().contains("fetch --refetch origin"), "{tree}: {failure:?}");
        git(&clone, &["fetch", "-q", "--refetch", "origin"]);
        bench.environment().repository.scenarios("main", &commit).await.unwrap();
    }
}
