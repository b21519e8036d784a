//! What a job has left behind: windows of its logs' lines, what a search found in them, and result files.
//! The whole logs and files are no JSON.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogLines {
    /// Number of the first line in `lines`, from 1.
    pub first: u64,
    pub lines: Vec<String>,
    pub total: u64,
    pub bytes: u64,
    /// The task has ended and its log is wholly here.
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogMatches {
    pub matches: Vec<LogMatch>,
    pub total: u64,
    /// True where time was up before all of the log was looked through: there may be more than `total`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub total_is_partial: bool,
    pub next_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogMatch {
    pub line: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Results {
    pub files: Vec<ResultFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ResultFile {
    pub path: String,
    pub size: u64,
    pub content_type: String,
}
