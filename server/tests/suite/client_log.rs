//! The command-line client: logs byte by byte, their ends, and as they grow.

use crate::client_desk::{Desk, PATIENCE, Working, finish, line_with};
use crate::client_outages::{JSON, answer, ask, running_job, stub};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncReadExt;

const BYTES: &[u8] = b"first\n\x1b[31mred\x1b[0m\r\n\xff\xfe\nno end";

#[tokio::test]
async fn a_log_is_printed_byte_by_byte_from_any_line_of_its_end() {
    let desk = Desk::set_up().await;
    let id = desk.submit(&["bytes"]).await;
    desk.job_when(&id, |job| job["logs"]["state"] == "complete").await;
    let read = async |more: &[&str]| {
        let words = [&["job", "log", &id, "bytes"], more].concat();
        desk.client(&words).output().await.unwrap().stdout
    };
    assert_eq!(read(&[]).await, BYTES);
    assert_eq!(read(&["-f"]).await, BYTES);
    for (lines, from) in [("0", BYTES.len()), ("1", 23), ("2", 20), ("3", 6), ("4", 0), ("99", 0)] {
        assert_eq!(read(&["--tail", lines]).await, &BYTES[from..], "the last {lines}");
        assert_eq!(read(&["-f", "--tail", lines]).await, &BYTES[from..], "the last {lines}, followed");
    }
    let by_task = desk.client(&["job", "log", &id, "1-1"]).output().await.unwrap().stdout;
    assert_eq!(by_task, BYTES);
    let queue = desk.good(&["job", "log", &id]).await;
    assert!(queue.contains("1-1"), "{queue}");
}

#[tokio::test]
async fn a_growing_log_is_followed_through_an_outage_until_the_task_has_ended() {
    let mut desk = Desk::set_up().await;
    let id = desk.submit(&["slow"]).await;
    let mut following = Working::start(desk.client(&["job", "log", &id, "slow", "--follow"]));
    assert_eq!(line_with(&mut following.out, "waiting").await, "waiting\n");
    desk.kill_server();
    line_with(&mut following.err, "Trying again for up to 10 minutes").await;
    desk.start_server();
    line_with(&mut following.err, "it answers again").await;
    desk.bench.open_gate();
    let mut rest = String::new();
    tokio::time::timeout(PATIENCE, following.out.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert!(rest.ends_with("done\n") && !rest.contains("waiting"), "{rest}");
    assert_eq!(following.code().await, 0);
}

#[tokio::test]
async fn whoever_follows_no_longer_is_told_that_the_job_goes_on() {
    let desk = Desk::set_up().await;
    let id = desk.submit(&["slow"]).await;
    for (more, signal, code) in [(&[][..], "-INT", 130), (&["--json"], "-TERM", 143)] {
        let words = [&["job", "log", &id, "slow", "-f"], more].concat();
        let mut following = Working::start(desk.client(&words));
        line_with(&mut following.out, "waiting").await;
        following.signal(signal);
        let said = line_with(&mut following.err, "goes on without you").await;
        assert_eq!(said, format!("testarena: job 1 goes on without you: {}/jobs/1\n", desk.url));
        assert_eq!(following.code().await, code);
    }
    assert_eq!(desk.job(&id).await["status"], "in_progress");
    desk.bench.open_gate();
}

#[tokio::test]
async fn a_reader_who_has_read_enough_ends_it_quietly() {
    let desk = Desk::set_up().await;
    let id = desk.submit(&["slow"]).await;
    desk.job_when(&id, |job| job["tasks"][0]["log_size"].as_u64() > Some(0)).await;
    let mut following = Working::start(desk.client(&["job", "log", &id, "slow", "-f"]));
    line_with(&mut following.out, "waiting").await;
    drop(following.out);
    desk.bench.open_gate();
    let mut said = String::new();
    following.err.read_to_string(&mut said).await.unwrap();
    let code = following.child.wait().await.unwrap().code().unwrap();
    assert_eq!((code, said.as_str()), (0, ""));
    // Where the exit code is a verdict, a reader who is gone is never taken for a job that passed.
    let waiting = {
        let mut command = desk.client(&["job", "wait", &id]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(Stdio::from(writer));
        finish_without_output(command).await
    };
    assert_eq!(waiting, (141, String::new()));
}

async fn finish_without_output(mut command: tokio::process::Command) -> (i32, String) {
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_task_that_never_ran_has_an_empty_log_that_ends() {
    let desk = Desk::set_up().await;
    // Both slots are taken.
    let (first, second) = (desk.submit(&["slow"]).await, desk.submit(&["slow"]).await);
    for id in [&first, &second] {
        desk.job_when(id, |job| job["tasks"][0]["status"] == "running").await;
    }
    let behind = desk.submit(&["smoke/pass"]).await;
    desk.good(&["job", "abort", &behind]).await;
    assert_eq!(desk.run(&["job", "wait", &behind]).await.code, 2);
    let told = finish(desk.client(&["job", "log", &behind, "smoke/pass", "-f"])).await;
    assert_eq!((told.code, told.out.as_str()), (0, ""), "{told:?}");
}

/// The server ends a window at some amount of text, long before it has all the lines that were asked for.
#[tokio::test]
async fn windows_of_long_lines_are_printed_to_the_end_of_the_log() {
    let window = |first: u64, lines: &[&str]| {
        let body = json!({"first": first, "lines": lines, "total": 3, "bytes": 12, "complete": true});
        answer(200, JSON, &body.to_string())
    };
    let (all, end) = (window(1, &["one", "two"]), window(3, &["three"]));
    for (words, answers) in [
        (&["job", "log", "1", "--json"][..], vec![all.clone(), end.clone()]),
        // Asked before each window: whether all of it is here.
        (&["job", "log", "1", "--json", "-f"], vec![end.clone(), all, end.clone(), end]),
    ] {
        let (url, heard) = stub(answers).await;
        let told = ask(&url, words).await;
        let windows: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let lines = windows.iter().flat_map(|window| window["lines"].as_array().unwrap());
        let lines: Vec<_> = lines.map(|line| line.as_str().unwrap()).collect();
        assert_eq!((told.code, lines), (0, vec!["one", "two", "three"]), "{words:?}: {told:?}");
        assert!(heard.lock().unwrap().last().unwrap().contains("?from=3&"));
    }
}

#[tokio::test]
async fn a_line_that_is_only_half_written_is_printed_when_its_end_is_there() {
    let lines = |query: &str, lines: &[&str], bytes: u64, complete: bool| {
        let first = if query == "from=2" { 2 } else { 1 };
        let body = json!({"first": first, "lines": lines, "total": 2, "bytes": bytes, "complete": complete});
        answer(200, JSON, &body.to_string())
    };
    let running = answer(200, JSON, &running_job());
    let last_byte = |at: u64, byte: &str| {
        let part = format!("content-type: text/plain\r\ncontent-range: bytes {at}-{at}/{}\r\n", at + 1);
        answer(206, &part, byte)
    };
    let end = |complete| lines("tail=1", &["half"], 8, complete);
    let answers = vec![
        end(false),
        running.clone(),
        lines("from=1", &["one", "half"], 8, false),
        last_byte(7, "f"),
        lines("from=1", &["one"], 8, false),
        end(false),
        running.clone(),
        lines("from=2", &["half a"], 10, false),
        last_byte(9, "a"),
        end(false),
        running,
        lines("from=2", &["half a line"], 16, false),
        last_byte(15, "\n"),
        end(true),
        lines("from=3", &[], 16, true),
    ];
    let (url, heard) = stub(answers).await;
    let told = ask(&url, &["job", "log", "1", "--json", "-f"]).await;
    let windows: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let printed: Vec<_> = windows.iter().map(|window| &window["lines"]).collect();
    assert_eq!((told.code, printed), (0, vec![&json!(["one"]), &json!(["half a line"])]), "{told:?}");
    let heard = heard.lock().unwrap();
    assert!(heard[3].contains("range: bytes=7-7") && heard[4].contains("?from=1&limit=1 "), "{heard:#?}");
}
