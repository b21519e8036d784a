//! What a person sees of TestArena: drawn on the server first and then live in the browser.
//! Here: what every view has around it. Where a view's data comes from says `opening`.

mod boxed;
mod browser;
mod client;
mod components;
#[cfg(feature = "ssr")]
mod document;
mod html;
mod json;
#[cfg(feature = "hydrate")]
mod live;
mod navigation;
mod opening;
mod pages;
mod paths;
mod pending;
mod poll;
mod reload;
mod router;
mod session;
mod transport;
mod url;
mod words;

use boxed::effect;
use components::account_menu::account_menu;
use components::header::header;
use html::{Child, el, view_of};
use leptos::prelude::*;
use navigation::Navigation;
use pages::{Page, window_title};
use poll::Clock;
use session::Session;
use url::Url;

#[cfg(feature = "ssr")]
pub use document::{Document, SiteAssets, render};
#[cfg(feature = "hydrate")]
pub use live::make_live;
pub use pages::PAGES;
#[cfg(feature = "ssr")]
pub use transport::ApiRouter;

/// All that is in the document's body.
fn app(session: Session, page: Page, url: Url) -> AnyView {
    Clock::provide();
    provide_context(session.clone());
    let navigation = Navigation::provide(url);
    let page = router::follow(navigation, page);
    effect(move || document().set_title(&window_title(&page.with(Page::title))));
    let account = session.user.map(|user| account_menu(user.username, paths::LOGOUT));
    // To a part of this page: the browser's own business.
    let skip = el("a").class("skip-link").attr("href", "#main").attr("rel", "external").child("Skip to content");
    let main = el("main")
        .attr("id", "main")
        .attr("tabindex", "-1")
        .attr_of("aria-busy", move || navigation.under_way.with(Option::is_some).then(|| "true".to_owned()))
        .child(view_of(move || page.get(), pages::draw));
    vec![skip, header(paths::HOME, account), main].drawn()
}
