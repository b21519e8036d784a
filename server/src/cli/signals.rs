//! The process's wish to end, as everybody hears it: SIGTERM from a supervisor, SIGINT from a terminal, SIGHUP from one that
//! was closed.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first of these signals cancels.
pub(super) fn shutdown_on_signal() -> std::io::Result<CancellationToken> {
    let goes_on_without_terminal = is_hangup_ignored();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = if goes_on_without_terminal { None } else { Some(signal(SignalKind::hangup())?) };
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hung_up => {}
        }
        // First what matters: nobody may be reading the log any more.
        token.cancel();
        tracing::info!("asked to end");
    });
    Ok(shutdown)
}

/// As `nohup` starts a program.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is the signal 1.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
