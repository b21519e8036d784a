//! All integration tests in one binary, so that they are linked once.
//! One file per subject; helpers that several need have files of their own.

// Helpers beside the tests may unwrap as the tests do.
#![allow(clippy::unwrap_used)]

mod kept;
mod logs;
mod results;
