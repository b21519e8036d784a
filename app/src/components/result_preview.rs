//! A result file in place of the log: an image or a text.

use leptos::prelude::*;

/// What is shown of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Preview {
    Image,
    Text(String),
    /// Why not.
    None(String),
}

#[component]
pub(crate) fn ResultPreview(
    path: String,
    /// Where the file itself can be had, if anywhere.
    address: Option<String>,
    /// The way back to the log.
    close: String,
    /// None while it is being read.
    #[prop(into)]
    shown: Signal<Option<Preview>>,
) -> impl IntoView {
    let (alt, src) = (path.clone(), address.clone().unwrap_or_default());
    let download = address.map(|address| {
        view! { <a class="button is-small" href=address download="" rel="external">"Download"</a> }
    });
    let content = move || match shown.get() {
        None => view! { <p class="log-empty">"Reading the file…"</p> }.into_any(),
        Some(Preview::Image) => {
            view! { <div class="preview-image"><img src=src.clone() alt=alt.clone() /></div> }.into_any()
        }
        Some(Preview::Text(text)) => view! { <pre tabindex="0">{text}</pre> }.into_any(),
        Some(Preview::None(why)) => view! { <p class="log-empty">{why}</p> }.into_any(),
    };
    let label = format!("Result file {path}");
    view! {
        <div class="preview-head">
            <h2>{path}</h2>
            {download}
            <a class="button is-small" href=close data-noscroll="">"Back to the log"</a>
        </div>
        <div class="preview" role="region" aria-label=label>{content}</div>
    }
}
