//! Questions to a remote test server that must be answered now: branches, commits, scenarios.
//! They have a deadline, and their failures two texts: a sentence for everybody, all that is known for admins.

use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult};
use crate::remote::{Environment, QuestionError, ScenarioList};
use protocol::api::{Branch, ErrorCode};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a call waits in all for what the remote server has to say: some take several commands, each with its own
/// limit. Below the minute after which many proxies and clients give up.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// What a call asks of one remote server on behalf of somebody.
#[derive(Clone, Copy)]
pub(super) struct Questions<'a> {
    environment: &'a Environment,
    for_admin: bool,
    /// The request's field that names the branch, if it has one.
    branch_field: Option<&'static str>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(environment: &'a Environment, user: &CurrentUser, branch_field: Option<&'static str>) -> Self {
        Self { environment, for_admin: user.user.is_admin, branch_field }
    }

    pub(super) async fn branches(self) -> ApiResult<Arc<Vec<Branch>>> {
        self.ask(self.environment.repository.branches()).await
    }

    /// The branch's present commit.
    pub(super) async fn commit(self, branch: &str) -> ApiResult<String> {
        self.ask(self.environment.repository.resolve(branch)).await
    }

    /// The branch's present commit and that commit's scenarios.
    pub(super) async fn scenarios(self, branch: &str) -> ApiResult<(String, Arc<ScenarioList>)> {
        self.ask(Box::pin(self.environment.repository.read_branch(branch))).await
    }

    pub(super) async fn commit_is_present(self, commit: &str) -> ApiResult<bool> {
        self.ask(self.environment.repository.commit_is_present(commit)).await
    }

    async fn ask<T>(self, question: impl Future<Output = Result<T, QuestionError>>) -> ApiResult<T> {
        question.await.map_err(|error| self.tell(error))
    }

    fn tell(self, error: QuestionError) -> ApiError {
        let name = &self.environment.config.name;
        match error {
            QuestionError::BranchNotFound { branch } => {
                let detail = format!("no branch \"{branch}\" in {name}'s repository");
                let error = ApiError::new(ErrorCode::BranchNotFound, &detail);
                match self.branch_field {
                    Some(field) => error.with_field(field, detail),
                    None => error,
                }
            }
            QuestionError::BranchMoved => {
                ApiError::new(ErrorCode::BranchMoved, "the branch changed while it was being read; try again")
            }
            QuestionError::CommitUnavailable => {
                ApiError::new(ErrorCode::CommitUnavailable, format!("the commit is no longer in {name}'s repository"))
            }
            QuestionError::Unreachable(failure) => {
                tracing::warn!(environment = name, error = failure.private(), "ssh.question: {name} gave no answer");
                ApiError::new(ErrorCode::EnvironmentUnreachable, failure.told_to(self.for_admin))
            }
        }
    }
}

/// What a call has to ask of a remote server, all of it together, answered in time or not at all.
pub(super) async fn in_time<T>(questions: impl Future<Output = ApiResult<T>>) -> ApiResult<T> {
    let told = || format!("the remote server did not answer within {} s; try again later", ANSWER_LIMIT.as_secs());
    let answered = tokio::time::timeout(ANSWER_LIMIT, questions).await;
    answered.unwrap_or_else(|_| Err(ApiError::new(ErrorCode::EnvironmentUnreachable, told())))
}
