//! A thread of its own that writes the log, so that a reader of it who stalls (a frozen terminal, a shipper that hangs)
//! holds up nothing but the log: lines for which there is no room are counted, and their number is told where they were.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// What may wait to be written: a busy server's lines of several seconds at the level `debug`.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of the program waits for what is still to be written.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(1);
/// Before an output is tried again that somebody else has set not to block.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// Takes whole lines, one with each call, and never waits for their reader.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// The line that tells of so many lost ones.
    tell: fn(u64) -> String,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines for which there was no room behind these.
    lost: u64,
    is_over: bool,
}

/// The thread. Dropped, it writes what is still waiting, as far as somebody reads it.
pub(crate) struct Writing {
    lines: Lines,
    /// Closed by the thread's end.
    ended: Receiver<Infallible>,
}

pub(super) fn start(output: impl Write + Send + 'static, tell: fn(u64) -> String) -> io::Result<(Lines, Writing)> {
    let lines = Lines(Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new(), tell }));
    let (running, ended) = channel::<Infallible>();
    let shared = Arc::clone(&lines.0);
    Builder::new().name("log".to_owned()).spawn(move || {
        write_all(&shared, output);
        drop(running);
    })?;
    Ok((lines.clone(), Writing { lines, ended }))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > MAX_WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        self.tell_of_lost(&mut waiting);
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        self.changed.notify_one();
    }

    fn tell_of_lost(&self, waiting: &mut Waiting) {
        if waiting.lost > 0 {
            waiting.lines.extend_from_slice((self.tell)(waiting.lost).as_bytes());
            waiting.lost = 0;
        }
    }

    /// What waits to be written; `None`: nothing more will.
    fn take(&self) -> Option<Vec<u8>> {
        let is_idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_over;
        let mut waiting = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        self.tell_of_lost(&mut waiting);
        let lines = std::mem::take(&mut waiting.lines);
        (!lines.is_empty()).then_some(lines)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writing {
    /// Words of the program that are no event. They come after all that was logged before.
    pub(crate) fn say(&self, words: &str) {
        self.lines.0.push(format!("{words}\n").as_bytes());
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.lines.0.lock().is_over = true;
        self.lines.0.changed.notify_one();
        // Either way there is nothing more to wait for.
        let _ended = self.ended.recv_timeout(LAST_LINES_LIMIT);
    }
}

fn write_all(shared: &Shared, mut output: impl Write) {
    while let Some(lines) = shared.take() {
        // A call each, so that lines of other programs on the same pipe come between lines only.
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            write_line(&mut output, line);
        }
    }
}

/// A reader who has gone away reads no line, which is all that is to be said of it.
fn write_line(output: &mut impl Write, mut line: &[u8]) {
    while !line.is_empty() {
        match output.write(line) {
            Ok(written) if written > 0 => line = &line[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PAUSE),
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{SyncSender, sync_channel};
    use std::time::Instant;

    /// Hands on a write when somebody takes it, and not before.
    struct Rendezvous(SyncSender<Vec<u8>>);

    impl Write for Rendezvous {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let sent = self.0.send(bytes.to_vec());
            sent.map(|()| bytes.len()).map_err(|_| ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (Lines, Writing, Receiver<Vec<u8>>) {
        let (sender, reader) = sync_channel(0);
        let (lines, writing) = start(Rendezvous(sender), |lost| format!("lost {lost}\n")).unwrap();
        (lines, writing, reader)
    }

    fn next(reader: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(reader.recv_timeout(Duration::from_secs(20)).unwrap()).unwrap()
    }

    #[test]
    fn lines_that_nobody_reads_hold_nobody_up_and_are_counted_where_they_were() {
        let (mut lines, writing, reader) = started();
        lines.write_all(b"first\n").unwrap();
        let long = format!("{}\n", "x".repeat(MAX_WAITING_BYTES / 4 - 7));
        for _ in 0..10 {
            lines.write_all(long.as_bytes()).unwrap();
        }
        assert_eq!(next(&reader), "first\n");
        let (mut whole, mut lost) = (0, 0);
        while whole + lost < 10 {
            let line = next(&reader);
            match line.strip_prefix("lost ") {
                Some(count) => lost += count.trim().parse::<u64>().unwrap(),
                None if line == long => whole += 1,
                None => panic!("{}", &line[..20]),
            }
        }
        // No more than the thread has in hand and what may wait.
        assert!((3..=8).contains(&whole), "{whole}");
        lines.write_all(b"then\n").unwrap();
        writing.say("last words");
        assert_eq!((next(&reader), next(&reader)), ("then\n".to_owned(), "last words\n".to_owned()));
    }

    #[test]
    fn the_end_waits_for_what_is_read_and_not_for_what_is_not() {
        let (mut lines, writing, reader) = started();
        let collected = std::thread::spawn(move || reader.iter().collect::<Vec<_>>().concat());
        (0..100).for_each(|n| lines.write_all(format!("{n}\n").as_bytes()).unwrap());
        drop(writing);
        assert_eq!(collected.join().unwrap().split(|byte| *byte == b'\n').count(), 101);

        let (mut lines, writing, _unread) = started();
        lines.write_all(b"a\n").unwrap();
        let began = Instant::now();
        drop(writing);
        assert!(began.elapsed() < LAST_LINES_LIMIT * 5);
    }

    #[test]
    fn a_reader_who_has_gone_away_ends_nothing() {
        let (mut lines, writing, reader) = started();
        drop(reader);
        (0..100).for_each(|n| lines.write_all(format!("{n}\n").as_bytes()).unwrap());
        drop(writing);
    }
}
