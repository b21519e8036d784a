//! A login shell that does something else than run the command, over a real OpenSSH server: it ends first, reads what
//! nobody types, or alters the command. And what git and the system say of it in words of their own.

use crate::remote_bench::{Bench, git, unreachable};
use crate::test_app::TestApp;
use serde_json::json;
use server::remote::{QuestionError, Remote};
use std::path::Path;
use std::time::{Duration, Instant};

/// Each ends every command before it runs, well and without git's words.
const ENDS: [&str; 5] = ["exit", "exit 0", "exec true", "exec cat", "echo This account is for menus only; exit"];

/// A commit that has no scenario.
fn push_empty(bench: &Bench, branch: &str) {
    git(&bench.work(), &["checkout", "-q", "--orphan", "none"]);
    git(&bench.work(), &["rm", "-rqf", "."]);
    git(&bench.work(), &["commit", "-q", "--allow-empty", "-m", "nothing"]);
    bench.push(branch);
}

fn line_count(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_shell_that_ends_before_the_command_is_told_and_its_silence_is_no_answer() {
    let bench = Bench::start();
    let commit = bench.environment().repository.resolve("main").await.unwrap();
    for end in ENDS {
        bench.sshd.bashrc(end);
        let repository = bench.environment().repository;
        for message in [
            unreachable(repository.branches().await),
            unreachable(repository.resolve("main").await),
            unreachable(repository.scenarios("main", &commit).await),
        ] {
            let is_told = message.contains("ends before it runs") || message.contains("prints text");
            assert!(is_told, "{end}: {message}");
        }
    }
    // Everybody reads what it is, and a pipeline that it is worth another try.
    bench.sshd.bashrc("exit");
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let body = json!({ "branch_name": "main", "scenarios": ["smoke/boot"] });
    let problem = ada.post("/api/submit_job", body).await.problem();
    assert_eq!(problem.code.as_str(), "environment_unreachable");
    assert!(problem.detail.contains("the login shell ends before it runs a command"), "{}", problem.detail);
    let environment = root.get("/api/environments").await.expect(200)["environments"][0].clone();
    assert_eq!(environment["ssh"], "failing");
    assert!(environment["ssh_error"].as_str().unwrap().contains("~/.bashrc"), "{environment}");
    // Nothing of it is remembered.
    bench.sshd.bashrc("");
    let found = ada.get("/api/scenarios?branch=main").await.expect(200);
    assert_eq!(found["scenarios"], json!(["smoke/boot"]));
}

#[tokio::test]
async fn a_workspace_is_not_taken_for_removed_by_a_shell_that_ends_early() {
    let bench = Bench::start();
    for end in ENDS {
        std::fs::create_dir_all(bench.path("workspaces/42/deep")).unwrap();
        bench.sshd.bashrc(end);
        let environment = bench.environment();
        let error = environment.server.clean_up("42").await.unwrap_err();
        assert!(error.private().contains("ends before it runs"), "{end}: {error:?}");
        assert!(error.to_string().contains("could not be removed"), "{error}");
        // And when a question has met it after the connection had been good.
        bench.sshd.bashrc("");
        environment.repository.resolve("main").await.unwrap();
        bench.sshd.bashrc("exit");
        unreachable(environment.repository.resolve("nope").await);
        assert!(environment.server.clean_up("42").await.is_err());
        bench.sshd.bashrc("");
        assert_eq!(environment.server.clean_up("42").await, Ok(()));
        assert!(!bench.path("workspaces/42").exists());
    }
}

/// Each runs the command, and always ends well.
const SWALLOWS: [&str; 3] = [
    "trap 'exit 0' EXIT",
    r#"sh -c "$SSH_ORIGINAL_COMMAND" | tee -a /dev/null; exit"#,
    r#"sh -c "$SSH_ORIGINAL_COMMAND"; exit 0"#,
];

#[tokio::test]
async fn a_shell_that_swallows_how_commands_end_is_told() {
    let bench = Bench::start();
    git(&bench.work(), &["commit", "-q", "--allow-empty", "-m", "not in the clone yet"]);
    bench.push("new");
    for swallows in SWALLOWS {
        // A forced command sees the wish in this variable; so does a start-up file that is given it.
        bench.sshd.bashrc(&format!("SSH_ORIGINAL_COMMAND=$BASH_EXECUTION_STRING; {swallows}"));
        let environment = bench.environment();
        for message in [
            unreachable(environment.repository.read_branch("new").await),
            unreachable(environment.repository.resolve("nope").await),
        ] {
            assert!(message.contains("swallows their exit status"), "{swallows}: {message}");
        }
        std::fs::create_dir_all(bench.path("workspaces/42")).unwrap();
        let error = environment.server.clean_up("42").await.unwrap_err();
        assert!(error.private().contains("swallows their exit status"), "{swallows}: {error:?}");
        assert!(bench.path("workspaces/42").exists());
        let checks = Box::pin(environment.check("test")).await;
        let wrong: Vec<_> = checks.iter().filter(|check| !check.ok).map(|check| check.detail.as_str()).collect();
        assert!(wrong.iter().any(|detail| detail.contains("swallows their exit status")), "{swallows}: {wrong:?}");
    }
}

/// Each ends a command before it runs, without a word on standard error, and not well.
const REFUSES: [&str; 4] =
    ["exit 1", "echo This account is currently not available.; exit 1", "exec false", "kill -9 $$"];

#[tokio::test]
async fn a_rerun_takes_no_shell_that_does_not_work_for_an_answer() {
    let bench = Bench::start();
    let config = bench.config_with(|_| {});
    let name = config.name.clone();
    let app = TestApp::with_environments(vec![config]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let body = json!({ "branch_name": "main", "scenarios": ["smoke/boot"] });
    ada.post("/api/submit_job", body).await.expect(201);
    // Of a commit that the repository does not have.
    let gone = format!("/api/job/{}/rerun", app.store_job("ada", &name, "main", &["smoke/boot"]).await);
    for shell in ENDS.into_iter().chain(REFUSES) {
        bench.sshd.bashrc(shell);
        for job in ["/api/job/1/rerun", &gone] {
            let problem = ada.post(job, json!({})).await.problem();
            assert_eq!(problem.code.as_str(), "environment_unreachable", "{shell}: {problem:?}");
        }
        let environment = root.get("/api/environments").await.expect(200)["environments"][0].clone();
        assert_eq!(environment["ssh"], "failing", "{shell}: {environment}");
    }
    bench.sshd.bashrc(SWALLOWS[0]);
    assert_eq!(ada.post(&gone, json!({})).await.code(), "environment_unreachable");
    // A start-up file that speaks of each command on standard error is none of these.
    for shell in ["", "set -x"] {
        bench.sshd.bashrc(shell);
        ada.post("/api/job/1/rerun", json!({})).await.expect(201);
        assert_eq!(ada.post(&gone, json!({})).await.code(), "commit_unavailable", "{shell}");
    }
}

#[tokio::test]
async fn a_rerun_believes_a_bare_exit_status_where_commands_run() {
    for (present, expected) in
        [("exit 1", 409), ("exit 128", 409), ("exit 0", 201), ("exit 127", 503), ("exit 137", 503), ("test -e /x", 409)]
    {
        let bench = Bench::start();
        let config = bench.config_with(|ssh| ssh.commands.present = present.into());
        let name = config.name.clone();
        let app = TestApp::with_environments(vec![config]).await;
        let ada = app.user("ada").await;
        app.store_job("ada", &name, "main", &["smoke/boot"]).await;
        let answer = ada.post("/api/job/1/rerun", json!({})).await;
        assert_eq!(answer.status.as_u16(), expected, "{present}: {}", answer.body);
    }
    // The contract's own command, of a server that answers it with yes whatever the commit.
    let bench = Bench::start();
    bench.sshd.bashrc("case $BASH_EXECUTION_STRING in *cat-file*) exit 0 ;; esac");
    let config = bench.config_with(|_| {});
    let name = config.name.clone();
    let app = TestApp::with_environments(vec![config]).await;
    let ada = app.user("ada").await;
    app.store_job("ada", &name, "main", &["smoke/boot"]).await;
    ada.post("/api/job/1/rerun", json!({})).await.expect(201);
}

#[tokio::test]
async fn a_shell_that_sends_words_elsewhere_is_told() {
    let bench = Bench::start();
    for elsewhere in [format!("exec > {}", bench.path("log").display()), "exec 1>&2".to_owned()] {
        bench.sshd.bashrc(&elsewhere);
        let repository = bench.environment().repository;
        for message in [
            unreachable(repository.branches().await),
            unreachable(repository.resolve("main").await),
            unreachable(repository.read_branch("main").await),
        ] {
            assert!(message.contains("sends standard output elsewhere"), "{elsewhere}: {message}");
        }
    }
}

#[tokio::test]
async fn where_commands_run_nothing_is_an_answer_and_the_usual_ones_cost_no_more_commands() {
    let bench = Bench::start();
    let commands = bench.path("commands");
    bench.sshd.bashrc(&format!("echo x >> {}", commands.display()));
    let environment = bench.environment();
    environment.repository.read_branch("main").await.unwrap();
    environment.repository.branches().await.unwrap();
    for queue in ["41", "42"] {
        assert_eq!(environment.server.clean_up(queue).await, Ok(()));
    }
    // validate, present, scenarios; branches; two clean-ups, the first of which makes sure that bad ends are told
    assert_eq!(line_count(&commands), 7);
    let first = bench.environment();
    for queue in ["41", "42"] {
        assert_eq!(first.server.clean_up(queue).await, Ok(()));
    }
    assert_eq!(line_count(&commands), 10);

    push_empty(&bench, "none");
    let (_, list) = environment.repository.read_branch("none").await.unwrap();
    assert!(list.scenarios.is_empty() && list.problems.is_empty(), "{list:?}");
    git(&bench.path(""), &["init", "-q", "--bare", "bare"]);
    git(&bench.path(""), &["clone", "-q", "bare", "empty"]);
    let empty = bench.environment_with(|ssh| ssh.repository = bench.path("empty").display().to_string()).repository;
    assert!(empty.branches().await.unwrap().is_empty());
    assert_eq!(empty.resolve("main").await, Err(QuestionError::BranchNotFound { branch: "main".into() }));
}

#[tokio::test]
async fn a_server_that_has_each_commit_may_lack_a_branch() {
    let bench = Bench::start();
    push_empty(&bench, "none");
    git(&bench.path("repository"), &["fetch", "-q"]);
    let environment = bench.environment_with(|ssh| ssh.commands.present = "true".into());
    let expected = Err(QuestionError::BranchNotFound { branch: "nope".into() });
    assert_eq!(environment.repository.resolve("nope").await, expected);
    assert!(environment.repository.read_branch("none").await.unwrap().1.scenarios.is_empty());
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
}

#[tokio::test]
async fn what_reads_before_a_command_finds_the_end_instead_of_waiting_for_it() {
    let bench = Bench::start();
    let start = Instant::now();
    bench.sshd.bashrc("read -r -p 'Proxy? ' proxy; cat; export proxy");
    let environment = bench.environment();
    assert_eq!(environment.repository.read_branch("main").await.unwrap().1.scenarios, ["smoke/boot"]);
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    // Another shell that waits for its commands.
    bench.sshd.bashrc("exec sh");
    assert!(unreachable(bench.environment().repository.branches().await).contains("another shell"));
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

/// Hands commands on as tcsh does (without the braces), and as zsh does with `extendedglob` where no file is named so.
/// Both leave alone what stands in quotes.
const ALTERING: [&str; 2] = [
    r#"case $BASH_EXECUTION_STRING in *"'^{"*) ;; *) exec sh -c "${BASH_EXECUTION_STRING//^\{commit\}/^commit}" ;; esac"#,
    r#"case $BASH_EXECUTION_STRING in *"'^{"*) ;; *^{*) echo "zsh:1: no matches found: ${BASH_EXECUTION_STRING##* }" >&2; exit 1 ;; esac"#,
];

#[tokio::test]
async fn a_shell_that_alters_a_command_is_told_and_no_branch_has_moved_for_it() {
    let bench = Bench::start();
    for altering in ALTERING {
        bench.sshd.bashrc(altering);
        let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
        let (ada, root) = (app.user("ada").await, app.admin("root").await);
        for (client, is_admin) in [(&ada, false), (&root, true)] {
            let body = json!({ "branch_name": "main", "scenarios": ["smoke/boot"] });
            let problem = client.post("/api/submit_job", body).await.problem();
            assert_eq!(problem.code.as_str(), "environment_unreachable", "{problem:?}");
            let told = if is_admin { "{commit}'^{commit}'" } else { "(the login shell alters the command)" };
            assert!(problem.detail.contains(told), "{problem:?}");
        }
        // As it is advised.
        let advised = bench.environment_with(|ssh| {
            ssh.commands.present = "git -C {repository} cat-file -e {commit}'^{commit}'".into();
        });
        assert_eq!(advised.repository.read_branch("main").await.unwrap().1.scenarios, ["smoke/boot"]);
        // A branch that is not there is none, whatever becomes of the question whether commands run.
        let expected = Err(QuestionError::BranchNotFound { branch: "nope".into() });
        assert_eq!(bench.environment().repository.resolve("nope").await, expected);
    }
}

#[tokio::test]
async fn a_fetch_that_ends_well_and_brings_nothing_is_not_the_branchs_fault() {
    let bench = Bench::start();
    bench.commit("new.sh");
    bench.push("main");
    // A wrapper that does not tell how git ended.
    let swallows = bench.environment_with(|ssh| {
        ssh.commands.fetch = "git -C {repository} fetch --quiet gone refs/heads/{branch} || true".into();
    });
    let message = unreachable(swallows.repository.read_branch("main").await);
    assert!(message.contains("the commit is still not there") && message.contains("'gone'"), "{message}");
    // One that says nothing looks as a branch does that moves at each look; administrators are told nevertheless.
    let config = bench.config_with(|ssh| ssh.commands.fetch = "true".into());
    let app = TestApp::with_environments(vec![config]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    assert_eq!(ada.get("/api/scenarios?branch=main").await.code(), "branch_moved");
    let environment = root.get("/api/environments").await.expect(200)["environments"][0].clone();
    assert!(environment["ssh_error"].as_str().unwrap().contains("look at the same clone"), "{environment}");
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
        ("echo b: Event not found. >&2; exit 1", "(the login shell alters the command)"),
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
