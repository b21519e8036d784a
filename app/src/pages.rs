//! One file per page: what it needs is loaded first, then drawn; plain values go down to the components.
//! Here: which address leads to which page.

use crate::client::ClientError;
use crate::html::Child;
use crate::url::Url;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::ErrorCode;

mod dashboard;
mod job;
mod login;
mod new_job;
mod not_found;

/// A page with what it shows at first, also where that could not be had.
#[derive(Clone)]
pub(crate) enum Page {
    Dashboard(dashboard::Seed),
    Login(login::Seed),
    NewJob(new_job::Seed),
    Job(Box<job::Seed>),
    NotFound,
}

/// The addresses that `load` knows, as the server's router spells them.
pub const PAGES: [&str; 4] = [paths::HOME, paths::LOGIN, paths::NEW_JOB, "/jobs/{id}"];

pub(crate) async fn load(url: &Url) -> Page {
    match url.path.as_str() {
        paths::HOME => Page::Dashboard(dashboard::load(url).await),
        paths::LOGIN => Page::Login(login::load().await),
        paths::NEW_JOB => Page::NewJob(new_job::load().await),
        path => match job_of(path) {
            Some(id) => job::load(id, url).await.map_or(Page::NotFound, |seed| Page::Job(Box::new(seed))),
            None => Page::NotFound,
        },
    }
}

fn job_of(path: &str) -> Option<JobId> {
    path.strip_prefix("/jobs/")?.parse().ok()
}

impl Page {
    /// In the window's title, before the product's name.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Dashboard(_) => "Jobs".to_owned(),
            Self::Login(_) => "Sign in".to_owned(),
            Self::NewJob(_) => "New job".to_owned(),
            Self::Job(seed) => seed.title(),
            Self::NotFound => "Not found".to_owned(),
        }
    }

    fn error(&self) -> Option<&ClientError> {
        match self {
            Self::Dashboard(seed) => seed.error(),
            Self::NewJob(seed) => seed.as_ref().err(),
            Self::Job(seed) => seed.error(),
            Self::Login(_) | Self::NotFound => None,
        }
    }

    pub(crate) fn needs_sign_in(&self) -> bool {
        self.error().is_some_and(|error| error.is(ErrorCode::Unauthenticated))
    }

    /// Of the HTTP answer that carries it.
    #[cfg(feature = "ssr")]
    pub(crate) fn status(&self) -> u16 {
        match (self, self.error()) {
            (Self::NotFound, _) => 404,
            (_, None) => 200,
            // Without a word of the API's it may be different in a moment.
            (_, Some(error)) => error.code().map_or(503, ErrorCode::status),
        }
    }
}

pub(crate) fn draw(page: Page) -> AnyView {
    match page {
        Page::Dashboard(seed) => dashboard::dashboard_page(seed),
        Page::Login(seed) => login::login_page(seed).drawn(),
        Page::NewJob(seed) => new_job::new_job_page(seed),
        Page::Job(seed) => job::job_page(*seed),
        Page::NotFound => not_found::not_found_page().drawn(),
    }
}

/// `Jobs · TestArena`.
pub(crate) fn window_title(title: &str) -> String {
    format!("{title} · {}", words::PRODUCT)
}
