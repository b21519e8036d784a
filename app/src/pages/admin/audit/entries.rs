//! The entries of one page of the log, and the way to the older ones.

use super::filters::ACTIONS;
use super::url;
use crate::client::AuditQuery;
use crate::components::time_stamp::TimeStamp;
use crate::paths;
use leptos::prelude::*;
use protocol::api::{AuditEntry, AuditLog, DetailValue, User, Via};
use protocol::{JobId, UserId};
use std::collections::BTreeMap;

#[component]
pub(super) fn Entries(log: AuditLog, users: Vec<User>, query: AuditQuery) -> impl IntoView {
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
    let row = |entry: AuditEntry| {
        let name = name_of(&entry, &users);
        view! { <EntryRow entry name query=query.clone() /> }
    };
    let rows = entries.into_iter().map(row).collect_view();
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

/// Of the user whom an entry is about: as they are called now, or as the entry itself says of one that is gone.
fn name_of(entry: &AuditEntry, users: &[User]) -> Option<String> {
    let id: UserId = entry.object.strip_prefix("user:")?.parse().ok()?;
    let now = users.iter().find(|user| user.id == id).map(|user| user.username.clone());
    now.or_else(|| match entry.detail.get("username") {
        Some(DetailValue::Text(name)) => Some(name.clone()),
        _ => None,
    })
}

#[component]
fn EntryRow(entry: AuditEntry, name: Option<String>, query: AuditQuery) -> impl IntoView {
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
            <td>{object_link(object, name, narrowed)}</td>
            <td class="is-stretched" title=told.clone()>{told.clone()}</td>
            <td>{way}</td>
        </tr>
    }
}

/// A job leads to its view; anything else, to what else was done with it.
fn object_link(object: String, name: Option<String>, narrowed: AuditQuery) -> AnyView {
    let job = object.strip_prefix("job:").and_then(|id| id.parse::<JobId>().ok());
    let href = match job {
        Some(id) => paths::job(id),
        None => url(&AuditQuery { object: object.clone(), ..narrowed }),
    };
    // By the number it is looked for.
    let title = object.clone();
    let words = job.map(|id| format!("job #{id}")).or_else(|| name.map(|name| format!("user {name}")));
    view! { <a href=href title=title data-noscroll="">{words.unwrap_or(object)}</a> }.into_any()
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
    use protocol::{AuditId, Timestamp};

    fn entry(object: &str, detail: &[(&str, DetailValue)]) -> AuditEntry {
        AuditEntry {
            id: AuditId(1),
            at: Timestamp(0),
            actor: None,
            via: Via::Page,
            address: None,
            action: "user.update".to_owned(),
            object: object.to_owned(),
            detail: detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }

    #[test]
    fn a_user_is_called_by_name_where_that_is_known() {
        let user = |id, name: &str| User {
            id: UserId(id),
            username: name.to_owned(),
            is_admin: false,
            must_change_password: false,
            created_at: Timestamp(0),
            last_login_at: None,
        };
        let users = [user(2, "ada"), user(3, "bob")];
        let named = [("username", DetailValue::Text("robert".to_owned()))];
        let of = |object: &str, detail| name_of(&entry(object, detail), &users);
        assert_eq!(of("user:3", &named).as_deref(), Some("bob"));
        assert_eq!(of("user:4", &named).as_deref(), Some("robert"));
        for unknown in ["user:4", "user:unknown", "job:2", "token:2"] {
            assert_eq!(of(unknown, &[]), None, "{unknown}");
        }
    }

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
