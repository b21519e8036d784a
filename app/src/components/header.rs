//! The bar at the top of every view: where one can go, the search, and who is signed in.

use super::account_menu::AccountMenu;
use super::icon::Icon;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::User;

/// What stands beside the mark: nothing of it before somebody has signed in.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) home: &'static str,
    /// (address, words)
    pub(crate) places: Vec<(&'static str, &'static str)>,
    pub(crate) account: &'static str,
    pub(crate) sign_out: &'static str,
}

#[component]
pub(crate) fn Header(
    links: Links,
    user: Option<User>,
    /// The path of the view that is shown.
    #[prop(into)]
    here: Signal<String>,
    on_search: Callback<String>,
    on_help: Callback<()>,
) -> impl IntoView {
    let Links { home, places, account, sign_out } = links;
    let place = move |(href, words): (&'static str, &'static str)| {
        view! { <a href=href aria-current=move || here.with(|here| here == href).then_some("page")>{words}</a> }
    };
    let signed_in = user.map(|user| {
        view! {
            <nav class="nav" aria-label="Main">{places.into_iter().map(place).collect_view()}</nav>
            // The list of jobs has a search of its own.
            {move || here.with(|here| here != home).then(|| view! { <Search home on_search /> })}
            <AccountMenu username=user.username account sign_out on_help />
        }
    });
    view! {
        <header class="header">
            <a class="brand" href=home aria-label="TestArena">
                <svg class="brand-mark" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                    <path d="M3 7.5 12 3l9 4.5v9L12 21l-9-4.5z" />
                    <path class="brand-check" d="m8 12 3 3 5.5-6" />
                </svg>
                <span class="brand-name">"TestArena"</span>
            </a>
            {signed_in}
        </header>
    }
}

/// A plain form, so that it works before the page is live.
#[component]
fn Search(home: &'static str, on_search: Callback<String>) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(field) = field.get_untracked() {
            on_search.run(field.value().trim().to_owned());
        }
    };
    view! {
        <form class="header-search search-box" role="search" action=home method="get" on:submit=submit>
            <Icon name="search" />
            <input node_ref=field type="search" name="search" aria-label="Search jobs" placeholder="Search jobs"
                aria-keyshortcuts="/" autocomplete="off" spellcheck="false" />
            <kbd aria-hidden="true">"/"</kbd>
        </form>
    }
}
