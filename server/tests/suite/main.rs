//! All integration tests in one binary, so that they are linked once.
//! One file per subject; helpers that several need have files of their own.

// Helpers beside the tests may unwrap as the tests do.
#![allow(clippy::unwrap_used)]

mod kept;
mod logs;
mod remote_bench;
mod remote_environment;
mod remote_http;
mod remote_password;
mod remote_repository;
mod remote_ssh;
mod remote_transfer;
mod results;
mod sshd;
