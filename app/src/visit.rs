//! How a view begins, on the server and in the browser alike: who is there, and what the API answered. What the server
//! was told while it drew goes along behind the content, so that the browser draws the same without asking again.

use crate::json;
use crate::preferences::Preferences;
use crate::session::Session;
#[cfg(not(feature = "ssr"))]
use crate::transport::{self, Answer};
use leptos::prelude::*;
use protocol::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
pub use server::Visit;
#[cfg(feature = "ssr")]
use server::hand_over;

/// Between what is handed over; no JSON of the API's has one in it.
const SEPARATOR: char = '\n';

/// Who is there, and how they like it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Visitor {
    pub(crate) session: Session,
    pub(crate) preferences: Preferences,
    /// By the server's clock, when it drew the page.
    pub(crate) drawn_at: Option<Timestamp>,
}

/// Who is there. To be called first of all, by both sides: what is handed over goes by number.
pub(crate) fn begin() -> Visitor {
    hand_over()
}

/// The HTTP answer's status: whatever a page makes of what it was told.
#[cfg(feature = "ssr")]
pub(crate) fn answer_with(status: u16) {
    if let Some(visit) = use_context::<Visit>() {
        visit.set_status(status);
    }
}

#[cfg(not(feature = "ssr"))]
pub(crate) const fn answer_with(_status: u16) {}

#[cfg(not(feature = "ssr"))]
fn hand_over() -> Visitor {
    let shared = Owner::current_shared_context();
    let text = shared.and_then(|shared| shared.read_data(&shared.next_id())).unwrap_or_default();
    let mut parts = text.split(SEPARATOR);
    let visitor: Visitor = parts.next().and_then(json::read).unwrap_or_default();
    let mut answers = Vec::new();
    while let Some(answer) = Answer::of_parts(&mut parts) {
        answers.push(answer);
    }
    transport::take_over(answers);
    if let Some(drawn_at) = visitor.drawn_at {
        crate::browser::set_clock_roughly(drawn_at);
    }
    visitor
}

#[cfg(feature = "ssr")]
mod server {
    use super::{SEPARATOR, Session, Visitor, json};
    use crate::paths;
    use crate::preferences::{Preferences, Theme};
    use crate::transport::{self, Answer, Answers, ApiRouter};
    use axum::http::header::COOKIE;
    use axum::http::request::Parts;
    use leptos::prelude::*;
    use leptos::reactive::computed::ScopedFuture;
    use protocol::Timestamp;
    use protocol::api::ErrorCode;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    /// One request for a page.
    #[derive(Clone)]
    pub struct Visit {
        api: ApiRouter,
        visitor: Visitor,
        answers: Answers,
        status: Arc<AtomicU16>,
    }

    impl Visit {
        /// Asks who is there. The error: where to go first, to sign in or to choose a password of one's own.
        pub async fn begin(api: ApiRouter, request: &Parts) -> Result<Self, String> {
            let mut visit = Self {
                api: api.clone(),
                visitor: Visitor {
                    session: Session::default(),
                    preferences: preferences(request),
                    drawn_at: Some(Timestamp::now()),
                },
                answers: Answers::default(),
                status: Arc::new(AtomicU16::new(200)),
            };
            if request.uri.path() == paths::LOGIN {
                return Ok(visit);
            }
            let owner = Owner::new_root(None);
            let asked = owner.with(|| {
                provide_context(api);
                provide_context(request.clone());
                ScopedFuture::new(Session::load())
            });
            let asked = asked.await;
            owner.cleanup();
            match asked {
                Err(error) if error.is(ErrorCode::Unauthenticated) => {
                    let address = request.uri.path_and_query().map_or(paths::HOME, |address| address.as_str());
                    return Err(paths::login(address));
                }
                // What keeps it from being told keeps the page from its data as well, and that says so.
                session => visit.visitor.session = session.unwrap_or_default(),
            }
            if visit.visitor.session.must_change_password() && request.uri.path() != paths::ACCOUNT {
                let address = request.uri.path_and_query().map_or(paths::HOME, |address| address.as_str());
                return Err(paths::first_password(address));
            }
            Ok(visit)
        }

        /// To all that is drawn in it.
        pub fn provide(&self) {
            provide_context(self.api.clone());
            provide_context(self.answers.clone());
            provide_context(self.clone());
        }

        /// Of the document's root, for the style sheet; none follows the system.
        pub(crate) fn theme(&self) -> Option<&'static str> {
            self.visitor.preferences.theme.map(Theme::name)
        }

        /// Of the HTTP answer; known when all is drawn.
        pub fn status(&self) -> u16 {
            self.status.load(Ordering::Relaxed)
        }

        pub(super) fn set_status(&self, status: u16) {
            self.status.store(status, Ordering::Relaxed);
        }

        /// Who is there, and all that was asked and answered so far: beside its request and the moment, what a page is
        /// drawn from.
        pub fn told(&self) -> String {
            self.text_of(&Visitor { drawn_at: None, ..self.visitor.clone() })
        }

        /// Puts the questions anew that were put for a page which was told `before`; whether all is answered the same.
        /// Where it is not, the drawing takes these answers.
        pub async fn is_told_again(&self, before: &str, request: &Parts) -> bool {
            // The first part says who is there.
            for url in Answer::urls_of(before.split(SEPARATOR).skip(1)) {
                transport::ask(self.api.clone(), request, url, &self.answers).await;
            }
            self.told() == before
        }

        fn to_text(&self) -> String {
            self.text_of(&self.visitor)
        }

        fn text_of(&self, visitor: &Visitor) -> String {
            let mut text = json::write(visitor).unwrap_or_default();
            for part in self.answers.to_parts() {
                text.push(SEPARATOR);
                text.push_str(&part);
            }
            text
        }
    }

    /// Nobody is there while the table of routes is made.
    pub(super) fn hand_over() -> Visitor {
        let Some(visit) = use_context::<Visit>() else { return Visitor::default() };
        let visitor = visit.visitor.clone();
        if let Some(shared) = Owner::current_shared_context() {
            // Asked for when all is drawn.
            shared.write_async(shared.next_id(), Box::pin(async move { visit.to_text() }));
        }
        visitor
    }

    fn preferences(request: &Parts) -> Preferences {
        // Beside ours stand those of other programs at this host, in whatever letters they are.
        let cookies = request.headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        Preferences::of_cookies(&cookies.collect::<Vec<_>>().join("; "))
    }
}
