//! Waiting for a job to end, by long polls, through a server that goes away in between.
//! Whoever gives up waiting leaves the job running.

use super::api::{Api, Reply};
use super::failure::Failure;
use super::out::Out;
use super::patience::Patience;
use super::view::View;
use super::words::job_url;
use super::{CodeResult, DONE, JOB_ENDED_BADLY, JOB_FAILED};
use protocol::api::{Job, LogsState};
use protocol::{JobId, JobStatus};
use reqwest::StatusCode;
use reqwest::header::IF_NONE_MATCH;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Half of what the server allows: many proxies cut off what is silent for a minute.
const WAIT: Duration = Duration::from_secs(30);
/// An answer that came without a wait, from a server that is ending, is not asked for again at once.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
/// How long the last bytes of an ended job's logs are waited for.
const KEEPING_LIMIT: Duration = Duration::from_secs(30);

/// Waits until the job has ended; its verdict as an exit code.
pub(super) async fn run(api: &Api, id: JobId, mut view: View, patience: Patience) -> CodeResult {
    let watch = Watch { patience, ..Watch::new(api, id) };
    let waited = unless_interrupted(api, id, until_ended(watch, &mut view)).await;
    view.clear();
    Ok(match waited? {
        JobStatus::Passed => DONE,
        JobStatus::Failed => JOB_FAILED,
        _ => JOB_ENDED_BADLY,
    })
}

/// Whoever ends this by a signal is told that the job goes on.
pub(super) async fn unless_interrupted<T>(
    api: &Api,
    id: JobId,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        code = interrupted() => Err(Failure::Interrupted { code: code?, told: goes_on(api, id) }),
    }
}

fn goes_on(api: &Api, id: JobId) -> String {
    let url = job_url(api, id);
    format!(
        "job {id} goes on without you: {url}\n  `testarena job wait {id}` waits again, `testarena job abort {id}` ends it."
    )
}

async fn until_ended(mut watch: Watch<'_>, view: &mut View) -> Result<JobStatus, Failure> {
    loop {
        let job = watch.next(view).await?;
        view.show(&job, &watch.text)?;
        if job.summary.status.is_terminal() {
            return Ok(job.summary.status);
        }
    }
}

/// A job and the version of it that is known.
struct Watch<'a> {
    api: &'a Api,
    id: JobId,
    etag: Option<String>,
    patience: Patience,
    /// The last body.
    text: String,
}

impl<'a> Watch<'a> {
    fn new(api: &'a Api, id: JobId) -> Self {
        Self { api, id, etag: None, patience: Patience::with_a_stranger(), text: String::new() }
    }

    /// The job as it is after its next change.
    async fn next(&mut self, view: &mut View) -> Result<Job, Failure> {
        loop {
            let start = Instant::now();
            let (answer, round) = view.draw_during(self.ask()).await;
            let read = match answer {
                Ok(reply) if reply.status == StatusCode::NOT_MODIFIED => Ok(None),
                Ok(reply) => reply.read().and_then(|job| Ok(Some((job, reply.text()?.to_owned(), reply.etag())))),
                Err(failure) => Err(failure),
            };
            let pause = match read {
                Ok(read) => {
                    view.note(self.patience.meet(Instant::now()));
                    if let Some((job, text, etag)) = read {
                        (self.text, self.etag) = (text, etag);
                        return Ok(job);
                    }
                    round.saturating_sub(start.elapsed())
                }
                Err(failure) => {
                    let (pause, told) = self.patience.bear(failure, Instant::now())?;
                    view.note(told);
                    pause
                }
            };
            view.draw_during(tokio::time::sleep(pause)).await;
        }
    }

    /// The answer, and how long after the question the next one may come if nothing has changed.
    async fn ask(&self) -> (Result<Reply, Failure>, Duration) {
        match self.ask_for(WAIT).await {
            // It may only be that too many wait there already: whoever does not wait gets an answer.
            Err(failure) if failure.code() == Some("unavailable") => {
                let round = failure.retry_after().unwrap_or_default().max(SHORTEST_ROUND);
                (self.ask_for(Duration::ZERO).await, round)
            }
            answer => (answer, SHORTEST_ROUND),
        }
    }

    async fn ask_for(&self, wait: Duration) -> Result<Reply, Failure> {
        let call = self.api.get(&format!("/api/job/{}?wait={}", self.id, wait.as_secs())).longer_by(wait);
        match &self.etag {
            Some(etag) => call.header(IF_NONE_MATCH, etag).send_once().await,
            None => call.send_once().await,
        }
    }
}

/// Waits a little for an ended job's logs to be wholly here; `false`: they are still under way. A server that is not there
/// is not waited for.
pub(super) async fn until_kept(api: &Api, id: JobId) -> Result<bool, Failure> {
    let first = api.get(&format!("/api/job/{id}")).send().await?;
    let (mut job, etag): (Job, _) = (first.read()?, first.etag());
    let keeping = async {
        let mut watch = Watch { etag, patience: Patience::with_an_acquaintance(), ..Watch::new(api, id) };
        while job.summary.status.is_terminal() && job.summary.logs.state == LogsState::Mirroring {
            job = watch.next(&mut View::new(Out::new(true))).await?;
        }
        Ok(true)
    };
    tokio::time::timeout(KEEPING_LIMIT, keeping).await.unwrap_or(Ok(false))
}

/// Waits for Ctrl-C, or for a supervisor's wish that this process ends; the exit code that shells give those.
pub(super) async fn interrupted() -> CodeResult {
    let cant = |error: std::io::Error| Failure::Local(format!("can't listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cant)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cant)?;
    Ok(tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    })
}
