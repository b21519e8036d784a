//! The files that a task left behind, to look at here or to keep.

use super::icon::Icon;
use crate::words;
use leptos::prelude::*;
use protocol::api::ResultFile;

/// A file with where it can be had and, if it can be shown here, where that is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) file: ResultFile,
    pub(crate) address: String,
    pub(crate) preview: Option<String>,
}

/// More are drawn when somebody asks for them.
const FIRST_FILES: usize = 200;

#[component]
pub(crate) fn ResultList(
    /// Or why they can't be listed.
    #[prop(into)]
    files: Signal<Result<Vec<Listed>, String>>,
    /// The path of the one that is shown.
    #[prop(into)]
    shown: Signal<Option<String>>,
) -> impl IntoView {
    let draws_all = RwSignal::new(false);
    let items = move || {
        let (shown, most) = (shown.get(), if draws_all.get() { usize::MAX } else { FIRST_FILES });
        let item = |Listed { file, address, preview }: Listed| {
            let icon = if file.content_type.starts_with("image/") { "image" } else { "file" };
            let is_shown = shown.as_ref() == Some(&file.path);
            let link = match preview {
                Some(href) => view! {
                    <a class="result" href=href data-noscroll="" aria-current=is_shown.then_some("true")>
                        <Icon name=icon />
                        <span class="scenario">{file.path}</span>
                    </a>
                }
                .into_any(),
                None => view! {
                    <a class="result" href=address rel="external" download="">
                        <Icon name="download" />
                        <span class="scenario">{file.path}</span>
                    </a>
                }
                .into_any(),
            };
            view! {
                <li>
                    {link}
                    <span class="progress-text">{words::size(file.size)}</span>
                </li>
            }
        };
        files.get().unwrap_or_default().into_iter().take(most).map(item).collect_view()
    };
    let count = move || files.with(|files| files.as_ref().map_or(0, Vec::len));
    let all = move || {
        (count() > FIRST_FILES && !draws_all.get()).then(|| {
            let label = format!("Show all {} files", count());
            view! { <button class="button" type="button" on:click=move |_| draws_all.set(true)>{label}</button> }
        })
    };
    let trouble = move || files.with(|files| files.as_ref().err().cloned());
    let is_empty = move || files.with(|files| files.as_ref().is_ok_and(Vec::is_empty));
    view! {
        <div class="results" hidden=is_empty>
            <h2>"Result files"</h2>
            <p class="field-note" role="status">{trouble}</p>
            <ul aria-label="Result files">{items}</ul>
            {all}
        </div>
    }
}
