//! The result files of the task whose log is open, and one of them shown in place of the log.
//! In the browser only: the log comes first.

use super::view_state::ViewState;
use crate::client;
use crate::components::result_list::Listed;
use crate::components::result_preview::{Preview, ResultPreview};
use crate::connection::Connection;
use crate::reload::later;
use leptos::prelude::*;
use protocol::api::{LogsState, ResultFile, Task};
use protocol::{JobId, media_type};

/// What more there is of a text one reads in an editor.
const LARGEST_TEXT: u64 = 512 * 1024;

/// The files, or why there is no list of them; neither before the answer.
pub(super) type Answered = Option<Result<Vec<Listed>, String>>;

/// Asked for again when another task is chosen, when the chosen one ends, and when all of the job is here, with which
/// they come.
pub(super) fn listed(job: JobId, tasks: Memo<Vec<Task>>, logs: Memo<LogsState>, state: ViewState) -> Signal<Answered> {
    let ended = Memo::new(move |_| {
        let chosen = state.task.get()?;
        let is_it = |task: &&Task| task.task_id == chosen;
        tasks.with(|tasks| tasks.iter().find(is_it).is_some_and(|task| task.status.is_terminal())).then_some(chosen)
    });
    let returns = expect_context::<Connection>().returns;
    let answer = later(move || {
        // What the server could not be asked for while it was away.
        returns.track();
        // Not `track`, which does not work out a memo that nobody else reads.
        let _ = logs.get();
        let of = ended.get();
        Some(async move {
            let Some(task) = of.clone() else { return Some((of, Ok(Vec::new()))) };
            let listed = client::list_results(job, &task).await.map_err(|error| error.message());
            let place = |file: ResultFile| {
                let address = client::result_url(job, &task, &file.path);
                let preview = can_be_shown(&file).then(|| state.file_href.run((task.clone(), file.path.clone())));
                Listed { file, address, preview }
            };
            Some((of, listed.map(|results| results.files.into_iter().map(place).collect())))
        })
    });
    // Those of the task before are none of this one's.
    Signal::derive(move || answer.get().filter(|(of, _)| *of == ended.get()).map(|(_, files)| files))
}

fn is_image(file: &ResultFile) -> bool {
    media_type::is_raster_image(&file.content_type)
}

fn is_text(file: &ResultFile) -> bool {
    let kind = media_type::essence(&file.content_type);
    kind.starts_with("text/") || matches!(kind, "application/json" | "application/xml" | "application/x-ndjson")
}

fn can_be_shown(file: &ResultFile) -> bool {
    is_image(file) || (is_text(file) && file.size <= LARGEST_TEXT)
}

#[component]
pub(super) fn Shown(path: String, files: Signal<Answered>, state: ViewState) -> impl IntoView {
    let wanted = path.clone();
    let find = move |files: Vec<Listed>| files.into_iter().find(|one| one.file.path == wanted);
    let found = Memo::new(move |_| Some(files.get()?.map(&find)));
    let shown = later(move || {
        let found = found.get();
        Some(async move {
            match found? {
                Ok(Some(file)) => Some(read(&file).await),
                Ok(None) => Some(Preview::None("There is no such file, or not yet.".to_owned())),
                Err(why) => Some(Preview::None(why)),
            }
        })
    });
    let content = move || {
        let task = state.task.get().unwrap_or_default();
        let address = found.get().and_then(|found| Some(found.ok()??.address));
        view! { <ResultPreview path=path.clone() address close=state.log_href.run(task) shown /> }
    };
    view! { {content} }
}

async fn read(listed: &Listed) -> Preview {
    if is_image(&listed.file) {
        return Preview::Image;
    }
    if !can_be_shown(&listed.file) {
        return Preview::None("This file can't be shown here. Download it.".to_owned());
    }
    match client::read_result(listed.address.clone()).await {
        Ok(text) => Preview::Text(text),
        Err(error) => Preview::None(error.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content_type: &str, size: u64) -> ResultFile {
        ResultFile { path: "a".to_owned(), size, content_type: content_type.to_owned() }
    }

    #[test]
    fn images_and_short_texts_are_shown() {
        for content_type in ["image/png", "text/plain; charset=utf-8", "application/json"] {
            assert!(can_be_shown(&file(content_type, 1_000)), "{content_type}");
        }
        for (content_type, size) in [("image/svg+xml", 10), ("application/octet-stream", 10), ("text/plain", 1 << 30)] {
            assert!(!can_be_shown(&file(content_type, size)), "{content_type}");
        }
    }
}
