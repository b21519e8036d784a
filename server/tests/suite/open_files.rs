//! The program where it may open few files: it raises its limit as far as it may, and at the limit it shuts nobody out
//! and burns no time.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);

struct Limited {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Limited {
    /// `limit` is a shell's words for it.
    fn start(limit: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("testarena.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
        let program = env!("CARGO_BIN_EXE_testarena");
        let words = format!("{limit}; exec {program} serve --config testarena.toml");
        let mut shell = Command::new("sh");
        shell.args(["-c", &words]).current_dir(folder.path()).stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = shell.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("serving at ")?.1.split(' ').next()?.to_owned()));
        // What comes later is read by nobody, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it ended early"), _folder: folder }
    }

    fn proc_file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// Time that the processor has spent on it, in hundredths of a second.
    fn spent(&self) -> u64 {
        let stat = self.proc_file("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn is_alive(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = String::new();
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_server_may_open_as_many_files_as_it_may_allow_itself() {
    let server = Limited::start("ulimit -S -n 256");
    let limits = server.proc_file("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{line}");
    assert_ne!(words[3], "256", "{line}");
}

#[test]
fn a_server_without_files_left_shuts_nobody_out_and_burns_no_time() {
    // Fewer than the connections that it would have.
    let server = Limited::start("ulimit -n 40");
    let half: Vec<TcpStream> = (0..150)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(&server.address).ok()?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").ok()?;
            Some(stream)
        })
        .collect();
    let (start, spent) = (Instant::now(), server.spent());
    while !server.is_alive() {
        assert!(start.elapsed() < PATIENCE, "nobody gets in beside {} half requests", half.len());
    }
    let (took, spent) = (start.elapsed(), server.spent() - spent);
    assert!(spent < 100 + u64::try_from(took.as_millis()).unwrap() / 20, "{spent} hundredths in {took:?}");
}
