//! TestArena: the JSON API, the job store, the poller and the site.
//! `build` puts them together; `main` and `cli` only start it.

pub mod bell;
pub mod config;
pub mod lifecycle;
pub mod logs;
pub mod poller;
pub mod remote;
pub mod site;
pub mod store;
