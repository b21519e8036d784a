//! Find in log: over the whole log at the server, also where it is not here; from match to match with the keys.

use crate::client::{self, ClientError, LogOf};
use crate::components::log_lines::LogView;
use crate::words;
use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::leptos_dom::helpers::debounce;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::LogMatches;
use std::collections::BTreeSet;
use std::time::Duration;

/// After the last key, so that a word typed is one question.
const TYPING_PAUSE: Duration = Duration::from_millis(300);
/// Matches that can be stepped through; how many there are in all is told besides.
const MATCHES: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Next,
    Previous,
}

#[component]
pub(super) fn LogSearch(view: LogView, log: LogOf) -> impl IntoView {
    let words = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<LogMatches, ClientError>>);
    let at = RwSignal::new(0_usize);
    let searches = RwSignal::new(0_u32);
    let search = move |wanted: String| {
        let log = log.clone();
        searches.update(|count| *count += 1);
        // Not held back by one under way: an answer to what was typed before comes too late and is dropped.
        spawn_local(async move {
            let answer = client::search_log(&log, &wanted, MATCHES).await;
            searches.update(|count| *count -= 1);
            if words.try_get_untracked().is_some_and(|words| words.trim() == wanted) {
                show(view, found, at, answer);
            }
        });
    };
    let mut search_soon = debounce(TYPING_PAUSE, move |text: String| {
        if words.try_get_untracked().is_none() {
            // The log was left meanwhile.
            return;
        }
        if text.is_empty() {
            found.set(None);
            view.matches.update(BTreeSet::clear);
            view.target.set(None);
        } else {
            search(text);
        }
    });
    let typed = move |event| {
        let text = event_target_value(&event);
        words.set(text.clone());
        search_soon(text.trim().to_owned());
    };
    let step = move |way: Way| go(view, found, at, way);
    let on_key = move |event: KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            step(if event.shift_key() { Way::Previous } else { Way::Next });
        }
    };
    view! {
        <form class="log-search" role="search" on:submit=move |event: SubmitEvent| event.prevent_default()>
            <input type="text" aria-label="Find in log" placeholder="Find in log" autocomplete="off" spellcheck="false"
                prop:value=words on:input=typed on:keydown=on_key />
            <span class="log-found" role="status">{move || told(found.get(), at.get(), searches.get() > 0)}</span>
            <button class="button is-icon" type="button" aria-label="Previous match" on:click=move |_| step(Way::Previous)>
                <span aria-hidden="true">"↑"</span>
            </button>
            <button class="button is-icon" type="button" aria-label="Next match" on:click=move |_| step(Way::Next)>
                <span aria-hidden="true">"↓"</span>
            </button>
        </form>
    }
}

fn show(
    view: LogView,
    found: RwSignal<Option<Result<LogMatches, ClientError>>>,
    at: RwSignal<usize>,
    answer: Result<LogMatches, ClientError>,
) {
    let lines: Vec<u64> =
        answer.as_ref().map(|found| found.matches.iter().map(|one| one.line).collect()).unwrap_or_default();
    view.matches.set(lines.iter().copied().collect());
    at.set(0);
    found.set(Some(answer));
    if let Some(first) = lines.first() {
        view.show(*first);
    }
}

fn go(view: LogView, found: RwSignal<Option<Result<LogMatches, ClientError>>>, at: RwSignal<usize>, way: Way) {
    let line = found.with_untracked(|found| {
        let matches = &found.as_ref()?.as_ref().ok()?.matches;
        let next = step(at.get_untracked(), matches.len(), way)?;
        at.set(next);
        Some(matches[next].line)
    });
    if let Some(line) = line {
        view.show(line);
    }
}

/// Round and round; none among none.
const fn step(at: usize, count: usize, way: Way) -> Option<usize> {
    match (count, way) {
        (0, _) => None,
        (_, Way::Next) => Some((at + 1) % count),
        (_, Way::Previous) => Some((at + count - 1) % count),
    }
}

fn told(found: Option<Result<LogMatches, ClientError>>, at: usize, is_searching: bool) -> String {
    if is_searching {
        return "Searching…".to_owned();
    }
    match found {
        None => String::new(),
        Some(Err(error)) => error.message(),
        Some(Ok(found)) if found.matches.is_empty() => "No match".to_owned(),
        Some(Ok(found)) => format!("{} of {}", words::count(at as u64 + 1), words::count(found.total)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_round_among_the_matches() {
        assert_eq!((step(0, 3, Way::Next), step(2, 3, Way::Next)), (Some(1), Some(0)));
        assert_eq!((step(0, 3, Way::Previous), step(2, 3, Way::Previous)), (Some(2), Some(1)));
        assert_eq!(step(0, 0, Way::Next), None);
    }
}
