//! What is said of a remote test server's failures: to everybody a sentence, to administrators all that is known.
//! Addresses, commands and standard error are for the second alone.

use crate::job_odd_remote::{Odd, healthy, unknown_id};
use crate::lab::tick_all;
use crate::remote_environment::{environment_config, serve};
use crate::test_app::TestApp;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use protocol::Timestamp;
use serde_json::json;
use server::remote::Environment;

#[tokio::test]
async fn a_job_says_why_its_server_is_away_without_saying_where_it_is() {
    let app = TestApp::with_environments(vec![environment_config("http://127.0.0.1:1".into())]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let id = app.store_job("ada", "bench-a", "main", &["boot"]).await;
    tick_all(&app.state, Timestamp::now()).await;
    let job = ada.get(&format!("/api/job/{id}")).await.expect(200);
    assert_eq!(job["sync"]["error"], "bench-a can't be reached: connection refused");
    let environment = root.get("/api/environments").await.expect(200)["environments"][0].clone();
    let told = environment["last_error"].as_str().unwrap();
    assert!(told.contains("GET /api/health failed") && told.contains("check url"), "{told}");
    let environment = ada.get("/api/environments").await.expect(200)["environments"][0].clone();
    assert!(environment.get("last_error").is_none() && environment.get("url").is_none(), "{environment}");
}

#[tokio::test]
async fn a_check_takes_no_web_server_for_an_older_test_server() {
    let page = || (StatusCode::NOT_FOUND, "<html>nothing here</html>").into_response();
    for (is_one, url) in
        [(false, serve(move |_| async move { page() }).await), (true, serve(|_| async { unknown_id() }).await)]
    {
        let environment = Environment::new(environment_config(url)).unwrap();
        let http = Box::pin(environment.check("test")).await.into_iter().next().unwrap();
        assert_eq!(http.ok, is_one, "{}", http.detail);
        assert_eq!(http.detail.contains("check url and paths"), !is_one, "{}", http.detail);
    }
}

/// The server's own reason is for everybody; of other words nobody knows whose they are.
#[tokio::test]
async fn a_job_that_is_refused_shows_the_servers_reason_and_no_strangers_words() {
    let strange = "the remote server can't run it: it gives no reason in the words of the contract; TestArena's log has its answer";
    for (body, shown) in [
        (r#"{"code":"bad_branch","message":"no such branch"}"#, "the remote server can't run it: no such branch"),
        (r#"{"code":"bad_branch"}"#, strange),
        ("<html>proxy at 192.0.2.1</html>", strange),
        (r#"{"message":"upstream http://192.0.2.1:9000"}"#, strange),
        ("", strange),
    ] {
        let odd = Odd::start(move |call| match call {
            "GET /api/health" => healthy(&[]),
            "POST /api/queue" => (StatusCode::UNPROCESSABLE_ENTITY, body).into_response(),
            _ => unknown_id(),
        })
        .await;
        odd.tick().await;
        let job = odd.job().await;
        let told = (&job["status"], &job["status_reason"], &job["sync"]["error"]);
        assert_eq!(told, (&json!("error"), &json!("rejected"), &json!(shown)), "{body}");
    }
}
