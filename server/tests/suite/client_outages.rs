//! The command-line client: servers that go away, are busy, answer oddly or are not there; and a user who has no time.

use crate::client_desk::{Desk, Told, Working, bare_client, finish, line_with};
use crate::held_address::HeldAddress;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[tokio::test]
async fn a_server_that_goes_away_is_waited_for() {
    let mut desk = Desk::set_up().await;
    let words = ["job", "submit", "--branch", "main", "--scenario", "slow", "--wait"];
    let mut waiting = Working::start(desk.client(&words));
    line_with(&mut waiting.out, "running      slow").await;
    desk.kill_server();
    let said = line_with(&mut waiting.err, "can't be reached").await;
    assert!(said.starts_with(&format!("testarena: {} ", desk.url)), "{said}");
    line_with(&mut waiting.err, "Trying again for up to 10 minutes").await;
    desk.bench.open_gate();
    desk.start_server();
    line_with(&mut waiting.err, "it answers again, after ").await;
    line_with(&mut waiting.out, "passed       job 1: 1 passed in ").await;
    assert_eq!(waiting.code().await, 0);
}

#[tokio::test]
async fn whoever_gives_up_waiting_leaves_the_job_running() {
    let desk = Desk::set_up().await;
    let submit = ["job", "submit", "--branch", "main", "--scenario", "slow", "--wait"];
    for (words, signal, code) in [(&submit[..], "-INT", 130), (&["job", "wait", "1"], "-TERM", 143)] {
        let mut waiting = Working::start(desk.client(words));
        line_with(&mut waiting.out, "running      slow").await;
        waiting.signal(signal);
        let said = line_with(&mut waiting.err, "goes on without you").await;
        assert_eq!(said, format!("testarena: job 1 goes on without you: {}/jobs/1\n", desk.url));
        assert_eq!(waiting.code().await, code);
    }
    assert_eq!(desk.job("1").await["status"], "in_progress");
    desk.bench.open_gate();
    assert_eq!(desk.run(&["job", "wait", "1"]).await.code, 0);
}

/// Answers each request with the next of these, and the last one from then on; an empty one cuts it off.
pub async fn stub(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut answer = String::new();
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read_request(&mut socket).await;
            noted.lock().unwrap().push(request);
            answer = answers.next().unwrap_or(answer);
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heard)
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let count = socket.read(&mut buffer).await.unwrap();
        assert!(count > 0, "cut off: {text}");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

pub fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

pub const JSON: &str = "content-type: application/json\r\n";
const NO_ENVIRONMENTS: &str = r#"{"environments":[]}"#;

pub async fn ask(url: &str, words: &[&str]) -> Told {
    let home = tempfile::tempdir().unwrap();
    let mut command = bare_client(home.path(), words);
    command.env("TESTARENA_URL", url).env("TESTARENA_TOKEN", "ta_secret");
    finish(command).await
}

#[tokio::test]
async fn a_server_that_is_not_there_or_broken_exits_with_4() {
    let told = ask("http://127.0.0.1:9", &["env", "list"]).await;
    assert!(told.code == 4 && told.err.contains("http://127.0.0.1:9 can't be reached: Connection refused"), "{told:?}");
    let start = Instant::now();
    let submit = ["job", "submit", "--branch", "main", "--scenario", "a", "--wait"];
    assert_eq!(ask("http://127.0.0.1:9", &submit).await.code, 4);
    assert!(start.elapsed() < Duration::from_secs(10), "nothing was sent, so there is nothing to wait for");
    let told = ask("http://127.0.0.1:9", &["job", "junit", "1"]).await;
    assert!(told.code == 4 && !told.err.contains("Trying again"), "{told:?}");
    let told = ask("http://tests.invalid", &["env", "list"]).await;
    assert!(told.code == 4 && told.err.contains("http://tests.invalid can't be reached"), "{told:?}");

    let problem = r#"{"title":"Internal error","status":500,"code":"internal","detail":"a defect of ours"}"#;
    let headers = "content-type: application/problem+json\r\nx-request-id: r-7\r\n";
    for (first, code, why) in [
        (
            answer(500, headers, problem),
            4,
            "a defect of ours (internal)\n  The server's log tells more about request r-7.",
        ),
        (answer(502, "", "<html>"), 4, "answered 502; TestArena behind it is not there"),
        (answer(503, "retry-after: 120\r\n", ""), 4, "answered 503"),
        (answer(429, "retry-after: 120\r\n", ""), 3, "answered 429"),
        (answer(200, "content-type: text/html\r\n", "<html>"), 4, "answers, but not as TestArena does"),
        (answer(200, JSON, r#"{"environments":7}"#), 4, "answers, but not as TestArena does"),
        (answer(404, "", "<html>"), 3, "answered 404, but not as TestArena does; check the address"),
        // A remote test server's, whose address is easily taken for this one's.
        (
            answer(401, JSON, r#"{"code":"unauthorized","message":"a token is needed"}"#),
            3,
            "answered 401, but not as TestArena does; check the address",
        ),
        (
            answer(308, "location: https://elsewhere/api/environments\r\n", ""),
            3,
            "sends on to https://elsewhere/api/environments",
        ),
    ] {
        let (url, heard) = stub(vec![first]).await;
        let told = ask(&url, &["env", "list"]).await;
        assert!(told.code == code && told.err.contains(why), "{why}: {told:?}");
        assert_eq!((told.out.as_str(), heard.lock().unwrap().len()), ("", 1), "{why}");
        assert!(!told.err.contains("ta_secret"));
    }
}

const ENDED_JOB: &str = r#"{"id":1,"user":{"id":2,"username":"ada"},"environment":"bench-a","branch_name":"main",
    "commit":"9e8b545000b9962ca346bdebb05fdeba39464b17","status":"passed","status_reason":null,"remote_queue_id":"1",
    "rerun_of":null,"position":null,"counts":{"total":0,"waiting":0,"running":0,"passed":0,"failed":0,"error":0,
    "aborted":0,"skipped":0},"sync":{"state":"synced","last_synced_at":null,"error":null},"abort_requested":false,
    "delete_requested":false,"logs":{"state":"complete","error":null},"cleanup":{"state":"done","error":null},
    "created_at":"2026-11-28T21:09:46.542Z","started_at":null,"finished_at":"2026-11-28T21:09:46.869Z",
    "timeout_s":3600,"estimate":{"starts_at":null,"ends_at":null},"scenarios":[],"tasks":[]}"#;

pub fn running_job() -> String {
    let running = ENDED_JOB.replace("\"passed\",\"status_reason\"", "\"in_progress\",\"status_reason\"");
    assert_ne!(running, ENDED_JOB);
    running
}

#[tokio::test]
async fn a_server_where_too_many_wait_already_is_asked_without_waiting() {
    let problem = r#"{"title":"Temporarily unavailable","status":503,"code":"unavailable","detail":"too many wait"}"#;
    let busy = answer(503, "retry-after: 1\r\n", problem);
    let running = answer(200, &format!("{JSON}etag: W/\"1\"\r\n"), &running_job());
    let unchanged = answer(304, "etag: W/\"1\"\r\n", "");
    let (url, heard) = stub(vec![running, busy.clone(), unchanged, busy, answer(200, JSON, ENDED_JOB)]).await;
    let start = Instant::now();
    let told = ask(&url, &["job", "wait", "1"]).await;
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    assert!(start.elapsed() >= Duration::from_secs(1), "it came again sooner than it was told to");
    let heard = heard.lock().unwrap();
    let asked: Vec<_> = heard.iter().map(|request| request.split(' ').nth(1).unwrap()).collect();
    let (waiting, at_once) = ("/api/job/1?wait=30", "/api/job/1?wait=0");
    assert_eq!(asked, [waiting, waiting, at_once, waiting, at_once]);
    assert!(heard[1..].iter().all(|request| request.contains("if-none-match: W/\"1\"\r\n")), "{heard:?}");
}

#[tokio::test]
async fn a_server_that_has_answered_once_is_waited_for_ten_minutes() {
    let problem = r#"{"title":"Temporarily unavailable","status":503,"code":"unavailable","detail":"no database"}"#;
    let away = answer(503, "retry-after: 1\r\n", problem);
    let ended = answer(200, JSON, ENDED_JOB);
    let made = answer(201, JSON, ENDED_JOB);
    let task = r#""tasks":[{"task_id":"1-1","scenario":"a","status":"passed","progress":1.0,"message":"","exit_code":0,
        "started_at":null,"finished_at":null,"duration_ms":null,"log_size":0}]"#;
    let with_task = answer(200, JSON, &ENDED_JOB.replace("\"tasks\":[]", task));
    let lines = answer(200, JSON, r#"{"first":1,"lines":[],"total":0,"bytes":0,"complete":true}"#);
    let log = answer(200, "content-type: text/plain\r\n", "");
    let cut_off = String::new();
    for (words, answers) in [
        (&["job", "wait", "1"][..], vec![away.clone(), away, ended.clone()]),
        (&["job", "submit", "--branch", "main", "--scenario", "a", "--wait"], vec![made, cut_off.clone(), ended]),
        (&["job", "log", "1", "a", "-f"], vec![with_task.clone(), cut_off.clone(), lines.clone(), log.clone()]),
        (&["job", "log", "1", "a", "-f", "--json"], vec![with_task, cut_off.clone(), lines.clone()]),
        (&["job", "log", "1", "--tail", "5", "-f"], vec![lines.clone(), cut_off, lines, log]),
    ] {
        let (url, _) = stub(answers).await;
        let told = ask(&url, words).await;
        assert_eq!(told.code, 0, "{words:?}: {told:?}");
        assert!(told.err.contains("Trying again for up to 10 minutes"), "{words:?}: {told:?}");
    }
}

#[tokio::test]
async fn a_server_that_goes_away_between_the_calls_of_a_submission_is_waited_for() {
    let held = HeldAddress::take();
    let address = held.get();
    let listen = || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        socket.listen(8).unwrap()
    };
    let answer_one = async |listener: TcpListener, text: String| {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Who comes next is refused.
        drop(listener);
        let request = read_request(&mut socket).await;
        socket.write_all(text.as_bytes()).await.unwrap();
        request
    };
    let home = tempfile::tempdir().unwrap();
    let words = ["job", "submit", "--branch", "main", "--scenario", "smoke/*", "--wait"];
    let mut command = bare_client(home.path(), &words);
    command.env("TESTARENA_URL", format!("http://{address}")).env("TESTARENA_TOKEN", "ta_secret");
    let listener = listen();
    let mut waiting = Working::start(command);
    let scenarios = r#"{"branch_name":"main","commit":"9e8b","scenarios":["smoke/boot"],"problems":[]}"#;
    let asked = answer_one(listener, answer(200, JSON, scenarios)).await;
    assert!(asked.starts_with("GET /api/scenarios?branch=main "), "{asked}");
    line_with(&mut waiting.err, "Trying again for up to 10 minutes").await;
    let asked = answer_one(listen(), answer(201, JSON, &running_job())).await;
    assert!(asked.starts_with("POST /api/submit_job "), "{asked}");
    answer_one(listen(), answer(200, JSON, ENDED_JOB)).await;
    assert_eq!(waiting.code().await, 0);
}

/// As a proxy, or a network that wants a sign-in first, answers in the server's place.
#[tokio::test]
async fn somebody_elses_page_is_neither_a_log_nor_a_report() {
    let job = answer(200, JSON, ENDED_JOB);
    let page = answer(200, "content-type: text/html; charset=utf-8\r\n", "<html>Please sign in");
    let bare = answer(200, "", "<html>Please sign in");
    let json = answer(200, JSON, "{}");
    for other in [page, bare, json] {
        let (url, _) = stub(vec![other.clone()]).await;
        let told = ask(&url, &["job", "log", "1"]).await;
        assert!(told.code == 4 && told.out.is_empty(), "{told:?}");
        assert!(told.err.contains("answers, but not as TestArena does (no text/plain)"), "{told:?}");
        let (url, _) = stub(vec![job.clone(), other]).await;
        let told = ask(&url, &["job", "junit", "1"]).await;
        assert!(told.code == 4 && told.out.is_empty(), "{told:?}");
        assert!(told.err.contains("answers, but not as TestArena does (no application/xml)"), "{told:?}");
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_named() {
    let home = tempfile::tempdir().unwrap();
    for token in ["ta_se\u{1}cret", "ta_se cret", "ta_secrét"] {
        let mut command = bare_client(home.path(), &["env", "list"]);
        command.env("TESTARENA_URL", "http://127.0.0.1:9").env("TESTARENA_TOKEN", token);
        let told = finish(command).await;
        assert!(told.code == 3 && told.err.contains("TESTARENA_TOKEN: the token holds a character"), "{told:?}");
        assert!(!told.err.contains("secr") && !told.err.contains("cret"), "{told:?}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_said() {
    let busy = answer(503, "retry-after: 1\r\n", "");
    let (url, heard) = stub(vec![busy, answer(200, JSON, NO_ENVIRONMENTS)]).await;
    let start = Instant::now();
    assert_eq!(ask(&url, &["env", "list"]).await.code, 0);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    assert!(heard[0].to_lowercase().contains("authorization: bearer ta_secret\r\n"), "{}", heard[0]);
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_makes_no_second_job() {
    let refused = r#"{"title":"Job deleted","status":410,"code":"gone","detail":"it was made and deleted"}"#;
    let (url, heard) = stub(vec![String::new(), String::new(), answer(410, "", refused)]).await;
    let told = ask(&url, &["job", "submit", "--branch", "main", "--scenario", "a"]).await;
    let key = |request: &String| {
        let line =
            request.lines().find_map(|line| line.to_lowercase().strip_prefix("idempotency-key: ").map(str::to_owned));
        line.unwrap()
    };
    let keys: Vec<String> = heard.lock().unwrap().iter().map(key).collect();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(told.code == 3 && told.err.contains("it was made and deleted (gone)"), "{told:?}");
    assert!(told.err.contains(&format!("--idempotency-key {}", keys[0])), "{told:?}");
}

#[tokio::test]
async fn an_interrupted_submission_tells_its_key() {
    let desk = Desk::set_up().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let words = ["job", "submit", "--branch", "main", "--scenario", "a", "--idempotency-key", "build-7"];
    let mut command = desk.client(&words);
    command.env("TESTARENA_URL", format!("http://{}", listener.local_addr().unwrap()));
    let mut submitting = Working::start(command);
    let (mut silent, _) = listener.accept().await.unwrap();
    read_request(&mut silent).await;
    submitting.signal("-INT");
    line_with(
        &mut submitting.err,
        "Whether the job was made is not known; the same command with --idempotency-key build-7",
    )
    .await;
    assert_eq!(submitting.code().await, 130);
}

#[tokio::test]
async fn the_environments_proxy_is_used_and_a_path_before_the_api_is_kept() {
    let (proxy, heard) = stub(vec![answer(200, JSON, NO_ENVIRONMENTS)]).await;
    let home = tempfile::tempdir().unwrap();
    let client = |url: &str| {
        let mut command = bare_client(home.path(), &["env", "list"]);
        command.env("TESTARENA_URL", url).env("TESTARENA_TOKEN", "ta_secret").env("HTTP_PROXY", &proxy);
        command
    };
    assert_eq!(finish(client("http://tests.invalid/arena/")).await.code, 0);
    assert!(heard.lock().unwrap()[0].starts_with("GET http://tests.invalid/arena/api/environments HTTP/1.1"));
    let mut command = client("http://tests.invalid");
    command.env("NO_PROXY", "tests.invalid");
    assert_eq!(finish(command).await.code, 4);
}
