//! What the program writes to its log: one line an event, as text or as JSON, whatever somebody else's words hold.

use crate::command_line::program;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Logging {
    child: Child,
    address: String,
    lines: BufReader<std::process::ChildStderr>,
    _folder: TempDir,
}

impl Logging {
    fn start(format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("testarena.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
        let mut serve = program(folder.path(), &["serve"]);
        serve.env("TESTARENA_LOG", "debug,hyper=off").env("TESTARENA_LOG_FORMAT", format);
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended early");
            if let Some((_, rest)) = line.split_once("serving at ") {
                break rest.split([' ', '"']).next().unwrap().trim().to_owned();
            }
        };
        Self { child, address, lines, _folder: folder }
    }

    /// Sends bytes as they are and takes the answer.
    fn send(&self, words: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(words).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn ask_to_end(&self) {
        ask_to_end(self.child.id());
    }

    /// All that is written until the end.
    fn end(mut self) -> Vec<String> {
        self.ask_to_end();
        let mut text = Vec::new();
        self.lines.read_to_end(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Usually it has ended before.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn ask_to_end(process: u32) {
    let pid = process.to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
}

/// Words that would make a line of their own, or move a terminal's cursor.
const ODD: [&[u8]; 5] = [
    b"/a%0A2026-11-28T00:00:00Z%20ERROR%20forged",
    b"/\xc2\x9b2J\xc2\x85forged",
    b"/\xe2\x80\xa8forged\xe2\x80\xaeforged",
    b"/a%1B[2Kforged",
    b"/api/forged%0d%0aforged",
];

fn provoke(log: &Logging) {
    for path in ODD {
        let words =
            [b"GET ", path, b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: a\x1b[2Jb\r\n\r\n"].concat();
        log.send(&words);
    }
    let answer = log.send(b"GET /api/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: mine-1\r\n\r\n");
    assert!(answer.contains("x-request-id: mine-1"), "{answer}");
}

#[test]
fn a_line_of_text_is_one_event() {
    let log = Logging::start("text");
    provoke(&log);
    let lines = log.end();
    assert!(lines.iter().any(|line| line.contains("mine-1")), "{lines:#?}");
    for line in &lines {
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{202e}']), "{line:?}");
        // Each begins with its time, and no other place does.
        assert!(line.starts_with("20") && line.as_bytes()[10] == b'T', "{line:?}");
        assert!(!line.starts_with("2026-11-28T00:00:00Z ERROR forged"));
    }
}

#[test]
fn a_line_of_json_is_one_event_with_its_request() {
    let log = Logging::start("json");
    provoke(&log);
    let lines = log.end();
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of_request = |event: &&Value| event["span"]["request.id"] == "mine-1";
    let event = events.iter().find(of_request).unwrap_or_else(|| panic!("{lines:#?}"));
    assert_eq!((&event["span"]["path"], &event["level"]), (&Value::from("/api/me"), &Value::from("DEBUG")));
    assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
}

/// More than a pipe holds.
const MANY_LINES: usize = 3000;

/// Whoever it is that answers: asks something that makes a line, and does not wait for it for ever.
fn ask_often(address: &str) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answers = BufReader::new(stream);
    for n in 0..MANY_LINES {
        answers.get_mut().write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut line = String::new();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            assert!(answers.read_line(&mut line).unwrap_or_else(|error| panic!("request {n}: {error}")) > 0);
            if let Some(("content-length", value)) = line.to_ascii_lowercase().trim().split_once(": ") {
                length = value.parse().unwrap();
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
}

fn wait_for_end(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "it has not ended");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_whose_log_nobody_reads_goes_on_and_ends_when_it_is_asked_to() {
    let mut log = Logging::start("text");
    ask_often(&log.address);
    log.ask_to_end();
    assert!(wait_for_end(&mut log.child).success());
    let mut left = String::new();
    log.lines.read_to_string(&mut left).unwrap();
    // A pipe of 64 KiB, whose pages are not quite full.
    assert!(left.len() >= 48 * 1024, "the pipe was not full: {}", left.len());
}

#[test]
fn a_server_whose_log_is_read_late_has_lost_nothing_of_it() {
    let mut log = Logging::start("json");
    ask_often(&log.address);
    let (process, reader) = (log.child.id(), &mut log.lines);
    let (sender, read) = channel();
    let (lines, of_requests) = std::thread::scope(|scope| {
        scope.spawn(move || reader.lines().map_while(Result::ok).for_each(|line| sender.send(line).unwrap()));
        let (mut lines, mut of_requests) = (Vec::new(), 0);
        // Its end waits for a reader, but not for as long as a busy machine may take for all of that.
        while of_requests < MANY_LINES
            && let Ok(line) = read.recv_timeout(Duration::from_secs(20))
        {
            of_requests += usize::from(line.contains("/healthz"));
            lines.push(line);
        }
        ask_to_end(process);
        lines.extend(read.iter());
        (lines, of_requests)
    });
    assert!(log.child.wait().unwrap().success());
    assert!(of_requests >= MANY_LINES, "{of_requests}");
    assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(lines.iter().any(|line| line.contains("asked to end")));
}

#[test]
fn a_wrong_word_about_the_log_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("testarena.toml"), "").unwrap();
    for (name, value) in [("TESTARENA_LOG_FORMAT", "xml"), ("TESTARENA_LOG", "inof"), ("TESTARENA_LOG", "server=loud")]
    {
        let said = said_with(folder.path(), name, value);
        assert!(said.contains(name) && said.contains(value.split('=').next_back().unwrap()), "{said}");
    }
}

fn said_with(folder: &Path, name: &str, value: &str) -> String {
    let output = program(folder, &["migrate"]).env(name, value).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
