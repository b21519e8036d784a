//! For those who watch the process: whether it lives, and whether it can work.

use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use protocol::api::ErrorCode;

pub(super) async fn is_alive() -> &'static str {
    "ok\n"
}

pub(super) async fn is_ready(State(state): State<AppState>) -> ApiResult<&'static str> {
    state.store.ping().await?;
    state.logs.check().await.map_err(|full| ApiError::new(ErrorCode::Unavailable, full))?;
    Ok("ok\n")
}
