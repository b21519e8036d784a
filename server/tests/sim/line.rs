//! A process's line to the remote server: the second implementor of `Remote` beside the real one. Each call may meet any
//! of the faults of its world; what it did there and what its caller learns of it are two things.

use crate::bench::{Bench, Plan, PutBack, Script};
use crate::dice::Dice;
use crate::fate::{CALL_LIMIT, Fate};
use crate::gate::Gate;
use crate::profile::Plot;
use crate::world::World;
use protocol::remote::{Changes, HealthBody, QueueBody, QueueRequest, QueueTask, RemoteFile, TaskBody};
use protocol::{TaskStatus, Timestamp};
use server::logs::Part;
use server::remote::{Answer, ChangedQueue, LogPiece, QueueRef, Refusal, Remote, RemoteError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Bytes of a log in one answer.
const PIECE: usize = 3_000;

pub struct Line {
    pub world: Arc<World>,
    pub gate: Gate,
    /// Whose it is.
    pub process: String,
}

impl Line {
    /// Makes a call: `act` is what the server does, which may happen at once, later, or not at all.
    async fn call<T, F>(&self, name: &'static str, id: &str, act: F) -> Result<Option<T>, RemoteError>
    where
        F: FnOnce(&mut Bench) -> Result<T, RemoteError> + Send + 'static,
        T: Send + 'static,
    {
        self.gate.pass().await;
        self.world.with_witness(|witness| witness.is_called(&self.world, &self.process, name, id));
        let (fate, answer) = self.meet_fate(name, id, act).await;
        let told = match fate {
            Fate::Answered => answer.transpose(),
            Fate::Failed(error) => Err(error),
            Fate::Hollow => Ok(None),
        };
        let words = match &told {
            Ok(Some(_)) => "yes".to_owned(),
            Ok(None) => "a hollow yes".to_owned(),
            Err(error) => error.private(),
        };
        self.world.note(format!("{name} {id}: {words}"));
        self.gate.pass().await;
        told
    }

    /// The server's own clock.
    fn wall(&self) -> impl Fn(Duration) -> Timestamp + use<> {
        let (now, age, skew) = (self.world.now(), self.world.age(), self.world.profile.clock_skew);
        move |at| Timestamp(now.minus(age).plus(at).0 + skew)
    }

    /// What the `Date` of an answer says.
    fn date(&self) -> Option<Timestamp> {
        let profile = &self.world.profile;
        profile.has_date.then(|| Timestamp(self.world.now().0 + profile.clock_skew + profile.date_skew))
    }

    /// Whether the server knows none of its queues just now.
    fn is_blank(&self) -> bool {
        let is_blank = self.world.is_within(&self.world.profile.amnesias);
        if is_blank {
            self.world.count("amnesia");
        }
        is_blank
    }
}

fn unavailable() -> RemoteError {
    RemoteError::Transient { message: "its store is not there yet".into(), retry_after: Some(Duration::from_secs(2)) }
}

fn permanent<T>(refusal: Refusal) -> Result<T, RemoteError> {
    Err(RemoteError::Permanent(refusal))
}

/// How a queue is going to go, drawn when it is sent.
fn script(dice: &mut Dice, tasks: usize, plot: Plot) -> Script {
    let chatter: &[u64] = if plot == Plot::BusyFeed { &[400, 800] } else { &[0, 5, 40, 400] };
    let talks = *dice.pick(chatter);
    let mut plan = || {
        let ends_as = match dice.below(10) {
            0 | 1 => TaskStatus::Failed,
            2 => TaskStatus::Error,
            3 => TaskStatus::Skipped,
            _ => TaskStatus::Passed,
        };
        Plan { takes: dice.seconds(1, 150), ends_as, talks }
    };
    let tasks = (0..tasks).map(|_| plan()).collect();
    Script { wait: dice.seconds(0, 60), put_back: None, tasks }
}

/// By dice of its own, which are the same each time that a queue is sent.
fn put_back(id: &str, rate: u64) -> Option<PutBack> {
    let mut dice = Dice::new(id.parse().unwrap_or(0) ^ rate);
    dice.percent(rate).then(|| PutBack { after: dice.seconds(1, 60), waits: dice.seconds(5, 240) })
}

impl Remote for Line {
    async fn submit(&self, instance: &str, request: &QueueRequest) -> Result<(), RemoteError> {
        let id = request.queue_id.clone();
        self.world.with_witness(|witness| witness.is_sent(&self.world, &id));
        let script = self.world.roll(|dice| script(dice, request.tasks.len(), self.world.profile.plot));
        let script = Script { put_back: put_back(&id, self.world.profile.put_back_rate), ..script };
        let (sent, instance, is_blank) = (request.clone(), instance.to_owned(), self.is_blank());
        let refuses_repeats = self.world.profile.refuses_repeats;
        let act = move |bench: &mut Bench| {
            let id = &sent.queue_id;
            if !bench.arrived.contains(id) {
                bench.arrived.push(id.clone());
            }
            if is_blank {
                return Err(unavailable());
            }
            match bench.queues.get(id) {
                Some(queue) if queue.instance != instance || queue.request != sent || refuses_repeats => {
                    permanent(Refusal::IdTaken("this id is in use".to_owned()))
                }
                Some(_) => Ok(()),
                None if bench.is_gone(id) => permanent(Refusal::Gone),
                None => {
                    bench.accept(&instance, &sent, script);
                    Ok(())
                }
            }
        };
        let answer = self.call("submit", &id, act).await;
        self.world.with_witness(|witness| witness.is_answered(&id, &answer));
        answer.map(drop)
    }

    async fn queue_status(
        &self,
        queue: QueueRef<'_>,
        etag: Option<&str>,
    ) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let (id, wall, is_blank) = (queue.queue_id.to_owned(), self.wall(), self.is_blank());
        let asked = id.clone();
        let act = move |bench: &mut Bench| match bench.status(&asked, wall) {
            _ if is_blank => permanent(Refusal::UnknownId),
            Some(body) => {
                bench.told.insert(asked.clone());
                Ok((body, bench.queues[&asked].changed()))
            }
            None => permanent(Refusal::UnknownId),
        };
        let answer = self.call("status", &id, act).await;
        if matches!(answer, Ok(Some(_)) | Err(RemoteError::Permanent(_))) {
            self.world.with_witness(|witness| witness.has_asked(&id));
        }
        let Some((body, changed)) = answer? else { return Err(RemoteError::transient("a page")) };
        let tag = self.world.profile.has_etag.then(|| changed.to_string());
        if tag.is_some() && tag.as_deref() == etag {
            return Ok(None);
        }
        Ok(Some(Answer { body, server_now: self.date(), etag: tag }))
    }

    async fn task_status(&self, _queue: QueueRef<'_>, task_id: &str) -> Result<Answer<TaskBody>, RemoteError> {
        let (id, wall, is_blank) = (task_id.to_owned(), self.wall(), self.is_blank());
        let act = move |bench: &mut Bench| match bench.task(&id, wall) {
            _ if is_blank => permanent(Refusal::UnknownId),
            Some(task) => Ok(task),
            None => permanent(Refusal::UnknownId),
        };
        let Some(task) = self.call("task status", task_id, act).await? else {
            return Err(RemoteError::transient("a page"));
        };
        Ok(Answer { body: as_body(task), server_now: self.date(), etag: None })
    }

    async fn abort(&self, queue: QueueRef<'_>) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let (id, wall, is_blank) = (queue.queue_id.to_owned(), self.wall(), self.is_blank());
        let lag = self.world.roll(|dice| dice.seconds(0, 15));
        let asked = id.clone();
        let act = move |bench: &mut Bench| {
            if is_blank {
                return permanent(Refusal::UnknownId);
            }
            bench.abort(&asked, lag);
            bench.status(&asked, wall).ok_or(RemoteError::Permanent(Refusal::UnknownId))
        };
        let answer = self.call("abort", &id, act).await?;
        Ok(answer.map(|body| Answer { body, server_now: self.date(), etag: None }))
    }

    async fn delete(&self, queue: QueueRef<'_>) -> Result<(), RemoteError> {
        let (id, is_blank) = (queue.queue_id.to_owned(), self.is_blank());
        let may_be_blind = !self.world.profile.amnesias.is_empty() || self.world.profile.may_lose();
        let asked = id.clone();
        let was_running = self.world.bench().is_running(&asked);
        let denies = self.world.profile.denies_when_blank;
        let act = move |bench: &mut Bench| {
            if is_blank {
                return Err(if denies { RemoteError::Permanent(Refusal::UnknownId) } else { unavailable() });
            }
            // One that arrived only after the last question, or after a deletion that is late itself was sent, could not be
            // known to run.
            if was_running && bench.is_running(&asked) && bench.told.contains(&asked) && !may_be_blind {
                bench.complaints.push(format!("queue {asked} was deleted while it ran"));
            }
            bench.delete(&asked);
            Ok(())
        };
        self.call("delete", &id, act).await.map(drop)
    }

    async fn log_piece(&self, _queue: QueueRef<'_>, log_id: &str, from: u64) -> Result<Option<LogPiece>, RemoteError> {
        let (id, is_blank, keeps) = (log_id.to_owned(), self.is_blank(), self.world.profile.keeps_logs);
        let act = move |bench: &mut Bench| match bench.log(&id) {
            _ if is_blank => permanent(Refusal::UnknownId),
            _ if !keeps => Ok(None),
            Some(log) => Ok(Some(log)),
            None => permanent(Refusal::UnknownId),
        };
        let Some(log) = self.call("log", log_id, act).await? else { return Err(RemoteError::transient("a page")) };
        Ok(log.map(|log| {
            let from = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
            let piece = &log[from..log.len().min(from + PIECE)];
            LogPiece { bytes: piece.to_vec(), total: Some(log.len() as u64) }
        }))
    }

    async fn results(&self, _queue: QueueRef<'_>, task_id: &str) -> Result<Option<Vec<RemoteFile>>, RemoteError> {
        let (id, is_blank, keeps) = (task_id.to_owned(), self.is_blank(), self.world.profile.keeps_logs);
        let act = move |bench: &mut Bench| match bench.log(&id) {
            _ if is_blank => permanent(Refusal::UnknownId),
            _ if !keeps => Ok(None),
            Some(log) => Ok(Some(log.len() as u64)),
            None => permanent(Refusal::UnknownId),
        };
        let answer = self.call("results", task_id, act).await?;
        let Some(size) = answer else { return Err(RemoteError::transient("a page")) };
        let file = |size| RemoteFile { path: "report.txt".to_owned(), size, content_type: "text/plain".to_owned() };
        Ok(size.map(|size| vec![file(size)]))
    }

    async fn fetch_result(
        &self,
        _queue: QueueRef<'_>,
        task_id: &str,
        _listed: &RemoteFile,
        part: &mut Part,
    ) -> Result<bool, RemoteError> {
        let (id, is_blank) = (task_id.to_owned(), self.is_blank());
        let act = move |bench: &mut Bench| match bench.log(&id) {
            Some(log) if !is_blank => Ok(log),
            _ => permanent(Refusal::UnknownId),
        };
        let Some(bytes) = self.call("result", task_id, act).await? else {
            return Err(RemoteError::transient("a page"));
        };
        part.write(&bytes).await;
        Ok(true)
    }

    async fn clean_up(&self, queue_id: &str) -> Result<(), RemoteError> {
        self.gate.pass().await;
        let fails = |dice: &mut Dice| dice.percent(self.world.profile.ssh_fault_rate);
        let fault = (!self.world.is_over() && self.world.roll(fails)).then(|| self.world.roll(|dice| dice.below(3)));
        if fault.is_some() {
            self.world.count("failed clean-up");
        }
        // Refused, hung before it was done, or done and not told.
        sleep(if fault == Some(1) { CALL_LIMIT } else { Duration::from_millis(20) }).await;
        if fault.is_none() || fault == Some(2) {
            let mut bench = self.world.bench();
            // Of one that waits again nobody knows when it must be over, where the server says for long that there is none.
            let may_wait_again = self.world.profile.is_blank_for_long() && bench.is_put_back(queue_id);
            if bench.is_running(queue_id) && !may_wait_again {
                bench.complaints.push(format!("the workspace of queue {queue_id} was removed while it ran"));
            }
            bench.workspaces.remove(queue_id);
        }
        let outcome = if fault.is_some() { "failed" } else { "done" };
        self.world.note(format!("clean-up {queue_id}: {outcome}"));
        self.gate.pass().await;
        if fault.is_some() { Err(RemoteError::transient("SSH failed")) } else { Ok(()) }
    }

    async fn health(&self, _instance: &str) -> Result<Option<HealthBody>, RemoteError> {
        let (has_health, has_feed) = (self.world.profile.has_health, self.world.profile.has_feed);
        let answer = self.call("health", "", move |_| Ok(has_health)).await?;
        let features = if has_feed { vec!["changes".to_owned()] } else { Vec::new() };
        let body = HealthBody {
            status: "ok".to_owned(),
            name: "bench".to_owned(),
            slots: None,
            busy: None,
            waiting: None,
            features,
        };
        Ok(answer.filter(|has_health| *has_health).map(|_| body))
    }

    async fn changes(
        &self,
        instance: &str,
        cursor: Option<&str>,
        wait: Duration,
    ) -> Result<Answer<Changes<ChangedQueue>>, RemoteError> {
        let since = cursor.and_then(|cursor| cursor.parse::<u64>().ok());
        let (wall, asked_at) = (self.wall(), self.world.age());
        // A client that looks away for a moment is what a long wait comes to.
        while since.is_some() && self.world.age() < asked_at + wait {
            if self.world.bench().changes() > since.unwrap_or(0) || self.gate.is_dead() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        let (instance, is_blank) = (instance.to_owned(), self.is_blank());
        let act = move |bench: &mut Bench| {
            if is_blank {
                return Err(unavailable());
            }
            let ids = bench.changed_since(&instance, since);
            let queues = ids.iter().filter_map(|id| bench.status(id, &wall)).map(ChangedQueue::Status).collect();
            Ok(Changes { cursor: bench.changes().to_string(), reset: since.is_none(), queues })
        };
        let answer = self.call("changes", "", act).await?;
        let body = answer.ok_or_else(|| RemoteError::transient("a page"))?;
        Ok(Answer { body, server_now: self.date(), etag: None })
    }
}

fn as_body(task: QueueTask) -> TaskBody {
    TaskBody {
        id: task.task_id,
        queue_id: String::new(),
        scenario: task.scenario,
        status: task.status,
        progress: task.progress,
        started_at: task.started_at,
        finished_at: task.finished_at,
        exit_code: task.exit_code,
        message: task.message,
        log_size: task.log_size,
    }
}
