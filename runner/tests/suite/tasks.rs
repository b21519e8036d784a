//! One task's life: what it gets, what its exit means, and that nothing it started outlives it.
//! Process ids are told by the scenarios themselves.

use crate::files::NOBODY;
use crate::test_runner::{TestRunner, is_alive, is_alone, run_alone, statuses, tasks, until_dead};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Failed, Passed, Skipped};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

#[tokio::test]
async fn exit_codes_become_verdicts() {
    let scenarios = [
        ("smoke/pass", "true"),
        ("smoke/fail.sh", "exit 3"),
        ("smoke/skip", "exit 77"),
        ("a/error.py.sh", "exit 99"),
        ("a/kill", "kill -9 $$"),
    ];
    let server = TestRunner::start(&scenarios).await;
    let queue = server.run("42", &["smoke/pass", "smoke/fail", "smoke/skip", "a/error.py", "a/kill"]).await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed, Failed, Skipped, Error, Failed]));
    let codes: Vec<Option<i64>> = tasks(&queue).iter().map(|task| task.exit_code).collect();
    assert_eq!(codes, [Some(0), Some(3), Some(77), Some(99), None]);
    assert_eq!(tasks(&queue)[4].message, "killed by signal 9");
    assert!(queue.created_at <= queue.started_at && queue.started_at <= queue.finished_at);
}

#[tokio::test]
async fn a_task_gets_its_variables_and_the_checkout_of_its_commit() {
    let text = "env | grep -E '^(TESTARENA_|DEVICE)' | sort; pwd; git rev-parse HEAD; cat; [ $$ = $(ps -o pgid= $$) ] && echo leads ${HOME-homeless}";
    let server = TestRunner::start_with(&[("smoke/env.sh", text)], |config| {
        config.slots = vec![BTreeMap::from([("DEVICE".to_owned(), "/dev/ttyUSB0".to_owned())])];
        // The variable that holds the token is not for tasks to see.
        config.token_env = Some("HOME".to_owned());
    })
    .await;
    server.run("lab.42", &["smoke/env"]).await;
    let expected = [
        "DEVICE=/dev/ttyUSB0".to_owned(),
        "TESTARENA_BRANCH=main".to_owned(),
        format!("TESTARENA_COMMIT={}", server.commit),
        "TESTARENA_QUEUE_ID=lab.42".to_owned(),
        format!("TESTARENA_RESULTS={}", server.config.data_dir.join("results/lab.42/1").display()),
        "TESTARENA_SCENARIO=smoke/env".to_owned(),
        "TESTARENA_SLOT=0".to_owned(),
        "TESTARENA_TASK_ID=lab.42-1".to_owned(),
        server.workspace("lab.42").display().to_string(),
        server.commit.clone(),
        "leads homeless".to_owned(),
    ];
    assert_eq!(server.client.log("lab.42-1").await.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn both_outputs_are_one_log_in_order() {
    let server = TestRunner::start(&[("a", "for i in 1 2 3; do echo out $i; echo err $i >&2; done")]).await;
    server.run("42", &["a"]).await;
    assert_eq!(server.client.log("42-1").await, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[tokio::test]
async fn progress_lines_show_while_the_task_runs() {
    let text = "echo '::progress 0.4 3 of 7 checks'; while ! [ -e go ]; do sleep 0.05; done; exit 1";
    let server = TestRunner::start(&[("a", text)]).await;
    server.submit("42", &["a"]).await;
    let queue = server.client.until("42", |queue| tasks(queue)[0].progress.is_some()).await;
    let task = &tasks(&queue)[0];
    assert_eq!((task.progress, task.message.as_str(), task.log_size), (Some(0.4), "3 of 7 checks", Some(29)));
    std::fs::write(server.workspace("42").join("go"), "").unwrap();
    let queue = server.client.ended("42").await;
    let task = &tasks(&queue)[0];
    assert_eq!((task.status, task.progress, task.message.as_str()), (Failed, Some(0.4), "3 of 7 checks"));
}

#[tokio::test]
async fn a_task_past_its_time_is_an_error_and_gone() {
    let text = "trap 'echo told' TERM; echo pid $$; while true; do sleep 0.1; done";
    let server = TestRunner::start_with(&[("a", text)], |config| config.task_timeout = Duration::from_secs(3)).await;
    let start = Instant::now();
    let queue = server.run("42", &["a"]).await;
    assert!(start.elapsed() >= Duration::from_secs(8), "SIGKILL comes 5 s after SIGTERM");
    let task = &tasks(&queue)[0];
    assert_eq!((task.status, task.message.as_str(), task.exit_code), (Error, "timed out after 3 s", None));
    assert_eq!(queue.status, QueueStatus::Finished);
    let log = server.client.log("42-1").await;
    assert!(log.contains("told"));
    until_dead(&pids(&log)[0]).await;
}

#[tokio::test]
async fn an_abort_kills_grandchildren_too() {
    let text =
        "(sleep 600 & echo pid $!; exec sleep 601) & echo pid $!; setsid sleep 602 & echo pid $!; echo ready; wait";
    let server = TestRunner::start(&[("a", text)]).await;
    server.submit("42", &["a"]).await;
    let mut log = server.client.logged("42-1", "ready").await;
    // Each tells its own, whenever it gets to that.
    let start = Instant::now();
    while pids(&log).len() < 3 {
        assert!(start.elapsed() < Duration::from_secs(30), "still {log:?}");
        log = server.client.log("42-1").await;
    }
    server.client.abort("42").await;
    assert_eq!(statuses(&server.client.ended("42").await), (QueueStatus::Aborted, vec![Aborted]));
    for pid in pids(&log) {
        assert!(!is_alive(&pid), "{pid}");
    }
}

#[tokio::test]
async fn nothing_of_a_task_outlives_its_main_process() {
    let server = TestRunner::start(&[("a", "sleep 600 & echo pid $!; setsid sleep 600 & echo pid $!; echo end")]).await;
    let queue = server.run("42", &["a"]).await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed]));
    let log = server.client.log("42-1").await;
    assert!(log.ends_with("end\n") && pids(&log).len() == 2, "{log}");
    for pid in pids(&log) {
        until_dead(&pid).await;
    }
}

#[tokio::test]
async fn somebody_who_escaped_with_the_pipe_does_not_hold_the_task_up() {
    // Without its environment it is no longer known as ours; it writes on for ever.
    let text = "setsid env -i /bin/sh -c 'echo pid $$; : > begun; while sleep 0.01; do echo more; done' &
        while ! [ -e begun ]; do sleep 0.05; done; echo end";
    let server = TestRunner::start(&[("a", text)]).await;
    let queue = server.run("42", &["a"]).await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed]));
    let log = server.client.log("42-1").await;
    assert!(log.contains("end\n"));
    let size = tasks(&queue)[0].log_size;
    assert_eq!(size, Some(log.len() as u64));
    // With its pipe closed it dies by itself.
    until_dead(&pids(&log)[0]).await;
}

#[tokio::test]
async fn a_scenario_that_can_not_start_is_an_error() {
    let server = TestRunner::start(&[("a", "true")]).await;
    let source = server.folder.path().join("source");
    std::fs::write(source.join("scenarios/a"), "#!/no/such/interpreter\n").unwrap();
    server.git_at_source(&["commit", "--quiet", "--all", "--message", "broken"]);
    let queue = server.queue_of_newest("42", &["a"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let queue = server.client.ended("42").await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Error]));
    assert!(tasks(&queue)[0].message.starts_with("scenarios/a could not be run: "), "{:?}", tasks(&queue)[0]);
}

#[tokio::test]
async fn a_file_that_is_no_program_is_an_error_in_clear_words() {
    let files: [(&str, &[u8], &str); 8] = [
        ("a", b"#!/bin/sh\r\necho hi\r\n", "the interpreter \"/bin/sh\\r\", with a carriage return"),
        ("b", b"#!/usr/bin/env bash\r\necho hi\r\n", "with a carriage return"),
        ("c", b"#!/bin/sh -e\r\necho hi\r\n", "with a carriage return"),
        ("d", b"echo hi\n", "has no #! line"),
        ("e", b"\xef\xbb\xbf#!/bin/sh\necho hi\n", "byte order mark"),
        ("f", b"", "is empty"),
        ("g", b"#!/no/such/interpreter\n", "\"/no/such/interpreter\" is not on this bench"),
        ("h", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\x7f", "another kind of processor"),
    ];
    let names: Vec<(&str, &str)> = files.iter().map(|(name, _, _)| (*name, "true")).collect();
    let server = TestRunner::start(&names).await;
    for (name, bytes, _) in &files {
        std::fs::write(server.folder.path().join("source/scenarios").join(name), bytes).unwrap();
    }
    server.git_at_source(&["-c", "core.autocrlf=false", "commit", "--quiet", "--all", "--message", "odd"]);
    let scenarios: Vec<&str> = files.iter().map(|(name, _, _)| *name).collect();
    let queue = server.queue_of_newest("42", &scenarios);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    let ended = server.client.ended("42").await;
    for (task, (_, _, words)) in tasks(&ended).iter().zip(files) {
        assert_eq!(task.status, Error, "{task:?}");
        assert!(task.message.contains(words), "{}", task.message);
    }
}

#[tokio::test]
async fn progress_lines_are_words_and_nothing_more() {
    let odd = "printf '::progress 0.5 a\\0b\\033[31mc\\377\\r\\n'; for x in NaN 1e999 -1 2 x; do echo \"::progress $x bad\"; done";
    let many = "echo '::progress 1.0 all good'; seq -f '::progress 0.25 line %.0f' 1 200000; printf '::progress 0.75 last'; exit 1";
    let server = TestRunner::start(&[("odd", odd), ("many", many)]).await;
    let queue = server.run("42", &["odd", "many"]).await;
    assert_eq!(statuses(&queue), (QueueStatus::Finished, vec![Passed, Failed]));
    assert_eq!(tasks(&queue)[0].message, "abc\u{fffd}");
    assert_eq!((tasks(&queue)[1].progress, tasks(&queue)[1].message.as_str()), (Some(0.75), "last"));
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_do_not_grow_the_memory() {
    // Of this process the peak is measured, to which other tests would add.
    if !is_alone() {
        return run_alone("tasks::a_hundred_megabytes_of_output_do_not_grow_the_memory", |_| {});
    }
    let server = TestRunner::start(&[("a", "head -c 100000000 /dev/zero | tr '\\0' 'x'")]).await;
    let before = peak_memory_kb();
    let queue = server.run("42", &["a"]).await;
    assert_eq!(tasks(&queue)[0].log_size, Some(100_000_000));
    let grown = peak_memory_kb() - before;
    assert!(grown < 30_000, "{grown} KiB");
}

/// What scenarios told as `pid 123`.
fn pids(log: &str) -> Vec<String> {
    log.lines().filter_map(|line| line.strip_prefix("pid ")).map(str::to_owned).collect()
}

fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// As `sudo` does: what it starts is another user's, by its real name too.
#[tokio::test]
async fn what_another_users_rights_keep_alive_is_told() {
    if rustix::process::geteuid().is_root() {
        let folder = tempfile::tempdir().unwrap();
        let sudo = folder.path().join("sudo");
        std::fs::copy("/usr/bin/setpriv", &sudo).unwrap();
        for (path, mode) in [(folder.path(), 0o755), (&sudo, 0o4755)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        return run_alone("tasks::what_another_users_rights_keep_alive_is_told", |test| {
            test.uid(NOBODY).gid(NOBODY).env("TEST_SUDO", &sudo);
        });
    }
    if !is_alone() {
        return;
    }
    // It ends by itself after the test.
    let text = "$TEST_SUDO --reuid=0 --clear-groups /bin/sleep 60 >/dev/null 2>&1 & echo pid $!
        until grep -q '^Uid:.0' /proc/$!/status && grep -q sleep /proc/$!/comm; do sleep 0.02; done
        echo '::progress 0.5 half'";
    let server = TestRunner::start(&[("a", text), ("b", "true")]).await;
    let ended = server.run("1", &["a"]).await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]));
    let log = server.client.log("1-1").await;
    let pid = log.lines().next().unwrap().trim_start_matches("pid ");
    let words = format!("1 of its processes still runs, as it could not be ended: {pid} sleep");
    assert_eq!(tasks(&ended)[0].message, format!("half; {words}"));
    assert!(server.client.log("1").await.contains(&words));
    assert_eq!(tasks(&server.run("2", &["b"]).await)[0].message, "");
}
