//! What the page knows of its line to the server: whether it answers, whether the session lasts, whether the page is
//! still the newest. Every answer tells, whoever asked; the banners show it.

use crate::client::{self, ClientError};
use crate::{browser, poll, transport};
use leptos::prelude::*;
#[cfg(not(feature = "ssr"))]
use protocol::api::ErrorCode;
use protocol::api::User;
use protocol::{Timestamp, UserId};

#[derive(Clone, Copy)]
pub(crate) struct Connection {
    /// When the server last answered, by its clock; at first, with this page.
    pub(crate) answered_at: RwSignal<Option<Timestamp>>,
    pub(crate) is_away: RwSignal<bool>,
    pub(crate) session_has_ended: RwSignal<bool>,
    /// How often the server has answered as before, after it was away or the session had ended.
    pub(crate) returns: RwSignal<u32>,
    /// As whom another tab has signed in, whose session this tab's questions go by since then.
    pub(crate) now_as: RwSignal<Option<String>>,
    /// The files that this page was loaded from are no longer served.
    pub(crate) is_outdated: RwSignal<bool>,
    /// The user whom the page was drawn for, and whether as an administrator.
    drawn_for: Option<(UserId, bool)>,
}

impl Connection {
    pub(crate) fn provide(drawn_at: Option<Timestamp>, user: Option<&User>) -> Self {
        let connection = Self {
            answered_at: RwSignal::new(drawn_at),
            is_away: RwSignal::new(false),
            session_has_ended: RwSignal::new(false),
            returns: RwSignal::new(0),
            now_as: RwSignal::new(None),
            is_outdated: RwSignal::new(false),
            drawn_for: user.map(|user| (user.id, user.is_admin)),
        };
        provide_context(connection);
        #[cfg(not(feature = "ssr"))]
        THIS.set(Some(connection));
        connection
    }

    /// Asks whether it is well again while it is not, and now and then whether the page is still the newest and its
    /// user still who is signed in.
    pub(crate) fn watch(self) {
        let is_ill = Memo::new(move |_| self.is_away.get() || self.session_has_ended.get());
        poll::while_true(is_ill, client::ping);
        poll::now_and_then(is_ill, move || async move {
            if let Some(script) = browser::own_script()
                && transport::is_served(&script).await == Some(false)
            {
                self.is_outdated.set(true);
            }
            if self.drawn_for.is_some() {
                meet(client::me().await);
            }
        });
    }

    /// Who is signed in by now: somebody else, or the same one as ever (or again), or nobody.
    #[cfg(not(feature = "ssr"))]
    fn meet(self, who: Result<User, ClientError>) {
        let now = match who {
            Ok(user) => Some(user).filter(|user| self.drawn_for != Some((user.id, user.is_admin))),
            Err(error) if error.is(ErrorCode::Unauthenticated) => None,
            // It can't be told.
            Err(_) => return,
        };
        let now = now.map(|user| user.username);
        if self.now_as.with_untracked(|before| *before != now) {
            self.now_as.set(now);
        }
    }

    #[cfg(not(feature = "ssr"))]
    fn note(self, error: Option<&ClientError>) {
        let is_away = matches!(error, Some(ClientError::Unreachable));
        let was_away = self.is_away.get_untracked() || self.session_has_ended.get_untracked();
        if !is_away {
            self.answered_at.set(Some(browser::now()));
            let has_ended = error.is_some_and(|error| error.is(ErrorCode::Unauthenticated));
            set_if_other(self.session_has_ended, has_ended);
        }
        set_if_other(self.is_away, is_away);
        if was_away && !is_away && !self.session_has_ended.get_untracked() {
            self.returns.update(|count| *count += 1);
        }
    }
}

#[cfg(not(feature = "ssr"))]
fn set_if_other(signal: RwSignal<bool>, value: bool) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}

#[cfg(not(feature = "ssr"))]
thread_local! {
    /// A browser's page has but one; whoever asks has no context any more when the answer comes.
    static THIS: std::cell::Cell<Option<Connection>> = const { std::cell::Cell::new(None) };
}

/// What came of a question; to be told of each.
#[cfg(not(feature = "ssr"))]
pub(crate) fn note(error: Option<&ClientError>) {
    if let Some(connection) = THIS.get() {
        connection.note(error);
    }
}

/// Who is signed in by now, asked for by itself.
#[cfg(not(feature = "ssr"))]
pub(crate) fn meet(who: Result<User, ClientError>) {
    if let Some(connection) = THIS.get() {
        connection.meet(who);
    }
}

/// The user whom the page was drawn for.
#[cfg(not(feature = "ssr"))]
pub(crate) fn drawn_for() -> Option<UserId> {
    THIS.get()?.drawn_for.map(|(id, _)| id)
}

/// Whether another one has signed in since.
#[cfg(not(feature = "ssr"))]
pub(crate) fn is_others() -> bool {
    THIS.get().is_some_and(|connection| connection.now_as.with_untracked(Option::is_some))
}

/// On the server a question is a call in the same process.
#[cfg(feature = "ssr")]
pub(crate) const fn note(_error: Option<&ClientError>) {}

#[cfg(feature = "ssr")]
pub(crate) fn meet(_who: Result<User, ClientError>) {}

#[cfg(feature = "ssr")]
pub(crate) const fn drawn_for() -> Option<UserId> {
    None
}

#[cfg(feature = "ssr")]
pub(crate) const fn is_others() -> bool {
    false
}
