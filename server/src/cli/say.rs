//! What the server's own commands print: lines on standard output.
//! Who reads no further ends a command as a closed pipe ends any other; what it has done stays done.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// As of a program that writes to a pipe without a reader: never to be taken for a success.
pub(super) const PIPE_CLOSED: u8 = 141;

#[derive(Debug, thiserror::Error)]
pub(super) enum Unsaid {
    #[error("nobody reads the output any more")]
    PipeClosed,
    #[error("can't write the output: {0}")]
    Failed(io::Error),
}

pub(super) fn say(words: impl Display) -> Result<(), Unsaid> {
    let mut out = io::stdout().lock();
    writeln!(out, "{words}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Unsaid::PipeClosed,
        _ => Unsaid::Failed(error),
    })
}
