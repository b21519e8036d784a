//! The JSON API as one function per endpoint. The only place that knows its URLs.
//! The same on the server and in the browser: how a request leaves is `transport`'s business.

use crate::browser;
use crate::connection;
use crate::json;
use crate::paths::{encode, with_query};
use crate::transport::{self, Method, Patience, Request, Response};
use protocol::JobId;
use protocol::api::{
    Branches, DRAWN_FOR_HEADER, Environments, ErrorCode, Job, JobList, LogLines, LogMatches, LoginOptions,
    RerunRequest, Results, ScenarioStats, Scenarios, SubmitJobRequest, Task, User, ValidateBranchRequest,
    ValidatedBranch,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::pin::Pin;

mod accounts;
mod answer;
mod error;
mod history;

pub(crate) use accounts::{
    AuditQuery, change_password, change_user, check_environment, create_token, create_user, delete_token, delete_user,
    list_audit, list_tokens, list_users, watch_environments,
};
pub(crate) use answer::{Fetched, Loaded};
pub(crate) use error::ClientError;
pub(crate) use history::{compare_jobs, scenario_history};

/// In the HTTP answer: what was asked about is as it was.
const NOT_MODIFIED: u16 = 304;

type Answer<T> = Result<T, ClientError>;

/// Which jobs a list shows; empty means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobQuery {
    pub(crate) search: String,
    pub(crate) status: String,
    pub(crate) environment: String,
    pub(crate) branch: String,
}

/// One of a job's logs: the queue's own, or that of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogOf {
    pub(crate) job: JobId,
    pub(crate) task: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The last so many.
    Tail(u64),
    From {
        from: u64,
        limit: u64,
    },
}

/// Also where that is another by now than the one whom the page was drawn for.
pub(crate) async fn me() -> Answer<User> {
    let answer = ask(Method::Get, "/api/me".to_owned(), None, Vec::new(), Patience::Short).await;
    connection::note(answer.as_ref().err());
    read(&answer?)
}

/// Whether the server answers; what it answers `connection` notes.
pub(crate) async fn ping() {
    connection::meet(me().await);
}

/// How people may sign in besides a user name and a password.
pub(crate) async fn login_options() -> Answer<LoginOptions> {
    get("/api/login/options".to_owned()).await
}

pub(crate) async fn list_environments() -> Answer<Environments> {
    get("/api/environments".to_owned()).await
}

pub(crate) async fn list_branches(environment: &str) -> Answer<Branches> {
    get_patiently(with_query("/api/branches", &[("environment", environment)])).await
}

pub(crate) async fn validate_branch(request: &ValidateBranchRequest) -> Answer<ValidatedBranch> {
    read(
        &send(Method::Post, "/api/validate_branch".to_owned(), Some(written(request)?), Vec::new(), Patience::Long)
            .await?,
    )
}

pub(crate) async fn list_scenarios(environment: &str, branch: &str) -> Answer<Scenarios> {
    get_patiently(with_query("/api/scenarios", &[("environment", environment), ("branch", branch)])).await
}

/// Of all scenarios that have run on that branch there.
pub(crate) async fn scenario_stats(environment: &str, branch: &str) -> Answer<ScenarioStats> {
    get(with_query("/api/scenarios/stats", &[("environment", environment), ("branch", branch)])).await
}

/// For one wish of one user, so that its retry is known as such; no secret, hence no strong randomness.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 random bits")]
pub(crate) fn new_idempotency_key() -> String {
    let random = || (browser::random() * f64::from(u32::MAX)) as u32;
    format!("page-{:x}-{:08x}{:08x}", browser::now().0, random(), random())
}

/// `idempotency_key`: the same for each try of the same wish, so that a retry makes no second job.
pub(crate) async fn submit_job(request: &SubmitJobRequest, idempotency_key: String) -> Answer<Job> {
    let key = vec![("idempotency-key", idempotency_key)];
    read_job(&send(Method::Post, "/api/submit_job".to_owned(), Some(written(request)?), key, Patience::Long).await?)
}

pub(crate) async fn list_jobs(query: &JobQuery, limit: usize, etag: Option<String>) -> Answer<Fetched<JobList>> {
    get_if_changed(jobs_url(query, &limit.to_string(), ""), etag, read).await
}

pub(crate) async fn list_jobs_after(query: &JobQuery, limit: usize, cursor: &str) -> Answer<JobList> {
    get(jobs_url(query, &limit.to_string(), cursor)).await
}

pub(crate) async fn find_job(id: JobId, etag: Option<String>) -> Answer<Fetched<Job>> {
    get_if_changed(job_url(id), etag, read_job).await
}

/// `is_forced`: it ends here without the remote server's word, which only administrators may ask for.
pub(crate) async fn abort_job(id: JobId, is_forced: bool) -> Answer<Job> {
    let url = forced(job_url(id) + "/abort", is_forced);
    read_job(&send(Method::Post, url, None, Vec::new(), Patience::Long).await?)
}

/// `None`: it is gone. A job: the remote server still has to confirm. `is_forced` as for an abort.
pub(crate) async fn delete_job(id: JobId, is_forced: bool) -> Answer<Option<Job>> {
    let url = forced(job_url(id), is_forced);
    let response = send(Method::Delete, url, None, Vec::new(), Patience::Long).await?;
    if response.status == 204 { Ok(None) } else { read_job(&response).map(Some) }
}

fn forced(url: String, is_forced: bool) -> String {
    if is_forced { with_query(&url, &[("force", "true")]) } else { url }
}

pub(crate) async fn rerun_job(id: JobId, request: &RerunRequest, idempotency_key: String) -> Answer<Job> {
    let key = vec![("idempotency-key", idempotency_key)];
    read_job(&send(Method::Post, job_url(id) + "/rerun", Some(written(request)?), key, Patience::Long).await?)
}

pub(crate) async fn read_log(log: &LogOf, lines: Lines) -> Answer<LogLines> {
    let url = log_url(log) + "/lines";
    get(match lines {
        Lines::Tail(count) => with_query(&url, &[("tail", &count.to_string())]),
        Lines::From { from, limit } => with_query(&url, &[("from", &from.to_string()), ("limit", &limit.to_string())]),
    })
    .await
}

/// The matches from a line on.
pub(crate) async fn search_log(log: &LogOf, words: &str, from: u64, limit: u64) -> Answer<LogMatches> {
    let (from, limit) = (from.to_string(), limit.to_string());
    get_patiently(with_query(&(log_url(log) + "/search"), &[("q", words), ("from", &from), ("limit", &limit)])).await
}

pub(crate) async fn list_results(job: JobId, task: &str) -> Answer<Results> {
    get(task_url(job, task) + "/results").await
}

/// A result file's text.
pub(crate) async fn read_result(address: String) -> Answer<String> {
    Ok(send(Method::Get, address, None, Vec::new(), Patience::Short).await?.body)
}

/// Where a result file can be had; what may be shown is shown, the rest is downloaded.
pub(crate) fn result_url(job: JobId, task: &str, path: &str) -> String {
    format!("{}/results/{}", task_url(job, task), encode(path))
}

/// Where the whole log can be had as a file.
pub(crate) fn log_url(log: &LogOf) -> String {
    match &log.task {
        None => job_url(log.job) + "/log",
        Some(task) => task_url(log.job, task) + "/log",
    }
}

/// The job for a build server's test report.
pub(crate) fn junit_url(id: JobId) -> String {
    job_url(id) + "/junit.xml"
}

fn job_url(id: JobId) -> String {
    format!("/api/job/{id}")
}

fn task_url(job: JobId, task: &str) -> String {
    format!("{}/tasks/{}", job_url(job), encode(task))
}

fn jobs_url(query: &JobQuery, limit: &str, cursor: &str) -> String {
    let pairs = [
        ("search", searched(&query.search)),
        ("status", &query.status),
        ("environment", &query.environment),
        ("branch", &query.branch),
        ("limit", limit),
        ("cursor", cursor),
    ];
    with_query("/api/jobs", &pairs)
}

/// `#42`, as a job is written everywhere, is job 42.
fn searched(words: &str) -> &str {
    let number = words.strip_prefix('#').unwrap_or_default();
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) { number } else { words }
}

async fn get<T: DeserializeOwned>(url: String) -> Answer<T> {
    read(&send(Method::Get, url, None, Vec::new(), Patience::Short).await?)
}

async fn get_patiently<T: DeserializeOwned>(url: String) -> Answer<T> {
    read(&send(Method::Get, url, None, Vec::new(), Patience::Long).await?)
}

async fn get_if_changed<T>(url: String, etag: Option<String>, read: fn(&Response) -> Answer<T>) -> Answer<Fetched<T>> {
    let headers = etag.map(|etag| ("if-none-match", etag)).into_iter().collect();
    let response = send(Method::Get, url, None, headers, Patience::Short).await?;
    let synced_at = response.synced_at.as_deref().and_then(|text| text.parse().ok());
    if response.status == NOT_MODIFIED {
        return Ok(Fetched::NotModified { synced_at });
    }
    let body = read(&response)?;
    Ok(Fetched::Modified(Loaded { body, etag: response.etag, synced_at }))
}

/// A question under way, the same for whatever is asked, so that it is in the page once.
#[cfg(feature = "ssr")]
type Sending = Pin<Box<dyn Future<Output = Answer<Response>> + Send>>;
#[cfg(not(feature = "ssr"))]
type Sending = Pin<Box<dyn Future<Output = Answer<Response>>>>;

/// As the user whom the page was drawn for. Where the session is no longer theirs, whose it is by now is asked at once.
fn send(
    method: Method,
    url: String,
    json: Option<String>,
    mut headers: Vec<(&'static str, String)>,
    patience: Patience,
) -> Sending {
    Box::pin(async move {
        let drawn_for = connection::drawn_for();
        headers.extend(drawn_for.map(|user| (DRAWN_FOR_HEADER, user.to_string())));
        let answer = ask(method, url, json, headers, patience).await;
        let is_refused = answer.as_ref().is_err_and(|error| error.is(ErrorCode::Unauthenticated));
        // Also whether it is theirs again.
        if drawn_for.is_some() && (is_refused || connection::is_others()) {
            connection::meet(me().await);
        } else {
            connection::note(answer.as_ref().err());
        }
        answer
    })
}

/// What the API says no to is an error; "not modified" is none.
async fn ask(
    method: Method,
    url: String,
    json: Option<String>,
    headers: Vec<(&'static str, String)>,
    patience: Patience,
) -> Answer<Response> {
    match transport::send(Request { method, url, headers, json, patience }).await {
        Ok(response) if (200..300).contains(&response.status) || response.status == NOT_MODIFIED => Ok(response),
        Ok(response) => Err(ClientError::of(&response)),
        Err(no_answer) => Err(no_answer.into()),
    }
}

fn written<T: Serialize>(body: &T) -> Answer<String> {
    json::write(body).ok_or(ClientError::Unreadable { status: 0 })
}

fn read<T: DeserializeOwned>(response: &Response) -> Answer<T> {
    json::read(&response.body).ok_or(ClientError::Unreadable { status: response.status })
}

/// A job's own fields and what comes on top of them in a list's row are read apart: read at once, by way of
/// `flatten`, they would bring a second copy of all that reads JSON into the page.
fn read_job(response: &Response) -> Answer<Job> {
    #[derive(Deserialize)]
    struct Rest {
        scenarios: Vec<String>,
        tasks: Vec<Task>,
    }
    let Rest { scenarios, tasks } = read(response)?;
    Ok(Job { summary: read(response)?, scenarios, tasks })
}
