//! Light, dark, or as the system has it. Kept in a cookie, so that the server draws it right.

use super::icon::Icon;
use crate::browser;
use crate::preferences::{Preferences, THEME, Theme};
use leptos::prelude::*;

#[component]
pub(crate) fn ThemeSwitch() -> impl IntoView {
    let chosen = RwSignal::new(expect_context::<Preferences>().theme);
    let choice = move |theme: Option<Theme>, icon: &'static str, words: &'static str| {
        let choose = move |_| {
            chosen.set(theme);
            browser::set_cookie(THEME, theme.map(Theme::name));
            browser::set_root_attribute("data-theme", theme.map(Theme::name));
        };
        let value = theme.map_or("system", Theme::name);
        view! {
            <label>
                <input type="radio" name="theme" value=value checked=chosen.get_untracked() == theme
                    prop:checked=move || chosen.get() == theme on:change=choose />
                <Icon name=icon />
                {words}
            </label>
        }
    };
    view! {
        <fieldset class="segmented">
            <legend class="visually-hidden">"Theme"</legend>
            {choice(None, "system", "System")}
            {choice(Some(Theme::Light), "sun", "Light")}
            {choice(Some(Theme::Dark), "moon", "Dark")}
        </fieldset>
    }
}
