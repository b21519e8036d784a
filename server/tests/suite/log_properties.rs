//! What holds of every log, tried with random ones of nasty bytes: windows, ranges and searches against the plain log,
//! also while it grows. Each run tries others; a failure says its seed.

use crate::kept::Kept;
use axum::http::StatusCode;
use axum::http::header::CONTENT_RANGE;
use protocol::api::MAX_LINE_BYTES;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use server::logs::LogId;

const LOGS: usize = 4;
const LOG: LogId = LogId::Task(1);
const PATH: &str = "1/tasks/a.1-1/log";

/// Of these and of longer ones logs are made.
const PIECES: [&[u8]; 26] = [
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\r\n",
    b"\r",
    b"\x08",
    b"\t",
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    "€".as_bytes(),
    "😀".as_bytes(),
    "ÄÖÜ".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{85}".as_bytes(),
    b"needle",
    b"NeeDLE",
    b"\x1b[1;31m",
    b"\x1b[0m",
    b"\x1b[2K",
    b"\x1b[G",
    b"\x1b[2D",
    b"\x1b]8;;x\x07",
    b"50%",
];

fn random_log(random: &mut StdRng) -> Vec<u8> {
    let mut log = Vec::new();
    for _ in 0..random.random_range(0..400) {
        match random.random_range(0..200) {
            0 => log.extend(vec![b'x'; random.random_range(1_000_000..1_100_000)]),
            1..4 => log.extend("ä".repeat(random.random_range(8_000..40_000)).bytes()),
            4..8 => log.extend("state\r".repeat(random.random_range(1..30_000)).bytes()),
            8..20 => log.extend(vec![b'\n'; random.random_range(1..500)]),
            _ => log.extend_from_slice(PIECES[random.random_range(0..PIECES.len())]),
        }
    }
    log
}

/// The lines of a log as the bytes between its line ends.
fn split(log: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

/// A line without anything that a terminal would obey, as it must be shown; nothing for any other.
fn plainly(line: &[u8]) -> Option<String> {
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    let obeyed = line[..end].iter().any(|byte| matches!(byte, b'\r' | 0x08 | 0x1b));
    let text = String::from_utf8_lossy(&line[..end]).into_owned();
    (!obeyed && text.len() <= MAX_LINE_BYTES).then_some(text)
}

/// Without the colours that are still set from the lines before.
fn undressed(line: &str) -> &str {
    line.strip_prefix("\u{1b}[").and_then(|rest| rest.split_once('m')).map_or(line, |(_, text)| text)
}

async fn lines(kept: &Kept, query: &str) -> (u64, Vec<String>, u64) {
    let body = kept.get(&format!("{PATH}/lines?{query}")).await.json();
    let lines = body["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    (body["first"].as_u64().unwrap(), lines, body["total"].as_u64().unwrap())
}

/// All lines, window by window, each as large as it comes.
async fn all_lines(kept: &Kept, random: &mut StdRng) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let limit = random.random_range(1..200);
        let (first, window, total) = lines(kept, &format!("from={}&limit={limit}", all.len() + 1)).await;
        assert_eq!(first, all.len() as u64 + 1);
        all.extend(window);
        if all.len() as u64 >= total {
            return all;
        }
    }
}

#[tokio::test]
async fn windows_are_the_plain_logs_lines_wherever_they_begin() {
    for _ in 0..LOGS {
        let seed = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let kept = Kept::new().await;
        let log = random_log(&mut random);
        // It comes as the mirror gets it: in pieces that are cut anywhere.
        let mut rest = &log[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(random.random_range(1..=rest.len()));
            kept.append(LOG, piece).await;
            rest = later;
        }
        let all = all_lines(&kept, &mut random).await;
        let expected = split(&log);
        assert_eq!(all.len(), expected.len());
        for (number, (line, bytes)) in all.iter().zip(expected).enumerate() {
            assert!(line.len() <= MAX_LINE_BYTES && !line.contains('\n'), "line {number}");
            if let Some(text) = plainly(bytes) {
                assert!(*line == text || undressed(line) == text, "line {number}: {line:?} is {text:?}");
            }
        }
        for _ in 0..10 {
            let tail = random.random_range(1..100);
            let (first, window, _) = lines(&kept, &format!("tail={tail}")).await;
            assert_eq!(window, all[all.len().saturating_sub(tail)..]);
            assert_eq!(first, all.len().saturating_sub(tail) as u64 + 1);
        }
        check_search(&kept, &all).await;
    }
}

async fn check_search(kept: &Kept, all: &[String]) {
    let found = kept.get(&format!("{PATH}/search?q=neeDle&limit=5000")).await.json();
    let matches = found["matches"].as_array().unwrap();
    assert_eq!(found["total"].as_u64().unwrap(), matches.len() as u64);
    for found in matches {
        let line = usize::try_from(found["line"].as_u64().unwrap()).unwrap();
        assert_eq!(found["text"].as_str().unwrap(), all[line - 1], "line {line}");
    }
    let is_found = |line: usize| matches.iter().any(|found| found["line"].as_u64() == Some(line as u64));
    for (at, line) in all.iter().enumerate().filter(|(_, line)| line.to_lowercase().contains("needle")) {
        assert!(is_found(at + 1), "line {} has it: {line:?}", at + 1);
    }
}

#[tokio::test]
async fn a_range_is_that_part_of_the_plain_log() {
    let kept = Kept::new().await;
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let log: Vec<u8> = (0..300_000).map(|_| random.random()).collect();
    kept.append(LOG, &log[..]).await;
    let size = log.len();
    for _ in 0..200 {
        let (first, last) = (random.random_range(0..size + 50), random.random_range(0..size + 50));
        let (range, expected) = match random.random_range(0..3) {
            0 => (format!("bytes={first}-"), first..size),
            1 => (format!("bytes=-{first}"), size.saturating_sub(first)..size),
            _ => (format!("bytes={first}-{last}"), first..(last + 1).min(size)),
        };
        let answer = kept.get_part(PATH, Some(&range)).await;
        if last < first && range.ends_with(&format!("-{last}")) && !range.contains("=-") {
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, size), "{range}");
        } else if expected.start >= expected.end {
            assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        } else {
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            let told = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!((answer.header(CONTENT_RANGE), &answer.body[..]), (told.as_str(), &log[expected]), "{range}");
        }
    }
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_read_never_shows_half_of_what_is_there() {
    let kept = Kept::new().await;
    let write = async {
        for n in 0..300 {
            kept.append(LOG, format!("\u{1b}[32mline {n} ä{}\n", "x".repeat(n * 7))).await;
        }
    };
    let read = async {
        let mut seen = 0;
        while seen < 300 {
            let (first, window, total) = lines(&kept, &format!("from={}&limit=50", seen.max(1))).await;
            assert!(total >= seen, "{total} after {seen}");
            seen = total;
            for (number, line) in (first..).zip(window) {
                let expected = format!("\u{1b}[32mline {} ä", number - 1);
                assert!(line.starts_with(&expected), "{number}: {line}");
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(write, read);
}
