//! Every word that crosses a wire, for the server, the page and the remote test server alike.
//! Serde and nothing else: this crate compiles for native and wasm32 and is the one that all others share.

#[macro_use]
mod words;
pub mod api;
pub mod media_type;
pub mod names;
pub mod order;
pub mod reason;
pub mod remote;
pub mod shell;
pub mod size;
mod status;
pub mod text;
mod timestamp;

pub use status::{JobStatus, QueueStatus, TaskStatus};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use words::UnknownWord;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// Makes a newtype around a database id, so that one kind of id is never taken for another.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A job's number: small, never used again, said aloud by people ("job 42").
    JobId
}
id! {
    /// A user's number. A job belongs to a user by this, not by name.
    UserId
}
id! {
    /// A personal API token's number.
    TokenId
}
id! {
    /// The number of an entry of the audit log.
    AuditId
}
