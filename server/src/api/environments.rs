//! What can be run where: environments, and what their repositories hold.
//! Branches and scenarios are questions to the remote server that must be answered now, so they have a deadline.

use super::conditional::Listed;
use super::questions::{Questions, in_time};
use crate::auth::{Admin, CurrentUser};
use crate::error::{ApiError, ApiResult, Filter, Json, NoBody, Path, Query};
use crate::remote::Environment;
use crate::ssh_watch::{SshFacts, facts};
use crate::state::AppState;
use crate::store::environments::{EnvironmentStatus, list_environment_status};
use crate::store::ssh_status::list_ssh_status;
use axum::extract::State;
use protocol::api::{
    self, Branches, Checks, Environments, ErrorCode, Health, Scenarios, ValidateBranchRequest, ValidatedBranch,
};
use protocol::names;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) async fn list_environments(
    State(state): State<AppState>,
    user: CurrentUser,
) -> ApiResult<Listed<Environments>> {
    let kept = state.store.read(|connection| Ok((list_environment_status(connection)?, list_ssh_status(connection)?)));
    let (statuses, ssh_statuses) = kept.await?;
    let show = |environment: &Arc<Environment>| {
        let name = &environment.config.name;
        let status = statuses.iter().find(|status| status.environment == *name);
        let ssh = ssh_statuses.iter().find(|status| status.environment == *name);
        environment_body(environment, status, facts(ssh, environment.ssh_state().status()), user.user.is_admin)
    };
    Ok(Listed(Environments { environments: state.environments.values().map(show).collect() }))
}

fn environment_body(
    environment: &Environment,
    status: Option<&EnvironmentStatus>,
    ssh: SshFacts,
    for_admin: bool,
) -> api::Environment {
    let config = &environment.config;
    let count = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    api::Environment {
        name: config.name.clone(),
        url: for_admin.then(|| config.url.clone()),
        health: status.map_or(Health::Unknown, |status| status.health),
        since: status.map_or(environment.known_since, |status| status.since),
        last_error: for_admin.then(|| status.and_then(|status| status.last_error.clone())),
        slots: count(status.and_then(|status| status.slots)),
        busy: count(status.and_then(|status| status.busy)),
        waiting: count(status.and_then(|status| status.waiting)),
        ssh: ssh.health,
        ssh_error: for_admin.then_some(ssh.error),
        host_key: for_admin.then_some(ssh.host_key),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BranchesQuery {
    #[serde(default)]
    environment: Filter,
}

pub(super) async fn list_branches(
    State(state): State<AppState>,
    user: CurrentUser,
    Query(query): Query<BranchesQuery>,
) -> ApiResult<Listed<Branches>> {
    let environment = choose_environment(&state, query.environment.as_deref())?;
    let branches = in_time(Questions::new(environment, &user, None).branches()).await?;
    Ok(Listed(Branches { branches: Arc::unwrap_or_clone(branches) }))
}

pub(super) async fn validate_branch(
    State(state): State<AppState>,
    user: CurrentUser,
    Json(request): Json<ValidateBranchRequest>,
) -> ApiResult<axum::Json<ValidatedBranch>> {
    let environment = choose_environment(&state, request.environment.as_deref())?;
    require_branch_name("branch_name", &request.branch_name)?;
    let questions = Questions::new(environment, &user, Some("branch_name"));
    let commit = in_time(questions.commit(&request.branch_name)).await?;
    let body =
        ValidatedBranch { environment: environment.config.name.clone(), branch_name: request.branch_name, commit };
    Ok(axum::Json(body))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenariosQuery {
    #[serde(default)]
    environment: Filter,
    branch: String,
}

pub(super) async fn list_scenarios(
    State(state): State<AppState>,
    user: CurrentUser,
    Query(query): Query<ScenariosQuery>,
) -> ApiResult<Listed<Scenarios>> {
    let environment = choose_environment(&state, query.environment.as_deref())?;
    require_branch_name("branch", &query.branch)?;
    let questions = Questions::new(environment, &user, Some("branch"));
    let (commit, found) = in_time(questions.scenarios(&query.branch)).await?;
    Ok(Listed(Scenarios {
        branch_name: query.branch,
        commit,
        scenarios: found.scenarios.clone(),
        problems: found.problems.clone(),
    }))
}

/// Tries an environment part by part, as `testarena check` does.
pub(super) async fn check_environment(
    State(state): State<AppState>,
    _: Admin,
    Path(name): Path<String>,
    _: NoBody,
) -> ApiResult<axum::Json<Checks>> {
    let unknown = || ApiError::not_found(format!("no environment is called \"{name}\""));
    let environment = state.environments.get(&name).ok_or_else(unknown)?;
    Ok(axum::Json(Checks { checks: Box::pin(environment.check(&state.instance)).await }))
}

/// The environment of that name; without a name the only one there is.
pub(super) fn choose_environment<'a>(state: &'a AppState, name: Option<&str>) -> ApiResult<&'a Environment> {
    match name {
        Some(name) => state.environments.get(name).map(Arc::as_ref).ok_or_else(|| no_such_environment(name)),
        None if state.environments.len() == 1 => {
            let only = state.environments.values().next();
            only.map(Arc::as_ref).ok_or_else(|| ApiError::not_found("no environment is configured"))
        }
        None => Err(ApiError::invalid("environment", "name one; not exactly one is configured")),
    }
}

pub(super) fn no_such_environment(name: &str) -> ApiError {
    ApiError::new(ErrorCode::EnvironmentNotFound, format!("no environment is called \"{name}\""))
}

pub(super) fn require_branch_name(field: &str, name: &str) -> ApiResult<()> {
    if names::is_branch_name(name) {
        return Ok(());
    }
    Err(ApiError::invalid(field, "this is no name that a git branch can have"))
}
