//! What the browser keeps for the page: cookies, and what belongs to a tab or to a browser.

use js_sys::Reflect;
use leptos::prelude::{document, window};
use protocol::UserId;
use web_sys::Storage;

const RECENT_KEY: &str = "testarena.branches";
const RECENT: usize = 5;
/// Of whom the rest is.
const USER_KEY: &str = "testarena.user";

/// For a year; without a value it is forgotten.
pub(crate) fn set_cookie(name: &str, value: Option<&str>) {
    let secure =
        if window().location().protocol().is_ok_and(|protocol| protocol == "https:") { "; Secure" } else { "" };
    let age = if value.is_some() { 365 * 24 * 60 * 60 } else { 0 };
    let cookie = format!("{name}={}; Path=/; Max-Age={age}; SameSite=Lax{secure}", value.unwrap_or_default());
    let _ = Reflect::set(&document(), &"cookie".into(), &cookie.into());
}

/// Kept as long as the tab is open.
pub(crate) fn session_item(key: &str) -> Option<String> {
    window().session_storage().ok()??.get_item(key).ok()?
}

/// Without a value it is forgotten.
pub(crate) fn set_session_item(key: &str, value: Option<&str>) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let _ = match value {
        Some(value) => storage.set_item(key, value),
        None => storage.remove_item(key),
    };
}

/// What one user began or was offered again is nothing for the next, also where the one before has not signed out.
pub(crate) fn keep_only_of(user: UserId) {
    let user = user.to_string();
    for storage in storages() {
        if storage.get_item(USER_KEY).ok().flatten().is_some_and(|before| before != user) {
            forget(&storage);
        }
        let _ = storage.set_item(USER_KEY, &user);
    }
}

pub(crate) fn forget_user() {
    storages().for_each(|storage| forget(&storage));
}

fn storages() -> impl Iterator<Item = Storage> {
    [window().session_storage(), window().local_storage()].into_iter().flatten().flatten()
}

fn forget(storage: &Storage) {
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|at| storage.key(at).ok()?);
    // Other programs may stand behind the same host.
    let ours: Vec<String> = keys.filter(|key| key.starts_with("testarena.")).collect();
    for key in ours {
        let _ = storage.remove_item(&key);
    }
}

/// The branches that were validated last, the latest first.
pub(crate) fn recent_branches() -> Vec<String> {
    let kept = || window().local_storage().ok()??.get_item(RECENT_KEY).ok()?;
    kept().unwrap_or_default().lines().map(str::to_owned).collect()
}

pub(crate) fn remember_branch(branch: &str) {
    let others = recent_branches().into_iter().filter(|other| other != branch).take(RECENT - 1);
    let kept: Vec<String> = std::iter::once(branch.to_owned()).chain(others).collect();
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(RECENT_KEY, &kept.join("\n"));
    }
}
