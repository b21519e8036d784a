//! A login shell that prints before or after commands, over a real OpenSSH server: a greeting, a notice, a broken
//! wrapper. What it prints must never make a list shorter, and nothing wrong is remembered.

use crate::remote_bench::{Bench, unreachable};
use crate::test_app::{Answer, Client, TestApp};
use serde_json::json;
use server::remote::{QuestionError, Remote};

/// On standard output, before and after a command's own.
const TALK: [&str; 13] = [
    "echo Welcome to bench-a",
    "printf 'Welcome to bench-a'",
    "printf 'Welcome\\r\\n'",
    "printf '\\n'",
    "printf '\\0'",
    "printf 'Welcome\\0'",
    "printf '\\033[1;32mready\\033[0m\\n'",
    "printf '\\377\\376\\375'",
    "printf 'module\\tload\\n'",
    "head -c 3000000 /dev/urandom",
    "head -c 9000000 /dev/zero",
    "echo Loading modules; sleep 0.05; echo done",
    "trap 'echo bye' EXIT",
];

struct Lab {
    bench: Bench,
    app: TestApp,
    ada: Client,
    root: Client,
}

impl Lab {
    async fn start() -> Self {
        let bench = Bench::start();
        let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
        let (ada, root) = (app.user("ada").await, app.admin("root").await);
        Self { bench, app, ada, root }
    }
}

async fn ask_all(client: &Client) -> [Answer; 3] {
    let branch = json!({ "branch_name": "main" });
    [
        client.get("/api/branches").await,
        client.post("/api/validate_branch", branch).await,
        client.get("/api/scenarios?branch=main").await,
    ]
}

#[tokio::test]
async fn whatever_a_login_shell_prints_is_told_and_never_read_as_an_answer() {
    let lab = Lab::start().await;
    for talk in TALK {
        lab.bench.sshd.bashrc(talk);
        for (client, is_admin) in [(&lab.ada, false), (&lab.root, true)] {
            for answer in ask_all(client).await {
                let problem = answer.problem();
                assert_eq!(problem.code.as_str(), "environment_unreachable", "{talk}: {answer:?}");
                let says_so = problem.detail.contains("the login shell prints text");
                assert!(says_so || talk.contains("9000000"), "{talk}: {}", problem.detail);
                assert_eq!(problem.detail.contains("git -C"), is_admin, "{talk}: {}", problem.detail);
            }
        }
        if talk.contains("Welcome to") {
            let detail = lab.root.get("/api/branches").await.problem().detail;
            assert!(detail.contains("Welcome to bench-a"), "{detail}");
        }
    }
    // The moment it is silent, all is as it should be: nothing wrong was remembered.
    lab.bench.sshd.bashrc("");
    for answer in ask_all(&lab.ada).await {
        answer.expect(200);
    }
    assert_eq!(lab.ada.get("/api/scenarios?branch=main").await.expect(200)["scenarios"], json!(["smoke/boot"]));
    drop(lab.app);
}

#[tokio::test]
async fn a_shell_that_talks_on_standard_error_harms_nothing() {
    let lab = Lab::start().await;
    lab.bench.sshd.bashrc("echo Welcome >&2; printf '\\0\\377' >&2; head -c 100000 /dev/urandom >&2");
    let commit = lab.bench.commit("net.py");
    lab.bench.push("new");
    let found = lab.ada.get("/api/scenarios?branch=new").await.expect(200);
    assert_eq!((found["commit"].as_str(), &found["scenarios"]), (Some(&*commit), &json!(["net", "smoke/boot"])));
    assert_eq!(lab.bench.environment().repository.commit_is_present(&"a1".repeat(20)).await, Ok(false));
    drop(lab.app);
}

#[tokio::test]
async fn a_shell_that_talks_now_and_then_costs_a_try_and_no_scenario() {
    let bench = Bench::start();
    for name in ["a.sh", "b.sh", "c.sh"] {
        bench.commit(name);
    }
    bench.push("main");
    let count = bench.path("count");
    bench.sshd.bashrc(&format!("echo x >> {0}; (($(wc -l < {0}) % 3)) || echo Welcome", count.display()));
    let mut answers = 0;
    for _ in 0..6 {
        // New each time, so that nothing is remembered from the one before.
        match bench.environment().repository.read_branch("main").await {
            Ok((_, list)) => {
                assert_eq!(list.scenarios, ["a", "b", "c", "smoke/boot"]);
                answers += 1;
            }
            Err(QuestionError::Unreachable(failure)) => {
                assert!(failure.public().contains("the login shell prints text"), "{failure}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(answers > 0);
}

#[tokio::test]
async fn commands_whose_exit_status_is_their_answer_work_under_a_talking_shell() {
    let bench = Bench::start();
    bench.sshd.bashrc("echo Welcome; trap 'echo bye' EXIT");
    std::fs::create_dir_all(bench.path("workspaces/42/deep")).unwrap();
    let environment = bench.environment();
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    assert!(!bench.path("workspaces/42").exists());
    assert_eq!(environment.repository.commit_is_present(&"a1".repeat(20)).await, Ok(false));
    // One that is there is found, whatever stands around git's silence.
    bench.sshd.bashrc("");
    let commit = environment.repository.resolve("main").await.unwrap();
    bench.sshd.bashrc("echo Welcome");
    assert_eq!(environment.repository.commit_is_present(&commit).await, Ok(true));
}

#[tokio::test]
async fn a_command_that_ends_well_with_something_else_than_git_is_a_failure_of_the_server() {
    let bench = Bench::start();
    for words in ["echo This account is for menus only", "printf '\\377\\376'", "printf '%s refs' HEAD", "echo '{}'"] {
        let environment = bench.environment_with(|ssh| {
            ssh.commands.validate = words.into();
            ssh.commands.branches = words.into();
            ssh.commands.scenarios = words.into();
        });
        for message in [
            unreachable(environment.repository.resolve("main").await),
            unreachable(environment.repository.branches().await),
        ] {
            assert!(message.contains("prints text"), "{words}: {message}");
        }
        let commit = bench.environment().repository.resolve("main").await.unwrap();
        let message = unreachable(environment.repository.scenarios("main", &commit).await);
        assert!(message.contains("prints text"), "{words}: {message}");
    }
}
