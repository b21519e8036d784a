//! All integration tests in one binary, so that they are linked once.
//! One file per subject; helpers that several need have files of their own.

// Helpers beside the tests may unwrap as the tests do.
#![allow(clippy::unwrap_used)]

mod answers;
mod api_errors;
mod audit;
mod bench;
mod client_account;
mod client_desk;
mod client_jobs;
mod client_log;
mod client_outages;
mod client_terminal;
mod command_line;
mod connections;
mod figures;
mod history;
mod job_faults;
mod job_feed;
mod job_life;
mod job_mirror;
mod job_odd_remote;
mod job_reading;
mod job_removal;
mod job_search;
mod job_slow_remote;
mod job_submission;
mod kept;
mod killed;
mod lab;
mod list_plans;
mod log_lines;
mod logs;
mod mirror_logs;
mod open_files;
mod remote_bench;
mod remote_branches;
mod remote_environment;
mod remote_failures;
mod remote_frozen;
mod remote_host_keys;
mod remote_http;
mod remote_odd_ssh;
mod remote_repository;
mod remote_ssh;
mod remote_state;
mod remote_talking_shell;
mod remote_transfer;
mod requests;
mod results;
mod sessions;
mod sign_in;
mod single_sign_on;
mod sshd;
mod start;
mod start_checks;
mod store_outage;
mod sweep;
mod test_app;
mod test_database;
mod tokens;
mod users;
mod visibility;
