//! A task's output on its way from the pipe into the log file, with an eye on its progress lines.
//! It holds one buffer, however much is printed.

use super::progress::parse_progress;
use protocol::size::in_units;
use rustix::io::Errno;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// As much as a pipe usually holds, in bytes.
const BUFFER: usize = 64 * 1024;
/// What is read after the process has ended, in bytes: the most that a pipe can hold. Somebody who escaped the kill
/// may hold the pipe open and go on writing; that is not the task's output any more.
const MAX_AFTER_END: usize = 1024 * 1024;
/// Longest line that is looked at for progress, in bytes.
const MAX_PROGRESS_LINE: usize = 1024;

/// How far a running task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub progress: Option<(f64, String)>,
    /// Bytes in the log so far.
    pub log_size: u64,
}

#[derive(Debug)]
pub struct Written {
    pub size: u64,
    /// The process has printed more than a log may hold.
    pub is_cut: bool,
    pub error: Option<io::Error>,
}

/// Copies the pipe into the log until all its writers are gone or, once `ended` is set, until it is empty.
pub async fn pump(
    reader: io::PipeReader,
    log: tokio::fs::File,
    max_bytes: u64,
    ended: CancellationToken,
    reports: watch::Sender<Report>,
) -> Written {
    let mut sink = Sink { log, max_bytes, size: 0, is_cut: false, error: None, line: Vec::new(), reports };
    if let Err(error) = copy(reader, &ended, &mut sink).await {
        sink.error.get_or_insert(error);
    }
    sink.take_last_line();
    if let Err(error) = sink.log.sync_data().await {
        sink.error.get_or_insert(error);
    }
    Written { size: sink.size, is_cut: sink.is_cut, error: sink.error }
}

async fn copy(reader: io::PipeReader, ended: &CancellationToken, sink: &mut Sink) -> io::Result<()> {
    let mut reader = pipe::Receiver::from_owned_fd(reader.into())?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = tokio::select! {
            count = reader.read(&mut buffer) => count?,
            () = ended.cancelled() => break,
        };
        if count == 0 {
            return Ok(());
        }
        sink.take(&buffer[..count]).await;
    }
    let mut drained = 0;
    while drained < MAX_AFTER_END {
        // The pipe itself is asked, not tokio, which may not have heard yet of the last that was written.
        match rustix::io::read(&reader, &mut buffer[..]) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(count) => {
                drained += count;
                sink.take(&buffer[..count]).await;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

struct Sink {
    log: tokio::fs::File,
    max_bytes: u64,
    size: u64,
    is_cut: bool,
    error: Option<io::Error>,
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    reports: watch::Sender<Report>,
}

impl Sink {
    /// What the log may not hold, and what comes after the first failure (a full disk), is thrown away, so that the
    /// process never hangs on its pipe.
    async fn take(&mut self, bytes: &[u8]) {
        let progress = self.find_progress(bytes);
        if self.error.is_none()
            && !self.is_cut
            && let Err(error) = self.write(bytes).await
        {
            self.error = Some(error);
        }
        let size = self.size;
        self.reports.send_modify(|report| {
            report.log_size = size;
            if progress.is_some() {
                report.progress = progress;
            }
        });
    }

    /// A process that ends within a line has said it all the same.
    fn take_last_line(&mut self) {
        if let Some(progress) = parse_progress(&self.line) {
            self.reports.send_modify(|report| report.progress = Some(progress));
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.max_bytes - self.size).unwrap_or(usize::MAX);
        self.append(&bytes[..bytes.len().min(room)]).await?;
        if bytes.len() > room {
            self.is_cut = true;
            let limit = in_units(self.max_bytes);
            self.append(format!("\n[cut here, because this log is longer than {limit} (max_log_bytes)]\n").as_bytes())
                .await?;
        }
        Ok(())
    }

    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.log.write_all(bytes).await?;
        self.log.flush().await?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// The last progress that was said in these bytes.
    fn find_progress(&mut self, bytes: &[u8]) -> Option<(f64, String)> {
        let mut found = None;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_PROGRESS_LINE.saturating_sub(self.line.len());
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if piece.ends_with(b"\n") {
                found = parse_progress(&self.line).or(found);
                self.line.clear();
            }
        }
        found
    }
}
