//! A connection's bytes with limits of time: for a request's header, between two requests, and for an answer that nobody
//! takes. Timers are looked at when they go off, not set anew for every request.

use super::Limits;
use super::phase::Phase;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A reader who takes less than this within the limit holds us up on purpose.
const LEAST_TAKEN: usize = 16 * 1_024;

pub(super) struct Patient {
    stream: TcpStream,
    phase: Arc<Phase>,
    header: Duration,
    idle: Duration,
    write: Duration,
    /// When the first byte came of a header that is not yet whole, and how many requests there had been before.
    header_began: Option<(Instant, usize)>,
    /// Since when an answer waits to be taken, and how much of it has been since.
    stalled: Option<(Instant, usize)>,
    timer: Pin<Box<Sleep>>,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, phase: Arc<Phase>, limits: &Limits) -> Self {
        let Limits { header, idle, write, .. } = *limits;
        let now = Instant::now();
        let timer = Box::pin(sleep_until(now + header));
        // Whoever opens a connection has something to say.
        Self { stream, phase, header, idle, write, header_began: Some((now, 0)), stalled: None, timer }
    }

    /// Pending until the deadline, then an error.
    fn wait_until<T>(
        &mut self,
        deadline: Instant,
        context: &mut Context<'_>,
        why: &'static str,
    ) -> Poll<io::Result<T>> {
        // One that goes off early is only looked at; one that goes off late is of no use.
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Keeps the timer going while a request is answered: nobody may ask us to read again when that is done.
    fn keep_looking(&mut self, context: &mut Context<'_>) {
        while self.timer.as_mut().poll(context).is_ready() {
            self.timer.as_mut().reset(Instant::now() + self.idle);
        }
    }

    fn read_deadline(&self) -> Instant {
        match self.header_began {
            Some((at, before)) if before == self.phase.begun() => at + self.header,
            _ => Instant::from_std(self.phase.quiet_since()) + self.idle,
        }
    }

    fn watch_writing(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) => {
                if let Some((_, taken)) = &mut self.stalled {
                    *taken += count;
                    if *taken >= LEAST_TAKEN {
                        self.stalled = None;
                    }
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => {
                let (since, _) = *self.stalled.get_or_insert_with(|| (Instant::now(), 0));
                let deadline = since + self.write;
                self.wait_until(deadline, context, "the client takes nothing")
            }
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if !self.phase.is_quiet() {
            if read.is_pending() {
                self.keep_looking(context);
            }
            return read;
        }
        // What was written before has been taken.
        self.stalled = None;
        if read.is_pending() {
            let deadline = self.read_deadline();
            return self.wait_until(deadline, context, "no whole request came");
        }
        let begun = self.phase.begun();
        if buffer.filled().len() > before && self.header_began.is_none_or(|(_, earlier)| earlier != begun) {
            self.header_began = Some((Instant::now(), begun));
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_writing(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.watch_writing(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
