//! An environment's configuration for tests of the remote calls,
//! and a small HTTP server that answers as a test tells it to.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use server::config::{
    CommandTemplates, EnvironmentConfig, HostKeyCheck, PathTemplates, Secret, SshConfig, SshCredential,
};
use server::remote::{Environment, QueueRef, RemoteError, Server};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub const INSTANCE: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
pub const QUEUE: QueueRef<'_> = QueueRef { instance: INSTANCE, queue_id: "42" };

/// SSH points nowhere: tests of HTTP need it not, tests of SSH set it.
pub fn environment_config(url: String) -> EnvironmentConfig {
    EnvironmentConfig {
        name: "bench-a".to_owned(),
        url,
        token: Some(Secret::new("s3cret".to_owned())),
        queue_id_prefix: String::new(),
        plain_404_means_unknown: false,
        paths: PathTemplates::default(),
        job_timeout: Duration::from_hours(1),
        waiting_timeout: Duration::from_hours(1),
        cleanup_give_up: Duration::from_hours(1),
        retry_max_interval: Duration::from_mins(5),
        remote_retention: None,
        http_timeout: Duration::from_secs(10),
        ssh: SshConfig {
            host: "127.0.0.1".to_owned(),
            port: 1,
            user: "tests".to_owned(),
            credential: SshCredential::IdentityFile(PathBuf::from("/nonexistent/key")),
            host_key: HostKeyCheck::KnownHosts(PathBuf::from("/nonexistent/known_hosts")),
            repository: "/srv/tests/repo".to_owned(),
            scenario_dir: "scenarios".to_owned(),
            workspace_root: "/srv/tests/workspaces".to_owned(),
            timeout: Duration::from_secs(20),
            commands: CommandTemplates::default(),
        },
    }
}

/// Serves until the test's runtime ends; gives the base URL.
pub async fn serve<F>(answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Response> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |request: Request| answer(request));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub fn server_with(url: String, change: impl FnOnce(&mut EnvironmentConfig)) -> Arc<Server> {
    let mut config = environment_config(url);
    change(&mut config);
    Environment::new(config).unwrap().server
}

/// A server that gives every call the same answer.
pub async fn server_that_answers(status: u16, body: &'static str) -> Arc<Server> {
    let url = serve(move |_| async move { (StatusCode::from_u16(status).unwrap(), body).into_response() }).await;
    server_with(url, |_| {})
}

/// What admins are told of a failure that may pass.
pub fn transient_message<T: std::fmt::Debug>(result: Result<T, RemoteError>) -> String {
    match result {
        Err(RemoteError::Transient { message, .. }) => message.private().to_owned(),
        other => panic!("not a transient failure: {other:?}"),
    }
}
