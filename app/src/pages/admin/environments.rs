//! The environments: whether their remote test servers answer, since when, and what is wrong where they don't.

use super::{NotAllowed, Unshown};
use crate::client::{self, ClientError, Fetched, Loaded};
use crate::pages::At;
use crate::pages::dashboard::Freshness;
use crate::poll::{self, Live};
use crate::reload::{Reload, reload};
use crate::session::Session;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::Environments;

mod card;
mod check;

use card::EnvironmentCard;

type Found = Result<Loaded<Environments>, ClientError>;

pub(crate) async fn load(_: At) -> Found {
    find().await
}

async fn find() -> Found {
    client::watch_environments(None).await.and_then(Fetched::loaded)
}

pub(crate) fn draw(seed: Found) -> AnyView {
    view! { <EnvironmentsPage seed /> }.into_any()
}

#[component]
fn EnvironmentsPage(seed: Found) -> impl IntoView {
    // Everybody may ask for the list, but sees less of each.
    let is_admin = expect_context::<Session>().user.is_some_and(|user| user.is_admin);
    let Reload { value: found, again } = reload(Memo::new(|_| ()), seed, |()| find());
    let view = move || match found.get() {
        Ok(seed) if is_admin => view! { <Present seed /> }.into_any(),
        Ok(_) => view! { <NotAllowed /> }.into_any(),
        Err(error) => view! { <Unshown title="The environments can't be shown" error retry=again /> }.into_any(),
    };
    view! { {view} }
}

#[component]
fn Present(seed: Loaded<Environments>) -> impl IntoView {
    let live: Live<Environments> =
        poll::live(seed, |_, etag| client::watch_environments(etag), |list, fresh| *list = fresh, |_| false);
    let environments = Memo::new(move |_| live.value.with(|list| list.environments.clone()));
    let names = Memo::new(move |_| environments.with(|all| all.iter().map(|one| one.name.clone()).collect::<Vec<_>>()));
    let card = move |name: String| view! { <EnvironmentCard environments=environments.into() name /> };
    view! {
        <Title text="Environments" />
        <div class="page-head">
            <h1>"Environments"</h1>
        </div>
        <Freshness synced_at=Signal::stored(None) trouble=live.trouble answered_at=live.answered_at />
        <For each=move || names.get() key=String::clone children=card />
    }
}
