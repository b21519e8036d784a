//! TestArena: the JSON API, the job store, the poller and the site.
//! `build` puts them together; `main` and `cli` only start it.

mod answer_words;
pub mod api;
pub mod around;
pub mod auth;
pub mod bell;
pub mod cli;
pub mod clock;
pub mod config;
pub mod encoding;
pub mod error;
mod estimates;
pub mod housekeeping;
pub mod inline;
pub mod kept;
pub mod key_locks;
pub mod lifecycle;
pub mod listener;
pub mod logs;
pub mod metrics;
pub mod poller;
pub mod remote;
pub mod restored;
pub mod run;
pub mod site;
pub mod ssh_watch;
pub mod state;
pub mod store;
pub mod together;
pub mod turns;
pub mod version;
pub mod waiters;
pub mod wishes;

use axum::Router;
use site::SiteOptions;
use state::AppState;

/// Everything that answers requests, with what belongs around it.
pub fn build(state: AppState) -> Router {
    let api = api::routes(state.clone());
    let site = site::routes(api.clone(), SiteOptions::default());
    around::wrap(api.merge(site), &state)
}
