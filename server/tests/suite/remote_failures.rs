//! What is said of a remote test server's failures: to everybody a sentence, to administrators all that is known.
//! Addresses, commands and standard error are for the second alone.

use crate::lab::tick_all;
use crate::remote_environment::environment_config;
use crate::test_app::TestApp;
use protocol::Timestamp;

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
