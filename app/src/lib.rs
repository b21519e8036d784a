//! What a person sees of TestArena: drawn on the server first and then live in the browser.
//! Here: the application, what every view has around it, and the table of views.

#[cfg(not(erase_components))]
compile_error!(
    "the page is built with `--cfg erase_components`, which .cargo/config.toml sets; a RUSTFLAGS of your own replaces \
     that, so put it in there as well"
);

mod browser;
mod client;
mod components;
mod connection;
#[cfg(feature = "ssr")]
mod document;
mod form_problem;
mod json;
mod keyboard;
mod pages;
mod paths;
mod pending;
mod poll;
mod preferences;
mod reload;
mod session;
mod transport;
mod visit;
mod words;
mod zone;

use components::banners::Banners;
use components::header::{Header, Links};
use components::keyboard_help::KeyboardHelp;
use components::toasts::{ToastList, Toasts};
use connection::Connection;
#[cfg(feature = "hydrate")]
use leptos::mount::hydrate_body;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::{NavigateOptions, SsrMode, path};
use pages::not_found::NotFoundPage;
use pages::seldom::{Record, Seldom, Setting, seldom};
use pages::{dashboard, login, page};
use poll::Clock;
use preferences::OpensLogs;
use reload::UnderWay;
use session::Session;

#[cfg(feature = "ssr")]
pub use document::{SiteAssets, route_paths, shell};
#[cfg(feature = "ssr")]
pub use transport::ApiRouter;
#[cfg(feature = "ssr")]
pub use visit::Visit;
use visit::Visitor;

/// Of what tells that the page has stopped answering.
const BROKEN: &str = "broken";

/// All that is in the document's body.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let Visitor { session, preferences, drawn_at } = visit::begin();
    Clock::provide(drawn_at);
    Toasts::provide();
    Connection::provide(drawn_at, session.user.as_ref()).watch();
    if let Some(id) = session.user.as_ref().map(|user| user.id) {
        Effect::new(move |_| browser::keep_only_of(id));
    }
    provide_context(session.clone());
    OpensLogs::provide(&preferences);
    provide_context(preferences);
    browser::remember_zone();
    browser::watch_ways();
    let loads = UnderWay::provide();
    let (is_routing, set_is_routing) = signal(false);
    view! {
        <Title formatter=|title: String| format!("{title} – {}", words::PRODUCT) />
        <Router set_is_routing>
            <Frame session is_routing loads>
                <FlatRoutes fallback=NotFoundPage>
                    <Route path=path!("/") view=page(dashboard::load, dashboard::draw) ssr=SsrMode::Async />
                    <Route path=path!("/login") view=page(login::load, login::draw) ssr=SsrMode::Async />
                    <Route path=path!("/jobs/new") view=seldom(Seldom::NewJob) ssr=SsrMode::Async />
                    <Route path=path!("/jobs/:id") view=seldom(Seldom::Job) ssr=SsrMode::Async />
                    <Route path=path!("/scenarios/:environment/*name") view=seldom(Seldom::Record(Record::History)) ssr=SsrMode::Async />
                    <Route path=path!("/compare") view=seldom(Seldom::Record(Record::Compare)) ssr=SsrMode::Async />
                    <Route path=path!("/account") view=seldom(Seldom::Setting(Setting::Account)) ssr=SsrMode::Async />
                    <Route path=path!("/admin/users") view=seldom(Seldom::Setting(Setting::Users)) ssr=SsrMode::Async />
                    <Route path=path!("/admin/environments") view=seldom(Seldom::Setting(Setting::Environments)) ssr=SsrMode::Async />
                    <Route path=path!("/admin/audit") view=seldom(Seldom::Setting(Setting::Audit)) ssr=SsrMode::Async />
                </FlatRoutes>
            </Frame>
        </Router>
    }
}

/// What every view has around it.
#[component]
fn Frame(session: Session, is_routing: ReadSignal<bool>, loads: UnderWay, children: Children) -> impl IntoView {
    let location = use_location();
    let (pathname, search) = (location.pathname, location.search);
    let here = Memo::new(move |_| {
        let search = search.get();
        let query = if search.is_empty() { String::new() } else { format!("?{search}") };
        pathname.get() + &query
    });
    let navigate = use_navigate();
    let on_search = Callback::new(move |words: String| {
        navigate(&paths::with_query(paths::HOME, &[("search", &words)]), NavigateOptions::default());
    });
    let helps = RwSignal::new(false);
    let links = Links {
        home: paths::HOME,
        places: paths::places(session.user.as_ref().is_some_and(|user| user.is_admin)),
        account: paths::ACCOUNT,
        sign_out: paths::LOGOUT,
    };
    focus_after_navigation(is_routing, loads);
    keyboard::listen(helps);
    view! {
        // To a part of this page: the browser's own business.
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        <Header links user=session.user here=pathname on_search on_help=Callback::new(move |()| helps.set(true)) />
        <Banners here />
        <main id="main" tabindex="-1" aria-busy=move || (is_routing.get() || loads.is_any()).then_some("true")>
            {children()}
        </main>
        <KeyboardHelp is_open=helps />
        <ToastList />
    }
}

/// As a page that is loaded would: a keyboard or a screen reader starts over at the content.
fn focus_after_navigation(is_routing: ReadSignal<bool>, loads: UnderWay) {
    let pathname = use_location().pathname;
    // What narrowed a list and had the focus goes with what it narrowed.
    Effect::new(move |was_loading: Option<bool>| {
        let is_loading = loads.is_any();
        if was_loading == Some(true) && !is_loading {
            request_animation_frame(|| browser::focus_if_lost("main"));
        }
        is_loading
    });
    Effect::new(move |before: Option<String>| {
        let now = pathname.get();
        if is_routing.get() {
            return before.unwrap_or_default();
        }
        if before.is_some_and(|before| before != now) {
            browser::focus("main");
        }
        now
    });
}

/// Tells that the page has stopped answering: a panic ends all of it.
#[cfg(feature = "hydrate")]
pub fn tell_broken() {
    browser::reveal(BROKEN);
}

/// Takes over in the browser what the server drew.
#[cfg(feature = "hydrate")]
pub async fn make_live() {
    if pages::seldom::prepare(&location().pathname().unwrap_or_default()).await.is_err() {
        // What the server drew can't be taken over without it.
        return tell_broken();
    }
    hydrate_body(App);
    transport::forget_answers();
    // After the effects that hydration has started.
    leptos::task::spawn_local(async { browser::mark_live() });
}
