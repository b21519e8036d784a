//! The command-line client: jobs from submission to deletion, with what it prints and how it exits.

use crate::client_desk::{Desk, Told, finish};
use serde_json::Value;

/// Status words and what they are about, without the times.
fn facts(out: &str) -> Vec<(&str, &str)> {
    out.lines()
        .map(|line| {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap();
            (word, rest.trim_start().split("  ").next().unwrap())
        })
        .collect()
}

fn bodies(told: &Told) -> Vec<Value> {
    told.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[tokio::test]
async fn a_job_that_is_waited_for_tells_its_verdict_by_the_exit_code() {
    let desk = Desk::set_up().await;
    let submit = |pattern: &'static str| {
        let words = ["job", "submit", "--branch", "main", "--scenario", pattern, "--wait"];
        finish(desk.client(&words))
    };
    let passed = submit("smoke/p*").await;
    assert_eq!((passed.code, passed.err.as_str()), (0, ""), "{passed:?}");
    assert!(passed.out.starts_with(&format!("1 {}/jobs/1\n", desk.url)), "{}", passed.out);
    let last = passed.out.lines().last().unwrap();
    assert!(last.starts_with("passed       job 1: 1 passed in "), "{last}");
    assert!(facts(&passed.out).contains(&("passed", "smoke/pass")), "{}", passed.out);

    let failed = submit("*smoke*").await;
    assert_eq!(failed.code, 1, "{failed:?}");
    for fact in [("failed", "smoke/fail"), ("error", "smoke/error"), ("skipped", "smoke/skip")] {
        assert!(facts(&failed.out).contains(&fact), "{fact:?}: {}", failed.out);
    }
    let last = failed.out.lines().last().unwrap();
    assert!(last.starts_with("failed       job 2: 1 passed, 1 failed, 1 error, 1 skipped in "), "{last}");
    assert_eq!(submit("smoke/error").await.code, 2);

    for (id, code) in [("1", 0), ("2", 1), ("#3", 2)] {
        assert_eq!(desk.run(&["job", "wait", id]).await.code, code, "job {id}");
        // Showing is no waiting.
        assert_eq!(desk.run(&["job", "show", id]).await.code, 0, "job {id}");
    }
    let slow = desk.submit(&["slow"]).await;
    desk.job_when(&slow, |job| job["status"] == "in_progress").await;
    let waiting = tokio::spawn(finish(desk.client(&["job", "wait", &slow])));
    assert_eq!(desk.good(&["job", "abort", &slow]).await, format!("job {slow} is being aborted at bench\n"));
    let aborted = waiting.await.unwrap();
    assert_eq!(aborted.code, 2);
    assert!(aborted.out.lines().last().unwrap().ends_with(", by ada"), "{}", aborted.out);
}

#[tokio::test]
async fn json_is_the_apis_bodies_one_to_a_line() {
    let desk = Desk::set_up().await;
    let words = ["job", "submit", "--branch", "main", "--scenario", "smoke/*", "--wait", "--json"];
    let waited = desk.run(&words).await;
    let jobs = bodies(&waited);
    assert_eq!((waited.code, jobs[0]["id"].as_i64(), jobs[0]["status"].as_str()), (1, Some(1), Some("waiting")));
    assert_eq!(jobs.last().unwrap()["status"], "failed");
    let changes = jobs.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(changes, "a body is there twice: {}", waited.out);
    for (words, key) in [
        (&["job", "show", "1"][..], "tasks"),
        (&["job", "wait", "1"], "tasks"),
        (&["job", "list"], "jobs"),
        (&["job", "list", "--mine", "--limit", "1"], "next_cursor"),
        (&["job", "rerun", "--failed", "1"], "rerun_of"),
        (&["job", "log", "1", "smoke/pass"], "lines"),
        (&["job", "log", "1", "-f", "--tail", "1"], "total"),
        (&["env", "list"], "environments"),
        (&["branches"], "branches"),
        (&["scenarios", "--branch", "main"], "scenarios"),
        (&["job", "delete", "1"], "delete_requested"),
    ] {
        let told = desk.run(&[words, &["--json"]].concat()).await;
        let found = bodies(&told);
        assert!(found.first().is_some_and(|body| body.get(key).is_some()), "{words:?}: {told:?}");
    }
    let refused = desk.run(&["job", "show", "99", "--json"]).await;
    assert_eq!((refused.code, &bodies(&refused)[0]["code"]), (3, &Value::from("not_found")));
    let refused = desk.run(&["job", "abort", "98", "99", "--json"]).await;
    assert_eq!((refused.code, bodies(&refused).len()), (3, 2));
}

#[tokio::test]
async fn lists_are_plain_columns_for_scripts() {
    let desk = Desk::set_up().await;
    let pass = desk.submit(&["smoke/pass"]).await;
    let fail = desk.submit(&["smoke/fail", "smoke/pass", "smoke/fail"]).await;
    for id in [&pass, &fail] {
        desk.run(&["job", "wait", id]).await;
    }
    let ids = |out: String| -> Vec<String> {
        out.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let list = async |more: &[&str]| ids(desk.good(&[&["job", "list"], more].concat()).await);
    assert_eq!(list(&[]).await, ["2", "1"]);
    assert_eq!(list(&["--mine", "--status", "failed"]).await, ["2"]);
    assert_eq!(list(&["--status", "failed", "--status", "passed", "--branch", "main"]).await, ["2", "1"]);
    assert_eq!(list(&["--branch", "other"]).await, [""; 0]);
    assert_eq!(list(&["--limit", "1"]).await, ["2"]);
    assert_eq!(list(&["--search", "1"]).await, ["1"]);
    let listed = desk.good(&["job", "list", "--limit", "1"]).await;
    assert!(
        listed.starts_with("2  failed  bench  main  ada  20") && listed.ends_with("1 passed, 1 failed\n"),
        "{listed}"
    );
    let shown = desk.good(&["job", "show", "2"]).await;
    assert!(shown.contains("status       failed\n") && shown.contains("exit code 1"), "{shown}");
    assert!(desk.good(&["env", "list"]).await.starts_with("bench  ok  2  "));
    assert_eq!(ids(desk.good(&["branches"]).await), ["main"]);
    let scenarios = desk.good(&["scenarios", "--branch", "main", "--environment", "bench"]).await;
    assert!(scenarios.lines().any(|line| line == "smoke/pass"), "{scenarios}");
}

#[tokio::test]
async fn what_is_refused_exits_with_3_and_says_why() {
    let desk = Desk::set_up().await;
    let submit = |more: &[&'static str]| [&["job", "submit", "--branch", "main"], more].concat();
    for (words, why) in [
        (submit(&["--scenario", "smoke/*", "wifi/*"]), "no scenario of branch \"main\" matches \"wifi/*\"\n"),
        (submit(&["--scenario", "wifi"]), "no scenario \"wifi\""),
        (submit(&["--scenario", "slow", "--environment", "nowhere"]), "(environment_not_found)"),
        (submit(&["--scenario", "slow", "--timeout", "0"]), "timeout_s"),
        (submit(&[]), "--scenario <PATTERN>"),
        (vec!["job", "submit", "--branch", "nope", "--scenario", "*"], "(branch_not_found)"),
        (vec!["scenarios", "--branch", "nope"], "`testarena branches` shows"),
        (vec!["job", "show", "99"], "there is no job 99 (not_found)"),
        (vec!["job", "wait", "99"], "there is no job 99 (not_found)"),
        (vec!["job", "log", "99", "-f"], "there is no job 99 (not_found)"),
        (vec!["job", "show", "latest"], "a job has a number, such as 42"),
        (vec!["job", "list", "--status", "done"], "[possible values: waiting, in_progress,"),
        (vec!["job", "rerun", "--failed", "99"], "job 99: Not found"),
        (vec!["job"], "Usage: testarena job"),
        (vec!["jobs"], "unrecognized subcommand"),
        (vec!["man", "jobs"], "there is no command \"jobs\""),
    ] {
        let told = desk.run(&words).await;
        assert!(told.code == 3 && told.err.contains(why), "{words:?}: {told:?}");
        assert_eq!(told.out, "", "{words:?}");
    }
    assert_eq!(desk.run(&["job", "list", "--help"]).await.code, 0);
    let id = desk.submit(&["smoke/pass"]).await;
    desk.run(&["job", "wait", &id]).await;
    let told = desk.run(&["job", "log", &id, "smoke/fail"]).await;
    assert!(told.code == 3 && told.err.contains("1-1  smoke/pass"), "{told:?}");
    // One that can't be aborted keeps no other from it.
    let slow = desk.submit(&["slow"]).await;
    let told = desk.run(&["job", "abort", &id, &slow]).await;
    assert!(told.code == 3 && told.err.contains(&format!("job {id}: Job has ended")), "{told:?}");
    assert_eq!(desk.run(&["job", "wait", &slow]).await.code, 2);
}

#[tokio::test]
async fn a_job_is_run_again_reported_and_deleted() {
    let desk = Desk::set_up().await;
    let id = desk.submit(&["smoke/fail", "smoke/pass"]).await;
    desk.run(&["job", "wait", &id]).await;
    let again = desk.good(&["job", "rerun", "--failed", &id]).await;
    assert_eq!(again, format!("2 {}/jobs/2\n", desk.url));
    let job = desk.job("2").await;
    assert_eq!((&job["rerun_of"], &job["scenarios"]), (&Value::from(1), &serde_json::json!(["smoke/fail"])));
    let report = desk.home().join("report.xml");
    std::fs::create_dir_all(desk.home()).unwrap();
    assert_eq!(desk.good(&["job", "junit", &id, "-o", report.to_str().unwrap()]).await, "");
    let xml = desk.good(&["job", "junit", &id]).await;
    assert_eq!(std::fs::read_to_string(report).unwrap(), xml);
    // The end of a failed task's log is in it, also when it is asked for at once.
    assert!(xml.starts_with("<?xml") && xml.contains("it breaks"), "{xml}");
    let told = desk.run(&["job", "junit", &id, "-o", "/nowhere/report.xml"]).await;
    assert!(told.code == 3 && told.err.contains("/nowhere/report.xml can't be written"), "{told:?}");
    let told = desk.good(&["job", "delete", &id]).await;
    assert!(told.starts_with("job 1 is "), "{told}");
}

#[tokio::test]
async fn the_same_key_makes_the_same_job() {
    let desk = Desk::set_up().await;
    let submit = |scenario: &'static str| {
        ["job", "submit", "--branch", "main", "--scenario", scenario, "--idempotency-key", "build-7"]
    };
    let first = desk.good(&submit("smoke/pass")).await;
    assert_eq!(desk.good(&submit("smoke/pass")).await, first);
    let other = desk.run(&submit("smoke/fail")).await;
    assert!(other.code == 3 && other.err.contains("(idempotency_key_reused)"), "{other:?}");
    assert_ne!(desk.submit(&["smoke/pass"]).await, desk.submit(&["smoke/pass"]).await);
}
