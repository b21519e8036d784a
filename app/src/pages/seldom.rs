//! All views but the dashboard and the sign-in: in the browser they come in files of their own, when one goes there.
//! The site's build takes the page's WASM apart at the functions here; the server has all of it in one piece.

// A function that comes in a file of its own may fail to come, which its attribute says by its result.
#![allow(clippy::unnecessary_wraps)]

#[cfg(not(feature = "ssr"))]
use super::job::{DrawLog, draw_log};
use super::{At, account, admin, compare, drawn, history, job, new_job};
use leptos::prelude::*;
#[cfg(not(feature = "ssr"))]
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_router::ChooseView;
#[cfg(not(feature = "ssr"))]
use leptos_router::hooks::{use_location, use_url};
#[cfg(not(feature = "ssr"))]
use leptos_router::location::Location;
use std::pin::Pin;

/// By the file that it comes in.
#[derive(Clone, Copy)]
pub(crate) enum Seldom {
    Job,
    NewJob,
    Record(Record),
    Setting(Setting),
}

#[derive(Clone, Copy)]
pub(crate) enum Record {
    History,
    Compare,
}

#[derive(Clone, Copy)]
pub(crate) enum Setting {
    Account,
    Users,
    Environments,
    Audit,
}

/// A view on its way, from what it needs to what is drawn.
type Opening = Pin<Box<dyn Future<Output = AnyView>>>;

/// The view of a route.
pub(crate) fn seldom(view: Seldom) -> impl ChooseView {
    SeldomPage(view)
}

#[derive(Clone)]
struct SeldomPage(Seldom);

#[cfg(feature = "ssr")]
impl ChooseView for SeldomPage {
    async fn choose(self) -> AnyView {
        let at = At::here();
        match self.0 {
            Seldom::Job => open_job(at),
            Seldom::NewJob => open_new_job(at),
            Seldom::Record(view) => open_record(view, at),
            Seldom::Setting(view) => open_setting(view, at),
        }
        .await
    }

    async fn preload(&self) {}
}

#[cfg(not(feature = "ssr"))]
impl SeldomPage {
    /// Another view is wanted by now. Where it is of this very route, the router takes its address for this view's, and
    /// would draw neither.
    async fn give_way(self, location: &Location) -> AnyView {
        let path = location.pathname.try_get_untracked().unwrap_or_default();
        let is_of_this_route = match self.0 {
            Seldom::Job => path.strip_prefix("/jobs/").is_some_and(|id| id.starts_with(|c: char| c.is_ascii_digit())),
            Seldom::Record(Record::History) => path.starts_with("/scenarios/"),
            _ => false,
        };
        if is_of_this_route {
            let query = location.search.try_get_untracked().filter(|query| !query.is_empty());
            crate::browser::go(&query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")));
        }
        std::future::pending().await
    }
}

#[cfg(not(feature = "ssr"))]
impl ChooseView for SeldomPage {
    async fn choose(self) -> AnyView {
        let (at, url, location) = (At::here(), use_url(), use_location());
        let to = super::address(url);
        let path = to.split('?').next().unwrap_or_default();
        let is_left = || location.pathname.try_get_untracked().is_some_and(|wanted| wanted != path);
        // While the server is away what is shown stays, and it is asked again.
        while prepare(path).await.is_err() {
            let script = crate::browser::own_script().unwrap_or_default();
            let is_answered = crate::transport::is_served(&script).await.is_some();
            if is_answered || is_left() {
                break;
            }
            crate::connection::note(Some(&crate::client::ClientError::Unreachable));
            crate::poll::a_while().await;
        }
        if is_left() {
            return self.give_way(&location).await;
        }
        let opening = match self.0 {
            Seldom::Job => match log_file().await {
                Ok(draw) => {
                    job::draw_logs_by(draw);
                    job_file(at).await
                }
                Err(error) => Err(error),
            },
            Seldom::NewJob => new_job_file(at).await,
            Seldom::Record(view) => records_file(view, at).await,
            Seldom::Setting(view) => settings_file(view, at).await,
        };
        let Ok(opening) = opening else {
            // Another version is served by now, with other files: as a new document it is told which.
            crate::browser::go(&to);
            return std::future::pending().await;
        };
        let view = opening.await;
        if is_left() { self.give_way(&location).await } else { view }
    }

    async fn preload(&self) {}
}

/// Has what the view at this path needs at hand, so that it can be taken over at once as the server drew it.
#[cfg(not(feature = "ssr"))]
pub(crate) async fn prepare(path: &str) -> Result<(), SplitLoaderError> {
    match path.split('/').nth(1) {
        Some("jobs") if path == crate::paths::NEW_JOB => load_new_job_file().await,
        Some("jobs") => load_log_file().await.and(load_job_file().await),
        Some("scenarios" | "compare") => load_records_file().await,
        Some("account" | "admin") => load_settings_file().await,
        _ => Ok(()),
    }
}

#[cfg(not(feature = "ssr"))]
#[wasm_split(job, wasm_split_path = leptos::wasm_split, fallible, preload(load_job_file))]
fn job_file(at: At) -> Result<Opening, SplitLoaderError> {
    Ok(open_job(at))
}

#[cfg(not(feature = "ssr"))]
#[wasm_split(log, wasm_split_path = leptos::wasm_split, fallible, preload(load_log_file))]
fn log_file() -> Result<DrawLog, SplitLoaderError> {
    Ok(draw_log)
}

#[cfg(not(feature = "ssr"))]
#[wasm_split(new_job, wasm_split_path = leptos::wasm_split, fallible, preload(load_new_job_file))]
fn new_job_file(at: At) -> Result<Opening, SplitLoaderError> {
    Ok(open_new_job(at))
}

#[cfg(not(feature = "ssr"))]
#[wasm_split(records, wasm_split_path = leptos::wasm_split, fallible, preload(load_records_file))]
fn records_file(view: Record, at: At) -> Result<Opening, SplitLoaderError> {
    Ok(open_record(view, at))
}

#[cfg(not(feature = "ssr"))]
#[wasm_split(settings, wasm_split_path = leptos::wasm_split, fallible, preload(load_settings_file))]
fn settings_file(view: Setting, at: At) -> Result<Opening, SplitLoaderError> {
    Ok(open_setting(view, at))
}

fn open_job(at: At) -> Opening {
    Box::pin(drawn(job::load(at), job::draw))
}

fn open_new_job(at: At) -> Opening {
    Box::pin(drawn(new_job::load(at), new_job::draw))
}

fn open_record(view: Record, at: At) -> Opening {
    match view {
        Record::History => Box::pin(drawn(history::load(at), history::draw)),
        Record::Compare => Box::pin(drawn(compare::load(at), compare::draw)),
    }
}

fn open_setting(view: Setting, at: At) -> Opening {
    match view {
        Setting::Account => Box::pin(drawn(account::load(at), account::draw)),
        Setting::Users => Box::pin(drawn(admin::users::load(at), admin::users::draw)),
        Setting::Environments => Box::pin(drawn(admin::environments::load(at), admin::environments::draw)),
        Setting::Audit => Box::pin(drawn(admin::audit::load(at), admin::audit::draw)),
    }
}
