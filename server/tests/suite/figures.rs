//! What the process does besides answering requests, as Prometheus is told: rounds, calls of remote servers, commands
//! over SSH and bytes of logs and results.

use crate::lab::Lab;
use crate::remote_environment::environment_config;
use crate::test_app::TestApp;
use protocol::Timestamp;
use server::store::environments::{EnvironmentStatus, save_health};

/// The value of the first series whose line begins so.
fn value(figures: &str, series: &str) -> f64 {
    let line = figures.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("{series}: {figures}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn what_is_done_for_a_job_is_counted() {
    let lab = Lab::start().await;
    let id = lab.submit(&["smoke/pass"]).await;
    lab.tick_until(id, |job| job["cleanup"]["state"] == "done" && job["logs"]["state"] == "complete").await;
    let figures = lab.app.anybody().get("/metrics").await.body;
    for series in [
        "testarena_poll_round_duration_seconds_count{environment=\"bench\"}",
        "testarena_remote_call_duration_seconds_count{environment=\"bench\",outcome=\"ok\"}",
        "testarena_ssh_call_duration_seconds_count{environment=\"bench\",outcome=\"ok\"}",
        "testarena_mirrored_bytes_total{environment=\"bench\"}",
    ] {
        assert!(value(&figures, series) > 0.0, "{series}");
    }
}

#[tokio::test]
async fn what_has_left_the_configuration_raises_no_alarm() {
    let mut config = environment_config("http://127.0.0.1:1".into());
    config.name = "here".into();
    let app = TestApp::with_environments(vec![config]).await;
    app.user("ada").await;
    for name in ["here", "gone"] {
        let round_at = Some(Timestamp(0));
        let status = EnvironmentStatus { round_at, ..EnvironmentStatus::unknown(name, Timestamp(0)) };
        app.state.store.write(move |connection| save_health(connection, status)).await.unwrap();
        app.store_job("ada", name, "main", &["smoke/boot"]).await;
    }
    app.sql("UPDATE jobs SET lane = 'send', next_at = 1").await;
    let figures = app.anybody().get("/metrics").await.body;
    for figure in ["environment_up", "environment_round_age_seconds", "environment_jobs_due"] {
        let of = |name: &str| figures.contains(&format!("testarena_{figure}{{environment=\"{name}\"}}"));
        assert_eq!((of("here"), of("gone")), (true, false), "{figure}: {figures}");
    }
    assert!(value(&figures, "testarena_environment_jobs{environment=\"gone\"") > 0.0);
}
