//! Bodies of TestArena's own JSON API. Requests refuse unknown fields, so that a typo never passes silently;
//! answers are read leniently, so that an older client survives a newer server.

use crate::{Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

mod accounts;
mod history;
mod jobs;
mod logs;
mod problem;

pub use accounts::{
    AuditAction, AuditEntry, AuditLog, ChangePasswordRequest, ChangeUserRequest, CreateTokenRequest, CreateUserRequest,
    CreatedToken, DetailValue, LoginOptions, LoginRequest, MAX_TOKEN_DAYS, MAX_TOKEN_NAME_CHARS, SINGLE_SIGN_ON_PATH,
    SingleSignOn, SingleSignOnFailure, TOKEN_PREFIX, Token, TokenScope, Tokens, User, Users, Via,
};
pub use history::{
    Change, ComparedScenario, Comparison, Estimate, LastPassed, Run, RunSummary, SUMMARY_RUNS, ScenarioFigures,
    ScenarioHistory, ScenarioStats,
};
pub use jobs::{
    Cleanup, CleanupState, Job, JobList, JobSummary, Logs, LogsState, RerunRequest, SubmitJobRequest, Sync, SyncState,
    Task, TaskCounts,
};
pub use logs::{LogLines, LogMatch, LogMatches, ResultFile, Results};
pub use problem::{ErrorCode, Problem};

/// A header of the page's own requests, so that a 401 does not open the browser's password dialog.
pub const PAGE_HEADER: &str = "testarena-page";
/// The id of the user whom a page was drawn for: it is answered as long as it is theirs that the session is.
pub const DRAWN_FOR_HEADER: &str = "testarena-drawn-for";
/// How old the facts of an answer are: the oldest `last_synced_at` in it.
pub const SYNCED_AT_HEADER: &str = "testarena-synced-at";
/// The server's time in milliseconds since 1970, to the page alone: of `Date` a proxy makes its own.
pub const NOW_HEADER: &str = "testarena-now";
/// The name of a request in its answer and in the server's log.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
pub const SESSION_COOKIE: &str = "testarena_session";

/// Most scenarios that one job may have.
pub const MAX_SCENARIOS: usize = 1_000;
/// Most jobs on one page of the list, and how many without a wish.
pub const MAX_PAGE: u32 = 200;
pub const DEFAULT_PAGE: u32 = 50;
/// Most lines in one window of a log.
pub const MAX_LOG_LINES: u64 = 5_000;
/// Longest line in a window or a search, in bytes; what is longer is cut and ends in `…`.
pub const MAX_LINE_BYTES: usize = 16 * 1024;
/// Longest wait for a job to change.
pub const MAX_WAIT_S: u64 = 60;

/// A job's owner. The name stays readable after the user was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UserRef {
    pub id: UserId,
    pub username: String,
}

// --- what can be run where ---

words! {
    /// Whether an environment's remote test server answers.
    Health {
        Ok = "ok",
        Degraded = "degraded",
        Unreachable = "unreachable",
        Unknown = "unknown",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Environments {
    pub environments: Vec<Environment>,
}

words! {
    /// How the last commands over SSH fared.
    SshHealth {
        Ok = "ok",
        Failing = "failing",
        Unknown = "unknown",
    }
}

/// `url`, `last_error`, `ssh_error` and `host_key` are left out for all but admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Environment {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub health: Health,
    /// Since when the health is what it is; of one that nobody has asked yet, since when this server runs.
    pub since: Timestamp,
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Option<String>>,
    pub slots: Option<u32>,
    pub busy: Option<u32>,
    pub waiting: Option<u32>,
    #[serde(default = "SshHealth::unknown")]
    pub ssh: SshHealth,
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub ssh_error: Option<Option<String>>,
    /// The fingerprint that the SSH server showed last, trusted or not.
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub host_key: Option<Option<String>>,
}

impl SshHealth {
    const fn unknown() -> Self {
        Self::Unknown
    }
}

words! {
    /// What a check of an environment tries.
    CheckedPart {
        Http = "http",
        Ssh = "ssh",
        Repository = "repository",
        Scenarios = "scenarios",
        Workspace = "workspace",
        Clock = "clock",
    }
}

/// What came of trying an environment, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Checks {
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Check {
    pub what: CheckedPart,
    pub ok: bool,
    /// What came of it; of a failure, how to mend it.
    pub detail: String,
}

/// A field that is there with `null` is told, and one that is not there is kept back.
fn even_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// For a yes that may be left out of a request: `null` leaves it out, as it does every other field that may be.
fn or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Branches {
    pub branches: Vec<Branch>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Branch {
    pub name: String,
    pub commit: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ValidateBranchRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    pub branch_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ValidatedBranch {
    pub environment: String,
    pub branch_name: String,
    pub commit: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Scenarios {
    pub branch_name: String,
    pub commit: String,
    pub scenarios: Vec<String>,
    /// What is wrong with the branch's scenario files, for its author to read.
    pub problems: Vec<String>,
}

/// Which field of the input is wrong, and how.
pub type FieldErrors = BTreeMap<String, String>;
