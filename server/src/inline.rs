//! Work that blocks, done on the caller's thread instead of a thread of its own: for a simulation, whose every run has
//! to be the same. Before and after each piece of work others may run, and there the simulated process may die.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is awaited before and after each piece of work. Cheap to clone.
#[derive(Clone)]
pub struct Inline(Arc<dyn Fn() -> Pause + Send + Sync>);

impl Inline {
    pub fn new<F>(pause: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(pause())))
    }

    /// Does `work` here. A caller that is gone before it began leaves it undone; one that goes afterwards, done.
    pub(crate) async fn run<T>(&self, work: impl FnOnce() -> T + Send) -> T {
        (self.0)().await;
        let done = work();
        (self.0)().await;
        done
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inline")
    }
}
