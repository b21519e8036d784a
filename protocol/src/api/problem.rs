//! How the API says no: RFC 9457 problem details with a stable code.

use super::FieldErrors;
use serde::{Deserialize, Serialize};

words! {
    /// Stable words for programs; people read `title` and `detail`.
    ErrorCode {
        Unauthenticated = "unauthenticated",
        Forbidden = "forbidden",
        CrossSite = "cross_site",
        NotFound = "not_found",
        RateLimited = "rate_limited",
        MethodNotAllowed = "method_not_allowed",
        TooSlow = "too_slow",
        TooLarge = "too_large",
        HeadersTooLarge = "headers_too_large",
        MalformedRequest = "malformed_request",
        MalformedJson = "malformed_json",
        InvalidInput = "invalid_input",
        UnsupportedMediaType = "unsupported_media_type",
        RangeNotSatisfiable = "range_not_satisfiable",
        BranchNotFound = "branch_not_found",
        ScenarioNotFound = "scenario_not_found",
        EnvironmentNotFound = "environment_not_found",
        BranchMoved = "branch_moved",
        CommitUnavailable = "commit_unavailable",
        EnvironmentUnreachable = "environment_unreachable",
        JobFinished = "job_finished",
        NothingToRerun = "nothing_to_rerun",
        IdempotencyKeyReused = "idempotency_key_reused",
        Gone = "gone",
        UsernameTaken = "username_taken",
        LastAdmin = "last_admin",
        WrongPassword = "wrong_password",
        Unavailable = "unavailable",
        Internal = "internal",
    }
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedRequest | Self::MalformedJson => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::CrossSite => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::BranchMoved | Self::CommitUnavailable | Self::JobFinished | Self::UsernameTaken | Self::LastAdmin => {
                409
            }
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable => 416,
            Self::InvalidInput
            | Self::BranchNotFound
            | Self::ScenarioNotFound
            | Self::EnvironmentNotFound
            | Self::NothingToRerun
            | Self::IdempotencyKeyReused
            | Self::WrongPassword => 422,
            Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::Internal => 500,
            Self::EnvironmentUnreachable | Self::Unavailable => 503,
        }
    }

    /// A short name for people, the same for every occurrence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unauthenticated => "Not signed in",
            Self::Forbidden => "Not allowed",
            Self::CrossSite => "Cross-site request refused",
            Self::NotFound => "Not found",
            Self::RateLimited => "Too many attempts",
            Self::MethodNotAllowed => "Method not allowed",
            Self::TooSlow => "Request too slow",
            Self::TooLarge => "Request too large",
            Self::HeadersTooLarge => "Headers too large",
            Self::MalformedRequest => "Malformed request",
            Self::MalformedJson => "Malformed JSON",
            Self::InvalidInput => "Invalid input",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::RangeNotSatisfiable => "Range not satisfiable",
            Self::BranchNotFound => "Branch not found",
            Self::ScenarioNotFound => "Scenario not found",
            Self::EnvironmentNotFound => "Environment not found",
            Self::BranchMoved => "Branch moved",
            Self::CommitUnavailable => "Commit not available",
            Self::EnvironmentUnreachable => "Environment unreachable",
            Self::JobFinished => "Job has ended",
            Self::NothingToRerun => "Nothing to rerun",
            Self::IdempotencyKeyReused => "Idempotency key reused",
            Self::Gone => "Job deleted",
            Self::UsernameTaken => "User name taken",
            Self::LastAdmin => "Last administrator",
            Self::WrongPassword => "Wrong password",
            Self::Unavailable => "Temporarily unavailable",
            Self::Internal => "Internal error",
        }
    }
}

/// `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub code: ErrorCode,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldErrors>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: String) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail,
            fields: None,
        }
    }
}
