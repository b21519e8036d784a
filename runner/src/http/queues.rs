//! Handing a queue in, asking for its status, stopping it, removing it.
//! Every answer about a change is given after the change is on the disk.

use super::bodies::{tagged, task_body};
use super::error::Refused;
use super::extract::{Id, InPath, Instance, JsonBody};
use crate::state::State;
use crate::store::{Acceptance, NewQueue, NewTask, OfInstance, StoreResult};
use crate::workspace::Refusal;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::names::{is_branch_name, is_commit, is_queue_id, is_scenario_name};
use protocol::remote::{QueueAccepted, QueueRequest, StatusBody, code};
use protocol::{QueueStatus, Timestamp};
use std::time::Duration;

/// A client waits 30 s for a deletion; a killed task is gone after 5 s unless the kernel holds it.
const DELETE_WAIT: Duration = Duration::from_secs(25);

pub async fn create_queue(
    Shared(state): Shared<State>,
    Instance(instance): Instance,
    JsonBody(request): JsonBody<QueueRequest>,
) -> Result<Response, Refused> {
    if !is_queue_id(&request.queue_id) {
        return Err(Refused::invalid("bad_queue_id", "queue_id: letters, digits and dots, at most 240"));
    }
    let has_right_ids = check_task_ids(&request);
    match probe(&state, &instance, &request).await? {
        // With its very tasks, but for their ids.
        Some(Acceptance::Known(_)) if has_right_ids.is_err() => return answer(&request.queue_id, Acceptance::Taken),
        Some(met) => return answer(&request.queue_id, met),
        None => has_right_ids?,
    }
    check_tasks(&request)?;
    check_disk(&state).await?;
    let tasks = find_files(&state, &request).await?;
    // A client that goes away in between leaves no commit that is held for no queue.
    to_the_end(accept(state, instance, request, tasks)).await
}

async fn probe(state: &State, instance: &str, request: &QueueRequest) -> StoreResult<Option<Acceptance>> {
    let scenarios = request.tasks.iter().map(|task| task.scenario.clone()).collect();
    state.store.probe(request.queue_id.clone(), instance.to_owned(), request.commit.clone(), scenarios).await
}

async fn accept(
    state: State,
    instance: String,
    request: QueueRequest,
    tasks: Vec<NewTask>,
) -> Result<Response, Refused> {
    let turn = state.accepting.lock().await;
    if let Some(met) = probe(&state, &instance, &request).await? {
        return answer(&request.queue_id, met);
    }
    let id = request.queue_id;
    // Of a queue of this id of which a database that was lost knew.
    let (layout, files_of) = (state.layout.clone(), id.clone());
    state.no_room.note_begin_of_removal();
    tokio::task::spawn_blocking(move || layout.remove_queue(&files_of)).await.map_err(std::io::Error::from)??;
    state.repository.hold(&id, &request.commit).await.map_err(Refusal::from)?;
    let new = NewQueue {
        queue_id: id.clone(),
        instance,
        branch: request.branch,
        commit: request.commit,
        submitted_by: request.submitted_by,
        timeout_s: request.timeout_s,
        tasks,
    };
    let note = format!("accepted: {} tasks, submitted by {}", new.tasks.len(), new.submitted_by.escape_debug());
    let acceptance = state.store.accept(new, Timestamp::now()).await;
    let is_unknown = match acceptance {
        Ok(Acceptance::Gone) => true,
        Ok(_) => false,
        // A commit to the disk that failed may have been made all the same.
        Err(_) => matches!(state.store.queue(id.clone()).await, Ok(None)),
    };
    if is_unknown {
        state.repository.release(&id).await;
    }
    drop(turn);
    let acceptance = acceptance?;
    if acceptance == Acceptance::New {
        state.note(&id, note).await;
        state.bell.notify_one();
    }
    answer(&id, acceptance)
}

fn answer(id: &str, acceptance: Acceptance) -> Result<Response, Refused> {
    let (http_status, status) = match acceptance {
        Acceptance::New => (StatusCode::ACCEPTED, QueueStatus::Waiting),
        Acceptance::Known(status) => (StatusCode::OK, status),
        Acceptance::OtherInstance => return Err(Refused::other_instance(id)),
        Acceptance::Taken => {
            let message = format!("queue \"{id}\" is known here with another commit or other tasks");
            return Err(Refused::new(StatusCode::CONFLICT, code::ID_TAKEN, message));
        }
        Acceptance::Gone => {
            let message = format!("queue \"{id}\" was deleted, or aborted before it came");
            return Err(Refused::new(StatusCode::GONE, code::GONE, message));
        }
    };
    Ok((http_status, Json(QueueAccepted { queue_id: id.to_owned(), status })).into_response())
}

fn check_task_ids(request: &QueueRequest) -> Result<(), Refused> {
    for (n, task) in (1..).zip(&request.tasks) {
        let expected = format!("{}-{n}", request.queue_id);
        if task.task_id != expected {
            let message = format!("task_id: expected \"{expected}\" in this place, not \"{}\"", task.task_id);
            return Err(Refused::invalid("bad_task_id", message));
        }
    }
    Ok(())
}

fn check_tasks(request: &QueueRequest) -> Result<(), Refused> {
    if request.tasks.is_empty() {
        return Err(Refused::invalid("no_tasks", "tasks: at least one"));
    }
    if let Some(task) = request.tasks.iter().find(|task| !is_scenario_name(&task.scenario)) {
        return Err(Refused::invalid("bad_scenario", format!("scenario: \"{}\" is no scenario's name", task.scenario)));
    }
    if !is_branch_name(&request.branch) {
        return Err(Refused::invalid("bad_branch", format!("branch: \"{}\" is no branch's name", request.branch)));
    }
    if !is_commit(&request.commit) {
        return Err(Refused::invalid("bad_commit", "commit: 40 (or 64) lower-case hex digits"));
    }
    if request.timeout_s == 0 {
        return Err(Refused::invalid("bad_timeout", "timeout_s: at least 1"));
    }
    Ok(())
}

/// On a full disk its tests would fail for no fault of theirs.
async fn check_disk(state: &State) -> Result<(), Refused> {
    let Some(full) = state.find_full_disk().await else {
        return Ok(());
    };
    let message = format!("{full}: delete jobs that are not needed, or make room");
    Err(Refused::unavailable("disk_full", message))
}

/// The file of each task's scenario in the commit.
async fn find_files(state: &State, request: &QueueRequest) -> Result<Vec<NewTask>, Refused> {
    let config = &state.config;
    let _permit = state.checks.acquire().await;
    state.repository.ensure_commit(&request.branch, &request.commit).await?;
    let files = state.repository.scenario_files(&request.branch, &request.commit).await;
    let files = files.map_err(Refusal::from)?;
    let find = |scenario: &String| {
        let unknown = || {
            let (folder, commit) = (&config.scenario_dir, &request.commit);
            let message = format!("scenario: commit {commit} has no executable file for \"{scenario}\" in {folder}/");
            Refused::invalid("unknown_scenario", message)
        };
        let path = files.get(scenario).ok_or_else(unknown)?;
        Ok(NewTask { scenario: scenario.clone(), path: path.clone() })
    };
    request.tasks.iter().map(|task| find(&task.scenario)).collect()
}

pub async fn find_status(
    Shared(state): Shared<State>,
    InPath(id): InPath<String>,
    Instance(instance): Instance,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let body = match Id::parse(&id)? {
        Id::Queue(queue) => owned(&id, state.store.view(queue.to_owned(), instance).await?)?.into(),
        Id::Task { queue, n } => {
            let (queue, task) = owned(&id, state.store.task(queue.to_owned(), n, instance).await?)?;
            task_body(queue, task)
        }
    };
    Ok(tagged(&headers, &body))
}

pub fn owned<T>(id: &str, found: OfInstance<T>) -> Result<T, Refused> {
    match found {
        OfInstance::Unknown => Err(Refused::unknown_id(id)),
        OfInstance::OtherInstance => Err(Refused::other_instance(id)),
        OfInstance::Known(value) => Ok(value),
    }
}

pub async fn abort_queue(
    Shared(state): Shared<State>,
    InPath(id): InPath<String>,
    Instance(instance): Instance,
) -> Result<Response, Refused> {
    refuse_task_id(&id)?;
    to_the_end(stop_queue(state, id, instance)).await
}

/// Carries a change through, also when the client has gone away: what the store has noted must be done as well.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    tokio::spawn(change).await.map_err(std::io::Error::from)?
}

async fn stop_queue(state: State, id: String, instance: String) -> Result<Response, Refused> {
    let found = state.store.view(id.clone(), instance.clone()).await?;
    if let OfInstance::Known(view) = &found
        && !view.queue.status.0.is_terminal()
    {
        // Before the abort takes hold: the log of a queue that has ended is complete.
        state.note(&id, "aborted on request".to_owned()).await;
    }
    let view = owned(&id, state.store.abort(id.clone(), instance, Timestamp::now()).await?)?;
    state.cut_off(view.queue.number);
    Ok((StatusCode::ACCEPTED, Json(StatusBody::from(view))).into_response())
}

pub async fn delete_queue(
    Shared(state): Shared<State>,
    InPath(id): InPath<String>,
    Instance(instance): Instance,
) -> Result<StatusCode, Refused> {
    if Id::parse(&id).is_err() {
        return Ok(StatusCode::NO_CONTENT);
    }
    refuse_task_id(&id)?;
    to_the_end(end_and_remove_queue(state, id, instance)).await
}

async fn end_and_remove_queue(state: State, id: String, instance: String) -> Result<StatusCode, Refused> {
    let number = match state.store.request_delete(id.clone(), instance, Timestamp::now()).await? {
        OfInstance::OtherInstance => return Err(Refused::other_instance(&id)),
        OfInstance::Unknown => return Ok(StatusCode::NO_CONTENT),
        OfInstance::Known(number) => number,
    };
    state.cut_off(number);
    // It goes on when the client is answered that it takes longer.
    let removal = tokio::spawn(async move { remove_queue(&state, number, id).await });
    match tokio::time::timeout(DELETE_WAIT, removal).await {
        Ok(removed) => removed.map_err(std::io::Error::from)?.map(|()| StatusCode::NO_CONTENT),
        Err(_) => Err(Refused::unavailable("busy", "the queue's processes have not ended yet; ask again")),
    }
}

/// Removes a queue whose deletion the store knows of, once nobody works on it any more.
pub async fn remove_queue(state: &State, number: i64, id: String) -> Result<(), Refused> {
    state.wait_idle(number).await;
    let (layout, files_of) = (state.layout.clone(), id.clone());
    state.no_room.note_begin_of_removal();
    tokio::task::spawn_blocking(move || layout.remove_queue(&files_of)).await.map_err(std::io::Error::from)??;
    state.repository.release(&id).await;
    state.store.forget(number).await?;
    state.note_removal();
    Ok(())
}

fn refuse_task_id(id: &str) -> Result<(), Refused> {
    match Id::parse(id)? {
        Id::Queue(_) => Ok(()),
        Id::Task { .. } => Err(Refused::invalid("not_a_queue", format!("\"{id}\" is a task; give its queue's id"))),
    }
}
