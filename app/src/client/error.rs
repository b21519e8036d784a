//! Why a call of the API brought nothing, in words for the person at the page.
//! What the API itself says (its problem details) is shown as it is, because it says what to do.

use crate::transport::{NoAnswer, Response};
use crate::{connection, json};
use protocol::api::{ErrorCode, Problem};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClientError {
    /// The API said no, and why.
    Refused(Problem),
    /// Nothing came back, or only a proxy's word that there is nothing behind it.
    Unreachable,
    /// Something came back that is not the API's.
    Unreadable { status: u16 },
}

impl ClientError {
    pub(crate) fn of(response: &Response) -> Self {
        match json::read(&response.body) {
            Some(problem) => Self::Refused(problem),
            None if response.status >= 500 => Self::Unreachable,
            None => Self::Unreadable { status: response.status },
        }
    }

    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            Self::Unreachable | Self::Unreadable { .. } => None,
        }
    }

    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }

    /// Of what is wrong with the whole page, so that nothing else need tell it.
    pub(crate) fn is_told_by_banner(&self) -> bool {
        *self == Self::Unreachable || self.is(ErrorCode::Unauthenticated)
    }

    /// One or two sentences: what is wrong and what to do.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Refused(problem) if problem.code == ErrorCode::Unauthenticated && connection::is_others() => {
                "You are signed in as somebody else now. Reload the page.".to_owned()
            }
            // What the API says of it is for scripts.
            Self::Refused(problem) if problem.code == ErrorCode::Unauthenticated => {
                "Your session has ended. Sign in in another tab, then try again.".to_owned()
            }
            Self::Refused(problem) if problem.detail.is_empty() => format!("{}.", problem.title),
            Self::Refused(problem) => {
                let end = if problem.detail.ends_with(['.', '!', '?']) { "" } else { "." };
                format!("{}: {}{end}", problem.title, problem.detail)
            }
            Self::Unreachable => "The server did not answer. Check your network and try again.".to_owned(),
            Self::Unreadable { status } => {
                format!(
                    "The server's answer (HTTP {status}) can't be read. Reload the page; if it stays, tell your administrator."
                )
            }
        }
    }

    /// What the API says about one field of the input.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.fields.as_ref()?.get(name).cloned(),
            Self::Unreachable | Self::Unreadable { .. } => None,
        }
    }
}

impl From<NoAnswer> for ClientError {
    fn from(_: NoAnswer) -> Self {
        Self::Unreachable
    }
}
