//! Figures for Prometheus. Requests are counted per router, in `Metrics`; what the rest of the process does is counted
//! by the functions of `metrics::process`, which any part may call.

pub mod process;

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, Opts, Registry};
use std::time::{Duration, Instant};

/// Upper bounds in seconds: from an answer out of memory to one that waited for SSH; a `wait` takes up to a minute.
const REQUEST_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 90.0];

/// Of one router, and what it tells when it is asked.
pub struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    pub(crate) jobs: GaugeVec,
    pub(crate) jobs_by_environment: GaugeVec,
    pub(crate) jobs_due: GaugeVec,
    pub(crate) environment_up: GaugeVec,
    pub(crate) round_age: GaugeVec,
    pub(crate) database_calls: GaugeVec,
    pub(crate) waiters: GaugeVec,
    /// When the store was last asked for its figures; whoever asks it holds the lock meanwhile.
    pub(crate) store_asked_at: tokio::sync::Mutex<Option<Instant>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let requests = histogram(
            &registry,
            "testarena_http_request_duration_seconds",
            "Requests and the time they took.",
            &["method", "route", "status"],
            &REQUEST_BUCKETS,
        );
        let gauge = |name, help, labels: &[&str]| gauge(&registry, name, help, labels);
        Self {
            requests,
            jobs: gauge("testarena_jobs", "Jobs in the store.", &["status"]),
            jobs_by_environment: gauge(
                "testarena_environment_jobs",
                "Jobs in the store, by environment.",
                &["environment", "status"],
            ),
            jobs_due: gauge(
                "testarena_environment_jobs_due",
                "Jobs with something still to be done at the remote server: sent, aborted, deleted, mirrored, cleaned up.",
                &["environment"],
            ),
            environment_up: gauge("testarena_environment_up", "Whether the remote server answers.", &["environment"]),
            round_age: gauge(
                "testarena_environment_round_age_seconds",
                "Since all open jobs were last known to be true.",
                &["environment"],
            ),
            database_calls: gauge("testarena_database_calls", "Calls of the database at this moment.", &["state"]),
            waiters: gauge("testarena_job_waiters", "Requests that wait for a job to change.", &[]),
            registry,
            store_asked_at: tokio::sync::Mutex::default(),
        }
    }
}

impl Metrics {
    pub fn count_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut digits = [0; 5];
        let status = write_status(&mut digits, status);
        self.requests.with_label_values(&[method, route, status]).observe(took.as_secs_f64());
    }

    /// All figures in Prometheus' text format.
    ///
    /// # Errors
    /// When a figure can't be written, which is a defect.
    pub fn write(&self) -> prometheus::Result<String> {
        let mut families = self.registry.gather();
        families.extend(process::gather());
        prometheus::TextEncoder::new().encode_to_string(&families)
    }
}

/// Without an allocation, since it is done for every request.
fn write_status(digits: &mut [u8; 5], status: u16) -> &str {
    let mut rest = status;
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[start..]).unwrap_or_default()
}

fn histogram(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let made = HistogramVec::new(options, labels).expect("the names of figures are fixed");
    registry.register(Box::new(made.clone())).expect("each figure has a name of its own");
    made
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    let made = GaugeVec::new(Opts::new(name, help), labels).expect("the names of figures are fixed");
    registry.register(Box::new(made.clone())).expect("each figure has a name of its own");
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_as_it_is() {
        for status in [0, 7, 200, 404, 503, 65_535] {
            assert_eq!(write_status(&mut [0; 5], status), status.to_string());
        }
    }

    #[test]
    fn every_figure_can_be_written() {
        let metrics = Metrics::default();
        metrics.count_request("GET", "/api/job/{id}", 200, Duration::from_millis(3));
        process::poll_round("bench-a", Duration::from_millis(20));
        process::remote_call("bench-a", "ok", Duration::from_millis(5));
        process::ssh_call("bench-a", "failed", Duration::from_secs(1));
        process::mirrored("bench-a", 4_096);
        let text = metrics.write().unwrap();
        for line in [
            "testarena_http_request_duration_seconds_bucket{method=\"GET\",route=\"/api/job/{id}\",status=\"200\",le=\"0.005\"} 1",
            "testarena_http_request_duration_seconds_count{method=\"GET\",route=\"/api/job/{id}\",status=\"200\"} 1",
            "testarena_ssh_call_duration_seconds_count{environment=\"bench-a\",outcome=\"failed\"} 1",
            "testarena_mirrored_bytes_total{environment=\"bench-a\"} 4096",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }
}
