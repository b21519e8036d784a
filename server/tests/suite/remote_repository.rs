//! Questions about branches, commits and scenarios, asked over SSH of a real git repository.
//! Branches move and vanish while they are read, and servers are set up wrongly.

use crate::remote_bench::{Bench, unreachable};
use server::remote::QuestionError;

#[tokio::test]
async fn branches_commits_and_scenarios_come_from_git() {
    let bench = Bench::start();
    let commit = bench.commit("net.py");
    bench.push("it's;touch$(x)");
    bench.push("evil/refs/heads/main");
    let repository = bench.environment().repository;

    let branches = repository.branches().await.unwrap();
    let names: Vec<&str> = branches.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names, ["main", "evil/refs/heads/main", "it's;touch$(x)"]);
    assert_ne!(repository.resolve("main").await.unwrap(), commit);
    assert_eq!(repository.resolve("it's;touch$(x)").await.unwrap(), commit);

    // The repository beside the server has not seen this commit: it is fetched.
    assert!(!repository.commit_is_present(&commit).await.unwrap());
    let list = repository.scenarios("it's;touch$(x)", &commit).await.unwrap();
    assert_eq!(list.scenarios, ["net", "smoke/boot"]);
    assert!(list.problems.is_empty());
    assert!(repository.commit_is_present(&commit).await.unwrap());
    assert_eq!(bench.sshd.connection_count(), 1);
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_told_apart_from_a_server_that_can_not_look() {
    let bench = Bench::start();
    let repository = bench.environment().repository;
    for branch in ["nope", "heads/main", "-x", "a b", ""] {
        let expected = Err(QuestionError::BranchNotFound { branch: branch.to_owned() });
        assert_eq!(repository.resolve(branch).await, expected);
    }
    let broken = bench.environment_with(|ssh| ssh.repository = "/nonexistent".into()).repository;
    for message in [
        unreachable(broken.resolve("main").await),
        unreachable(broken.branches().await),
        unreachable(broken.commit_is_present(&"a1".repeat(20)).await),
    ] {
        assert!(message.contains("exit status 128") && message.contains("/nonexistent"), "{message}");
    }
}

#[tokio::test]
async fn a_branch_that_moved_while_it_was_read_is_reported() {
    let bench = Bench::start();
    let repository = bench.environment().repository;
    let gone = "a1".repeat(20);
    let scenarios = async |branch| repository.scenarios(branch, &gone).await.map(drop);
    assert_eq!(scenarios("main").await, Err(QuestionError::BranchMoved));
    assert_eq!(scenarios("nope").await, Err(QuestionError::BranchNotFound { branch: "nope".into() }));
    assert_eq!(repository.commit_is_present("HEAD").await, Ok(false));

    // After the move is known, the branch's new commit is what a retry gets.
    let old = repository.resolve("main").await.unwrap();
    // What is remembered grows no older while git is at work.
    tokio::time::pause();
    let new = bench.commit("new.sh");
    bench.push("main");
    tokio::time::resume();
    assert_eq!(repository.resolve("main").await.unwrap(), old);
    assert_eq!(scenarios("main").await, Err(QuestionError::BranchMoved));
    assert_eq!(repository.resolve("main").await.unwrap(), new);
}

#[tokio::test]
async fn those_who_ask_together_share_one_command() {
    let bench = Bench::start();
    let count = bench.path("count");
    let repository = bench
        .environment_with(|ssh| {
            ssh.commands.branches = format!("echo x >> {}; {}", count.display(), ssh.commands.branches);
        })
        .repository;
    let answers = tokio::join!(repository.branches(), repository.branches(), repository.branches());
    assert!(answers.0.is_ok() && answers.0 == answers.1 && answers.1 == answers.2);
    assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
}
