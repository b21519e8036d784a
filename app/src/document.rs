//! The server's side of a view: asks for its data, draws the whole document, and puts what was answered into it, so
//! that the browser need not ask again.

use crate::opening::{self, Opening};
use crate::pages::window_title;
use crate::transport::{Answers, ApiRouter};
use crate::url::Url;
use crate::{app, paths};
use axum::http::request::Parts;
use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;

/// Where the site's built files are, as paths from the root; none where only the server was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteAssets {
    pub css: Option<String>,
    /// The script and the WASM that it loads.
    pub live: Option<(String, String)>,
}

pub enum Document {
    Page {
        status: u16,
        html: String,
    },
    /// Another address has to be seen first.
    Elsewhere(String),
}

/// What `visitor` sees at the address that they asked for. Scripts get `nonce`.
pub async fn render(api: ApiRouter, visitor: Parts, assets: &SiteAssets, nonce: &str) -> Document {
    let address = visitor.uri.path_and_query().map_or(paths::HOME, |address| address.as_str()).to_owned();
    let url = Url::parse(&address);
    let answers = Answers::default();
    let owner = Owner::new_root(None);
    let opening = owner.with(|| {
        provide_context(api);
        provide_context(visitor);
        provide_context(answers.clone());
        ScopedFuture::new(opening::open(&url))
    });
    let document = match opening.await {
        None => Document::Elsewhere(paths::login(&address)),
        Some(Opening { session, page }) => {
            let (status, title) = (page.status(), window_title(&page.title()));
            let body = owner.with(|| app(session, page, url).to_html());
            let head = head(&title, assets, &answers, nonce);
            Document::Page {
                status,
                html: format!("<!DOCTYPE html><html lang=\"en\">{head}<body>{body}</body></html>"),
            }
        }
    };
    owner.cleanup();
    document
}

fn head(title: &str, assets: &SiteAssets, answers: &Answers, nonce: &str) -> String {
    let css = assets.css.as_ref().map(|css| view! { <link rel="stylesheet" href=css.clone() /> });
    let live = assets.live.as_ref().map(|(js, wasm)| {
        let start = format!(
            "import start, {{ make_live }} from {js:?}; start({{ module_or_path: {wasm:?} }}).then(make_live);"
        );
        view! {
            <script type="application/json" id=Answers::ELEMENT inner_html=answers.to_script()></script>
            <link rel="modulepreload" nonce=nonce.to_owned() href=js.clone() />
            <link rel="preload" href=wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
            <script type="module" nonce=nonce.to_owned() inner_html=start></script>
        }
    });
    let head = view! {
        <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <meta name="color-scheme" content="light dark" />
            <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
            <title>{title.to_owned()}</title>
            {css}
            {live}
        </head>
    };
    head.to_html()
}
