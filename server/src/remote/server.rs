//! The real remote test server: the calls of its contract over HTTP, the cleanup over SSH.
//! Each call is told apart from its refusals here; transport and refusals have files of their own.

use super::commands::Commands;
use super::http::{Call, HttpClient, Reply, segment};
use super::output::stdout_of;
use super::refusal::About;
use super::shell::Shell;
use super::silence::believe_ends;
use super::ssh::Output;
use super::ssh_state::Purpose;
use super::{Answer, ChangedQueue, Failure, LogPiece, QueueRef, Refusal, Remote, RemoteError, transfer, words};
use crate::config::EnvironmentConfig;
use crate::logs::Part;
use axum::http::header::{CONTENT_TYPE, IF_NONE_MATCH, RANGE};
use axum::http::{Method, StatusCode};
use protocol::remote::{
    Changes, HealthBody, MAX_CHANGES, MAX_CHANGES_WAIT_S, QueueAccepted, QueueBody, QueueRequest, RemoteFile,
    StatusBody, TaskBody,
};
use protocol::{Timestamp, names};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// One environment's server.
pub struct Server {
    config: Arc<EnvironmentConfig>,
    http: HttpClient,
    shell: Shell,
    commands: Commands,
}

impl Server {
    pub fn new(config: Arc<EnvironmentConfig>, shell: Shell, commands: Commands) -> Result<Self, String> {
        let http = HttpClient::new(&config)?;
        for (key, path, needs_id) in [
            ("queue", &config.paths.queue, false),
            ("status", &config.paths.status, true),
            ("abort", &config.paths.abort, true),
            ("delete", &config.paths.delete, true),
        ] {
            if !path.starts_with('/') || path.contains("{id}") != needs_id {
                let rule =
                    if needs_id { "begins with \"/\" and holds {id}" } else { "begins with \"/\", without {id}" };
                return Err(format!("environment {}: paths.{key}: a path {rule}, not {path:?}", config.name));
            }
        }
        Ok(Self { config, http, shell, commands })
    }

    /// What the server's clock shows, where its answers tell; any answer does.
    pub async fn clock(&self, instance: &str) -> Result<Option<Timestamp>, RemoteError> {
        let reply = self.http.call(Method::GET, "/api/health", instance).send().await?;
        Ok(reply.server_now())
    }

    fn about_id(&self) -> About {
        About::Id { plain_404_means_unknown: self.config.plain_404_means_unknown }
    }

    fn call_with_id(&self, method: Method, template: &str, id: &str, instance: &str) -> Call {
        self.http.call(method, &template.replace("{id}", &segment(id)), instance)
    }

    async fn status<T: DeserializeOwned>(
        &self,
        instance: &str,
        id: &str,
        etag: Option<&str>,
    ) -> Result<Option<Answer<T>>, RemoteError> {
        let mut call = self.call_with_id(Method::GET, &self.config.paths.status, id, instance);
        if let Some(etag) = etag {
            call = call.header(IF_NONE_MATCH, etag);
        }
        let reply = call.send().await?;
        if etag.is_some() && reply.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        answer(successful(reply, self.about_id()).await?).await.map(Some)
    }
}

impl Remote for Server {
    async fn submit(&self, instance: &str, request: &QueueRequest) -> Result<(), RemoteError> {
        let call = self.http.call(Method::POST, &self.config.paths.queue, instance).json(request);
        let reply = successful(call.send().await?, About::Submission).await?;
        // A proxy's friendly page is no acceptance.
        let accepted: QueueAccepted = reply.json().await?;
        require_same_id(&accepted.queue_id, &request.queue_id)
    }

    async fn queue_status(
        &self,
        queue: QueueRef<'_>,
        etag: Option<&str>,
    ) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let mut answer: Option<Answer<QueueBody>> = self.status(queue.instance, queue.queue_id, etag).await?;
        if let Some(answer) = &mut answer {
            require_same_id(&answer.body.id, queue.queue_id)?;
            words::tidy_queue(&mut answer.body);
        }
        Ok(answer)
    }

    async fn task_status(&self, queue: QueueRef<'_>, task_id: &str) -> Result<Answer<TaskBody>, RemoteError> {
        let answer: Option<Answer<TaskBody>> = self.status(queue.instance, task_id, None).await?;
        let mut answer =
            answer.ok_or_else(|| RemoteError::transient("304 was answered to an unconditional request"))?;
        require_same_id(&answer.body.id, task_id)?;
        words::tidy_task(&mut answer.body);
        Ok(answer)
    }

    async fn abort(&self, queue: QueueRef<'_>) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let call = self.call_with_id(Method::POST, &self.config.paths.abort, queue.queue_id, queue.instance);
        let reply = successful(call.send().await?, self.about_id()).await?;
        let Ok(mut said) = answer::<QueueBody>(reply).await else { return Ok(None) };
        if require_same_id(&said.body.id, queue.queue_id).is_err() {
            return Ok(None);
        }
        words::tidy_queue(&mut said.body);
        // Not the answer to a question about the status: a later question must not be answered "unchanged" for it.
        said.etag = None;
        Ok(Some(said))
    }

    async fn delete(&self, queue: QueueRef<'_>) -> Result<(), RemoteError> {
        let call = self.call_with_id(Method::DELETE, &self.config.paths.delete, queue.queue_id, queue.instance);
        match successful(call.send().await?, self.about_id()).await {
            Ok(reply) if reply.status() == StatusCode::NO_CONTENT => Ok(()),
            Ok(reply) => {
                let is_confirmed = reply.status() == StatusCode::OK && reply.ends_empty().await?;
                let not_yet = "the remote server has not confirmed the deletion; it is asked again";
                if is_confirmed { Ok(()) } else { Err(RemoteError::transient(not_yet)) }
            }
            Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn log_piece(&self, queue: QueueRef<'_>, log_id: &str, from: u64) -> Result<Option<LogPiece>, RemoteError> {
        let call = self.call_with_id(Method::GET, "/api/logs/{id}", log_id, queue.instance);
        let reply = call.header(RANGE, &format!("bytes={from}-")).send().await?;
        if reply.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(Some(LogPiece { bytes: Vec::new(), total: transfer::named_total(&reply) }));
        }
        match kept(reply).await? {
            Some(reply) => transfer::read_piece(reply, from).await.map(Some),
            None => Ok(None),
        }
    }

    async fn results(&self, queue: QueueRef<'_>, task_id: &str) -> Result<Option<Vec<RemoteFile>>, RemoteError> {
        let call = self.call_with_id(Method::GET, "/api/results/{id}", task_id, queue.instance);
        let Some(reply) = kept(call.send().await?).await? else { return Ok(None) };
        let listed: ListedResults = reply.json().await?;
        let mut seen = HashSet::new();
        let mut files: Vec<RemoteFile> = listed.files.into_iter().map(Into::into).collect();
        files.retain(|file| seen.insert(file.path.clone()));
        for file in &mut files {
            words::tidy(&mut file.content_type);
        }
        Ok(Some(files))
    }

    async fn fetch_result(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
        listed: &RemoteFile,
        part: &mut Part,
    ) -> Result<bool, RemoteError> {
        let path = &listed.path;
        if !names::is_result_path(path) {
            return Err(RemoteError::transient(format!("{path:?} is not the path of a result file")));
        }
        let encoded: Vec<String> = path.split('/').map(segment).collect();
        let template = format!("/api/results/{{id}}/{}", encoded.join("/"));
        let call = self.call_with_id(Method::GET, &template, task_id, queue.instance);
        let reply = call.send().await?;
        // Whatever its words: the server has just listed this file under an address that works. A page may be a proxy's.
        if reply.status() == StatusCode::NOT_FOUND {
            if reply.header(CONTENT_TYPE).is_none_or(|kind| kind.contains("json")) {
                return Ok(false);
            }
            let name = reply.name();
            let message = Failure::new(
                format!("{} answered 404 with a page", self.config.name),
                format!("{name} was answered with a page that says 404"),
            );
            return Err(RemoteError::Transient { message: message.of_a_missing_page(), retry_after: None });
        }
        transfer::save(successful(reply, self.about_id()).await?, listed.size, part).await.map(|()| true)
    }

    async fn clean_up(&self, queue_id: &str) -> Result<(), RemoteError> {
        let command = self.commands.cleanup(queue_id).map_err(RemoteError::transient)?;
        believe_ends(&self.shell, &self.commands, Purpose::CleanUp).await.map_err(RemoteError::transient)?;
        let read = |output: &Output| stdout_of(&command, output).map(drop);
        self.shell.run(Purpose::CleanUp, command.clone(), read).await.map_err(RemoteError::transient)
    }

    async fn health(&self, instance: &str) -> Result<Option<HealthBody>, RemoteError> {
        let reply = self.http.call(Method::GET, "/api/health", instance).send().await?;
        let is_not_offered = matches!(
            reply.status(),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        );
        if is_not_offered {
            return Ok(None);
        }
        let mut health: HealthBody = successful(reply, About::Server).await?.json().await?;
        words::tidy(&mut health.status);
        Ok(Some(health))
    }

    async fn changes(
        &self,
        instance: &str,
        cursor: Option<&str>,
        wait: Duration,
    ) -> Result<Answer<Changes<ChangedQueue>>, RemoteError> {
        let wait = wait.min(Duration::from_secs(MAX_CHANGES_WAIT_S));
        let since = cursor.map_or_else(String::new, |cursor| format!("&since={}", segment(cursor)));
        let path = format!("/api/changes?wait={}{since}", wait.as_secs());
        let call = self.http.call(Method::GET, &path, instance).longer_by(wait);
        let answer: Answer<Changes<Value>> = answer(successful(call.send().await?, About::Server).await?).await?;
        let Answer { body: Changes { cursor, reset, queues }, server_now, etag } = answer;
        // No more than the contract's page: what is left out the plain rounds find.
        let queues = queues.into_iter().take(MAX_CHANGES).map(read_changed_queue).collect();
        Ok(Answer { body: Changes { cursor, reset, queues }, server_now, etag })
    }
}

/// A task's result files as a server lists them.
#[derive(Deserialize)]
struct ListedResults {
    files: Vec<ListedFile>,
}

/// An entry that can't be read is no reason to miss the others.
#[derive(Deserialize)]
#[serde(untagged)]
enum ListedFile {
    File(RemoteFile),
    Odd(IgnoredAny),
}

impl From<ListedFile> for RemoteFile {
    fn from(listed: ListedFile) -> Self {
        match listed {
            ListedFile::File(file) => file,
            // No path at all: it counts as one that can't be kept.
            ListedFile::Odd(_) => Self { path: String::new(), size: 0, content_type: String::new() },
        }
    }
}

/// `None`: a plain 404, 405 or 501, by which an older server says that it has no such address.
async fn kept(reply: Reply) -> Result<Option<Reply>, RemoteError> {
    let status = reply.status();
    if status.is_success() {
        return Ok(Some(reply));
    }
    let is_no_address =
        matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED);
    match reply.into_error(About::Id { plain_404_means_unknown: false }).await {
        RemoteError::Transient { .. } if is_no_address => Ok(None),
        error => Err(error),
    }
}

/// One queue that says something odd is no reason to miss what is said of the others.
fn read_changed_queue(said: Value) -> ChangedQueue {
    let id = said.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    match serde_json::from_value(said) {
        Ok(StatusBody::Queue(mut queue)) => {
            words::tidy_queue(&mut queue);
            ChangedQueue::Status(queue)
        }
        Ok(StatusBody::Task(_)) | Err(_) => ChangedQueue::Odd { id },
    }
}

async fn successful(reply: Reply, about: About) -> Result<Reply, RemoteError> {
    if reply.status().is_success() { Ok(reply) } else { Err(reply.into_error(about).await) }
}

async fn answer<T: DeserializeOwned>(reply: Reply) -> Result<Answer<T>, RemoteError> {
    let (server_now, etag) = (reply.server_now(), reply.etag());
    Ok(Answer { body: reply.json().await?, server_now, etag })
}

/// An answer about something else (a cache's, a confused server's) says nothing about ours.
fn require_same_id(answered: &str, asked: &str) -> Result<(), RemoteError> {
    if answered == asked {
        return Ok(());
    }
    let is_id = names::is_queue_id(answered) || names::split_task_id(answered).is_some();
    let what = if is_id { answered } else { "something else" };
    Err(RemoteError::transient(format!("asked about {asked}, the remote server answered about {what}; see its log")))
}
