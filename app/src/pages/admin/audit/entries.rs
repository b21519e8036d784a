//! The entries of one page of the log, and the way to the older ones.

use super::filters::ACTIONS;
use super::url;
use crate::client::AuditQuery;
use crate::components::time_stamp::TimeStamp;
use crate::paths;
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::{AuditEntry, AuditLog, DetailValue, Via};
use std::collections::BTreeMap;

#[component]
pub(super) fn Entries(log: AuditLog, query: AuditQuery) -> impl IntoView {
    let AuditLog { entries, next_cursor } = log;
    if entries.is_empty() {
        return view! {
            <div class="empty">
                <h2>"Nothing found"</h2>
                <p>"Nothing of that kind has been noted, or it is older than what is kept."</p>
                <a class="button" href=paths::ADMIN_AUDIT>"Show all"</a>
            </div>
        }
        .into_any();
    }
    let first = AuditQuery { cursor: String::new(), ..query.clone() };
    let newest = (!query.cursor.is_empty()).then(|| view! { <a class="button" href=url(&first)>"Newest"</a> });
    let older = next_cursor.map(|cursor| {
        let older = AuditQuery { cursor, ..query.clone() };
        view! { <a class="button" href=url(&older)>"Older"</a> }
    });
    let rows = entries.into_iter().map(|entry| view! { <EntryRow entry query=query.clone() /> }).collect_view();
    view! {
        <div class="table-scroll">
            <table class="table" aria-label="Entries">
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Of"</th>
                        <th scope="col" class="is-stretched">"Details"</th>
                        <th scope="col">"By way of"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <nav class="paging" aria-label="Pages">{newest}{older}</nav>
    }
    .into_any()
}

#[component]
fn EntryRow(entry: AuditEntry, query: AuditQuery) -> impl IntoView {
    let AuditEntry { at, actor, via, address, action, object, detail, .. } = entry;
    let narrowed = AuditQuery { cursor: String::new(), ..query };
    let actor = match actor {
        Some(actor) => {
            let href = url(&AuditQuery { actor: actor.clone(), ..narrowed.clone() });
            view! { <a href=href data-noscroll="">{actor}</a> }.into_any()
        }
        None => view! { <span class="muted">"nobody"</span> }.into_any(),
    };
    let way = match address {
        Some(address) => format!("{}, {address}", way(via)),
        None => way(via).to_owned(),
    };
    let told = details(&detail);
    view! {
        <tr>
            <td><TimeStamp at /></td>
            <td>{actor}</td>
            <td>{words(&action)}</td>
            <td>{object_link(object, narrowed)}</td>
            <td class="is-stretched" title=told.clone()>{told.clone()}</td>
            <td>{way}</td>
        </tr>
    }
}

/// A job leads to its view; of anything else, to what else was done with it.
fn object_link(object: String, narrowed: AuditQuery) -> AnyView {
    let job = object.strip_prefix("job:").and_then(|id| id.parse::<JobId>().ok());
    let href = match job {
        Some(id) => paths::job(id),
        None => url(&AuditQuery { object: object.clone(), ..narrowed }),
    };
    let words = job.map_or(object, |id| format!("job #{id}"));
    view! { <a href=href data-noscroll="">{words}</a> }.into_any()
}

fn words(action: &str) -> String {
    let known = ACTIONS.iter().find(|(name, _)| *name == action);
    known.map_or(action, |(_, words)| words).to_owned()
}

const fn way(via: Via) -> &'static str {
    match via {
        Via::Page => "page",
        Via::Basic => "password",
        Via::Token => "token",
        Via::Oidc => "single sign-on",
        Via::System => "TestArena itself",
        Via::Cli => "command line",
    }
}

/// `is_admin: yes, username: bob`.
fn details(detail: &BTreeMap<String, DetailValue>) -> String {
    let told = detail.iter().filter_map(|(name, value)| {
        let value = match value {
            DetailValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            DetailValue::Number(number) => number.to_string(),
            DetailValue::Text(text) => text.clone(),
            DetailValue::Texts(texts) => texts.join(", "),
            DetailValue::Nothing => return None,
        };
        Some(format!("{}: {value}", name.replace('_', " ")))
    });
    told.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_read_as_words() {
        let detail = BTreeMap::from([
            ("is_admin".to_owned(), DetailValue::Flag(true)),
            ("scenarios".to_owned(), DetailValue::Texts(vec!["a".to_owned(), "b".to_owned()])),
            ("unset".to_owned(), DetailValue::Nothing),
        ]);
        assert_eq!(details(&detail), "is admin: yes · scenarios: a, b");
    }
}
