//! `job log`: a log's bytes as they are, from its beginning or its end, and on as it grows.

use super::api::{Api, Stream};
use super::failure::Failure;
use super::out::{Out, note, printable, write_all};
use super::patience::Patience;
use super::{CodeResult, DONE, Format, jobs, tail, wait};
use crate::remote::segment;
use clap::Args;
use protocol::JobId;
use protocol::api::{Job, LogLines, LogsState, MAX_LOG_LINES};
use reqwest::header::{CONTENT_RANGE, RANGE};
use std::time::{Duration, Instant};

/// Between two looks at a log that grows.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const NOT_SATISFIABLE: u16 = 416;

#[derive(Args)]
pub(in crate::cli) struct LogOptions {
    #[arg(value_parser = jobs::job_id)]
    id: JobId,
    /// Of this task (42-1) or scenario; without it the queue's own log
    #[arg(value_name = "TASK|SCENARIO")]
    task: Option<String>,
    /// Go on until the task has ended
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
    #[command(flatten)]
    pub(super) format: Format,
}

pub(super) async fn run(options: LogOptions, api: &Api, out: Out) -> CodeResult {
    let task = match &options.task {
        Some(wanted) => Some(find_task(api, options.id, wanted).await?),
        None => None,
    };
    let log = Log { api, job: options.id, task };
    let print = async {
        if out.is_json {
            log.print_lines(out, options.tail, options.follow).await
        } else {
            log.print_bytes(options.tail, options.follow).await
        }
    };
    let printed = if options.follow { wait::unless_interrupted(api, options.id, print).await } else { print.await };
    match printed {
        // Who reads no further has read enough; there is no verdict in a log that could be missed.
        Ok(()) | Err(Failure::PipeClosed) => Ok(DONE),
        Err(failure) => Err(failure),
    }
}

/// The task's id: given, or the one that runs the scenario.
async fn find_task(api: &Api, id: JobId, wanted: &str) -> Result<String, Failure> {
    let job: Job = api.get(&format!("/api/job/{id}")).send().await?.read()?;
    let found = job.tasks.iter().find(|task| task.task_id == wanted || task.scenario == wanted);
    if let Some(task) = found {
        return Ok(task.task_id.clone());
    }
    let known = job.tasks.iter().map(|task| format!("\n  {}  {}", task.task_id, printable(&task.scenario)));
    Err(Failure::Usage(format!(
        "job {id} has no task and no scenario \"{wanted}\"; it has{}",
        known.collect::<String>()
    )))
}

/// One of a job's logs.
pub(super) struct Log<'a> {
    api: &'a Api,
    job: JobId,
    task: Option<String>,
}

impl Log<'_> {
    fn path(&self) -> String {
        match &self.task {
            Some(task) => format!("/api/job/{}/tasks/{}/log", self.job, segment(task)),
            None => format!("/api/job/{}/log", self.job),
        }
    }

    /// With a server that has already been asked for the task, or for the log's end, or has not.
    fn patience(&self, tail: Option<u64>) -> Patience {
        if self.task.is_some() || tail.is_some() {
            Patience::with_an_acquaintance()
        } else {
            Patience::with_a_stranger()
        }
    }

    async fn print_bytes(&self, tail: Option<u64>, follow: bool) -> Result<(), Failure> {
        let mut at = match tail {
            Some(lines) => tail::start(self, lines).await?,
            None => 0,
        };
        if !follow {
            return self.print_from(&mut at).await;
        }
        let mut patience = self.patience(tail);
        loop {
            let read = async {
                // Asked first, so that nothing that came before the end is left out.
                let is_over = self.is_over().await?;
                self.print_from(&mut at).await.map(|()| is_over)
            };
            let pause = match read.await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    patience.meet(Instant::now()).inspect(|told| note(told));
                    LOOK_INTERVAL
                }
                Err(failure) => patience.bear_aloud(failure)?,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Prints what there is from a place on, which moves on with every byte that is printed.
    async fn print_from(&self, at: &mut u64) -> Result<(), Failure> {
        let Some(mut stream) = self.open_from(*at, None).await? else {
            return Ok(());
        };
        while let Some(chunk) = stream.next().await? {
            write_all(chunk.as_ref())?;
            *at += chunk.as_ref().len() as u64;
        }
        Ok(())
    }

    /// A part of the log; `None`: there is nothing there.
    pub(super) async fn open_from(&self, from: u64, until: Option<u64>) -> Result<Option<Stream>, Failure> {
        let call = self.api.get(&self.path());
        let last = until.map_or(String::new(), |until| (until - 1).to_string());
        let call = if from > 0 || until.is_some() { call.header(RANGE, &format!("bytes={from}-{last}")) } else { call };
        let opened = match call.open().await {
            Ok(stream) => stream.require("text/plain").map(|()| stream),
            Err(failure) => Err(failure),
        };
        match opened {
            Ok(stream) if from == 0 || stream.header(CONTENT_RANGE).is_some() => Ok(Some(stream)),
            Ok(_) => {
                Err(Failure::strange(self.api.base(), "the whole log instead of a part; a proxy may be in the way"))
            }
            Err(failure) if failure.status() == Some(NOT_SATISFIABLE) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// How many bytes there are now.
    pub(super) async fn size(&self) -> Result<u64, Failure> {
        Ok(self.lines("?tail=1").await?.0.bytes)
    }

    async fn lines(&self, query: &str) -> Result<(LogLines, String), Failure> {
        let reply = self.api.get(&format!("{}/lines{query}", self.path())).send_once().await?;
        Ok((reply.read()?, reply.text()?.to_owned()))
    }

    /// Whether nothing more will come: all of it is here, or what is missing will not come any more.
    async fn is_over(&self) -> Result<bool, Failure> {
        if self.lines("?tail=1").await?.0.complete {
            return Ok(true);
        }
        let job: Job = self.api.get(&format!("/api/job/{}", self.job)).send_once().await?.read()?;
        let is_given_up = job.summary.status.is_terminal() && job.summary.logs.state != LogsState::Mirroring;
        if is_given_up && job.summary.logs.state == LogsState::Incomplete {
            let why = job.summary.logs.error.as_deref().unwrap_or_default();
            note(format_args!("the log is not complete: {}", printable(why)));
        }
        Ok(is_given_up)
    }

    /// The next window of a log's lines, and its body. Of a log that goes on it ends with a whole line: the last one may be
    /// half written, and comes again when its end is there.
    async fn window(&self, next: u64, goes_on: bool) -> Result<(LogLines, String), Failure> {
        let (window, text) = self.lines(&format!("?from={next}&limit={MAX_LOG_LINES}")).await?;
        let count = window.lines.len() as u64;
        let has_last = count > 0 && next + count > window.total;
        if !goes_on || !has_last || window.complete || self.ends_a_line(window.bytes).await? {
            return Ok((window, text));
        }
        if count > 1 {
            return self.lines(&format!("?from={next}&limit={}", count - 1)).await;
        }
        Ok((LogLines { lines: Vec::new(), ..window }, String::new()))
    }

    /// Whether a line ends where the log has so many bytes.
    async fn ends_a_line(&self, bytes: u64) -> Result<bool, Failure> {
        let Some(before) = bytes.checked_sub(1) else { return Ok(true) };
        let Some(mut stream) = self.open_from(before, Some(bytes)).await? else { return Ok(false) };
        Ok(stream.next().await?.is_some_and(|last| last.as_ref().ends_with(b"\n")))
    }

    /// The API's windows of lines, one after the other.
    async fn print_lines(&self, out: Out, tail: Option<u64>, follow: bool) -> Result<(), Failure> {
        let mut next = match tail {
            Some(lines) => self.lines("?tail=1").await?.0.total.saturating_sub(lines) + 1,
            None => 1,
        };
        let mut patience = self.patience(tail);
        loop {
            let read = async {
                let is_over = follow && self.is_over().await?;
                Ok((is_over, self.window(next, follow && !is_over).await?))
            };
            let pause = match read.await {
                Ok((is_over, (window, text))) => {
                    patience.meet(Instant::now()).inspect(|told| note(told));
                    let count = window.lines.len() as u64;
                    if count > 0 || (!follow && next == 1) {
                        out.body(&text)?;
                    }
                    next += count;
                    // A window of long lines ends early; what it leaves out comes in the next one.
                    if count > 0 && next <= window.total {
                        continue;
                    }
                    if is_over || !follow {
                        return Ok(());
                    }
                    LOOK_INTERVAL
                }
                Err(failure) if follow => patience.bear_aloud(failure)?,
                Err(failure) => return Err(failure),
            };
            tokio::time::sleep(pause).await;
        }
    }
}
