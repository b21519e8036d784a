//! The files that a task left behind, to look at or to keep.

use crate::words;
use leptos::prelude::*;
use protocol::api::ResultFile;

#[component]
pub(crate) fn ResultList(
    /// Each with where it can be had.
    #[prop(into)]
    files: Signal<Vec<(ResultFile, String)>>,
) -> impl IntoView {
    let items = move || {
        let item = |(file, href): (ResultFile, String)| {
            view! {
                <li>
                    <a class="scenario" href=href rel="external">{file.path}</a>
                    <span class="progress-text">{words::size(file.size)}</span>
                </li>
            }
        };
        files.get().into_iter().map(item).collect_view()
    };
    view! {
        <div class="results" hidden=move || files.with(Vec::is_empty)>
            <h2>"Result files"</h2>
            <ul aria-label="Result files">{items}</ul>
        </div>
    }
}
