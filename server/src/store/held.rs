//! A thread's own connection: opened when it is first needed, and given up when it is of no more use.

use super::connector::{Connector, MOVED_WORDS};
use super::group::{Mode, Transactions, Work, run_plain, run_together};
use super::{AnyConnection, Outage, StoreError, sqlite};
use diesel::connection::TransactionManager;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection that has lain idle for so long may have been lost meanwhile, so it is tried before it is used.
const TRIED_AFTER: Duration = Duration::from_secs(5);

/// A connection, opened when it is first needed and given up when it is of no more use.
pub(super) struct Held {
    connector: Arc<Connector>,
    open: Option<Open>,
    /// It has been said that the file is gone.
    is_gone_told: bool,
}

struct Open {
    connection: AnyConnection,
    /// Of the connector's connections; those from before a failover are of no more use.
    generation: usize,
    used_at: Instant,
}

impl Held {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, open: None, is_gone_told: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Makes sure that there is a connection that works.
    pub(super) fn connect(&mut self, mode: Mode) -> Result<(), StoreError> {
        let generation = self.connector.generation();
        if let Some(mut open) = self.open.take() {
            // What is written to a file that is no longer there would be lost.
            let is_in_place = mode == Mode::Plain || self.connector.is_in_place();
            let is_fresh = is_in_place && open.used_at.elapsed() < TRIED_AFTER;
            if open.generation == generation && (is_fresh || self.connector.still_works(&mut open.connection)) {
                self.open = Some(open);
                return Ok(());
            }
        }
        let connection = self.connector.connect().map_err(|error| StoreError::not_connected(&error))?;
        self.open = Some(Open { connection, generation, used_at: Instant::now() });
        Ok(())
    }

    /// Moves what was committed into the database itself, where there is one already.
    pub(super) fn tidy(&mut self) {
        let is_gone = !self.connector.is_in_place();
        if is_gone {
            self.connector.give_up_all();
        }
        match (is_gone, self.is_gone_told) {
            (true, false) => tracing::error!("nothing is taken in any more: {}", MOVED_WORDS),
            (false, true) => tracing::info!("the database file is back in its place"),
            _ => {}
        }
        self.is_gone_told = is_gone;
        if !self.connector.exists() || self.connect(Mode::Plain).is_err() {
            return;
        }
        if let Some(open) = &mut self.open {
            let _ = sqlite::tidy_log(&mut open.connection);
        }
    }

    /// Runs calls on the open connection, which is given up if it is of no more use afterwards.
    pub(super) fn perform(&mut self, works: Vec<Work>, mode: Mode) {
        let Some(mut open) = self.open.take() else { return };
        let is_plain = mode == Mode::Plain && !self.connector.is_pooled();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if is_plain {
                run_plain(&mut open.connection, works)
            } else {
                run_together(&mut open.connection, works, self.connector.writes())
            }
        }));
        let outage = match outcome {
            Ok(outage) => outage,
            Err(panic) => {
                let cause = panic_text(&*panic);
                tracing::error!(cause, "store.panic: a query broke off, its connection is given up: {cause}");
                return;
            }
        };
        match outage {
            Some(Outage::ReadOnly) => self.connector.give_up_all(),
            Some(Outage::Moved) => self.connector.prepare_no_more(),
            _ => {}
        }
        let is_lost = matches!(outage, Some(Outage::ReadOnly | Outage::Away | Outage::Moved));
        if !is_lost && !Transactions::is_broken_transaction_manager(&mut open.connection) {
            self.open = Some(Open { used_at: Instant::now(), ..open });
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
