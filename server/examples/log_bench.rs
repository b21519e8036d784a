//! Times a reader's calls on a log of 1,000,000 lines: windows, the tail and searches, each the median of several.
//! `cargo run --release -p server --example log_bench`; see `bench/README.md`.

use protocol::JobId;
use server::logs::{KeepLimits, LogId, LogStore};
use std::error::Error;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

const LINES: u64 = 1_000_000;
/// Lines of one appended piece; makes pieces of about 1 MiB, as the mirror gets them.
const LINES_PER_PIECE: u64 = 10_000;
/// Measurements of each call; odd, so that there is a middle one.
const ROUNDS: usize = 9;
const JOB: JobId = JobId(1);
const LOG: LogId = LogId::Task(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("testarena-log-bench-{}", std::process::id()));
    let measured = measure(&LogStore::new(folder.clone(), KeepLimits::default())).await;
    std::fs::remove_dir_all(&folder)?;
    measured?;
    Ok(())
}

async fn measure(store: &LogStore) -> io::Result<()> {
    let started = Instant::now();
    let bytes = write_log(store).await?;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{LINES} lines, {bytes} bytes, {profile} build, median of {ROUNDS}");
    print_row("append all, indexed", started.elapsed(), "");
    for (name, from) in [("first", 1), ("middle", LINES / 2), ("last", LINES - 999)] {
        time(&format!("window of 1,000, {name}"), || async move {
            let window = store.window(JOB, LOG, from, 1_000).await?;
            Ok(format!("lines {} to {} of {}", window.first, window.first + 999, window.total))
        })
        .await?;
    }
    time("tail of 1,000", || async move {
        let window = store.tail(JOB, LOG, 1_000).await?;
        Ok(format!("from line {}", window.first))
    })
    .await?;
    for query in ["no such words", "step 77777 ", "assertion", "ä overheated", "step"] {
        time(&format!("search \"{query}\""), || async move {
            let found = store.search(JOB, LOG, query, 1, 1_000).await?;
            Ok(format!("{} lines match", found.total))
        })
        .await?;
    }
    Ok(())
}

/// About what a test prints: numbers, words, some colours, now and then a failure.
async fn write_log(store: &LogStore) -> io::Result<u64> {
    let mut size = 0;
    for piece in 0..LINES / LINES_PER_PIECE {
        let mut text = String::new();
        for n in piece * LINES_PER_PIECE..(piece + 1) * LINES_PER_PIECE {
            let line = match n % 1_000 {
                0 => writeln!(
                    text,
                    "\x1b[1;31mAssertion failed\x1b[0m in step {n}: expected 3.30 V, got {} mV",
                    n % 3_300
                ),
                500 => writeln!(text, "\x1b[33mwarning\x1b[0m step {n}: sensor {} Ä overheated", n % 64),
                _ => writeln!(
                    text,
                    "[{n:>10}] \x1b[32mok\x1b[0m step {n} on device {} took {} us; all checks passed",
                    n % 16,
                    n % 977
                ),
            };
            line.map_err(io::Error::other)?;
        }
        size = store.append(JOB, LOG, size, text.into_bytes()).await?;
    }
    Ok(size)
}

async fn time<F: Future<Output = io::Result<String>>>(name: &str, call: impl Fn() -> F) -> io::Result<()> {
    let mut times = Vec::with_capacity(ROUNDS);
    let mut answer = String::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        answer = call().await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    print_row(name, times[ROUNDS / 2], &answer);
    Ok(())
}

fn print_row(name: &str, time: Duration, answer: &str) {
    println!("{name:<30} {:>10.2} ms  {answer}", time.as_secs_f64() * 1_000.0);
}
