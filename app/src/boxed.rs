//! leptos' effects, memos and tasks, taking boxed closures: otherwise the page holds a copy of their code for each
//! closure that there is, which adds up to a tenth of its size.

use leptos::prelude::*;
use leptos::task;
use std::pin::Pin;

/// Runs `change` when the page has come alive and whenever what it reads changes. Never on the server.
pub(crate) fn effect(change: impl FnMut() + 'static) {
    run(Box::new(change));
}

fn run(mut change: Box<dyn FnMut()>) {
    Effect::new(move |_| change());
}

/// What `compute` makes of other signals; tells its readers only when the value is another.
pub(crate) fn memo<T: PartialEq + Send + Sync + 'static>(compute: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    remember(Box::new(compute))
}

fn remember<T: PartialEq + Send + Sync + 'static>(compute: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
    Memo::new(move |_| compute())
}

pub(crate) type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Goes on when the view is left.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Work = Box::pin(work);
    task::spawn_local(work);
}

/// Ends with the view, or with the effect's next run.
pub(crate) fn spawn_scoped(work: impl Future<Output = ()> + 'static) {
    let work: Work = Box::pin(work);
    task::spawn_local_scoped_with_cancellation(work);
}
