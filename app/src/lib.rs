//! What a person sees of TestArena: drawn on the server first and then live in the browser.
//! Here: the document around it, the application, and the table of its views.

#[cfg(not(erase_components))]
compile_error!(
    "the page is built with `--cfg erase_components`, which .cargo/config.toml sets; a RUSTFLAGS of your own replaces \
     that, so put it in there as well"
);

mod browser;
mod client;
mod components;
mod json;
mod pages;
mod paths;
mod pending;
mod poll;
mod reload;
mod session;
mod transport;
mod visit;
mod words;

use components::account_menu::AccountMenu;
use components::header::Header;
#[cfg(feature = "hydrate")]
use leptos::mount::hydrate_body;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
#[cfg(feature = "ssr")]
use leptos_router::location::RequestUrl;
#[cfg(feature = "ssr")]
use leptos_router::{PathSegment, RouteList};
use leptos_router::{SsrMode, path};
use pages::not_found::NotFoundPage;
use pages::{dashboard, job, login, new_job, page};
use poll::Clock;
use session::Session;

#[cfg(feature = "ssr")]
pub use transport::ApiRouter;
#[cfg(feature = "ssr")]
pub use visit::Visit;

/// Where the site's built files are, as paths from the root; none where only the server was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteAssets {
    pub css: Option<String>,
    /// The script and the WASM that it loads.
    pub live: Option<(String, String)>,
}

/// The whole document, for the server.
pub fn shell(assets: SiteAssets) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                {assets.css.map(|css| view! { <link rel="stylesheet" href=css /> })}
                {assets.live.map(|(js, wasm)| live_scripts(&js, wasm))}
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

fn live_scripts(js: &str, wasm: String) -> impl IntoView + use<> {
    let start =
        format!("import start, {{ make_live }} from {js:?}; start({{ module_or_path: {wasm:?} }}).then(make_live);");
    view! {
        <link rel="modulepreload" nonce=use_nonce() href=js.to_owned() />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
        <script type="module" nonce=use_nonce() inner_html=start></script>
    }
}

/// All that is in the document's body.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Clock::provide();
    let session = visit::begin();
    provide_context(session.clone());
    let (is_routing, set_is_routing) = signal(false);
    view! {
        <Title formatter=|title: String| format!("{title} · {}", words::PRODUCT) />
        <Router set_is_routing>
            <Frame session is_routing>
                <FlatRoutes fallback=NotFoundPage>
                    <Route path=path!("/") view=page(dashboard::load, dashboard::draw) ssr=SsrMode::Async />
                    <Route path=path!("/login") view=page(login::load, login::draw) ssr=SsrMode::Async />
                    <Route path=path!("/jobs/new") view=page(new_job::load, new_job::draw) ssr=SsrMode::Async />
                    <Route path=path!("/jobs/:id") view=page(job::load, job::draw) ssr=SsrMode::Async />
                </FlatRoutes>
            </Frame>
        </Router>
    }
}

/// The table of routes above, as the server's router spells it.
#[cfg(feature = "ssr")]
pub fn route_paths() -> Vec<String> {
    let owner = Owner::new_root(None);
    let routes = owner.with(|| {
        provide_context(RequestUrl::new(""));
        RouteList::generate(App)
    });
    owner.cleanup();
    routes.map(RouteList::into_inner).unwrap_or_default().iter().map(|route| axum_path(route.path())).collect()
}

#[cfg(feature = "ssr")]
fn axum_path(segments: &[PathSegment]) -> String {
    let spelled = segments.iter().filter_map(|segment| match segment {
        PathSegment::Unit => None,
        PathSegment::Static(name) => Some(name.trim_matches('/').to_owned()),
        PathSegment::Param(name) | PathSegment::OptionalParam(name) => Some(format!("{{{name}}}")),
        PathSegment::Splat(name) => Some(format!("{{*{name}}}")),
    });
    let path: Vec<String> = spelled.filter(|segment| !segment.is_empty()).collect();
    format!("/{}", path.join("/"))
}

/// What every view has around it.
#[component]
fn Frame(session: Session, is_routing: ReadSignal<bool>, children: Children) -> impl IntoView {
    let account = session.user.map(|user| view! { <AccountMenu username=user.username sign_out=paths::LOGOUT /> });
    focus_after_navigation(is_routing);
    view! {
        // To a part of this page: the browser's own business.
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        <Header home=paths::HOME account=account.into_any() />
        <main id="main" tabindex="-1" aria-busy=move || is_routing.get().then_some("true")>
            {children()}
        </main>
    }
}

/// As a page that is loaded would: a keyboard or a screen reader starts over at the content.
fn focus_after_navigation(is_routing: ReadSignal<bool>) {
    let pathname = use_location().pathname;
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

/// Takes over in the browser what the server drew.
#[cfg(feature = "hydrate")]
pub fn make_live() {
    hydrate_body(App);
    transport::forget_answers();
    // After the effects that hydration has started.
    leptos::task::spawn_local(async { browser::mark_live() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_router_knows_every_route() {
        assert_eq!(route_paths(), ["/", "/login", "/jobs/new", "/jobs/{id}"]);
    }
}
