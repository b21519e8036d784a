//! Answers together what was asked together: many who ask the same at once cost two questions, not one each.
//! Nothing is remembered: each answer is to a question that was put after its asker came, so it is right on every replica.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Far longer than a question takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// Cheap to clone; all clones are one.
pub struct Together<K, V>(Arc<Mutex<HashMap<K, Askers<V>>>>);

/// Those who came since the question that is under way was put.
type Askers<V> = Vec<oneshot::Sender<V>>;

impl<K, V> Clone for Together<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Together<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Askers<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Together<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// The answer to a question that is put no earlier than now; `None` if it broke off. All who ask under one key put
    /// the same question, so anybody's will do.
    /// Who has waited for long asks alone, so that one who is stuck holds up nobody else.
    pub async fn ask<F>(&self, key: K, question: impl Fn() -> F + Clone + Send + 'static) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let alone = question.clone();
        self.ask_or(key, question, alone).await
    }

    /// The same, with a question of one's own for who asks alone.
    pub async fn ask_or<F, A>(
        &self,
        key: K,
        question: impl Fn() -> F + Send + 'static,
        alone: impl FnOnce() -> A,
    ) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
        A: Future<Output = V>,
    {
        let (asker, answer) = oneshot::channel();
        if let Some(first) = self.line_up(&key, asker) {
            // Apart from its asker, who may hang up while others wait for the same.
            tokio::spawn(self.clone().answer_all(key, first, question));
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.ok(),
            Err(_) => Some(alone().await),
        }
    }

    /// Gives the asker back where no question is under way.
    fn line_up(&self, key: &K, asker: oneshot::Sender<V>) -> Option<oneshot::Sender<V>> {
        let mut under_way = self.lock();
        if let Some(askers) = under_way.get_mut(key) {
            askers.push(asker);
            return None;
        }
        under_way.insert(key.clone(), Vec::new());
        Some(asker)
    }

    async fn answer_all<F>(self, key: K, first: oneshot::Sender<V>, question: impl Fn() -> F)
    where
        F: Future<Output = V>,
    {
        let mut end = End { together: self, key, is_over: false };
        let mut askers = vec![first];
        while !askers.is_empty() {
            let answer = question().await;
            for asker in askers.drain(..) {
                // Who has hung up needs none.
                let _ = asker.send(answer.clone());
            }
            askers = end.next();
        }
    }
}

/// Takes the key away at the end, also of a question that broke: who comes next asks anew.
struct End<K: Eq + Hash, V> {
    together: Together<K, V>,
    key: K,
    is_over: bool,
}

impl<K: Eq + Hash, V> End<K, V> {
    /// Those who have come meanwhile; if there are none, it is over.
    fn next(&mut self) -> Askers<V> {
        let mut under_way = self.together.lock();
        let askers = under_way.get_mut(&self.key).map(std::mem::take).unwrap_or_default();
        self.is_over = askers.is_empty();
        if self.is_over {
            under_way.remove(&self.key);
        }
        askers
    }
}

impl<K: Eq + Hash, V> Drop for End<K, V> {
    fn drop(&mut self) {
        if !self.is_over {
            self.together.lock().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;

    /// Counts how often it is asked, and answers when it may.
    #[derive(Default)]
    struct Source {
        asked: AtomicU32,
        may_answer: Option<Semaphore>,
    }

    async fn ask(source: &Arc<Source>, together: &Together<u8, u32>) -> Option<u32> {
        let source = Arc::clone(source);
        let question = move || {
            let source = Arc::clone(&source);
            async move {
                let number = source.asked.fetch_add(1, Ordering::Relaxed);
                if let Some(may_answer) = &source.may_answer {
                    may_answer.acquire().await.unwrap().forget();
                }
                number
            }
        };
        together.ask(7, question).await
    }

    #[tokio::test]
    async fn those_who_come_while_a_question_is_under_way_share_the_next_one() {
        let source = Arc::new(Source { may_answer: Some(Semaphore::new(0)), ..Source::default() });
        let together = Together::default();
        let mut first = Box::pin(ask(&source, &together));
        assert!(futures_util::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
        let mut others: Vec<_> = (0..3).map(|_| Box::pin(ask(&source, &together))).collect();
        for other in &mut others {
            assert!(futures_util::poll!(other).is_pending());
        }
        source.may_answer.as_ref().unwrap().add_permits(2);
        assert_eq!(first.await, Some(0));
        for other in others {
            assert_eq!(other.await, Some(1), "the first question was put before they came");
        }
        source.may_answer.as_ref().unwrap().add_permits(1);
        assert_eq!(ask(&source, &together).await, Some(2), "nothing is remembered");
        assert!(together.lock().is_empty());
    }

    #[tokio::test]
    async fn an_asker_who_hangs_up_leaves_the_others_their_answer() {
        let source = Arc::new(Source { may_answer: Some(Semaphore::new(0)), ..Source::default() });
        let together = Together::default();
        let mut first = Box::pin(ask(&source, &together));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(ask(&source, &together));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        source.may_answer.as_ref().unwrap().add_permits(2);
        assert!(second.await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_stuck_holds_up_nobody_else() {
        let stuck = Arc::new(Source { may_answer: Some(Semaphore::new(0)), ..Source::default() });
        let together = Together::default();
        let mut first = Box::pin(ask(&stuck, &together));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(ask(&Arc::default(), &together).await, Some(0));
    }

    #[tokio::test]
    async fn a_question_that_breaks_off_keeps_nobody_from_asking_anew() {
        let together = Together::<u8, u32>::default();
        let broken = together.ask(7, || async { panic!("on purpose") });
        assert_eq!(broken.await, None);
        assert!(together.lock().is_empty());
        assert_eq!(ask(&Arc::default(), &together).await, Some(0));
    }
}
