//! Making jobs: everything is checked first, then the job is stored, and the poller sends it.
//! A remote server that is down keeps nobody from submitting what could be checked.

use super::answers::CreatedOnce;
use super::bodies::{Shown, Surroundings};
use super::environments::{choose_environment, require_branch_name};
use super::idempotency::{IdempotencyKey, Made, create_once, request_hash};
use super::jobs::{find_row, shown_job};
use super::questions::{Questions, in_time};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Json, OptionalJson, Path};
use crate::remote::Environment;
use crate::state::AppState;
use crate::store::jobs::NewJob;
use crate::store::tasks::{Task, find_tasks};
use axum::extract::State;
use protocol::api::{ErrorCode, Job, MAX_SCENARIOS, RerunRequest, SubmitJobRequest};
use protocol::{JobId, TaskStatus, names};
use std::collections::HashSet;
use std::time::Duration;

pub(super) async fn create_job(
    State(state): State<AppState>,
    user: CurrentUser,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<SubmitJobRequest>,
) -> ApiResult<CreatedOnce<Job>> {
    let key = key.map(|key| (key, request_hash("submit_job", &request)));
    let check = in_time(check_submission(&state, &user, request));
    let made = create_once(&state, &user, key, Box::pin(check)).await?;
    answer(&state, &user, made).await
}

async fn check_submission(state: &AppState, user: &CurrentUser, request: SubmitJobRequest) -> ApiResult<NewJob> {
    require_scenario_names(&request.scenarios)?;
    let environment = choose_environment(state, request.environment.as_deref())?;
    require_branch_name("branch_name", &request.branch_name)?;
    let timeout = read_timeout(request.timeout_s, environment.config.job_timeout)?;
    let questions = Questions::new(environment, user, Some("branch_name"));
    let commit = commit_with_scenarios(questions, &request.branch_name, &request.scenarios).await?;
    let revision = Revision { branch_name: request.branch_name, commit };
    Ok(NewJob { timeout, ..new_job(state, user, environment, revision, request.scenarios) })
}

/// Which code is tested.
struct Revision {
    branch_name: String,
    commit: String,
}

/// A job that is no rerun and may take as long as any.
fn new_job(
    state: &AppState,
    user: &CurrentUser,
    environment: &Environment,
    revision: Revision,
    scenarios: Vec<String>,
) -> NewJob {
    NewJob {
        instance: state.instance.to_string(),
        user_id: user.id(),
        environment: environment.config.name.clone(),
        queue_id_prefix: environment.config.queue_id_prefix.clone(),
        branch_name: revision.branch_name,
        commit: revision.commit,
        scenarios,
        rerun_of: None,
        timeout: environment.config.job_timeout,
    }
}

fn require_scenario_names(scenarios: &[String]) -> ApiResult<()> {
    if scenarios.is_empty() || scenarios.len() > MAX_SCENARIOS {
        return Err(ApiError::invalid("scenarios", format!("1 to {MAX_SCENARIOS} scenarios")));
    }
    if let Some(bad) = scenarios.iter().find(|name| !names::is_scenario_name(name)) {
        return Err(ApiError::invalid("scenarios", format!("\"{bad}\" is no name that a scenario can have")));
    }
    let mut seen = HashSet::new();
    match scenarios.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(ApiError::invalid("scenarios", format!("\"{twice}\" is there twice"))),
        None => Ok(()),
    }
}

fn read_timeout(seconds: Option<u64>, limit: Duration) -> ApiResult<Duration> {
    let Some(seconds) = seconds else {
        return Ok(limit);
    };
    let timeout = Duration::from_secs(seconds);
    if seconds == 0 || timeout > limit {
        return Err(ApiError::invalid("timeout_s", format!("1 to {} seconds", limit.as_secs())));
    }
    Ok(timeout)
}

/// The branch's present commit, which must have these scenarios.
async fn commit_with_scenarios(questions: Questions<'_>, branch: &str, wanted: &[String]) -> ApiResult<String> {
    let (commit, found) = questions.scenarios(branch).await?;
    let known: HashSet<&String> = found.scenarios.iter().collect();
    let Some(missing) = wanted.iter().find(|name| !known.contains(name)) else {
        return Ok(commit);
    };
    let detail = format!("no scenario \"{missing}\" in branch \"{branch}\" at {commit}");
    Err(ApiError::new(ErrorCode::ScenarioNotFound, &detail).with_field("scenarios", detail))
}

pub(super) async fn rerun_job(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<JobId>,
    IdempotencyKey(key): IdempotencyKey,
    OptionalJson(request): OptionalJson<RerunRequest>,
) -> ApiResult<CreatedOnce<Job>> {
    let key = key.map(|key| (key, request_hash(&format!("rerun {id}"), &request)));
    let check = in_time(check_rerun(&state, &user, id, request));
    let made = create_once(&state, &user, key, Box::pin(check)).await?;
    answer(&state, &user, made).await
}

async fn check_rerun(state: &AppState, user: &CurrentUser, id: JobId, request: RerunRequest) -> ApiResult<NewJob> {
    let original = find_row(state, id).await?;
    let tasks = state.store.read(move |connection| find_tasks(connection, id)).await?;
    let scenarios = scenarios_to_rerun(tasks, request.only_failed)?;
    let environment = choose_environment(state, Some(&original.environment))?;
    let questions = Questions::new(environment, user, None);
    let commit = if request.latest {
        commit_with_scenarios(questions, &original.branch_name, &scenarios).await?
    } else {
        require_commit(environment, questions, &original.commit_hash).await?;
        original.commit_hash
    };
    let timeout = Duration::from_millis(u64::try_from(original.timeout_ms).unwrap_or(0));
    let revision = Revision { branch_name: original.branch_name, commit };
    let timeout = timeout.min(environment.config.job_timeout);
    Ok(NewJob { rerun_of: Some(id), timeout, ..new_job(state, user, environment, revision, scenarios) })
}

fn scenarios_to_rerun(tasks: Vec<Task>, only_failed: bool) -> ApiResult<Vec<String>> {
    let failed = |task: &Task| matches!(task.status, TaskStatus::Failed | TaskStatus::Error | TaskStatus::Aborted);
    let wanted = tasks.into_iter().filter(|task| !only_failed || failed(task));
    let scenarios: Vec<_> = wanted.map(|task| task.scenario).collect();
    if scenarios.is_empty() {
        let told = "nothing of this job has failed, ended as error or was aborted";
        return Err(ApiError::new(ErrorCode::NothingToRerun, told));
    }
    Ok(scenarios)
}

async fn require_commit(environment: &Environment, questions: Questions<'_>, commit: &str) -> ApiResult<()> {
    if questions.commit_is_present(commit).await? {
        return Ok(());
    }
    let told =
        format!("commit {commit} is no longer in {}'s repository; rerun with \"latest\"", environment.config.name);
    Err(ApiError::new(ErrorCode::CommitUnavailable, told))
}

/// A new job is answered as it was stored: to read it again could fail, and who is told of a failure submits once more.
async fn answer(state: &AppState, user: &CurrentUser, made: Made) -> ApiResult<CreatedOnce<Job>> {
    let (body, is_new) = match made {
        Made::Before(id) => (shown_job(state, id).await?.1, false),
        Made::New(job, scenarios) => {
            let tasks = (1..).zip(scenarios).map(|(n, scenario)| Task::new(job.id, n, scenario)).collect();
            let surroundings = Surroundings::of(&job, state, None);
            let shown = Shown { job: *job, username: user.user.username.clone(), surroundings };
            (shown.with_tasks(tasks), true)
        }
    };
    let location = format!("/api/job/{}", body.summary.id);
    Ok(CreatedOnce { body, location, is_new })
}
