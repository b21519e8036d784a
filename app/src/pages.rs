//! One file per page: what it needs is loaded first, then drawn; plain values go down to the components.
//! Here: the way from a route to its view.

use crate::client::ClientError;
#[cfg(not(feature = "ssr"))]
use crate::paths;
use crate::paths::Query;
#[cfg(not(feature = "ssr"))]
use crate::session::Session;
use leptos::prelude::*;
#[cfg(feature = "ssr")]
use leptos::tachys::reactive_graph::OwnedView;
use leptos_router::hooks::{use_navigate, use_params_map};
use leptos_router::params::ParamsMap;
use leptos_router::{ChooseView, NavigateOptions};
use protocol::api::ErrorCode;

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod compare;
pub(crate) mod dashboard;
pub(crate) mod history;
pub(crate) mod job;
pub(crate) mod login;
pub(crate) mod new_job;
pub(crate) mod not_found;
pub(crate) mod seldom;

/// What of the address says which view it is, and in which state.
pub(crate) struct At {
    pub(crate) params: ParamsMap,
    pub(crate) query: Query,
}

impl At {
    fn here() -> Self {
        Self { params: use_params_map().get_untracked(), query: Query::here().get_untracked() }
    }
}

/// What a page shows at first, also where that could not be had.
pub(crate) trait Seed: 'static {
    /// Why it could not.
    fn error(&self) -> Option<&ClientError> {
        None
    }
}

impl<T: 'static> Seed for Result<T, ClientError> {
    fn error(&self) -> Option<&ClientError> {
        self.as_ref().err()
    }
}

/// On the server it may be waited for by another thread than began it; a browser has but one.
#[cfg(feature = "ssr")]
pub(crate) trait Loading: Future + Send + 'static {}
#[cfg(feature = "ssr")]
impl<F: Future + Send + 'static> Loading for F {}
#[cfg(not(feature = "ssr"))]
pub(crate) trait Loading: Future + 'static {}
#[cfg(not(feature = "ssr"))]
impl<F: Future + 'static> Loading for F {}

/// The view of a route: loaded, then drawn. So no view is ever empty, and the one before it stays until then.
pub(crate) fn page<S: Seed, L: Loading<Output = S>>(load: fn(At) -> L, draw: fn(S) -> AnyView) -> impl ChooseView {
    Page { load, draw }
}

struct Page<S: 'static, L: 'static> {
    load: fn(At) -> L,
    draw: fn(S) -> AnyView,
}

impl<S, L> Clone for Page<S, L> {
    fn clone(&self) -> Self {
        Self { load: self.load, draw: self.draw }
    }
}

impl<S: Seed, L: Loading<Output = S>> ChooseView for Page<S, L> {
    async fn choose(self) -> AnyView {
        drawn((self.load)(At::here()), self.draw).await
    }

    async fn preload(&self) {}
}

/// How the filters of a list change its address: each from what is wanted by then, since the address follows a moment
/// later, and what was typed in several fields before the page was live comes at once.
pub(crate) fn narrowing<Q>(query: Memo<Q>, url: fn(&Q) -> String) -> impl Fn(fn(&mut Q, String)) -> Callback<String>
where
    Q: Clone + PartialEq + Send + Sync + 'static,
{
    let navigate = use_navigate();
    let wanted = StoredValue::new(query.get_untracked());
    Effect::new(move |_| wanted.set_value(query.get()));
    move |apply| {
        let navigate = navigate.clone();
        Callback::new(move |value: String| {
            let mut next = wanted.get_value();
            apply(&mut next, value.trim().to_owned());
            wanted.set_value(next.clone());
            navigate(&url(&next), NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
        })
    }
}

/// The title of a view whose facts change. The server writes the head last, when these facts are gone.
pub(crate) fn title_of(text: impl Fn() -> String + Send + Sync + 'static) -> TextProp {
    if cfg!(feature = "ssr") { text().into() } else { text.into() }
}

/// The router does not wait on the server; the document does.
#[cfg(feature = "ssr")]
#[allow(clippy::unused_async)] // on the other side it awaits
async fn drawn<S: Seed>(loading: impl Loading<Output = S>, draw: fn(S) -> AnyView) -> AnyView {
    let view = async move {
        let seed = loading.await;
        if let Some(error) = seed.error() {
            // Without a word of the API's it may be different in a moment.
            crate::visit::answer_with(error.code().map_or(503, ErrorCode::status));
        }
        // It is written out later, perhaps by another thread: what it reads has to live until then.
        OwnedView::new(draw(seed))
    };
    Suspend::new(view).into_any()
}

#[cfg(not(feature = "ssr"))]
async fn drawn<S: Seed>(loading: impl Loading<Output = S>, draw: fn(S) -> AnyView) -> AnyView {
    let to = here();
    if use_context::<Session>().is_some_and(|session| session.must_change_password()) && !to.starts_with(paths::ACCOUNT)
    {
        // The server leads to where that is done.
        crate::browser::go(&to);
        return std::future::pending().await;
    }
    let seed = loading.await;
    if seed.error().is_some_and(|error| error.is(ErrorCode::Unauthenticated)) {
        if crate::connection::is_others() {
            // As theirs, under their name.
            crate::browser::go(&to);
        } else {
            crate::browser::sign_in_for(&to);
        }
        // What is there stays until the browser has left it.
        return std::future::pending().await;
    }
    crate::browser::scroll_to_left();
    draw(seed)
}

/// The address of the view that is being opened.
#[cfg(not(feature = "ssr"))]
fn here() -> String {
    address(leptos_router::hooks::use_url())
}

#[cfg(not(feature = "ssr"))]
fn address(url: ReadSignal<leptos_router::location::Url>) -> String {
    url.with_untracked(|url| {
        let query = if url.search().is_empty() { "" } else { "?" };
        format!("{}{query}{}", url.path(), url.search())
    })
}
