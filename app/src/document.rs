//! The document around the application, for the server alone: its head, its scripts, the icons, and the paths that
//! lead to it.

use crate::visit::Visit;
use crate::{App, BROKEN};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;
use leptos_router::location::RequestUrl;
use leptos_router::{PathSegment, RouteList};

/// Where the site's built files are, as paths from the root; none where only the server was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteAssets {
    pub css: Option<String>,
    /// The script and the WASM that it loads.
    pub live: Option<(String, String)>,
}

/// The icons that any view may draw, once in the document.
const ICONS: &str = include_str!("../icons.svg");

/// In the head, so that it hears the very first press.
const EARLY: &str = include_str!("early.js");

/// The whole document, for the server.
pub fn shell(assets: SiteAssets) -> impl IntoView {
    let theme = use_context::<Visit>().and_then(|visit| visit.theme());
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
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
                // Behind what comes alive, for when that stops.
                <div class="toasts">
                    <div class="toast" id=BROKEN role="alert" data-status="failed" hidden>
                        <p>"Something went wrong in this page. Reload it to go on."</p>
                        <a class="button is-small" href="" rel="external">"Reload"</a>
                    </div>
                </div>
                <svg hidden inner_html=ICONS></svg>
                <noscript>
                    <p class="banner">
                        "Without JavaScript this can be read: jobs, logs, histories. Allow it to submit, abort, rerun \
                         or delete jobs, to change settings, and to see what happens as it happens."
                    </p>
                </noscript>
            </body>
        </html>
    }
}

fn live_scripts(js: &str, wasm: String) -> impl IntoView + use<> {
    let start = format!(
        "import start, {{ make_live }} from {js:?}; start({{ module_or_path: {wasm:?} }}).then(make_live)\
         .catch(() => document.getElementById({BROKEN:?}).hidden = false);"
    );
    view! {
        <script nonce=use_nonce() inner_html=EARLY></script>
        <link rel="modulepreload" nonce=use_nonce() href=js.to_owned() fetchpriority="low" />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" fetchpriority="low" />
        <script type="module" nonce=use_nonce() inner_html=start></script>
    }
}

/// The application's table of routes, as the server's router spells it.
pub fn route_paths() -> Vec<String> {
    let owner = Owner::new_root(None);
    let routes = owner.with(|| {
        provide_context(RequestUrl::new(""));
        RouteList::generate(App)
    });
    owner.cleanup();
    routes.map(RouteList::into_inner).unwrap_or_default().iter().map(|route| axum_path(route.path())).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_router_knows_every_route() {
        assert_eq!(
            route_paths(),
            [
                "/",
                "/login",
                "/jobs/new",
                "/jobs/{id}",
                "/scenarios/{environment}/{*name}",
                "/compare",
                "/account",
                "/admin/users",
                "/admin/environments",
                "/admin/audit"
            ]
        );
    }
}
