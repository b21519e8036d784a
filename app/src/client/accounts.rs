//! One's own account and its tokens; and for administrators users, environments and the log of who did what.

use super::{Answer, Fetched, Patience, get, get_if_changed, read, send, written};
use crate::paths::{encode, with_query};
use crate::transport::{Method, Response};
use protocol::api::{
    AuditLog, ChangePasswordRequest, ChangeUserRequest, Checks, CreateTokenRequest, CreateUserRequest, Environments,
    Token, Tokens, User, Users,
};
use protocol::{TokenId, UserId};
use serde::{Deserialize, Serialize};

/// Which entries of the audit log; empty means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditQuery {
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) object: String,
    /// Of the page; empty for the first.
    pub(crate) cursor: String,
}

pub(crate) async fn change_password(request: &ChangePasswordRequest) -> Answer<()> {
    post("/api/me/password", request).await.map(drop)
}

pub(crate) async fn list_tokens() -> Answer<Tokens> {
    get("/api/tokens".to_owned()).await
}

/// The token and its secret, which is told this once. The two are read apart, as a job's parts are.
pub(crate) async fn create_token(request: &CreateTokenRequest) -> Answer<(Token, String)> {
    #[derive(Deserialize)]
    struct Secret {
        token: String,
    }
    let response = post("/api/tokens", request).await?;
    let Secret { token } = read(&response)?;
    Ok((read(&response)?, token))
}

pub(crate) async fn delete_token(id: TokenId) -> Answer<()> {
    ask(Method::Delete, format!("/api/tokens/{id}"), None).await.map(drop)
}

pub(crate) async fn list_users() -> Answer<Users> {
    get("/api/users".to_owned()).await
}

pub(crate) async fn create_user(request: &CreateUserRequest) -> Answer<User> {
    read(&post("/api/users", request).await?)
}

pub(crate) async fn change_user(id: UserId, request: &ChangeUserRequest) -> Answer<User> {
    read(&ask(Method::Patch, format!("/api/users/{id}"), Some(written(request)?)).await?)
}

pub(crate) async fn delete_user(id: UserId) -> Answer<()> {
    ask(Method::Delete, format!("/api/users/{id}"), None).await.map(drop)
}

pub(crate) async fn watch_environments(etag: Option<String>) -> Answer<Fetched<Environments>> {
    get_if_changed("/api/environments".to_owned(), etag, read).await
}

/// Tries an environment part by part, which takes as long as its time limits say.
pub(crate) async fn check_environment(name: &str) -> Answer<Checks> {
    read(&ask(Method::Post, format!("/api/environments/{}/check", encode(name)), None).await?)
}

pub(crate) async fn list_audit(query: &AuditQuery) -> Answer<AuditLog> {
    let AuditQuery { actor, action, object, cursor } = query;
    let pairs = [("actor", actor.as_str()), ("action", action), ("object", object), ("cursor", cursor)];
    get(with_query("/api/audit", &pairs)).await
}

async fn post<T: Serialize>(url: &str, body: &T) -> Answer<Response> {
    ask(Method::Post, url.to_owned(), Some(written(body)?)).await
}

async fn ask(method: Method, url: String, json: Option<String>) -> Answer<Response> {
    send(method, url, json, Vec::new(), Patience::Long).await
}
