//! The runner as a client meets it: real HTTP, real git, real processes, on free ports and throw-away folders.
//! One binary, one file per subject.

mod queues;
mod test_runner;
