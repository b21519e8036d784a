//! What was made of the store's rows and can be used again: bodies under the version that they were made from, and looks
//! as long as nothing was written. Neither is kept for long, and both have a bound.

use crate::error::ApiResult;
use crate::store::{Mark, Store, StoreError};
use crate::together::Together;
use axum::body::Bytes;
use protocol::{JobId, Timestamp};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Some things change without a version or a write (when a job may end, what somebody does with another program).
const LASTS: Duration = Duration::from_secs(1);
/// Enough for the jobs that are looked at within a second, and little beside what the rest of the server needs.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What an entry takes beside its body, about.
const ENTRY_BYTES: usize = 300;

/// Each entry for a moment, and all of them until there are too many.
pub(crate) struct Kept<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
    most_bytes: usize,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    at: Instant,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self::of_at_most(MAX_BYTES)
    }
}

impl<K, V> Kept<K, V> {
    pub(crate) fn of_at_most(most_bytes: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, most_bytes }
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    pub(crate) fn find(&self, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.at.elapsed() < LASTS).map(|entry| &entry.value)
    }

    pub(crate) fn keep(&mut self, key: K, value: V, body_bytes: usize) {
        let bytes = body_bytes + ENTRY_BYTES;
        if self.bytes + bytes > self.most_bytes {
            // What is left by now was of use for a moment; all of it comes again if it is asked for.
            *self = Self::of_at_most(self.most_bytes);
        }
        self.bytes += bytes;
        if let Some(old) = self.entries.insert(key, Entry { value, bytes, at: Instant::now() }) {
            self.bytes -= old.bytes;
        }
    }
}

/// Which of a job's two bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    Whole,
    /// In a list.
    Row,
}

/// Bodies as they were last written: many readers of one job cost one reading of its rows. Whoever uses one has asked the
/// store for the version first, so it is right on every replica.
#[derive(Default)]
pub struct KeptBodies(Mutex<Kept<(Body, JobId), Written>>);

struct Written {
    version: String,
    synced_at: Option<Timestamp>,
    json: Bytes,
}

impl KeptBodies {
    /// The body that was made from this very version, if it is kept.
    pub fn find(&self, body: Body, job: JobId, version: &str, synced_at: Option<Timestamp>) -> Option<Bytes> {
        let kept = locked(&self.0);
        let written = kept.find(&(body, job))?;
        let is_good = written.version == version && written.synced_at == synced_at;
        is_good.then(|| written.json.clone())
    }

    pub fn keep(&self, body: Body, job: JobId, version: &str, synced_at: Option<Timestamp>, json: &Bytes) {
        let written = Written { version: version.to_owned(), synced_at, json: json.clone() };
        locked(&self.0).keep((body, job), written, json.len());
    }
}

/// Looks into the store, by what is asked: those who ask at the same time share one, and so do those who ask before
/// anything else is written. Cheap to clone; all clones are one.
pub struct Looks<K, V>(Arc<Inner<K, V>>);

struct Inner<K, V> {
    together: Together<K, ApiResult<V>>,
    seen: Mutex<Kept<K, Seen<V>>>,
}

struct Seen<V> {
    /// From before the look: what was found is as new or newer.
    mark: Mark,
    found: V,
}

impl<K, V> Clone for Looks<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Looks<K, V> {
    fn default() -> Self {
        Self(Arc::new(Inner { together: Together::default(), seen: Mutex::default() }))
    }
}

impl<K, V> Looks<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// What a look finds that is as good as one that begins now. All who ask under one key put the same question;
    /// `bytes` says how much is kept with what was found.
    pub async fn ask<F>(
        &self,
        store: &Store,
        key: K,
        look: impl Fn() -> F + Clone + Send + 'static,
        bytes: impl Fn(&V) -> usize,
    ) -> ApiResult<V>
    where
        F: Future<Output = ApiResult<V>> + Send + 'static,
    {
        let mark = store.mark().await?;
        if let Some(seen) = locked(&self.0.seen).find(&key).filter(|seen| seen.mark == mark) {
            return Ok(seen.found.clone());
        }
        let found =
            self.0.together.ask(key.clone(), look).await.unwrap_or_else(|| Err(StoreError::Interrupted.into()))?;
        locked(&self.0.seen).keep(key, Seen { mark, found: found.clone() }, bytes(&found));
        Ok(found)
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DatabaseUrl, QueryError, next_id};
    use std::sync::atomic::{AtomicU32, Ordering};

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

    #[tokio::test]
    async fn a_look_is_good_until_something_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("testarena.db")));
        store.migrate().await.unwrap();
        let (looks, count) = (Looks::<u8, u32>::default(), Arc::new(AtomicU32::new(0)));
        let look = {
            let count = Arc::clone(&count);
            move || std::future::ready(Ok(count.fetch_add(1, Ordering::Relaxed)))
        };
        let ask = || looks.ask(&store, 7, look.clone(), |_| 0);
        let begun = Instant::now();
        assert_eq!(ask().await.unwrap(), 0);
        let again = ask().await.unwrap();
        assert!(again == 0 || begun.elapsed() >= LASTS);
        store.write(|connection| next_id(connection, "job")).await.unwrap();
        assert_eq!(ask().await.unwrap(), again + 1);
        let failed = store.write(|_| Err::<(), _>(QueryError::RollbackTransaction)).await;
        assert!(failed.is_err());
        assert_eq!(ask().await.unwrap(), again + 2, "what failed may have been written");
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut kept = Kept::default();
        for n in 0..100 {
            kept.keep(n, 1, MAX_BYTES / 4);
            kept.keep(n, 2, MAX_BYTES / 4);
            assert!(kept.bytes <= MAX_BYTES);
        }
        assert_eq!(kept.find(&99), Some(&2));
        for n in 0..100_000 {
            kept.keep(n, 1, 0);
        }
        assert!(kept.entries.len() <= MAX_BYTES / ENTRY_BYTES);
    }
}
