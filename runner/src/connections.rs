//! Who is connected, over HTTP or over SSH, and who goes first when there is no room for another: one that never gets
//! to the point shuts nobody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// After a failed accept (out of file descriptors, mostly) there is no use in trying at once.
pub const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The open connections, oldest first. All are asked to leave when this is dropped.
#[derive(Default)]
pub struct Connections(VecDeque<(Guest, AbortHandle)>);

/// Whom a connection belongs to.
#[derive(Clone, Default)]
pub struct Guest {
    has_spoken: Arc<AtomicBool>,
    leave: CancellationToken,
}

impl Guest {
    /// Notes that it has come to the point: a request has come, or somebody has signed in.
    pub fn speak(&self) {
        self.has_spoken.store(true, Ordering::Relaxed);
    }

    pub fn has_spoken(&self) -> bool {
        self.has_spoken.load(Ordering::Relaxed)
    }

    /// Ends once the connection is to be closed.
    pub async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }
}

impl Connections {
    /// Whether there is room for another one among so many, if need be after the oldest silent one is asked to leave.
    pub fn make_room(&mut self, room: usize) -> bool {
        self.0.retain(|(_, task)| !task.is_finished());
        self.0.len() < room || self.close_silent_one()
    }

    /// Serves a connection in a task of its own.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&mut self, serve: impl FnOnce(Guest) -> F) {
        let guest = Guest::default();
        let task = tokio::spawn(serve(guest.clone()));
        self.0.push_back((guest, task.abort_handle()));
    }

    /// Asks the oldest one to leave that has said nothing yet; false when there is none.
    pub fn close_silent_one(&mut self) -> bool {
        let silent = self.0.iter().position(|(guest, task)| !task.is_finished() && !guest.has_spoken());
        let Some((guest, _)) = silent.and_then(|index| self.0.remove(index)) else {
            return false;
        };
        guest.leave.cancel();
        true
    }

    pub fn close_silent_ones(&mut self) {
        while self.close_silent_one() {}
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for (guest, _) in &self.0 {
            guest.leave.cancel();
        }
    }
}
