//! Bodies as they were last written, each good for the version it was made from: many readers of one job cost one
//! reading of its rows. Whoever uses one has asked the store for the version first, so it is right on every replica.

use axum::body::Bytes;
use protocol::{JobId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A version leaves out what changes without it (how long a log is, when a job may end), so no body is kept for longer.
const LASTS: Duration = Duration::from_secs(1);
/// Enough for the jobs that are looked at within a second, and little beside what the rest of the server needs.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Which of a job's two bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    Whole,
    /// In a list.
    Row,
}

#[derive(Default)]
pub struct KeptBodies(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    bodies: HashMap<(Body, JobId), Written>,
    bytes: usize,
}

struct Written {
    version: String,
    synced_at: Option<Timestamp>,
    at: Instant,
    json: Bytes,
}

impl KeptBodies {
    /// The body that was made from this very version, if it is kept.
    pub fn find(&self, body: Body, job: JobId, version: &str, synced_at: Option<Timestamp>) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = kept.bodies.get(&(body, job))?;
        let is_good = written.version == version && written.synced_at == synced_at && written.at.elapsed() < LASTS;
        is_good.then(|| written.json.clone())
    }

    pub fn keep(&self, body: Body, job: JobId, version: &str, synced_at: Option<Timestamp>, json: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + json.len() > MAX_BYTES {
            // What is left by now was of use for a moment; all of it comes again if it is asked for.
            *kept = Kept::default();
        }
        kept.bytes += json.len();
        let written = Written { version: version.to_owned(), synced_at, at: Instant::now(), json: json.clone() };
        if let Some(old) = kept.bodies.insert((body, job), written) {
            kept.bytes -= old.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_found_only_under_its_own_version() {
        let kept = KeptBodies::default();
        let json = Bytes::from_static(b"{}");
        kept.keep(Body::Row, JobId(1), "1-ada", Some(Timestamp(5)), &json);
        assert_eq!(kept.find(Body::Row, JobId(1), "1-ada", Some(Timestamp(5))), Some(json));
        for (body, job, version, synced_at) in [
            (Body::Whole, 1, "1-ada", Some(Timestamp(5))),
            (Body::Row, 2, "1-ada", Some(Timestamp(5))),
            (Body::Row, 1, "2-ada", Some(Timestamp(5))),
            (Body::Row, 1, "1-ada", None),
        ] {
            assert_eq!(kept.find(body, JobId(job), version, synced_at), None);
        }
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let kept = KeptBodies::default();
        let json = Bytes::from(vec![b' '; MAX_BYTES / 4]);
        for n in 0..100 {
            kept.keep(Body::Whole, JobId(n), "1", None, &json);
            kept.keep(Body::Whole, JobId(n), "2", None, &json);
            assert!(kept.0.lock().unwrap().bytes <= MAX_BYTES);
        }
        assert!(kept.find(Body::Whole, JobId(99), "2", None).is_some());
    }
}
