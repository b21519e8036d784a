//! Reading jobs: bodies, conditional requests, waiting for a change, and the list with its filters and pages.

use crate::remote_environment::environment_config;
use crate::test_app::{Answer, Client, TestApp, redact_times};
use protocol::api::{Health, SyncState, TaskCounts};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use serde_json::{Value, json};
use server::state::{AppState, Parts};
use server::store::environments::{self, EnvironmentStatus};
use server::store::jobs::find_job;
use std::time::{Duration, Instant};

pub(crate) const CONFIGURED: &str = "bench-a";
/// Half of what is asked for where nobody is to wait so long.
const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn start() -> (TestApp, Client) {
    let mut config = environment_config("http://127.0.0.1:1".into());
    config.name = CONFIGURED.into();
    let app = TestApp::with_environments(vec![config]).await;
    let ada = app.user("ada").await;
    (app, ada)
}

async fn note_round(state: &AppState, at: Timestamp) {
    let status = EnvironmentStatus {
        health: Health::Ok,
        round_at: Some(at),
        slots: Some(4),
        last_error: Some("was away".into()),
        ..EnvironmentStatus::unknown(CONFIGURED, Timestamp(0))
    };
    let save = move |connection: &mut _| {
        environments::save_health(connection, status)?;
        environments::note_round(connection, CONFIGURED, at)
    };
    state.store.write(save).await.unwrap();
}

pub(crate) fn ids(list: &Value) -> Vec<i64> {
    list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

fn known(client: &Client, answer: &Answer) -> Client {
    client.clone().with("if-none-match", answer.header("etag"))
}

#[tokio::test]
async fn environments_tell_plain_users_less_than_admins() {
    let (app, ada) = start().await;
    let admin = app.admin("root").await;
    let shown = redact_times(ada.get("/api/environments").await.expect(200));
    let plain = json!({
        "name": "bench-a", "health": "unknown", "since": "…", "slots": null, "busy": null, "waiting": null,
        "ssh": "unknown",
    });
    assert_eq!(shown, json!({"environments": [plain]}));
    note_round(&app.state, Timestamp(0)).await;
    let expected = json!({
        "name": "bench-a", "url": "http://127.0.0.1:1", "health": "ok", "since": "1970-01-01T00:00:00Z",
        "last_error": "was away", "slots": 4, "busy": null, "waiting": null, "ssh": "unknown",
        "ssh_error": null, "host_key": null,
    });
    assert_eq!(admin.get("/api/environments").await.expect(200), json!({"environments": [expected]}));
}

#[tokio::test]
async fn a_job_that_has_not_changed_is_not_sent_again() {
    let (app, ada) = start().await;
    let id = app.store_job("ada", CONFIGURED, "main", &["smoke/boot", "smoke/net"]).await;
    let first = ada.get("/api/job/1").await;
    first.expect(200);
    let unchanged = known(&ada, &first).get("/api/job/1").await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.as_str()), (304, ""));
    assert_eq!(unchanged.header("etag"), first.header("etag"));

    // How fresh the facts are and how long a log is do not make another version.
    app.change_job(id, |job, _| job.last_synced_at = Some(Timestamp(5_000))).await;
    let unchanged = known(&ada, &first).get("/api/job/1").await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("testarena-synced-at")), (304, "1970-01-01T00:00:05Z"));

    app.change_job(id, |job, tasks| {
        tasks[0].status = TaskStatus::Running;
        tasks[0].started_at = Some(Timestamp(1_000));
        job.status = JobStatus::InProgress;
        job.set_counts(TaskCounts::of(tasks.iter().map(|task| task.status)));
    })
    .await;
    let changed = known(&ada, &first).get("/api/job/1").await.expect(200);
    assert_eq!((&changed["status"], &changed["counts"]["running"]), (&json!("in_progress"), &json!(1)));
    assert_eq!(changed["tasks"][0]["started_at"], "1970-01-01T00:00:01Z");
}

#[tokio::test]
async fn a_round_over_the_environment_makes_its_open_jobs_fresh() {
    let (app, ada) = start().await;
    let open = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let ended = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let pending = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    note_round(&app.state, Timestamp(9_000)).await;
    for (id, status) in [(open, JobStatus::InProgress), (ended, JobStatus::Passed)] {
        app.change_job(id, |job, _| {
            (job.status, job.sync_state, job.last_synced_at) = (status, SyncState::Synced, Some(Timestamp(4_000)));
        })
        .await;
    }
    let synced_at = async |id: JobId| {
        let answer = ada.get(&format!("/api/job/{id}")).await;
        let shown = answer.expect(200)["sync"]["last_synced_at"].clone();
        assert_eq!(answer.header("testarena-synced-at"), shown.as_str().unwrap_or_default());
        shown
    };
    assert_eq!(synced_at(open).await, "1970-01-01T00:00:09Z");
    assert_eq!(synced_at(ended).await, "1970-01-01T00:00:04Z");
    assert_eq!(synced_at(pending).await, Value::Null);
    // Of one job nothing is known yet, so nothing is known of the age of the whole.
    assert_eq!(ada.get("/api/jobs").await.header("testarena-synced-at"), "");
    app.change_job(pending, |job, _| job.status = JobStatus::Aborted).await;
    assert_eq!(ada.get("/api/jobs").await.header("testarena-synced-at"), "1970-01-01T00:00:09Z");
}

#[tokio::test]
async fn a_job_of_an_environment_that_is_gone_says_so() {
    let (app, ada) = start().await;
    app.store_job("ada", "gone", "main", &["smoke/boot"]).await;
    let job = ada.get("/api/job/1").await.expect(200);
    assert_eq!(job["sync"], json!({"state": "failing", "last_synced_at": null, "error": "not configured"}));
    assert_eq!(job["status"], "waiting");
}

#[tokio::test]
async fn a_waiter_is_answered_when_the_job_changes() {
    let (app, ada) = start().await;
    let id = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let first = ada.get("/api/job/1").await;
    let waiter = known(&ada, &first);
    let waiting = tokio::spawn(async move { waiter.get("/api/job/1?wait=60").await });
    app.state.bell.listen_for_saved();
    app.change_job(id, |job, _| job.status = JobStatus::InProgress).await;
    let answer = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(answer.expect(200)["status"], "in_progress");
    // Without a version to compare there is nothing to wait for.
    let at_once = tokio::time::timeout(SOON, ada.get("/api/job/1?wait=60")).await.unwrap();
    at_once.expect(200);
    assert_eq!(ada.get("/api/job/1?wait=61").await.code(), "invalid_input");
    let wrong = ada.get("/api/job/1?wait=x").await.problem();
    assert!(wrong.fields.unwrap().contains_key("wait"));
}

#[tokio::test]
async fn a_waiter_notices_what_another_replica_has_saved() {
    let (app, ada) = start().await;
    let id = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let first = ada.get("/api/job/1").await;
    let waiter = known(&ada, &first);
    let waiting = tokio::spawn(async move { waiter.get("/api/job/1?wait=60").await });
    // The store changes and nobody rings.
    let quiet = AppState::from(Parts { bell: server::bell::Bell::default(), ..Parts::clone(&app.state) });
    let silent = quiet
        .store
        .write(move |connection| server::store::jobs::request_abort(connection, id, "aborted_by:ada", Timestamp(0)));
    assert!(silent.await.unwrap());
    let answer = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(answer.expect(200)["abort_requested"], true);
}

#[tokio::test]
async fn waiters_are_let_go_when_time_is_up_and_when_the_server_ends() {
    let (app, ada) = start().await;
    app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let first = ada.get("/api/job/1").await;
    let waiter = known(&ada, &first);
    let start = Instant::now();
    assert_eq!(waiter.get("/api/job/1?wait=1").await.status, 304);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let waiting = tokio::spawn(async move { waiter.get("/api/job/1?wait=60").await });
    app.state.shutdown.cancel();
    let answer = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(answer.status, 304);
}

#[tokio::test]
async fn who_waits_with_too_many_requests_is_told_to_come_again_and_nobody_else_is() {
    let (app, ada) = start().await;
    let bob = app.user("bob").await;
    app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let first = ada.get("/api/job/1").await;
    let wait = |client: &Client| {
        let waiter = known(client, &first);
        tokio::spawn(async move { waiter.get("/api/job/1?wait=60").await })
    };
    let is_waited_by = async |count: usize| {
        let start = Instant::now();
        while app.state.waiters.count() != count {
            assert!(start.elapsed() < Duration::from_secs(30), "{} wait", app.state.waiters.count());
            tokio::task::yield_now().await;
        }
    };
    let mut waiting: Vec<_> = (0..50).map(|_| wait(&ada)).collect();
    is_waited_by(50).await;
    let refused = known(&ada, &first).get("/api/job/1?wait=60").await;
    assert_eq!((refused.code(), refused.header("retry-after")), ("unavailable", "5"));
    // To ask without waiting is always possible, and others have their own places.
    assert_eq!(known(&ada, &first).get("/api/job/1").await.status, 304);
    waiting.push(wait(&bob));
    is_waited_by(51).await;
    app.state.shutdown.cancel();
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap().status, 304);
    }
    is_waited_by(0).await;
}

#[tokio::test]
async fn plain_users_see_their_own_jobs_and_find_everybodys() {
    let (app, ada) = start().await;
    let (bob, admin) = (app.user("bob").await, app.admin("adam").await);
    for owner in ["ada", "bob", "adam"] {
        app.store_job(owner, CONFIGURED, "main", &["smoke/boot"]).await;
    }
    let list = async |client: &Client, query: &str| ids(&client.get(&format!("/api/jobs{query}")).await.expect(200));
    assert_eq!(list(&ada, "").await, [1]);
    assert_eq!(list(&ada, "?search=&status=&environment=&branch=&cursor=").await, [1]);
    assert_eq!(list(&admin, "").await, [3, 2, 1]);
    assert_eq!(list(&bob, "?search=AD").await, [3, 1]);
    assert_eq!(list(&bob, "?search=ada").await, [3, 1]);
    assert_eq!(list(&bob, "?search=2").await, [2]);
    assert_eq!(list(&bob, "?search=%25").await, [0; 0]);
    assert_eq!(list(&bob, "?search=a_a").await, [0; 0]);
    assert_eq!(list(&bob, "?search=99999999999999999999").await, [0; 0]);
}

#[tokio::test]
async fn the_list_is_filtered() {
    let (app, ada) = start().await;
    let passed = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    app.store_job("ada", "bench-b", "feature/x", &["smoke/boot"]).await;
    app.store_job("ada", CONFIGURED, "feature/x", &["smoke/boot"]).await;
    app.change_job(passed, |job, _| job.status = JobStatus::Passed).await;
    let list = async |query: &str| ids(&ada.get(&format!("/api/jobs?{query}")).await.expect(200));
    assert_eq!(list("status=passed").await, [1]);
    assert_eq!(list("status=passed&status=waiting").await, [3, 2, 1]);
    assert_eq!(list("environment=bench-b").await, [2]);
    assert_eq!(list("branch=feature/x&environment=bench-a").await, [3]);
    assert_eq!(list("branch=feature/x&status=waiting&status=passed&environment=bench-b").await, [2]);
    assert_eq!(list("search=ad&status=passed&status=error").await, [1]);
    assert_eq!(list("search=2&status=passed").await, [0; 0]);
    assert_eq!(list("search=2&status=waiting&status=failed").await, [2]);
    for wrong in ["status=done", "limit=", "limit=0", "limit=201", "limit=x", "cursor=x", "search=a&search=b"] {
        let problem = ada.get(&format!("/api/jobs?{wrong}")).await.problem();
        let field = wrong.split('=').next().unwrap();
        assert!(problem.fields.as_ref().unwrap().contains_key(field), "{problem:?}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_while_new_jobs_arrive() {
    let (app, ada) = start().await;
    for _ in 0..5 {
        app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    }
    let first = ada.get("/api/jobs?limit=2").await.expect(200);
    assert_eq!(ids(&first), [5, 4]);
    assert!(first["jobs"][0].get("tasks").is_none() && first["jobs"][0].get("scenarios").is_none());
    app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let next = |page: &Value| format!("/api/jobs?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let second = ada.get(&next(&first)).await.expect(200);
    assert_eq!(ids(&second), [3, 2]);
    let third = ada.get(&next(&second)).await.expect(200);
    assert_eq!((ids(&third), &third["next_cursor"]), (vec![1], &Value::Null));
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let (app, ada) = start().await;
    let id = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let first = ada.get("/api/jobs").await;
    first.expect(200);
    assert_eq!(known(&ada, &first).get("/api/jobs").await.status, 304);
    app.change_job(id, |job, _| job.position = Some(3)).await;
    let second = known(&ada, &first).get("/api/jobs").await;
    assert_eq!(second.expect(200)["jobs"][0]["position"], 3);
    app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    assert_eq!(ids(&known(&ada, &second).get("/api/jobs").await.expect(200)), [2, 1]);
}

#[tokio::test]
async fn only_a_job_that_has_not_ended_counts_as_looked_at() {
    let (app, ada) = start().await;
    let looks = app.state.bell.listen_for_looks(CONFIGURED);
    let id = app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    ada.get("/api/job/2").await;
    app.change_job(id, |job, _| (job.status, job.finished_at) = (JobStatus::Passed, Some(Timestamp(9)))).await;
    ada.get("/api/job/1").await.expect(200);
    ada.get("/api/job/1/log/lines").await.expect(200);
    assert!(!looks.has_changed().unwrap());
    app.change_job(id, |job, _| (job.status, job.finished_at) = (JobStatus::InProgress, None)).await;
    ada.get("/api/job/1").await.expect(200);
    let mut looks = looks;
    looks.changed().await.unwrap();
    let watched = move |connection: &mut _| Ok(find_job(connection, id)?.unwrap().watched_until);
    assert!(app.state.store.read(watched).await.unwrap() > Some(Timestamp::now()));
}
