//! What no type says of a call: the group in which it stands, a few words for people, and the codes of its own.
//! What every extractor refuses with is not repeated here.

// The codes are words of a table here.
#![allow(clippy::enum_glob_use)]

use protocol::api::ErrorCode::{self, *};

pub(super) struct Call {
    /// The handler's name.
    pub(super) handler: &'static str,
    pub(super) about: &'static str,
    pub(super) codes: &'static [ErrorCode],
}

const fn call(handler: &'static str, about: &'static str, codes: &'static [ErrorCode]) -> Call {
    Call { handler, about, codes }
}

/// What a question to a remote server's repository may come to.
const ASKING: &[ErrorCode] =
    &[EnvironmentNotFound, BranchNotFound, BranchMoved, CommitUnavailable, EnvironmentUnreachable];
const SUBMITTING: &[ErrorCode] =
    &[EnvironmentNotFound, BranchNotFound, BranchMoved, CommitUnavailable, EnvironmentUnreachable, ScenarioNotFound];
const RERUNNING: &[ErrorCode] = &[
    EnvironmentNotFound,
    BranchNotFound,
    BranchMoved,
    CommitUnavailable,
    EnvironmentUnreachable,
    ScenarioNotFound,
    NothingToRerun,
];

/// In the order in which people read them.
pub(super) const CALLS: &[(&str, &[Call])] = &[
    (
        "Signing in",
        &[
            call(
                "sign_in",
                "Starts a session, which the cookie of the answer carries. A script needs neither `Origin` nor \
                 `Sec-Fetch-Site` here; where one of them is there, it has to be of our own origin.",
                &[Unauthenticated, RateLimited],
            ),
            call("show_login_options", "How people may sign in here besides a name and a password.", &[]),
            call("sign_out", "Ends the session here and in the browser.", &[]),
            call("find_me", "Who is asking.", &[]),
            call("change_password", "Changes one's own password; one's other sessions end.", &[WrongPassword]),
            call("list_tokens", "One's own API tokens, without their secrets.", &[]),
            call("create_token", "Makes an API token; its secret is in this answer and never again.", &[]),
            call("delete_token", "Deletes one of one's own tokens.", &[]),
        ],
    ),
    (
        "Environments",
        &[
            call(
                "list_environments",
                "The remote test servers. Addresses and causes of failure are for administrators.",
                &[],
            ),
            call(
                "check_environment",
                "Tries each part of an environment and says how to mend what does not work. For administrators.",
                &[],
            ),
            call(
                "list_branches",
                "The branches of an environment's repository: `main` or `master` first, then by name.",
                ASKING,
            ),
            call("validate_branch", "The commit at which a branch is now.", ASKING),
            call(
                "list_scenarios",
                "The scenarios of a branch's present commit, and what is wrong with their files.",
                ASKING,
            ),
        ],
    ),
    (
        "Jobs",
        &[
            call(
                "create_job",
                "Submits a job. Everything is checked first; the job is stored before the remote server hears of it.",
                SUBMITTING,
            ),
            call("list_jobs", "A page of jobs, newest first. Without `search` a plain user sees their own.", &[]),
            call(
                "find_job",
                "A job with its tasks. With `If-None-Match` and `wait` it answers as soon as the job changes.",
                &[],
            ),
            call(
                "abort_job",
                "Has a job aborted; with `force` an administrator ends it here without the remote server's word.",
                &[JobFinished],
            ),
            call(
                "delete_job",
                "Has a job deleted, here and at the remote server; with `force` an administrator removes it here at once.",
                &[],
            ),
            call(
                "rerun_job",
                "Makes a new job of the same scenarios and commit, or of the branch's present commit.",
                RERUNNING,
            ),
            call("read_junit", "The job as JUnit XML.", &[]),
        ],
    ),
    (
        "History",
        &[
            call(
                "list_history",
                "A scenario's runs, newest first, and figures about the last 50 of them.",
                &[EnvironmentNotFound],
            ),
            call("list_stats", "Figures about every scenario that has run there.", &[EnvironmentNotFound]),
            call("compare_jobs", "Two jobs scenario by scenario; failed and error count as failing.", &[NotFound]),
        ],
    ),
    (
        "Logs and results",
        &[
            call("read_log", "The plain log as far as it is here.", &[RangeNotSatisfiable]),
            call("list_lines", "A window of a log's lines, numbered from 1.", &[]),
            call("search_log", "The lines that contain a text, whatever its case, over the whole log.", &[]),
            call("list_results", "The files that a task has left behind.", &[]),
            call(
                "read_result",
                "One file. Only plain text and raster images are shown by a browser; all else is saved.",
                &[RangeNotSatisfiable],
            ),
        ],
    ),
    (
        "Administration",
        &[
            call("list_users", "Everybody who may sign in.", &[]),
            call(
                "create_user",
                "Adds a user. The page has them change the password at the first sign-in, the API does not insist.",
                &[UsernameTaken],
            ),
            call(
                "change_user",
                "Renames a user, sets the password, makes or unmakes an administrator.",
                &[UsernameTaken, LastAdmin],
            ),
            call("delete_user", "Deletes a user; the jobs stay, shown under the name.", &[LastAdmin]),
            call(
                "list_audit",
                "Who did what, newest first; of several filters each has to hold, and each takes the whole word.",
                &[],
            ),
        ],
    ),
    (
        "Watching the server",
        &[
            call("is_alive", "Whether the process lives.", &[]),
            call("is_ready", "Whether it can work: the database answers.", &[Unavailable, Internal]),
            call(
                "show_metrics",
                "Figures for Prometheus; for all, or only with the metrics token as a Bearer token.",
                &[Unauthenticated, Unavailable, Internal],
            ),
            call("show_openapi", "This document.", &[]),
            call("show_docs", "This document as a page for people.", &[]),
        ],
    ),
];
