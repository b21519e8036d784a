//! Answers that carry their own version and age, so that the next question can be "has it changed since?".

use super::ClientError;
use protocol::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loaded<T> {
    pub(crate) body: T,
    pub(crate) etag: Option<String>,
    /// When the remote server last spoke about the facts in the body.
    pub(crate) synced_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fetched<T> {
    Modified(Loaded<T>),
    NotModified { synced_at: Option<Timestamp> },
}

impl<T> Fetched<T> {
    /// For a question that was asked without an `ETag`, to which "not modified" is no answer.
    pub(crate) fn loaded(self) -> Result<Loaded<T>, ClientError> {
        match self {
            Self::Modified(loaded) => Ok(loaded),
            Self::NotModified { .. } => Err(ClientError::Unreadable { status: 304 }),
        }
    }
}
