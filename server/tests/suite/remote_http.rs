//! The calls of the remote test server's contract, against servers that are old, slow, broken or hostile.
//! Each server is a real one on a loopback port.

use crate::held_address::HeldAddress;
use crate::remote_environment::{
    INSTANCE, QUEUE, environment_config, serve, server_that_answers, server_with, transient_message,
};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Redirect};
use futures_util::{StreamExt, stream};
use protocol::remote::{HealthBody, QueueRequest, TaskRequest};
use protocol::{QueueStatus, TaskStatus, Timestamp};
use server::config::EnvironmentConfig;
use server::remote::{Environment, Refusal, Remote, RemoteError};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn request() -> QueueRequest {
    QueueRequest {
        queue_id: "42".into(),
        branch: "feature/boot".into(),
        commit: "a1".repeat(20),
        submitted_by: "ada".into(),
        timeout_s: 3600,
        tasks: vec![TaskRequest { task_id: "42-1".into(), scenario: "smoke/boot".into() }],
    }
}

#[tokio::test]
async fn a_submission_carries_instance_token_and_body_to_the_prefixed_address() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let url = serve(move |request: Request| {
        let log = Arc::clone(&log);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            log.lock().unwrap().push((parts, body));
            (StatusCode::ACCEPTED, r#"{"queue_id":"42","status":"waiting"}"#).into_response()
        }
    })
    .await;
    server_with(format!("{url}/lab/"), |_| {}).submit(INSTANCE, &request()).await.unwrap();

    let (parts, body) = seen.lock().unwrap().pop().unwrap();
    assert_eq!((parts.method.as_str(), parts.uri.path()), ("POST", "/lab/api/queue"));
    assert_eq!(parts.headers["testarena-instance"], INSTANCE);
    assert_eq!(parts.headers["authorization"], "Bearer s3cret");
    assert_eq!(parts.headers["content-type"], "application/json");
    assert!(parts.headers["user-agent"].to_str().unwrap().starts_with("TestArena/"));
    assert_eq!(serde_json::from_slice::<QueueRequest>(&body).unwrap(), request());
}

#[tokio::test]
async fn only_the_servers_own_words_accept_a_queue() {
    for (status, body) in [(200, "<html>Welcome to the hotel</html>"), (200, r#"{"queue_id":"7","status":"waiting"}"#)]
    {
        transient_message(server_that_answers(status, body).await.submit(INSTANCE, &request()).await);
    }
    let taken = server_that_answers(409, r#"{"code":"id_taken","message":"other tasks"}"#).await;
    assert_eq!(
        taken.submit(INSTANCE, &request()).await,
        Err(RemoteError::Permanent(Refusal::IdTaken("other tasks".into())))
    );
    let rejected = server_that_answers(422, r#"{"code":"bad_branch","message":"no such branch"}"#).await;
    assert_eq!(
        rejected.submit(INSTANCE, &request()).await,
        Err(RemoteError::Permanent(Refusal::Rejected("no such branch".into())))
    );
    let stranger = server_that_answers(422, "<html>proxy at 192.0.2.1</html>").await;
    assert_eq!(
        stranger.submit(INSTANCE, &request()).await,
        Err(RemoteError::Permanent(Refusal::Rejected(String::new())))
    );
}

#[tokio::test]
async fn an_older_servers_bare_status_is_understood() {
    let server = server_that_answers(200, r#"{"id":"42","status":"running","unheard_of":1}"#).await;
    let answer = server.queue_status(QUEUE, None).await.unwrap().unwrap();
    assert_eq!((answer.body.status, answer.body.tasks), (QueueStatus::Running, None));

    let server = server_that_answers(200, r#"{"id":"42-1","status":"passed"}"#).await;
    assert_eq!(server.task_status(QUEUE, "42-1").await.unwrap().body.status, TaskStatus::Passed);
}

#[tokio::test]
async fn an_unchanged_status_costs_no_body_and_tells_the_servers_time() {
    let url = serve(|request: Request| async move {
        match request.headers().get("if-none-match") {
            Some(etag) if etag == "\"v1\"" => StatusCode::NOT_MODIFIED.into_response(),
            _ => (
                [("etag", "\"v1\""), ("date", "Sun, 04 Jan 2026 10:00:00 GMT")],
                r#"{"id":"42","kind":"queue","status":"waiting","position":3}"#,
            )
                .into_response(),
        }
    })
    .await;
    let server = server_with(url, |_| {});
    let answer = server.queue_status(QUEUE, None).await.unwrap().unwrap();
    assert_eq!(answer.etag.as_deref(), Some("\"v1\""));
    assert_eq!(answer.server_now, Some(Timestamp(1_767_520_800_000)));
    assert_eq!(answer.body.position, Some(3));
    assert_eq!(server.queue_status(QUEUE, answer.etag.as_deref()).await, Ok(None));
}

#[tokio::test]
async fn answers_that_are_not_about_the_queue_are_no_facts() {
    for body in [r#"{"id":"43","status":"finished"}"#, r#"{"id":"42","status":"odd"}"#, "[]", "", "<html>"] {
        transient_message(server_that_answers(200, body).await.queue_status(QUEUE, None).await);
    }
}

#[tokio::test]
async fn an_unknown_id_needs_the_servers_own_word() {
    let unknown = Err(RemoteError::Permanent(Refusal::UnknownId));
    let server = server_that_answers(404, r#"{"code":"unknown_id","message":"?"}"#).await;
    assert_eq!(server.queue_status(QUEUE, None).await, unknown);
    let proxy = server_that_answers(404, "not here").await;
    assert!(transient_message(proxy.queue_status(QUEUE, None).await).contains("check url and paths"));

    let url = serve(|_| async { StatusCode::NOT_FOUND.into_response() }).await;
    let old = server_with(url, |config| config.plain_404_means_unknown = true);
    assert_eq!(old.queue_status(QUEUE, None).await, unknown);
    transient_message(old.submit(INSTANCE, &request()).await);
    assert_eq!(old.health(INSTANCE).await, Ok(None), "an older server does not say");
}

#[tokio::test]
async fn deleting_succeeds_when_the_queue_is_not_there_afterwards() {
    for (status, body) in [(204, ""), (200, ""), (404, r#"{"code":"unknown_id"}"#), (410, r#"{"code":"gone"}"#)] {
        assert_eq!(server_that_answers(status, body).await.delete(QUEUE).await, Ok(()), "{status}");
    }
    for status in [202, 404, 500, 401] {
        transient_message(server_that_answers(status, "").await.delete(QUEUE).await);
    }
    let other = server_that_answers(409, r#"{"code":"other_instance"}"#).await;
    assert_eq!(other.delete(QUEUE).await, Err(RemoteError::Permanent(Refusal::OtherInstance)));
}

#[tokio::test]
async fn configured_paths_are_used_with_the_id_encoded() {
    let url = serve(|request: Request| async move {
        let line = format!("{} {}", request.method(), request.uri());
        let is_right = ["POST /kill/42?now=1", "DELETE /drop/42", "GET /q/a%2Fb%20c"].contains(&line.as_str());
        if is_right { StatusCode::OK.into_response() } else { (StatusCode::BAD_REQUEST, line).into_response() }
    })
    .await;
    let server = server_with(url, |config| {
        config.paths.abort = "/kill/{id}?now=1".into();
        config.paths.delete = "/drop/{id}".into();
        config.paths.status = "/q/{id}".into();
    });
    assert_eq!(server.abort(QUEUE).await, Ok(None), "an answer without a status confirms nothing");
    assert_eq!(server.delete(QUEUE).await, Ok(()));
    let message = transient_message(server.task_status(QUEUE, "a/b c").await);
    assert!(message.contains("no JSON"), "{message}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let url = serve(|request: Request| async move {
        if request.uri().path() == "/api/health" {
            return Redirect::temporary("/elsewhere").into_response();
        }
        r#"{"status":"ok"}"#.into_response()
    })
    .await;
    let message = transient_message(server_with(url, |_| {}).health(INSTANCE).await);
    assert!(message.contains("redirects (/elsewhere) are not followed"), "{message}");
}

#[tokio::test]
async fn a_hanging_server_ends_at_the_deadline() {
    let silent = serve(|_| std::future::pending()).await;
    let stalled = serve(|_| async {
        let body = stream::once(async { Ok::<_, Infallible>(Bytes::from("{")) }).chain(stream::pending());
        Body::from_stream(body).into_response()
    })
    .await;
    for url in [silent, stalled] {
        let server = server_with(url, |config| config.http_timeout = Duration::from_millis(100));
        let message = transient_message(server.queue_status(QUEUE, None).await);
        assert!(message.contains("was not answered within 0.1 s"), "{message}");
    }
}

#[tokio::test]
async fn a_held_back_feed_gets_its_wait_beside_the_deadline() {
    let url = serve(|request: Request| async move {
        assert_eq!(request.uri().query(), Some("wait=30&since=a%2Fb"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        r#"{"cursor":"c2","queues":[{"id":"42","kind":"queue","status":"finished"}]}"#.into_response()
    })
    .await;
    let server = server_with(url, |config| config.http_timeout = Duration::from_millis(200));
    let changes = server.changes(INSTANCE, Some("a/b"), Duration::from_secs(30)).await.unwrap().body;
    assert_eq!((changes.cursor.as_str(), changes.reset, changes.queues.len()), ("c2", false, 1));
}

#[tokio::test]
async fn an_oversized_answer_is_refused() {
    let announced = serve(|_| async { vec![b' '; 9 << 20].into_response() }).await;
    let endless = serve(|_| async {
        let spaces = stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b' '; 1 << 16])));
        Body::from_stream(spaces).into_response()
    })
    .await;
    for url in [announced, endless] {
        let message = transient_message(server_with(url, |_| {}).health(INSTANCE).await);
        assert!(message.contains("more than 8 MiB"), "{message}");
    }
}

#[tokio::test]
async fn a_dead_address_is_a_transient_failure_without_secrets() {
    let nobody = HeldAddress::take();
    let url = format!("http://{}", nobody.get());
    let message = transient_message(server_with(url, |_| {}).health(INSTANCE).await);
    assert!(message.starts_with("GET /api/health failed: ") && message.contains("refused"), "{message}");
    assert!(!message.contains("s3cret"));
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let url = serve(|_| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "17")]).into_response() }).await;
    let result = server_with(url, |_| {}).submit(INSTANCE, &request()).await;
    let Err(RemoteError::Transient { retry_after, .. }) = result else { panic!("{result:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn health_lists_the_servers_features() {
    let server = server_that_answers(200, r#"{"status":"ok","name":"bench-a","slots":4,"features":["changes"]}"#).await;
    let expected = HealthBody {
        status: "ok".into(),
        name: "bench-a".into(),
        slots: Some(4),
        busy: None,
        waiting: None,
        features: vec!["changes".into()],
    };
    assert_eq!(server.health(INSTANCE).await, Ok(Some(expected)));
}

#[test]
fn addresses_that_can_not_work_stop_the_start() {
    let refused = |change: fn(&mut EnvironmentConfig)| {
        let mut config = environment_config("http://127.0.0.1:1".into());
        change(&mut config);
        Environment::new(config).map(drop).unwrap_err()
    };
    assert!(refused(|config| config.url = "ftp://bench".into()).contains("url"));
    assert!(refused(|config| config.url = "bench".into()).contains("url"));
    let with_password = refused(|config| config.url = "http://ada:s3cret@bench".into());
    assert!(with_password.contains("token_env") && !with_password.contains("s3cret"));
    assert!(refused(|config| config.paths.status = "/status".into()).contains("paths.status"));
    assert!(refused(|config| config.paths.queue = "queue".into()).contains("paths.queue"));
    assert!(Environment::new(environment_config("https://bench/lab".into())).is_ok());
}

#[tokio::test]
async fn an_etag_without_measure_counts_as_none() {
    for (length, is_kept) in [(200, true), (20_000, false)] {
        let etag = format!("\"{}\"", "a".repeat(length));
        let known = etag.clone();
        let url = serve(move |_: Request| {
            let etag = etag.clone();
            async move { ([(ETAG, etag)], r#"{"id":"42","kind":"queue","status":"waiting"}"#).into_response() }
        })
        .await;
        let answer = server_with(url, |_| {}).queue_status(QUEUE, None).await.unwrap().unwrap();
        assert_eq!(answer.etag, is_kept.then_some(known));
    }
}
