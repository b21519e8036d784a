//! Why a command did not do what was asked, in words that say what to do, and with the exit code that goes with it.

use super::{REFUSED, UNREACHABLE, note};
use crate::cli::say::PIPE_CLOSED;
use protocol::api::FieldErrors;
use serde::Deserialize;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug)]
pub(super) enum Failure {
    /// What was typed, or set up, can't be meant.
    Usage(String),
    /// The server's answer was no.
    Refused(Box<Refusal>),
    /// No answer of a TestArena came back.
    Unreachable { why: String, was_sent: bool },
    /// Something of this machine's, such as a file that can't be written.
    Local(String),
    /// Nobody reads what is printed any more.
    PipeClosed,
    /// By a signal; with the exit code that shells give it.
    Interrupted { code: u8, told: String },
    /// The same, with more to say about it.
    Told(Box<Failure>, String),
}

/// An answer other than a success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) base: String,
    /// None: it was not TestArena that answered.
    pub(super) problem: Option<Problem>,
    /// As it came.
    pub(super) body: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) location: Option<String>,
    pub(super) request_id: Option<String>,
}

/// The API's problem document, read so that a newer server's codes are understood, too.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    #[serde(default)]
    title: String,
    pub(super) code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    fields: Option<FieldErrors>,
}

impl Problem {
    /// A remote test server's errors have a code as well: its address is easily taken for this server's.
    pub(super) fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok().filter(|problem: &Self| !problem.title.is_empty())
    }
}

impl Failure {
    pub(super) fn of_output(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Local(format!("can't write the output: {error}")),
        }
    }

    pub(super) fn and(self, more: impl Into<String>) -> Self {
        Self::Told(Box::new(self), more.into())
    }

    /// An answer that no TestArena gives.
    pub(super) fn strange(base: &str, why: &str) -> Self {
        let why = format!("{base} answers, but not as TestArena does ({why}); check the address");
        Self::Unreachable { why, was_sent: true }
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Told(failure, _) => failure.refusal(),
            _ => None,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.refusal()?.problem.as_ref().map(|problem| problem.code.as_str())
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.refusal()?.retry_after
    }

    /// Whether the same may succeed when the server, or what stands before it, is well again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(refusal) => {
                matches!(refusal.status, 429 | 500..) || (refusal.problem.is_none() && refusal.status >= 400)
            }
            Self::Told(failure, _) => failure.may_pass(),
            Self::Usage(_) | Self::Local(_) | Self::PipeClosed | Self::Interrupted { .. } => false,
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Local(_) => REFUSED,
            Self::Refused(refusal) if refusal.status < 500 => REFUSED,
            Self::Refused(_) | Self::Unreachable { .. } => UNREACHABLE,
            Self::PipeClosed => PIPE_CLOSED,
            Self::Interrupted { code, .. } => *code,
            Self::Told(failure, _) => failure.exit_code(),
        }
    }

    /// Says it on standard error.
    pub(super) fn tell(&self) -> ExitCode {
        if !matches!(self, Self::PipeClosed) {
            note(self);
        }
        self.exit_code().into()
    }

    /// Also prints the API's own answer where JSON was asked for.
    pub(super) fn print_body(&self) {
        if let Some(Refusal { problem: Some(_), body, .. }) = self.refusal() {
            // The failure itself is told in any case.
            let _unread = writeln!(io::stdout(), "{}", body.replace(['\r', '\n'], " "));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(told)
            | Self::Local(told)
            | Self::Unreachable { why: told, .. }
            | Self::Interrupted { told, .. } => f.write_str(told),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::PipeClosed => f.write_str("nobody reads the output any more"),
            Self::Told(failure, more) => write!(f, "{failure}\n  {more}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(problem) = &self.problem else {
            return self.tell_stranger(f);
        };
        let Problem { title, code, detail, fields } = problem;
        match (title.is_empty(), detail.is_empty()) {
            (false, false) => write!(f, "{title}: {detail} ({code})")?,
            (true, false) => write!(f, "{detail} ({code})")?,
            _ => write!(f, "{title} ({code})")?,
        }
        for (field, why) in fields.iter().flatten().filter(|(_, why)| !detail.contains(why.as_str())) {
            write!(f, "\n  {field}: {why}")?;
        }
        if let Some(hint) = hint(code) {
            write!(f, "\n  {hint}")?;
        }
        if let Some(wait) = self.retry_after {
            write!(f, "\n  Try again in {} s.", wait.as_secs())?;
        }
        match &self.request_id {
            Some(id) if self.status >= 500 => write!(f, "\n  The server's log tells more about request {id}."),
            _ => Ok(()),
        }
    }
}

impl Refusal {
    fn tell_stranger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, status, .. } = self;
        match &self.location {
            Some(target) => write!(
                f,
                "{base} sends on to {target}, where the token does not follow; set TESTARENA_URL to the address that answers itself"
            ),
            None if *status >= 500 => write!(f, "{base} answered {status}; TestArena behind it is not there"),
            None => write!(f, "{base} answered {status}, but not as TestArena does; check the address"),
        }
    }
}

/// What to do about it.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "unauthenticated" => "Sign in with `testarena login`, or set TESTARENA_TOKEN to a token that is valid.",
        "environment_not_found" => "`testarena env list` shows the environments.",
        "branch_not_found" => "`testarena branches` shows the branches.",
        "scenario_not_found" => "`testarena scenarios --branch B` shows the scenarios.",
        "commit_unavailable" => "`testarena job rerun --latest` takes the branch's present commit.",
        "idempotency_key_reused" => "Take another --idempotency-key, or none.",
        "environment_unreachable" => "`testarena env list` shows how the environments are; try again later.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Failure {
        Failure::Refused(Box::new(Refusal {
            status,
            base: "http://tests".to_owned(),
            problem: serde_json::from_str(body).ok(),
            body: body.to_owned(),
            retry_after: None,
            location: None,
            request_id: Some("r-1".to_owned()),
        }))
    }

    #[test]
    fn a_refusal_tells_detail_code_fields_and_what_to_do() {
        let body = r#"{"title":"Branch not found","status":422,"code":"branch_not_found","detail":"no branch \"x\"","fields":{"branch_name":"no branch \"x\"","other":"wrong"}}"#;
        let told = "Branch not found: no branch \"x\" (branch_not_found)\n  other: wrong\n  `testarena branches` shows the branches.";
        assert_eq!(refused(422, body).to_string(), told);
        let internal = refused(500, r#"{"code":"new_word","detail":"broken"}"#);
        assert_eq!(internal.to_string(), "broken (new_word)\n  The server's log tells more about request r-1.");
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays_and_has_its_exit_code() {
        let problem = r#"{"code":"not_found"}"#;
        for (failure, may_pass, code) in [
            (refused(404, problem), false, REFUSED),
            (refused(401, problem), false, REFUSED),
            // A proxy without its server.
            (refused(404, "<html>"), true, REFUSED),
            (refused(502, "<html>"), true, UNREACHABLE),
            (refused(503, problem), true, UNREACHABLE),
            (refused(429, problem), true, REFUSED),
            (refused(308, ""), false, REFUSED),
            (Failure::strange("http://tests", "no JSON"), true, UNREACHABLE),
            (Failure::Usage(String::new()).and("more"), false, REFUSED),
        ] {
            assert_eq!((failure.may_pass(), failure.exit_code()), (may_pass, code), "{failure:?}");
        }
    }
}
