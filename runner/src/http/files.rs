//! Logs and result files. What a task left in its results folder is only reached through real folders
//! and plain files: no link in it leads anywhere.

use super::error::Refused;
use super::extract::{Id, InPath, Instance};
use super::queues::owned;
use super::serve_file::{Served, respond};
use crate::results::{PLAIN_TEXT, Results, content_type, open_below};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use protocol::remote::TaskResults;
use std::fs::File;
use std::io;
use std::path::PathBuf;

pub async fn find_log(
    Shared(state): Shared<State>,
    InPath(id): InPath<String>,
    Instance(instance): Instance,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let path = match Id::parse(&id)? {
        Id::Queue(queue) => {
            owned(&id, state.store.view(queue.to_owned(), instance).await?)?;
            state.layout.queue_log(queue)
        }
        Id::Task { queue, n } => {
            let (_, task) = owned(&id, state.store.task(queue.to_owned(), n, instance).await?)?;
            state.layout.task_log(queue, task.n)
        }
    };
    let served = blocking(move || match File::open(path) {
        Ok(file) => Served::file(file, PLAIN_TEXT),
        // Nothing has been printed yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Served::empty(PLAIN_TEXT)),
        Err(error) => Err(error),
    })
    .await?;
    Ok(respond(&headers, served))
}

pub async fn list_results(
    Shared(state): Shared<State>,
    InPath(id): InPath<String>,
    Instance(instance): Instance,
) -> Result<Json<TaskResults>, Refused> {
    let folder = results_folder(&state, &id, instance).await?;
    let files = blocking(move || Ok(Results::find(&folder).files)).await?;
    Ok(Json(TaskResults { task_id: id, files }))
}

pub async fn find_result(
    Shared(state): Shared<State>,
    InPath((id, path)): InPath<(String, String)>,
    Instance(instance): Instance,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let folder = results_folder(&state, &id, instance).await?;
    let not_found = || Refused::new(StatusCode::NOT_FOUND, "unknown_result", format!("{id} left no file \"{path}\""));
    if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) || path.contains('\0') {
        return Err(not_found());
    }
    let wanted = path.clone();
    let served = blocking(move || {
        let Some(file) = open_below(&folder, &wanted)? else { return Ok(None) };
        let content_type = content_type(&wanted, &file);
        Served::file(file, content_type).map(Some)
    });
    Ok(respond(&headers, served.await?.ok_or_else(not_found)?))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

async fn results_folder(state: &State, id: &str, instance: String) -> Result<PathBuf, Refused> {
    match Id::parse(id)? {
        Id::Task { queue, n } => {
            let (_, task) = owned(id, state.store.task(queue.to_owned(), n, instance).await?)?;
            Ok(state.layout.results(queue, task.n))
        }
        Id::Queue(queue) => {
            owned(id, state.store.view(queue.to_owned(), instance).await?)?;
            Err(Refused::invalid("not_a_task", format!("\"{id}\" is a queue; its tasks have the results")))
        }
    }
}
