//! Who is at the page. Asked once, with the first view: signing in and out are plain forms that load the page anew.

#[cfg(feature = "ssr")]
use crate::client::{self, ClientError};
use protocol::api::{User, UserRef};
use serde::{Deserialize, Serialize};

/// The signed-in user; none on the sign-in page and while that can't be told.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: Option<User>,
}

impl Session {
    /// An administrator has set it, so that nothing else is shown before it is changed.
    pub(crate) fn must_change_password(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.must_change_password)
    }
}

#[cfg(feature = "ssr")]
impl Session {
    pub(crate) async fn load() -> Result<Self, ClientError> {
        client::me().await.map(|user| Self { user: Some(user) })
    }
}

/// Whether this user may abort, delete and so on what belongs to `owner`.
pub(crate) fn may_change(user: Option<&User>, owner: &UserRef) -> bool {
    user.is_some_and(|user| user.is_admin || user.id == owner.id)
}
