//! A clock that nobody sets, for limits and for what is kept for a time: it counts while the machine runs, across restarts
//! of the runner and of the machine, whatever becomes of the machine's time. It is behind by the time in which the machine
//! was off, of which nothing certain can be known, and after a power cut by what had not been noted.

use super::schema::{clock, queues};
use super::{QueueRow, Store, StoreResult};
use crate::boot::Boot;
use diesel::prelude::*;
use protocol::QueueStatus;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Clock {
    /// What it showed when this process began to count.
    first: i64,
    since: Instant,
}

impl Clock {
    /// Goes on from the last note.
    pub(super) fn start(connection: &mut SqliteConnection, boot: Option<&Boot>) -> StoreResult<Self> {
        let noted: Note = clock::table.select(Note::as_select()).first(connection)?;
        let started = Self { first: reading_after(&noted, boot), since: Instant::now() };
        started.note(connection, boot)?;
        Ok(started)
    }

    /// What it shows, in milliseconds.
    pub(super) fn reading(&self) -> i64 {
        self.first.saturating_add(millis(self.since.elapsed()))
    }

    fn note(&self, connection: &mut SqliteConnection, boot: Option<&Boot>) -> StoreResult<()> {
        let (id, up) = boot.map_or(("", 0), |boot| (boot.id.as_str(), millis(boot.up)));
        let note = (clock::boot.eq(id), clock::up.eq(up), clock::reading.eq(self.reading()));
        diesel::update(clock::table).set(note).execute(connection)?;
        Ok(())
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = clock, check_for_backend(diesel::sqlite::Sqlite))]
struct Note {
    boot: String,
    up: i64,
    reading: i64,
}

fn reading_after(noted: &Note, boot: Option<&Boot>) -> i64 {
    let Some(boot) = boot else {
        return noted.reading;
    };
    let up = millis(boot.up);
    // A container may have an age of its own.
    let is_same = boot.id == noted.boot && up >= noted.up;
    noted.reading.saturating_add(if is_same { up - noted.up } else { up })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// How long a queue has run.
    pub fn ran_for(&self, queue: &QueueRow) -> Duration {
        let ran_for = queue.started_on_clock.map_or(0, |started| self.clock.reading().saturating_sub(started));
        Duration::from_millis(u64::try_from(ran_for).unwrap_or(0))
    }

    /// Writes down what the clock shows, for the time after a power cut.
    pub async fn note_clock(&self) -> StoreResult<()> {
        let clock = self.clock.clone();
        self.write(move |connection| clock.note(connection, Boot::now().as_ref())).await
    }
}

/// Lets queues that run by an older version's word, or since a time that the clock lost in a power cut, run from now.
pub(super) fn put_starts_right(connection: &mut SqliteConnection, now: i64) -> StoreResult<()> {
    let running = queues::table.filter(queues::status.eq(QueueStatus::Running.as_str()));
    let unknown = running.filter(queues::started_on_clock.is_null().or(queues::started_on_clock.gt(now)));
    diesel::update(unknown).set(queues::started_on_clock.eq(now)).execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Acceptance, NewQueue, NewTask};
    use protocol::Timestamp;
    use std::path::Path;

    const HOUR: u64 = 3_600;

    fn boot(id: &str, up_s: u64) -> Boot {
        Boot { id: id.to_owned(), up: Duration::from_secs(up_s) }
    }

    #[test]
    fn it_counts_what_is_certain() {
        let noted = Note { boot: "a".to_owned(), up: 60_000, reading: 500_000 };
        for (now, expected) in [
            (Some(boot("a", 90)), 530_000),
            (Some(boot("b", 90)), 590_000),
            // A container that was started again.
            (Some(boot("a", 10)), 510_000),
            (None, 500_000),
        ] {
            assert_eq!(reading_after(&noted, now.as_ref()), expected, "{now:?}");
        }
    }

    async fn start_queue(store: &Store, now: Timestamp) {
        let new = NewQueue {
            queue_id: "42".to_owned(),
            instance: "i".to_owned(),
            branch: "main".to_owned(),
            commit: "c".to_owned(),
            submitted_by: "ada".to_owned(),
            timeout_s: HOUR,
            tasks: vec![NewTask { scenario: "a".to_owned(), path: "scenarios/a".to_owned() }],
        };
        assert_eq!(store.accept(new, now).await.unwrap(), Acceptance::New);
        assert!(store.start_queue(1, now).await.unwrap().is_some());
    }

    /// For how long the one queue has run, in seconds, after a restart of the runner.
    async fn ran_for(folder: &Path, boot: &Boot) -> u64 {
        let store = Store::open_at(&folder.join("runner.db"), Some(boot)).unwrap();
        let now = store.clock.reading();
        store.write(move |connection| put_starts_right(connection, now)).await.unwrap();
        let ran_for = store.ran_for(&store.running().await.unwrap()[0]);
        (ran_for + Duration::from_millis(500)).as_secs()
    }

    #[tokio::test]
    async fn a_queue_runs_as_long_after_a_restart_whatever_became_of_the_time() {
        for started_at in [Timestamp(0), Timestamp::now(), Timestamp::now().plus(Duration::from_hours(24 * 365 * 5))] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open_at(&folder.path().join("runner.db"), Some(&boot("a", 100))).unwrap();
            start_queue(&store, started_at).await;
            drop(store);
            assert_eq!(ran_for(folder.path(), &boot("a", 400)).await, 300);
            // The machine was off for a time that nobody knows.
            assert_eq!(ran_for(folder.path(), &boot("b", 20)).await, 320);
            assert_eq!(ran_for(folder.path(), &boot("b", HOUR)).await, HOUR + 300);
        }
    }

    #[tokio::test]
    async fn a_queue_of_which_no_start_is_known_runs_from_now() {
        let folder = tempfile::tempdir().unwrap();
        for start in [None, Some(i64::MAX)] {
            let store = Store::open_at(&folder.path().join("runner.db"), Some(&boot("a", 100))).unwrap();
            if start.is_none() {
                start_queue(&store, Timestamp(0)).await;
            }
            store
                .write(move |connection| {
                    diesel::update(queues::table).set(queues::started_on_clock.eq(start)).execute(connection)?;
                    Ok(())
                })
                .await
                .unwrap();
            drop(store);
            assert_eq!(ran_for(folder.path(), &boot("a", 200)).await, 0);
        }
    }

    #[tokio::test]
    async fn what_was_deleted_is_remembered_for_as_long_whatever_becomes_of_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let open = |up_s| Store::open_at(&folder.path().join("runner.db"), Some(&boot("a", up_s))).unwrap();
        open(100).request_delete("42".to_owned(), "i".to_owned(), Timestamp(0)).await.unwrap();
        assert_eq!(open(100 + 7 * 24 * HOUR - 60).prune_gone().await.unwrap(), 0);
        assert_eq!(open(100 + 7 * 24 * HOUR + 60).prune_gone().await.unwrap(), 1);
    }
}
