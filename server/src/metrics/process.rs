//! What this process does besides answering requests, counted where it is done: one line at the place itself.
//! Environments are few and named by the configuration, so each may have a series of its own.

use prometheus::proto::MetricFamily;
use prometheus::{HistogramVec, IntCounterVec, Opts, Registry};
use std::sync::LazyLock;
use std::time::Duration;

/// Upper bounds in seconds of what goes over a network.
const CALL_BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

static FIGURES: LazyLock<Figures> = LazyLock::new(Figures::new);

struct Figures {
    registry: Registry,
    poll_rounds: HistogramVec,
    remote_calls: HistogramVec,
    ssh_calls: HistogramVec,
    mirrored: IntCounterVec,
}

impl Figures {
    fn new() -> Self {
        let registry = Registry::new();
        let histogram = |name, help, labels: &[&str]| super::histogram(&registry, name, help, labels, &CALL_BUCKETS);
        let mirrored = Opts::new("testarena_mirrored_bytes_total", "Bytes of logs and results that were fetched.");
        let mirrored = IntCounterVec::new(mirrored, &["environment"]).expect("the names of figures are fixed");
        registry.register(Box::new(mirrored.clone())).expect("each figure has a name of its own");
        Self {
            poll_rounds: histogram(
                "testarena_poll_round_duration_seconds",
                "Rounds over an environment's open jobs and the time they took.",
                &["environment"],
            ),
            remote_calls: histogram(
                "testarena_remote_call_duration_seconds",
                "Calls of remote test servers and the time they took.",
                &["environment", "outcome"],
            ),
            ssh_calls: histogram(
                "testarena_ssh_call_duration_seconds",
                "Commands over SSH and the time they took.",
                &["environment", "outcome"],
            ),
            mirrored,
            registry,
        }
    }
}

/// A round over an environment's open jobs has ended.
pub fn poll_round(environment: &str, took: Duration) {
    FIGURES.poll_rounds.with_label_values(&[environment]).observe(took.as_secs_f64());
}

/// A remote test server was called; `outcome` is one of few words, such as `ok`, `refused` or `unreachable`.
pub fn remote_call(environment: &str, outcome: &'static str, took: Duration) {
    FIGURES.remote_calls.with_label_values(&[environment, outcome]).observe(took.as_secs_f64());
}

/// A command was run over SSH; `outcome` is one of few words.
pub fn ssh_call(environment: &str, outcome: &'static str, took: Duration) {
    FIGURES.ssh_calls.with_label_values(&[environment, outcome]).observe(took.as_secs_f64());
}

/// So many bytes of a log or a result file are here now.
pub fn mirrored(environment: &str, bytes: u64) {
    FIGURES.mirrored.with_label_values(&[environment]).inc_by(bytes);
}

pub(super) fn gather() -> Vec<MetricFamily> {
    FIGURES.registry.gather()
}
