//! Who is at the page. Asked once with the first view; signing in and out are plain forms that load the page anew.
//! Whoever is not signed in is led to the sign-in view, whichever view they asked for.

use crate::client::{self, ClientError};
use crate::components::account_menu::AccountMenu;
use crate::{answer, paths};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use protocol::api::{ErrorCode, User, UserRef};

type Who = Option<Result<User, ClientError>>;

#[derive(Clone, Copy)]
pub(crate) struct Session {
    who: Resource<Who>,
}

impl Session {
    pub(crate) fn provide() -> Self {
        let pathname = use_location().pathname;
        let is_login = Memo::new(move |_| pathname.get() == paths::LOGIN);
        let who = Resource::new(
            move || is_login.get(),
            |is_login| async move { if is_login { None } else { Some(client::me().await) } },
        );
        let session = Self { who };
        provide_context(session);
        session
    }

    pub(crate) async fn user(self) -> Option<User> {
        self.who.await.and_then(Result::ok)
    }
}

/// Why a page has nothing to show, for the HTTP answer: signs in first, or says that it may be different in a moment.
pub(crate) fn answer_for(error: &ClientError) {
    match error.code() {
        // `SignedIn` leads to the sign-in view.
        Some(ErrorCode::Unauthenticated) => {}
        Some(code) => answer::status(code.status()),
        None => answer::status(503),
    }
}

/// Whether this user may abort, delete and so on what belongs to `owner`.
pub(crate) fn may_change(user: Option<&User>, owner: &UserRef) -> bool {
    user.is_some_and(|user| user.is_admin || user.id == owner.id)
}

/// The signed-in user with the way out; leads everybody else to the sign-in view.
#[component]
pub(crate) fn SignedIn(session: Session) -> impl IntoView {
    let location = use_location();
    let here = move || {
        let query = location.query.with_untracked(leptos_router::params::ParamsMap::to_query_string);
        location.pathname.get_untracked() + &query
    };
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match session.who.await {
                    Some(Ok(user)) => Some(view! { <AccountMenu username=user.username sign_out=paths::LOGOUT /> }),
                    Some(Err(error)) if error.is(ErrorCode::Unauthenticated) => {
                        answer::see_other(&paths::login(&here()));
                        None
                    }
                    Some(Err(_)) | None => None,
                }
            })}
        </Suspense>
    }
}
