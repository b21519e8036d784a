//! The administration of users: who may sign in, under which name, and who is an administrator.
//! What is changed holds here at once, and on other replicas within a second.

use super::answers::Created;
use super::conditional::Listed;
use crate::auth::{Admin, CurrentUser, SecretHash, carried_through, check_rules};
use crate::error::{ApiError, ApiResult, Json, NoBody, Path};
use crate::state::AppState;
use crate::store::audit::insert_audit_entry;
use crate::store::users::{self as store, Changed, NewPassword, NewUser, Refused, UserChange};
use axum::extract::State;
use axum::response::NoContent;
use protocol::api::{AuditAction, ChangeUserRequest, CreateUserRequest, ErrorCode, User, Users};
use protocol::{Timestamp, UserId, names};
use serde_json::{Map, Value, json};

pub(super) async fn list_users(State(state): State<AppState>, _: Admin) -> ApiResult<Listed<Users>> {
    let users = state.store.read(store::list_users).await?;
    Ok(Listed(Users { users: users.iter().map(User::from).collect() }))
}

pub(super) async fn create_user(
    State(state): State<AppState>,
    Admin(admin): Admin,
    Json(request): Json<CreateUserRequest>,
) -> ApiResult<Created<User>> {
    let username = read_username(&request.username)?;
    check_password_rules(&request.password)?;
    let new = NewUser {
        username: username.clone(),
        password_hash: state.auth.hasher().hash(request.password).await?,
        is_admin: request.is_admin,
        must_change_password: true,
    };
    let now = Timestamp::now();
    let made = carried_through(async move {
        let detail = json!({ "username": new.username, "is_admin": new.is_admin });
        let made = state.store.write(move |connection| {
            let made = store::insert_user(connection, new, now)?;
            if let Some(user) = &made {
                let audit = admin.audit(AuditAction::CreateUser, format!("user:{}", user.id), &detail);
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(made)
        });
        let made = made.await?;
        if let Some(user) = &made {
            state.auth.forget_user(user.id);
        }
        Ok(made)
    });
    let user = made.await?.ok_or_else(|| name_taken(&username))?;
    Ok(Created { body: User::from(&user), location: None })
}

pub(super) async fn change_user(
    State(state): State<AppState>,
    Admin(admin): Admin,
    Path(id): Path<UserId>,
    Json(request): Json<ChangeUserRequest>,
) -> ApiResult<axum::Json<User>> {
    let username = request.username.as_deref().map(read_username).transpose()?;
    let has_new_password = request.password.is_some();
    let password = match request.password {
        Some(password) => Some(new_password(&state, &admin, id, password).await?),
        None => None,
    };
    let change = UserChange { username: username.clone(), is_admin: request.is_admin, password };
    let now = Timestamp::now();
    let changed = carried_through(async move {
        let changed = state.store.write(move |connection| {
            let changed = store::change_user(connection, id, change)?;
            if let Ok(changed) = &changed
                && let Some(detail) = detail_of(changed, has_new_password)
            {
                insert_audit_entry(
                    connection,
                    admin.audit(AuditAction::ChangeUser, format!("user:{id}"), &detail),
                    now,
                )?;
            }
            Ok(changed)
        });
        let changed = changed.await?;
        state.auth.forget_user(id);
        // Whoever looks at a job sees its user's name.
        state.bell.ring_saved();
        Ok(changed)
    });
    let changed = changed.await?.map_err(|refused| refusal(refused, id, username.as_deref()))?;
    Ok(axum::Json(User::from(&changed.user)))
}

/// What has changed, but for the password itself; `None`: nothing.
fn detail_of(Changed { before, user }: &Changed, has_new_password: bool) -> Option<Value> {
    let username = (user.username != before.username).then(|| ("username", json!(user.username)));
    let is_admin = (user.is_admin != before.is_admin).then(|| ("is_admin", json!(user.is_admin)));
    let password = has_new_password.then_some(("password", Value::Bool(true)));
    let changes = [username, is_admin, password].into_iter().flatten();
    let changes: Map<_, _> = changes.map(|(name, value)| (name.to_owned(), value)).collect();
    (!changes.is_empty()).then(|| changes.into())
}

/// Whoever sets somebody else's password knows it, so that it has to be changed.
async fn new_password(state: &AppState, admin: &CurrentUser, id: UserId, password: String) -> ApiResult<NewPassword> {
    check_password_rules(&password)?;
    let is_own = admin.id() == id;
    Ok(NewPassword {
        hash: state.auth.hasher().hash(password).await?,
        must_change: !is_own,
        kept_session: admin.session().filter(|_| is_own).map(SecretHash::to_text),
    })
}

pub(super) async fn delete_user(
    State(state): State<AppState>,
    Admin(admin): Admin,
    Path(id): Path<UserId>,
    _: NoBody,
) -> ApiResult<NoContent> {
    let now = Timestamp::now();
    let removed = carried_through(async move {
        let removed = state.store.write(move |connection| {
            let removed = store::remove_user(connection, id, now)?;
            if let Ok(user) = &removed {
                let audit =
                    admin.audit(AuditAction::DeleteUser, format!("user:{id}"), &json!({ "username": user.username }));
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(removed)
        });
        let removed = removed.await?;
        state.auth.forget_user(id);
        Ok(removed)
    });
    removed.await?.map_err(|refused| refusal(refused, id, None))?;
    Ok(NoContent)
}

fn read_username(text: &str) -> ApiResult<String> {
    let username = text.to_ascii_lowercase();
    if names::is_username(&username) {
        return Ok(username);
    }
    let why = "1 to 32 of a-z, 0-9, '.', '_' and '-', a letter or digit first";
    Err(ApiError::invalid("username", why))
}

fn check_password_rules(password: &str) -> ApiResult<()> {
    check_rules(password).map_err(|why| ApiError::invalid("password", why))
}

fn refusal(refused: Refused, id: UserId, username: Option<&str>) -> ApiError {
    match refused {
        Refused::NotFound => ApiError::not_found(format!("there is no user {id}")),
        Refused::NameTaken => name_taken(username.unwrap_or_default()),
        Refused::LastAdmin => {
            ApiError::new(ErrorCode::LastAdmin, "this is the last administrator; make another one first")
        }
    }
}

fn name_taken(username: &str) -> ApiError {
    let why = format!("there is a user {username} already");
    ApiError::new(ErrorCode::UsernameTaken, &why).with_field("username", why)
}
