//! What narrows a list, each to be taken away. Links, since what narrows is in the URL.

use super::icon::Icon;
use leptos::prelude::*;

/// What it narrows, in words, and the address of the list without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chip {
    pub(crate) words: String,
    pub(crate) without: String,
}

#[component]
pub(crate) fn Chips(label: &'static str, #[prop(into)] chips: Signal<Vec<Chip>>) -> impl IntoView {
    let items = move || {
        let item = |Chip { words, without }: Chip| {
            let remove = format!("Remove filter {words}");
            view! {
                <li class="chip">
                    <span>{words}</span>
                    <a href=without aria-label=remove data-noscroll=""><Icon name="close" /></a>
                </li>
            }
        };
        chips.get().into_iter().map(item).collect_view()
    };
    view! {
        <ul class="chips" aria-label=label hidden=move || chips.with(Vec::is_empty)>
            {items}
        </ul>
    }
}
