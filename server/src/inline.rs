//! Work that blocks, done on the caller's thread instead of a thread of its own: for a simulation, whose every run has
//! to be the same. Before and after each piece of work others may run, and there the simulated process may die.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is awaited before and after each piece of work. Cheap to clone.
#[derive(Clone)]
pub struct Inline {
    pause: Arc<dyn Fn() -> Pause + Send + Sync>,
    /// Whether the next commit is made and its caller hears of a failure.
    loses_answer: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether the database can't be reached at all.
    is_away: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Inline {
    pub fn new<F>(pause: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let never = Arc::new(|| false);
        Self { pause: Arc::new(move || Box::pin(pause())), loses_answer: never.clone(), is_away: never }
    }

    /// The same, where the answer to a commit may be lost.
    #[must_use]
    pub fn losing_answers(self, loses_answer: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { loses_answer: Arc::new(loses_answer), ..self }
    }

    /// The same, where the database is away for a while.
    #[must_use]
    pub fn being_away(self, is_away: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_away: Arc::new(is_away), ..self }
    }

    pub(crate) fn is_away(&self) -> bool {
        (self.is_away)()
    }

    pub(crate) fn loses_answer(&self) -> bool {
        (self.loses_answer)()
    }

    /// Does `work` here. A caller that is gone before it began leaves it undone; one that goes afterwards, done.
    pub(crate) async fn run<T>(&self, work: impl FnOnce() -> T + Send) -> T {
        (self.pause)().await;
        let done = work();
        (self.pause)().await;
        done
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inline")
    }
}
