//! The runner as a client meets it: real HTTP, real git, real processes, on free ports and throw-away folders.
//! One binary, one file per subject.

// In a test's helpers as in the test itself.
#![allow(clippy::unwrap_used)]

mod access;
mod changes;
mod clones;
mod config;
mod damage;
mod disk;
mod fetches;
mod files;
mod leftovers;
mod queues;
mod restart;
mod schedule;
mod ssh;
mod tasks;
mod test_database;
mod test_runner;
