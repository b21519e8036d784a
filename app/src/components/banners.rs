//! What holds for the whole page, under its header: no line to the server, no session, no newest page.

use super::icon::Icon;
use crate::connection::Connection;
use crate::{browser, paths, words};
use leptos::prelude::*;

/// `here`: the address to come back to after signing in.
#[component]
pub(crate) fn Banners(#[prop(into)] here: Signal<String>) -> impl IntoView {
    let Connection { answered_at, is_away, session_has_ended, now_as, is_outdated, .. } = expect_context();
    let away = move || {
        let since = is_away.get().then(|| answered_at.get()).flatten();
        is_away.get().then(|| {
            let shown = since.map(|at| {
                let at = words::exact_moment(at, Some(browser::zone_offset_minutes(at)));
                format!(" What is shown is from {at}.")
            });
            view! {
                <Icon name="warning" />
                <span>"Can't reach the server."{shown}" Trying again every few seconds."</span>
            }
        })
    };
    let ended = move || {
        session_has_ended.get().then(|| {
            view! {
                <Icon name="key" />
                <span>
                    "Your session has ended. "
                    <a href=move || paths::login(&here.get()) target="_blank" rel="external">"Sign in"</a>
                    " in another tab; what is open here stays, and goes on by itself."
                </span>
            }
        })
    };
    let other = move || {
        now_as.get().map(|name| {
            view! {
                <Icon name="user" />
                <span>
                    {format!("You are signed in as {name} now. ")}
                    <a href=move || here.get() rel="external">"Reload"</a>
                    " to see what that shows."
                </span>
            }
        })
    };
    let outdated = move || {
        is_outdated.get().then(|| {
            view! {
                <Icon name="info" />
                <span>
                    "A newer version is served. "
                    <a href=move || here.get() rel="external">"Reload"</a>
                    " when it suits."
                </span>
            }
        })
    };
    view! {
        <div class="banner is-alert" role="alert" hidden=move || !is_away.get()>{away}</div>
        <div class="banner is-warning" role="alert" hidden=move || !session_has_ended.get()>{ended}</div>
        <div class="banner is-warning" role="alert" hidden=move || now_as.with(Option::is_none)>{other}</div>
        <div class="banner" role="status" hidden=move || !is_outdated.get()>{outdated}</div>
    }
}
