//! What a person sees of TestArena: drawn on the server first and then live in the browser.
//! Here: the document around it, the application, and the table of its views.

// The type of a view nests as deep as its elements do.
#![recursion_limit = "256"]

mod answer;
mod browser;
mod client;
mod components;
mod later;
mod pages;
mod paths;
mod pending;
mod poll;
mod session;
mod transport;
mod words;

use components::header::header;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::{SsrMode, path};
use pages::{DashboardPage, JobPage, LoginPage, NewJobPage, NotFoundPage};
use poll::Clock;
use session::{Session, SignedIn};
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

#[cfg(feature = "ssr")]
pub use transport::ApiRouter;

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
        format!("import start, {{ hydrate }} from {js:?}; start({{ module_or_path: {wasm:?} }}).then(hydrate);");
    view! {
        <link rel="modulepreload" href=js.to_owned() />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
        <script type="module" nonce=use_nonce() inner_html=start></script>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Clock::provide();
    Effect::new(|_| mark_hydrated());
    view! {
        <Title formatter=|title: String| if title.is_empty() { "TestArena".to_owned() } else { title + " · TestArena" } />
        <Router>
            <Views />
        </Router>
    }
}

/// The table of views below, as the server's router spells it.
pub const PAGES: [&str; 4] = ["/", "/login", "/jobs/new", "/jobs/{id}"];

#[component]
fn Views() -> impl IntoView {
    let session = Session::provide();
    focus_after_navigation();
    view! {
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        {header(paths::HOME, view! { <SignedIn session /> })}
        <main id="main" tabindex="-1">
            <FlatRoutes fallback=NotFoundPage>
                <Route path=path!("/") view=DashboardPage ssr=SsrMode::Async />
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
                <Route path=path!("/jobs/new") view=NewJobPage ssr=SsrMode::Async />
                <Route path=path!("/jobs/:id") view=JobPage ssr=SsrMode::Async />
            </FlatRoutes>
        </main>
    }
}

/// As a page that is loaded would: a keyboard or a screen reader starts over at the content.
fn focus_after_navigation() {
    let pathname = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let now = pathname.get();
        if before.is_some_and(|before| before != now)
            && let Some(main) = document().get_element_by_id("main")
            && let Ok(main) = main.dyn_into::<HtmlElement>()
        {
            let _ = main.focus();
        }
        now
    });
}

/// For tests and for style: from now on the page answers.
fn mark_hydrated() {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-hydrated", "true");
    }
}
