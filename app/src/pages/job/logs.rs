//! The tab "Logs": which log, the log itself, and what one does with it. A log that grows is read on by line number;
//! lines that come into sight are asked for as they are needed.

use super::finder::Finder;
use super::log_search::LogSearch;
use super::results::{self, Shown};
use super::view_state::ViewState;
use crate::browser;
use crate::client::{self, ClientError, Fetched, Lines, Loaded, LogOf};
use crate::components::ansi;
use crate::components::icon::Icon;
use crate::components::log_buffer::LogBuffer;
use crate::components::log_lines::LogScroller;
use crate::components::log_view::LogView;
use crate::components::notice::{Failure, Loading};
use crate::components::result_list::ResultList;
use crate::components::switch::Switch;
use crate::components::task_list::TaskList;
use crate::components::toasts::Toasts;
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::{paths, words};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use protocol::TaskStatus;
use protocol::api::{ErrorCode, Job, LogLines, LogsState, Task};
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// With the first answer: what the server draws, and some to scroll back without asking.
const FIRST_LINES: u64 = 200;
/// Asked for at once while reading on or scrolling.
const MORE_LINES: u64 = 1_000;
/// More are better downloaded.
const MOST_COPIED: u64 = 10_000;

/// Which log is open and its end, if one is.
pub(super) type OpenedLog = Option<(LogOf, Result<LogLines, ClientError>)>;

/// The end of a log; of one that does not exist yet, nothing.
pub(super) async fn load(log: Option<LogOf>) -> OpenedLog {
    let log = log?;
    let lines = match client::read_log(&log, Lines::Tail(FIRST_LINES)).await {
        Err(error) if error.is(ErrorCode::NotFound) => {
            Ok(LogLines { first: 1, lines: Vec::new(), total: 0, bytes: 0, complete: false })
        }
        read => read,
    };
    Some((log, lines))
}

#[component]
pub(super) fn Logs(
    job: Live<Job>,
    tasks: Memo<Vec<Task>>,
    state: ViewState,
    log: RwSignal<OpenedLog>,
    ask_log_again: Callback<()>,
) -> impl IntoView {
    let id = job.value.with_untracked(|job| job.summary.id);
    let logs_state = Memo::new(move |_| job.value.with(|job| job.summary.logs.state));
    let files = results::listed(id, tasks, logs_state, state);
    let has_preview = Memo::new(move |_| state.file.with(Option::is_some));
    let draw_open_log = log_drawer();
    let panel = move || match log.get() {
        Some((log, Ok(lines))) => draw_open_log(job, log, lines, has_preview),
        Some((_, Err(error))) => {
            view! { <Failure title="The log can't be shown" message=error.message() retry=ask_log_again /> }.into_any()
        }
        None => view! { <Loading what="Loading the log" /> }.into_any(),
    };
    let preview = move || state.file.get().map(|path| view! { <Shown path files state /> });
    view! {
        <div class="logs">
            <div class="log-side">
                <TaskList tasks chosen=state.task href=state.log_href />
                <ResultList files=Signal::derive(move || files.get().unwrap_or(Ok(Vec::new()))) shown=state.file />
            </div>
            // Under a file that is shown the log keeps its place.
            <div class="log-panel" hidden=move || has_preview.get()>{panel}</div>
            <div class="log-panel" hidden=move || !has_preview.get()>{preview}</div>
        </div>
    }
}

/// Where the reader was in each of the job's logs, and what was looked for there. Kept while the job is open: another
/// tab or another log is only a look aside.
#[derive(Clone, Copy)]
pub(super) struct LogPlaces(StoredValue<Vec<(LogOf, LogPlace)>>);

#[derive(Clone, Default)]
struct LogPlace {
    top: Option<u64>,
    words: String,
}

impl LogPlaces {
    pub(super) fn new() -> Self {
        Self(StoredValue::new(Vec::new()))
    }

    fn of(self, log: &LogOf) -> LogPlace {
        let place =
            |places: &Vec<(LogOf, LogPlace)>| places.iter().find(|(of, _)| of == log).map(|(_, place)| place.clone());
        self.0.with_value(place).unwrap_or_default()
    }

    fn keep(self, log: LogOf, place: LogPlace) {
        // The job may be left with it.
        let _ = self.0.try_update_value(|places| {
            places.retain(|(of, _)| *of != log);
            places.push((log, place));
        });
    }
}

/// Draws a log that could be read.
pub(crate) type DrawLog = fn(Live<Job>, LogOf, LogLines, Memo<bool>) -> AnyView;

pub(crate) fn draw_log(job: Live<Job>, log: LogOf, lines: LogLines, has_preview: Memo<bool>) -> AnyView {
    view! { <OpenLog job log lines has_preview /> }.into_any()
}

#[cfg(feature = "ssr")]
fn log_drawer() -> DrawLog {
    draw_log
}

/// The log viewer is as large as the rest of the job's view, so that it comes in a file of its own, beside that.
#[cfg(not(feature = "ssr"))]
mod drawer {
    use super::DrawLog;
    use std::cell::Cell;

    thread_local! {
        static DRAWER: Cell<Option<DrawLog>> = const { Cell::new(None) };
    }

    /// To be told before a job's view is drawn.
    pub(crate) fn draw_logs_by(draw: DrawLog) {
        DRAWER.set(Some(draw));
    }

    pub(super) fn log_drawer() -> DrawLog {
        // Not told, there is no viewer, and nothing is drawn.
        DRAWER.get().unwrap_or(|_, _, _, _| leptos::prelude::IntoAny::into_any(()))
    }
}

#[cfg(not(feature = "ssr"))]
pub(crate) use drawer::draw_logs_by;
#[cfg(not(feature = "ssr"))]
use drawer::log_drawer;

#[component]
fn OpenLog(job: Live<Job>, log: LogOf, lines: LogLines, has_preview: Memo<bool>) -> impl IntoView {
    let growing = read_on(job, log.clone(), lines);
    let places = expect_context::<LogPlaces>();
    let place = places.of(&log);
    let view = LogView::new(growing.value, place.top);
    let gaps = fill_in(view, log.clone());
    let link = follow_link(view);
    // A hidden element forgets where it was scrolled to.
    Effect::new(move |_| {
        if !has_preview.get() {
            request_animation_frame(move || view.restore());
        }
    });
    let trouble =
        move || gaps.get().or_else(|| growing.trouble.get()).filter(|error| *error != ClientError::Unreachable);
    let is_given_up = move || job.value.with(|job| job.summary.logs.state == LogsState::Incomplete);
    let size = move || {
        if let Some(error) = trouble() {
            return format!("Not all lines could be read. {}", error.message());
        }
        growing.value.with(|log| {
            let is_all = log.is_complete || is_given_up();
            if log.total == 0 {
                return if is_all { "Nothing was printed." } else { "Nothing in this log yet." }.to_owned();
            }
            let more = if is_all { "" } else { ", growing" };
            format!("{}, {}{more}", words::plural(log.total, "line"), words::size(log.bytes))
        })
    };
    let download = client::log_url(&log);
    let (copied, toasts) = (log.clone(), Toasts::of_context());
    let finder = Finder::new(view, log.clone(), place.words);
    on_cleanup(move || places.keep(log, LogPlace { top: view.left_at(), words: finder.words_untracked() }));
    view! {
        <div class="log-tools">
            <LogSearch finder />
            <Switch label="Follow" is_on=view.follows />
            <Switch label="Wrap" is_on=view.folds />
            <button class="button" type="button" title="Copy the chosen lines; without any, those in sight"
                on:click=move |_| copy_chosen(view, copied.clone(), toasts)>
                <Icon name="copy" />
                <span>"Copy"</span>
            </button>
            <a class="button" role="button" href=download download="" rel="external" on:keydown=press_by_space>
                <Icon name="download" />
                <span>"Download"</span>
            </a>
        </div>
        <LogScroller view on_link=link on_step=Callback::new(move |forward| finder.step(forward)) />
        <p class="log-foot">{size}</p>
    }
}

/// As text alone, without colours.
fn copy_chosen(view: LogView, log: LogOf, toasts: Toasts) {
    let (first, chosen) = view.chosen();
    let last = chosen.min(first + MOST_COPIED - 1);
    spawn_local(async move {
        let lines = match read_lines(&log, first, last).await {
            Ok(lines) => lines,
            Err(error) => return toasts.failed(format!("The lines can't be copied. {}", error.message())),
        };
        if !browser::copy(&lines.join("\n")).await {
            return toasts.failed("Can't copy here: mark the lines and copy them by hand.");
        }
        let copied = lines.len() as u64;
        if last < chosen {
            let (copied, all) = (words::count(copied), words::count(chosen - first + 1));
            toasts.done(format!("The first {copied} of {all} lines copied. Download the log to have all of them."));
        } else {
            toasts.done(format!("{} copied.", words::plural(copied, "line")));
        }
    });
}

async fn read_lines(log: &LogOf, first: u64, last: u64) -> Result<Vec<String>, ClientError> {
    let mut read = Vec::new();
    loop {
        let from = first + read.len() as u64;
        let limit = MORE_LINES.min((last + 1).saturating_sub(from));
        if limit == 0 {
            return Ok(read);
        }
        let lines = client::read_log(log, Lines::From { from, limit }).await?.lines;
        if lines.is_empty() {
            return Ok(read);
        }
        read.extend(lines.iter().map(|line| ansi::plain(line)));
    }
}

/// As every button does; a link by itself follows Enter alone.
fn press_by_space(event: KeyboardEvent) {
    if event.key() != " " {
        return;
    }
    event.prevent_default();
    if let Some(link) = event.current_target().and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
        link.click();
    }
}

/// Reads what is added, from the last line that is known: that one may have been unfinished. It is asked for by itself, since
/// a task that only prints changes nothing else of its job, and earlier where the job says that there is more.
fn read_on(job: Live<Job>, log: LogOf, lines: LogLines) -> Live<LogBuffer> {
    let seed = Loaded { body: LogBuffer::of(lines), etag: None, synced_at: None };
    let task = log.task.clone();
    let told = Memo::new(move |_| {
        job.value.with(|job| {
            let task = job.tasks.iter().find(|one| Some(&one.task_id) == task.as_ref());
            (job.summary.logs.state, task.map(|task| (task.status, task.log_size)))
        })
    });
    let ask = move |known: &LogBuffer, _| {
        let (log, from) = (log.clone(), known.total.max(1));
        async move {
            let lines = match client::read_log(&log, Lines::From { from, limit: MORE_LINES }).await {
                Err(error) if error.is(ErrorCode::NotFound) => return Ok(Fetched::NotModified { synced_at: None }),
                read => read?,
            };
            Ok(Fetched::Modified(Loaded { body: lines, etag: None, synced_at: None }))
        }
    };
    let is_final = move |log: &LogBuffer| {
        let (state, task) = told.get_untracked();
        let has_begun = task.is_none_or(|(status, _)| status != TaskStatus::Waiting);
        log.is_complete || !has_begun || state == LogsState::Incomplete
    };
    let live = poll::live(seed, ask, |known: &mut LogBuffer, lines| known.add(lines), is_final);
    Effect::new(move |before: Option<_>| {
        let now = told.get();
        if before.is_some_and(|before| before != now) {
            live.refresh();
        }
        now
    });
    live
}

/// Asks for the lines in sight that are not here, one question at a time; the latest sight counts. Tells why some
/// could not be had.
fn fill_in(view: LogView, log: LogOf) -> RwSignal<Option<ClientError>> {
    let lines = view.lines();
    let pending = Pending::new();
    let trouble = RwSignal::new(None);
    // What could not be had is asked for again by the next movement, not in a circle.
    let failed = StoredValue::new(None::<(u64, u64)>);
    // As many lines as an answer has: long ones fill it before there are as many as were asked for.
    let reach = StoredValue::new(MORE_LINES);
    Effect::new(move |_| {
        let sight = lines.get();
        let missing = view.buffer.with(|buffer| buffer.missing(&(sight.0..=sight.1)));
        let Some(missing) = missing.filter(|_| !pending.get() && failed.get_value() != Some(sight)) else { return };
        // In the middle of what is asked for, since one may scroll on either way.
        let margin = (reach.get_value() / 2).saturating_sub((missing.end() - missing.start()) / 2);
        let from = missing.start().saturating_sub(margin).max(1);
        let log = log.clone();
        pending.run(async move {
            let read = client::read_log(&log, Lines::From { from, limit: MORE_LINES }).await;
            if trouble.is_disposed() {
                return;
            }
            match read {
                Ok(lines) => {
                    trouble.set(None);
                    let count = lines.lines.len() as u64;
                    let has_reached = lines.first + count > *missing.start();
                    reach.set_value(if has_reached { count } else { 0 });
                    if !has_reached && from == *missing.start() {
                        failed.set_value(Some(sight));
                    }
                    view.buffer.update(|buffer| buffer.add(lines));
                }
                Err(error) => {
                    trouble.set(Some(error));
                    failed.set_value(Some(sight));
                }
            }
        });
    });
    trouble
}

/// `#L120` in the URL shows that line, also when it changes. Gives the way to make it point at others.
fn follow_link(view: LogView) -> Callback<(u64, u64)> {
    let location = use_location();
    let (hash, pathname, search) = (location.hash, location.pathname, location.search);
    let navigate = use_navigate();
    let is_measured = Memo::new(move |_| view.viewport.with(Option::is_some));
    Effect::new(move |_| {
        if let (true, Some((from, to))) = (is_measured.get(), paths::lines_of_hash(&hash.get())) {
            let total = view.total_untracked().max(1);
            view.show(from.min(total), to.min(total));
        }
    });
    Callback::new(move |(from, to): (u64, u64)| {
        let query = search.get_untracked();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let address = pathname.get_untracked() + &query + &paths::hash_of_lines(from, to);
        navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    })
}
