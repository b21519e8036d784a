//! What is looked for in a log and what was found: over the whole log at the server, also where it is not here; from
//! match to match, beginning where one is.

use crate::client::{self, ClientError, LogOf};
use crate::components::log_view::LogView;
use crate::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::LogMatches;

/// Matches that are here at once; those behind them are asked for when one comes there.
const MATCHES: u64 = 1_000;
/// What a line says that tells of an error, and with what before it it does not.
const ERRORS: [&str; 3] = ["error", "fail", "panic"];
const NO_ERRORS: [&str; 3] = ["0 ", "no ", "without "];
/// Lines looked at together for one that tells of an error, and how often: a log may say "no errors" ten thousand times.
const LOOKED_AT: u64 = 500;
const MOST_LOOKS: usize = 20;

/// What is looked for, and what was found of it.
#[derive(Clone, Copy)]
pub(super) struct Finder {
    view: LogView,
    /// And of which words the latest search in it was.
    log: StoredValue<(LogOf, String)>,
    words: RwSignal<String>,
    found: RwSignal<Option<Result<Found, ClientError>>>,
    /// The match that one is at, among those that are here.
    at: RwSignal<usize>,
    searches: RwSignal<u32>,
    note: RwSignal<Option<&'static str>>,
}

/// Some of the matches, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    lines: Vec<u64>,
    total: u64,
    /// There may be more: the log is too long to be searched to its end at once.
    is_partial: bool,
    /// How many there are before these, where that is known.
    before: Option<u64>,
    next_from: Option<u64>,
    /// Lines of the log when it was searched; those that have come since then are not among these matches.
    searched: u64,
}

impl Finder {
    pub(super) fn new(view: LogView, log: LogOf, words: String) -> Self {
        Self {
            view,
            log: StoredValue::new((log, String::new())),
            words: RwSignal::new(words),
            found: RwSignal::new(None),
            at: RwSignal::new(0),
            searches: RwSignal::new(0),
            note: RwSignal::new(None),
        }
    }

    pub(super) fn words_untracked(self) -> String {
        self.words.try_get_untracked().unwrap_or_default()
    }

    pub(super) fn type_in(self, words: String) {
        self.words.set(words);
    }

    /// The log may have been left.
    pub(super) fn is_there(self) -> bool {
        self.words.try_get_untracked().is_some()
    }

    /// What is typed need not be looked for again where a key was faster.
    pub(super) fn search_typed(self, wanted: String) {
        if !self.is_sought(&wanted) {
            self.search(wanted);
        }
    }

    /// Whether that was found or is being looked for.
    fn is_sought(self, wanted: &str) -> bool {
        let is_there = self.found.with_untracked(Option::is_some) || self.searches.get_untracked() > 0;
        is_there && self.log.with_value(|(_, sought)| sought == wanted)
    }

    pub(super) fn search(self, wanted: String) {
        self.note.set(None);
        // Those of other words are no way to go on.
        self.found.set(None);
        self.log.update_value(|(_, sought)| sought.clone_from(&wanted));
        if wanted.is_empty() {
            self.view.forget_matches();
            return;
        }
        let (here, _) = self.view.in_sight();
        self.ask(wanted, 1, Some(0), move |found| match found.lines.iter().position(|line| *line >= here) {
            Some(at) => Ok(at),
            // What one reads is further down than all of these.
            None if found.next_from.is_some() => Err(here),
            None => Ok(0),
        });
    }

    /// Asks for the matches from a line on; `choose` says which of them to go to, or from which line to ask instead.
    fn ask(
        self,
        wanted: String,
        from: u64,
        before: Option<u64>,
        choose: impl Fn(&Found) -> Result<usize, u64> + 'static,
    ) {
        let Some((log, _)) = self.log.try_get_value() else { return };
        self.searches.update(|count| *count += 1);
        let searched = self.view.total_untracked();
        // Not held back by one under way: an answer to what was typed before comes too late and is dropped.
        spawn_local(async move {
            let asked = client::search_log(&log, &wanted, from, MATCHES).await;
            let mut answer = asked.map(|found| Found::of(found, before, searched));
            let mut chosen = answer.as_ref().map_or(Ok(0), &choose);
            if let Err(instead) = chosen {
                let asked = client::search_log(&log, &wanted, instead, MATCHES).await;
                answer = asked.map(|found| Found::of(found, (instead == 1).then_some(0), searched));
                chosen = Ok(0);
            }
            if self.searches.try_update(|count| *count -= 1).is_none() {
                return;
            }
            if self.wanted() == wanted {
                self.take(answer, chosen.unwrap_or_default());
            }
        });
    }

    fn take(self, answer: Result<Found, ClientError>, at: usize) {
        let lines = answer.as_ref().map(|found| found.lines.clone()).unwrap_or_default();
        self.at.set(at);
        self.found.set(Some(answer));
        self.view.matches.update(|matches| matches.lines = lines.iter().copied().collect());
        if let Some(line) = lines.get(at) {
            self.view.show_match(*line, self.wanted());
        }
    }

    fn wanted(self) -> String {
        self.words.with_untracked(|words| words.trim().to_owned())
    }

    /// To the next match or the one before; round and round.
    pub(super) fn step(self, forward: bool) {
        let wanted = self.wanted();
        let found = self.found.with_untracked(|found| found.as_ref()?.as_ref().ok().cloned());
        let Some(found) = found.filter(|_| self.is_sought(&wanted)) else {
            if !wanted.is_empty() {
                self.search(wanted);
            }
            return;
        };
        let at = self.at.get_untracked();
        let grown = (self.view.total_untracked() > found.searched).then_some(found.searched + 1);
        match found.step(at, forward, grown) {
            Some(Step::To(at)) => {
                self.at.set(at);
                self.view.show_match(found.lines[at], wanted);
            }
            Some(Step::Ask { from, before }) => {
                let here = found.lines.get(at).copied().unwrap_or(1);
                self.ask(wanted, from, before, move |found| {
                    if forward && found.lines.is_empty() && from > 1 {
                        // Nothing new there: round again.
                        return Err(1);
                    }
                    Ok(if forward { 0 } else { found.lines.iter().rposition(|line| *line < here).unwrap_or_default() })
                });
            }
            None => {}
        }
    }

    /// To the first line that tells of an error, wherever it is.
    pub(super) fn find_error(self) {
        let Some((log, _)) = self.log.try_get_value() else { return };
        self.note.set(None);
        self.searches.update(|count| *count += 1);
        spawn_local(async move {
            let mut first = None::<u64>;
            let mut error = None;
            for word in ERRORS {
                match first_error(&log, word, first.unwrap_or(u64::MAX)).await {
                    Ok(line) => first = first.into_iter().chain(line).min(),
                    Err(failed) => error = Some(failed),
                }
            }
            if self.searches.try_update(|count| *count -= 1).is_none() {
                return;
            }
            match (first, error) {
                (Some(line), _) => self.view.show(line, line),
                (None, Some(error)) => self.found.set(Some(Err(error))),
                (None, None) => self.note.set(Some("No line tells of an error")),
            }
        });
    }

    pub(super) fn told(self) -> String {
        if self.searches.get() > 0 {
            return "Searching…".to_owned();
        }
        if let Some(note) = self.note.get() {
            return note.to_owned();
        }
        let at = self.at.get();
        self.found.with(|found| match found {
            None => String::new(),
            Some(Err(error)) => error.message(),
            Some(Ok(found)) => found.told(at),
        })
    }
}

/// Where the way from match to match leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To one that is here.
    To(usize),
    /// To others, from that line on.
    Ask { from: u64, before: Option<u64> },
}

impl Found {
    fn of(found: LogMatches, before: Option<u64>, searched: u64) -> Self {
        let LogMatches { matches, total, total_is_partial: is_partial, next_from } = found;
        let lines = matches.into_iter().map(|one| one.line).collect();
        Self { lines, total, is_partial, before, next_from, searched }
    }

    /// `grown`: the first of the lines that have come since these were found, if any have.
    fn step(&self, at: usize, forward: bool, grown: Option<u64>) -> Option<Step> {
        let count = self.lines.len();
        let are_all_here = count as u64 == self.total && !self.is_partial;
        match (forward, at) {
            _ if self.total == 0 && !self.is_partial => grown.map(|from| Step::Ask { from, before: Some(0) }),
            (true, at) if at + 1 < count => Some(Step::To(at + 1)),
            (false, at) if at > 0 => Some(Step::To(at - 1)),
            (true, _) if are_all_here && grown.is_none() => Some(Step::To(0)),
            (false, _) if are_all_here => Some(Step::To(count - 1)),
            (true, _) => Some(match self.next_from.or(grown) {
                Some(from) => Step::Ask { from, before: self.before.map(|before| before + count as u64) },
                None => Step::Ask { from: 1, before: Some(0) },
            }),
            (false, _) => (self.before != Some(0)).then_some(Step::Ask { from: 1, before: Some(0) }),
        }
    }

    fn told(&self, at: usize) -> String {
        let total = words::count(self.total) + if self.is_partial { "+" } else { "" };
        match self.before {
            _ if self.total == 0 && self.is_partial => "No match so far".to_owned(),
            _ if self.total == 0 => "No match".to_owned(),
            Some(before) => format!("{} of {total}", words::count(before + at as u64 + 1)),
            None => format!("{total} matches"),
        }
    }
}

/// The first line before `end` that tells of an error by this word.
async fn first_error(log: &LogOf, word: &str, end: u64) -> Result<Option<u64>, ClientError> {
    let mut from = 1;
    for _ in 0..MOST_LOOKS {
        let found = client::search_log(log, word, from, LOOKED_AT).await?;
        if let Some(line) = found.matches.iter().find(|one| tells_error(&one.text, word)) {
            return Ok(Some(line.line));
        }
        match found.next_from {
            Some(next) if next < end => from = next,
            _ => break,
        }
    }
    Ok(None)
}

/// `3 errors`, `build failed`, but not `0 errors`.
fn tells_error(text: &str, word: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices(word).any(|(at, _)| !NO_ERRORS.iter().any(|none| text[..at].ends_with(none)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[u64], total: u64, before: Option<u64>, next_from: Option<u64>) -> Found {
        Found { lines: lines.to_vec(), total, is_partial: false, before, next_from, searched: 0 }
    }

    #[test]
    fn steps_go_round_among_all_the_matches() {
        let all = found(&[3, 5, 9], 3, Some(0), None);
        assert_eq!((all.step(0, true, None), all.step(2, true, None)), (Some(Step::To(1)), Some(Step::To(0))));
        assert_eq!((all.step(0, false, None), all.step(2, false, None)), (Some(Step::To(2)), Some(Step::To(1))));
        assert_eq!(found(&[], 0, Some(0), None).step(0, true, None), None);
    }

    #[test]
    fn in_a_log_that_has_grown_the_way_forward_leads_on_to_what_has_come() {
        let all = found(&[3, 5, 9], 3, Some(0), None);
        assert_eq!(all.step(1, true, Some(12)), Some(Step::To(2)));
        assert_eq!(all.step(2, true, Some(12)), Some(Step::Ask { from: 12, before: Some(3) }));
        assert_eq!(found(&[], 0, Some(0), None).step(0, true, Some(12)), Some(Step::Ask { from: 12, before: Some(0) }));
    }

    #[test]
    fn behind_the_last_that_is_here_the_next_are_asked_for() {
        let some = found(&[3, 5], 7, Some(2), Some(6));
        assert_eq!(some.step(1, true, None), Some(Step::Ask { from: 6, before: Some(4) }));
        assert_eq!(some.step(0, false, None), Some(Step::Ask { from: 1, before: Some(0) }));
        let last = found(&[8, 9], 7, None, None);
        assert_eq!(last.step(1, true, None), Some(Step::Ask { from: 1, before: Some(0) }));
    }

    #[test]
    fn it_is_told_which_of_how_many() {
        assert_eq!(found(&[3, 5], 52_341, Some(1_000), None).told(1), "1,002 of 52,341");
        assert_eq!(found(&[3, 5], 52_341, None, None).told(1), "52,341 matches");
        assert_eq!(found(&[], 0, Some(0), None).told(0), "No match");
        let partial = Found { is_partial: true, ..found(&[3, 5], 2, Some(0), Some(90_000)) };
        assert_eq!(partial.told(1), "2 of 2+");
        assert_eq!(partial.step(1, true, None), Some(Step::Ask { from: 90_000, before: Some(2) }));
    }

    #[test]
    fn a_line_without_errors_tells_of_none() {
        assert!(tells_error("ERROR: no such device", "error") && tells_error("2 tests failed", "fail"));
        assert!(!tells_error("0 errors, 0 failures", "error") && !tells_error("without errors", "error"));
    }
}
