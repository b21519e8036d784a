//! The audit log: who did what, newest first. What is looked for and which page it is are in the URL.

use super::Unshown;
use crate::client::{self, AuditQuery, ClientError};
use crate::pages::At;
use crate::paths::{self, Query};
use crate::reload::{Reload, reload};
use futures_util::future::join;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::{AuditLog, User};

mod entries;
mod filters;

use entries::Entries;
use filters::AuditFilters;

/// The log, and the users that there are, after whom their entries are named.
type Found = Result<(AuditLog, Vec<User>), ClientError>;

pub(crate) async fn load(at: At) -> Found {
    find(query_of(&at.query)).await
}

async fn find(query: AuditQuery) -> Found {
    let (log, users) = join(client::list_audit(&query), client::list_users()).await;
    // By their numbers the entries can be read as well.
    let users = users.map(|list| list.users).unwrap_or_default();
    log.map(|log| (log, users))
}

fn query_of(query: &Query) -> AuditQuery {
    let text = |name| query.text(name);
    AuditQuery { actor: text("actor"), action: text("action"), object: text("object"), cursor: text("cursor") }
}

fn url(AuditQuery { actor, action, object, cursor }: &AuditQuery) -> String {
    let pairs = [("actor", actor.as_str()), ("action", action), ("object", object), ("cursor", cursor)];
    paths::with_query(paths::ADMIN_AUDIT, &pairs)
}

pub(crate) fn draw(seed: Found) -> AnyView {
    view! { <AuditPage seed /> }.into_any()
}

#[component]
fn AuditPage(seed: Found) -> impl IntoView {
    let address = Query::here();
    let query = Memo::new(move |_| address.with(query_of));
    let Reload { value: found, again } = reload(query, seed, find);
    let view = move || match found.get() {
        Ok((log, users)) => view! { <Entries log users query=query.get_untracked() /> }.into_any(),
        Err(error) => view! { <Unshown title="The audit log can't be shown" error retry=again /> }.into_any(),
    };
    let is_refused = Memo::new(move |_| found.with(Result::is_err));
    let head = move || {
        (!is_refused.get()).then(|| {
            view! {
                <Title text="Audit log" />
                <div class="page-head">
                    <h1>"Audit log"</h1>
                </div>
                <AuditFilters query />
            }
        })
    };
    view! {
        {head}
        {view}
    }
}
