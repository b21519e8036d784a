//! The tab "Logs": which log, the log itself, and what one does with it. A log that grows is read on by line number;
//! lines that come into sight are asked for as they are needed.

use super::log_search::LogSearch;
use super::view_state::ViewState;
use crate::client::{self, ClientError, Fetched, Lines, Loaded, LogOf};
use crate::components::log_buffer::LogBuffer;
use crate::components::log_lines::{LogScroller, LogView};
use crate::components::notice::{Failure, Loading};
use crate::components::result_list::ResultList;
use crate::components::switch::Switch;
use crate::components::task_list::TaskList;
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::reload::later;
use crate::{paths, words};
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use protocol::api::{ErrorCode, Job, LogLines, LogsState, ResultFile, Task};

/// With the first answer: what the server draws, and some to scroll back without asking.
const FIRST_LINES: u64 = 200;
/// Asked for at once while reading on or scrolling.
const MORE_LINES: u64 = 1_000;

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
    let panel = move || match log.get() {
        Some((log, Ok(lines))) => view! { <OpenLog job log lines /> }.into_any(),
        Some((_, Err(error))) => {
            view! { <Failure title="The log can't be shown" message=error.message() retry=ask_log_again /> }.into_any()
        }
        None => view! { <Loading what="Loading the log" /> }.into_any(),
    };
    view! {
        <div class="logs">
            <TaskList tasks chosen=state.task href=state.log_href />
            <div class="log-panel">{panel}</div>
        </div>
    }
}

#[component]
fn OpenLog(job: Live<Job>, log: LogOf, lines: LogLines) -> impl IntoView {
    let growing = read_on(job, log.clone(), lines);
    let view = LogView::new(growing.value);
    fill_in(view, log.clone());
    follow_link(view);
    let size = move || {
        growing.value.with(|log| {
            if log.total == 0 {
                return "Nothing in this log yet.".to_owned();
            }
            let more = if log.is_complete { "" } else { ", growing" };
            format!("{}, {}{more}", words::plural(log.total, "line"), words::size(log.bytes))
        })
    };
    let download = client::log_url(&log);
    let results = results_of(job, &log);
    view! {
        <div class="log-tools">
            <LogSearch view log />
            <Switch label="Follow" is_on=view.follows />
            <a class="button" role="button" href=download download="" rel="external">"Download"</a>
        </div>
        <LogScroller view />
        <p class="log-foot">{size}</p>
        <ResultList files=results />
    }
}

/// What the open task has left behind, asked for again when it ends. In the browser only: the log comes first.
fn results_of(job: Live<Job>, log: &LogOf) -> Signal<Vec<(ResultFile, String)>> {
    let (id, task) = (log.job, log.task.clone());
    let of_task = task.clone();
    let has_ended = Memo::new(move |_| {
        let is_it = |task: &&Task| Some(&task.task_id) == of_task.as_ref();
        job.value.with(|job| job.tasks.iter().find(is_it).is_some_and(|task| task.status.is_terminal()))
    });
    later(move || {
        let task = task.clone().filter(|_| has_ended.get())?;
        Some(async move {
            let listed = client::list_results(id, &task).await.map(|results| results.files).unwrap_or_default();
            let with_url = |file: ResultFile| {
                let url = client::result_url(id, &task, &file.path);
                (file, url)
            };
            listed.into_iter().map(with_url).collect()
        })
    })
}

/// Reads what is added, from the last line that is known: that one may have been unfinished.
fn read_on(job: Live<Job>, log: LogOf, lines: LogLines) -> Live<LogBuffer> {
    let seed = Loaded { body: LogBuffer::of(lines), etag: None, synced_at: None };
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
    let logs_state = Memo::new(move |_| job.value.with(|job| job.summary.logs.state));
    let is_final = move |log: &LogBuffer| log.is_complete || logs_state.get_untracked() == LogsState::Incomplete;
    let live = poll::live(seed, ask, |known: &mut LogBuffer, lines| known.add(lines), is_final);
    // Whatever came in last came with the job's own end.
    Effect::new(move |before: Option<LogsState>| {
        let now = logs_state.get();
        if before.is_some_and(|before| before != now) {
            live.refresh();
        }
        now
    });
    live
}

/// Asks for the lines in sight that are not here, one question at a time; the latest sight counts.
fn fill_in(view: LogView, log: LogOf) {
    let lines = view.lines();
    let pending = Pending::new();
    // What could not be had is asked for again by the next movement, not in a circle.
    let failed = StoredValue::new(None::<(u64, u64)>);
    Effect::new(move |_| {
        let sight = lines.get();
        let missing = view.buffer.with(|buffer| buffer.missing(&(sight.0..=sight.1)));
        let Some(missing) = missing.filter(|_| !pending.get() && failed.get_value() != Some(sight)) else { return };
        // In the middle of what is asked for, since one may scroll on either way.
        let margin = MORE_LINES / 2 - (missing.end() - missing.start()) / 2;
        let from = missing.start().saturating_sub(margin).max(1);
        let log = log.clone();
        pending.run(async move {
            match client::read_log(&log, Lines::From { from, limit: MORE_LINES }).await {
                Ok(lines) => view.buffer.update(|buffer| buffer.add(lines)),
                Err(_) => failed.set_value(Some(sight)),
            }
        });
    });
}

/// `#L120` in the URL shows that line, also when it changes.
fn follow_link(view: LogView) {
    let hash = use_location().hash;
    let is_measured = Memo::new(move |_| view.viewport.with(Option::is_some));
    Effect::new(move |_| {
        if let (true, Some(line)) = (is_measured.get(), paths::line_of_hash(&hash.get())) {
            let total = view.buffer.with_untracked(|buffer| buffer.total);
            view.show(line.min(total.max(1)));
        }
    });
}
