//! What can be run where: environments, and what their repositories hold.
//! Branches and scenarios are questions to the remote server that must be answered now, so they have a deadline.

use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Json, Query};
use crate::remote::{Environment, QuestionError, ScenarioList};
use crate::state::AppState;
use crate::store::environments::{EnvironmentStatus, list_environment_status};
use axum::extract::State;
use protocol::api::{
    self, Branches, Environments, ErrorCode, Health, Scenarios, ValidateBranchRequest, ValidatedBranch,
};
use protocol::names;
use schemars::JsonSchema;
use serde::Deserialize;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits in all for what the remote server has to say: some take several commands, each with its own
/// limit. Below the minute after which many proxies and clients give up.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

pub(super) async fn list_environments(
    State(state): State<AppState>,
    user: CurrentUser,
) -> ApiResult<axum::Json<Environments>> {
    let statuses = state.store.read(list_environment_status).await?;
    let show = |environment: &Arc<Environment>| {
        let status = statuses.iter().find(|status| status.environment == environment.config.name);
        environment_body(environment, status, user.user.is_admin)
    };
    Ok(axum::Json(Environments { environments: state.environments.values().map(show).collect() }))
}

fn environment_body(
    environment: &Environment,
    status: Option<&EnvironmentStatus>,
    for_admin: bool,
) -> api::Environment {
    let config = &environment.config;
    let count = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    api::Environment {
        name: config.name.clone(),
        url: for_admin.then(|| config.url.clone()),
        health: status.map_or(Health::Unknown, |status| status.health),
        since: status.map(|status| status.since),
        last_error: for_admin.then(|| status.and_then(|status| status.last_error.clone())),
        slots: count(status.and_then(|status| status.slots)),
        busy: count(status.and_then(|status| status.busy)),
        waiting: count(status.and_then(|status| status.waiting)),
        host_key: for_admin.then(|| environment.offered_host_key()),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BranchesQuery {
    environment: Option<String>,
}

pub(super) async fn list_branches(
    State(state): State<AppState>,
    _user: CurrentUser,
    Query(query): Query<BranchesQuery>,
) -> ApiResult<axum::Json<Branches>> {
    let environment = choose_environment(&state, query.environment.as_deref())?;
    let branches = in_time(ask(environment, environment.repository.branches())).await?;
    Ok(axum::Json(Branches { branches }))
}

pub(super) async fn validate_branch(
    State(state): State<AppState>,
    _user: CurrentUser,
    Json(request): Json<ValidateBranchRequest>,
) -> ApiResult<axum::Json<ValidatedBranch>> {
    let environment = choose_environment(&state, request.environment.as_deref())?;
    require_branch_name("branch_name", &request.branch_name)?;
    let commit = in_time(resolve(environment, &request.branch_name)).await?;
    let body =
        ValidatedBranch { environment: environment.config.name.clone(), branch_name: request.branch_name, commit };
    Ok(axum::Json(body))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenariosQuery {
    environment: Option<String>,
    branch: String,
}

pub(super) async fn list_scenarios(
    State(state): State<AppState>,
    _user: CurrentUser,
    Query(query): Query<ScenariosQuery>,
) -> ApiResult<axum::Json<Scenarios>> {
    let environment = choose_environment(&state, query.environment.as_deref())?;
    require_branch_name("branch", &query.branch)?;
    let found = in_time(async {
        let commit = resolve(environment, &query.branch).await?;
        let found = scenarios(environment, &query.branch, &commit).await?;
        Ok((commit, found))
    });
    let (commit, found) = found.await?;
    Ok(axum::Json(Scenarios {
        branch_name: query.branch,
        commit,
        scenarios: found.scenarios.clone(),
        problems: found.problems.clone(),
    }))
}

/// The environment of that name; without a name the only one there is.
pub(super) fn choose_environment<'a>(state: &'a AppState, name: Option<&str>) -> ApiResult<&'a Environment> {
    match name.filter(|name| !name.is_empty()) {
        Some(name) => {
            let unknown =
                || ApiError::new(ErrorCode::EnvironmentNotFound, format!("no environment is called \"{name}\""));
            state.environments.get(name).map(Arc::as_ref).ok_or_else(unknown)
        }
        None if state.environments.len() == 1 => {
            let only = state.environments.values().next();
            only.map(Arc::as_ref).ok_or_else(|| ApiError::not_found("no environment is configured"))
        }
        None => Err(ApiError::invalid("environment", "name one; not exactly one is configured")),
    }
}

pub(super) fn require_branch_name(field: &str, name: &str) -> ApiResult<()> {
    if names::is_branch_name(name) {
        return Ok(());
    }
    Err(ApiError::invalid(field, "this is no name that a git branch can have"))
}

/// The branch's present commit.
pub(super) async fn resolve(environment: &Environment, branch: &str) -> ApiResult<String> {
    ask(environment, environment.repository.resolve(branch)).await
}

/// The scenarios of a commit, which is fetched from the branch where it is not there yet.
pub(super) async fn scenarios(environment: &Environment, branch: &str, commit: &str) -> ApiResult<Arc<ScenarioList>> {
    ask(environment, environment.repository.scenarios(branch, commit)).await
}

/// What a call has to ask of a remote server, all of it together, answered in time or not at all.
pub(super) async fn in_time<T>(questions: impl Future<Output = ApiResult<T>>) -> ApiResult<T> {
    let told = || format!("the remote server did not answer within {} s; try again later", ANSWER_LIMIT.as_secs());
    let answered = tokio::time::timeout(ANSWER_LIMIT, questions).await;
    answered.unwrap_or_else(|_| Err(ApiError::new(ErrorCode::EnvironmentUnreachable, told())))
}

/// Asks the remote server and tells its failure in the API's words.
pub(super) async fn ask<T>(
    environment: &Environment,
    question: impl Future<Output = Result<T, QuestionError>>,
) -> ApiResult<T> {
    let name = &environment.config.name;
    question.await.map_err(|error| match error {
        QuestionError::BranchNotFound { branch } => {
            let detail = format!("no branch \"{branch}\" in {name}'s repository");
            ApiError::new(ErrorCode::BranchNotFound, &detail).with_field("branch_name", detail)
        }
        QuestionError::BranchMoved => {
            ApiError::new(ErrorCode::BranchMoved, "the branch changed while it was being read; try again")
        }
        QuestionError::CommitUnavailable => {
            ApiError::new(ErrorCode::CommitUnavailable, format!("the commit is no longer in {name}'s repository"))
        }
        QuestionError::Unreachable(why) => {
            ApiError::new(ErrorCode::EnvironmentUnreachable, format!("{name} can't be asked now: {why}"))
        }
    })
}
