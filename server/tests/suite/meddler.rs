//! A proxy before a real runner that meddles: each call meets its fault the first time, and gets through from then on.
//! Bytes are passed on as they are, so that both ends see what a network would make of them.

use serde_json::Value;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longer than a call's time limit.
const LATE_BY: Duration = Duration::from_secs(3);
/// Shorter.
const DELAY: Duration = Duration::from_millis(400);
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The line breaks before anything came through.
    Dropped,
    /// Nobody answers.
    Hung,
    Delayed,
    /// The answer ends in its middle.
    Cut,
    /// The answer is no JSON any more.
    Corrupt,
    /// 500, and nothing was done.
    Broken,
    /// 500, and it was done.
    BrokenAfterwards,
    /// 503 with `Retry-After`.
    Busy,
    /// 429 without.
    TooMany,
    /// It was done, and the answer never came.
    AnswerLost,
    /// Given up by its caller, and passed on afterwards.
    Late,
    /// A yes to an abort or a deletion, and nothing was done.
    Hollow,
    /// The server does not know a queue for a moment.
    Forgets,
    /// Each answer lacks its `Date`.
    Dateless,
    /// An older server: other paths, no health, no feed, no list of tasks, no `ETag`.
    Older,
}

impl Fault {
    pub const ALL: [Self; 15] = [
        Self::Dropped,
        Self::Hung,
        Self::Delayed,
        Self::Cut,
        Self::Corrupt,
        Self::Broken,
        Self::BrokenAfterwards,
        Self::Busy,
        Self::TooMany,
        Self::AnswerLost,
        Self::Late,
        Self::Hollow,
        Self::Forgets,
        Self::Dateless,
        Self::Older,
    ];

    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether every call meets it, whatever it is about.
    pub fn meets_all(self) -> bool {
        !matches!(self, Self::Hollow | Self::Forgets | Self::Corrupt)
    }

    fn is_lasting(self) -> bool {
        matches!(self, Self::Dateless | Self::Older)
    }
}

pub struct Meddler {
    address: SocketAddr,
    met: Arc<Mutex<BTreeSet<String>>>,
    serving: JoinHandle<()>,
}

impl Meddler {
    pub async fn start(runner: SocketAddr, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let met = Arc::new(Mutex::new(BTreeSet::new()));
        let line = Line { runner, fault, met: Arc::clone(&met) };
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let line = line.clone();
                // Its end is the client's trouble, or the runner's.
                tokio::spawn(async move { drop(line.serve(client).await) });
            }
        });
        Self { address, met, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether a call of which this is the beginning (`GET /api/status/42`) has met the fault.
    pub fn has_met(&self, call: &str) -> bool {
        self.met.lock().unwrap().iter().any(|met| met.starts_with(call))
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Line {
    runner: SocketAddr,
    fault: Fault,
    met: Arc<Mutex<BTreeSet<String>>>,
}

impl Line {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let request = Message::read(&mut client).await?;
        if self.fault.is_lasting() || self.is_met_by(&request) {
            return self.meddle(client, request).await;
        }
        client.write_all(&self.pass(&request).await?.0).await
    }

    /// Whether this is the first call of its kind, and one that can meet the fault.
    fn is_met_by(&self, request: &Message) -> bool {
        let call = request.call();
        let can_meet = match self.fault {
            Fault::Hollow => call.starts_with("POST /api/abort/") || call.starts_with("DELETE "),
            Fault::Forgets => call.starts_with("GET /api/status/") && !call.contains('-'),
            Fault::Corrupt => !call.starts_with("GET /api/logs/") && !call.contains("/results/"),
            _ => true,
        };
        // Of submissions the body tells which queue it is about.
        let queue = serde_json::from_slice::<Value>(request.body()).ok();
        let queue = queue.and_then(|body| body["queue_id"].as_str().map(|id| format!("/{id}")));
        can_meet && self.met.lock().unwrap().insert(call + &queue.unwrap_or_default())
    }

    async fn pass(&self, request: &Message) -> io::Result<Message> {
        let mut runner = TcpStream::connect(self.runner).await?;
        // So that the end of the answer is the end of the line.
        runner.write_all(&request.with_header("connection: close").0).await?;
        let mut answer = Vec::new();
        runner.read_to_end(&mut answer).await?;
        Ok(Message(answer))
    }

    async fn meddle(&self, mut client: TcpStream, request: Message) -> io::Result<()> {
        match self.fault {
            Fault::Dropped => Ok(()),
            Fault::Hung => client.read(&mut [0]).await.map(drop),
            Fault::Delayed => {
                tokio::time::sleep(DELAY).await;
                client.write_all(&self.pass(&request).await?.0).await
            }
            Fault::Cut => {
                let answer = self.pass(&request).await?;
                let missing = (answer.body().len() / 2).max(3);
                client.write_all(&answer.0[..answer.0.len() - missing]).await
            }
            Fault::Corrupt => {
                let mut answer = self.pass(&request).await?;
                if let Some(first) = answer.0.iter().rposition(|byte| *byte == b'{') {
                    answer.0[first] = b'<';
                }
                client.write_all(&answer.0).await
            }
            Fault::Broken => client.write_all(&says("500 Broken", "", "")).await,
            Fault::BrokenAfterwards => {
                self.pass(&request).await?;
                client.write_all(&says("500 Broken", "", "")).await
            }
            Fault::Busy => client.write_all(&says("503 Busy", "retry-after: 1\r\n", "")).await,
            Fault::TooMany => client.write_all(&says("429 Too Many", "", "")).await,
            Fault::AnswerLost => self.pass(&request).await.map(drop),
            Fault::Late => {
                drop(client);
                tokio::time::sleep(LATE_BY).await;
                self.pass(&request).await.map(drop)
            }
            Fault::Hollow => {
                let page = if request.call().starts_with("DELETE ") { "" } else { "<html>done</html>" };
                client.write_all(&says("200 OK", "content-type: text/html\r\n", page)).await
            }
            Fault::Forgets => {
                let unknown = r#"{"code":"unknown_id","message":"no such id"}"#;
                client.write_all(&says("404 Not Found", "content-type: application/json\r\n", unknown)).await
            }
            Fault::Dateless => client.write_all(&self.pass(&request).await?.without("date").0).await,
            Fault::Older => client.write_all(&self.answer_as_older(request).await?.0).await,
        }
    }

    async fn answer_as_older(&self, request: Message) -> io::Result<Message> {
        let call = request.call();
        if call == "GET /api/health" || call == "GET /api/changes" {
            return Ok(Message(says("404 Not Found", "content-type: text/html\r\n", "<html>")));
        }
        let answer = self.pass(&request.moved(" /abort/", " /api/abort/").moved(" /delete/", " /api/delete/")).await?;
        let Ok(Value::Object(mut body)) = serde_json::from_slice(answer.body()) else { return Ok(answer) };
        body.remove("tasks");
        let body = Value::Object(body).to_string();
        let head = format!("content-length: {}\r\n\r\n{body}", body.len());
        let kept = answer.without("content-length").without("etag");
        let end = kept.0.len() - kept.body().len() - 2;
        Ok(Message([&kept.0[..end], head.as_bytes()].concat()))
    }
}

fn says(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

/// A request or an answer, as it came.
struct Message(Vec<u8>);

impl Message {
    async fn read(from: &mut TcpStream) -> io::Result<Self> {
        let mut message = Self(Vec::new());
        while !message.is_whole() {
            if from.read_buf(&mut message.0).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(message)
    }

    fn is_whole(&self) -> bool {
        let Some(end) = self.end_of_head() else { return false };
        let length = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
        self.0.len() >= end + self.head().lines().find_map(length).unwrap_or(0)
    }

    fn end_of_head(&self) -> Option<usize> {
        self.0.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD).map(|at| at + END_OF_HEAD.len())
    }

    fn head(&self) -> String {
        String::from_utf8_lossy(&self.0[..self.end_of_head().unwrap_or(0)]).into_owned()
    }

    fn body(&self) -> &[u8] {
        &self.0[self.end_of_head().unwrap_or(self.0.len())..]
    }

    /// Method and path.
    fn call(&self) -> String {
        let head = self.head();
        let mut words = head.split([' ', '?']);
        format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    fn of(head: &str, body: &[u8]) -> Self {
        Self([head.as_bytes(), body].concat())
    }

    fn with_header(&self, header: &str) -> Self {
        Self::of(&self.head().replacen("\r\n", &format!("\r\n{header}\r\n"), 1), self.body())
    }

    fn without(&self, header: &str) -> Self {
        let is_kept = |line: &&str| !line.to_lowercase().starts_with(&format!("{header}:"));
        let head: String = self.head().split_inclusive("\r\n").filter(is_kept).collect();
        Self::of(&head, self.body())
    }

    fn moved(&self, from: &str, to: &str) -> Self {
        Self::of(&self.head().replacen(from, to, 1), self.body())
    }
}
