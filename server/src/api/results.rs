//! Result files of a task: the list, and each file. They come from test code, so a browser never runs what is in them:
//! only plain text and raster images are shown, all else is saved, and nothing is guessed.

use super::conditional::Listed;
use super::download::{self, Disposition, Download, WantedPart};
use super::logs::{find_task, is_gone};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path};
use crate::state::AppState;
use crate::store::tasks::{self, ResultFile};
use axum::extract::State;
use axum::http::HeaderValue;
use protocol::api::{self, Results};
use protocol::{JobId, media_type, names};

const UTF8_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn list_results(
    _: CurrentUser,
    State(state): State<AppState>,
    Path((id, task_id)): Path<(JobId, String)>,
) -> ApiResult<Listed<Results>> {
    let (_, task) = find_task(&state, id, task_id).await?;
    let files = state.store.read(move |connection| tasks::find_results(connection, id, task.n)).await?;
    Ok(Listed(Results { files: files.into_iter().map(Into::into).collect() }))
}

pub(super) async fn read_result(
    _: CurrentUser,
    State(state): State<AppState>,
    Path((id, task_id, path)): Path<(JobId, String, String)>,
    part: WantedPart,
) -> ApiResult<Download> {
    let (_, task) = find_task(&state, id, task_id).await?;
    let no_such_file = || ApiError::not_found(format!("this task has no result file \"{path}\""));
    // What can be no path never reaches the database, which takes not every text.
    if !names::is_result_path(&path) {
        return Err(no_such_file());
    }
    let (n, wanted) = (task.n, path.clone());
    let noted = state.store.read(move |connection| tasks::find_result(connection, id, n, &wanted)).await?;
    let noted = noted.ok_or_else(no_such_file)?;
    let stored = state.logs.open_result(id, task.n, &path).await.map_err(ApiError::internal)?;
    let stored = stored.filter(|stored| stored.size >= noted.size.unsigned_abs());
    let stored = stored.ok_or_else(|| is_gone("this file"))?;
    let (content_type, disposition) = present(&noted.content_type);
    let name = path.rsplit('/').next().unwrap_or(&path);
    let disposition = download::disposition(disposition, name)?;
    download::send(Some(stored), part, content_type, disposition).await
}

/// How a file of this type is sent. The type is the remote server's word, which may be anything.
fn present(content_type: &str) -> (HeaderValue, Disposition) {
    let essence = media_type::essence(content_type).to_ascii_lowercase();
    let as_told = HeaderValue::try_from(content_type).ok().filter(|_| essence.contains('/')).unwrap_or(OCTET_STREAM);
    match essence.as_str() {
        "text/plain" if content_type.contains("charset") => (as_told, Disposition::Inline),
        "text/plain" => (UTF8_TEXT, Disposition::Inline),
        essence if media_type::is_raster_image(essence) => (as_told, Disposition::Inline),
        // A page of ours that is made to name it as its script or style must not get it.
        essence if essence.contains("script") || essence == "text/css" => (OCTET_STREAM, Disposition::Attachment),
        _ => (as_told, Disposition::Attachment),
    }
}

impl From<ResultFile> for api::ResultFile {
    fn from(file: ResultFile) -> Self {
        Self { path: file.path, size: file.size.unsigned_abs(), content_type: file.content_type }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_text_and_raster_images_are_shown_by_the_browser() {
        for shown in ["text/plain", "text/plain; charset=latin1", "Image/PNG", "image/avif"] {
            assert_eq!(present(shown).1, Disposition::Inline, "{shown}");
        }
        for saved in ["text/html", "image/svg+xml", "application/xml", "application/pdf", "text/plainer", "", "text"] {
            assert_eq!(present(saved).1, Disposition::Attachment, "{saved}");
        }
    }

    #[test]
    fn a_type_that_is_none_is_not_passed_on() {
        for nonsense in ["", "png", "a/b\r\nSet-Cookie: x", "a/b\0"] {
            assert_eq!(present(nonsense).0, OCTET_STREAM, "{nonsense:?}");
        }
        for program in ["text/javascript", "application/x-ecmascript; charset=utf-8", "text/css", "Text/JScript"] {
            assert_eq!(present(program), (OCTET_STREAM, Disposition::Attachment), "{program}");
        }
        assert_eq!(present("text/plain").0, UTF8_TEXT);
        assert_eq!(present("application/xml").0, "application/xml");
    }
}
