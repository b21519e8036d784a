//! What the process does besides answering requests, as Prometheus is told: rounds, calls of remote servers, commands
//! over SSH and bytes of logs and results.

use crate::lab::Lab;

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
