//! `job …`: the commands about jobs, and the short ones of them whole.

use super::api::{Api, Reply};
use super::failure::Failure;
use super::listing::{self, ListOptions};
use super::log::{self, LogOptions};
use super::out::{Out, note, printable, write_all};
use super::patience::Patience;
use super::submit::{self, SubmitOptions, Waits};
use super::view::View;
use super::words::{counts, duration, job_url, reason, remark};
use super::{CodeResult, DONE, Format, open, wait};
use crate::config::Variables;
use clap::{Args, Subcommand};
use protocol::api::{Job, RerunRequest, SyncState};
use protocol::{JobId, Timestamp};
use reqwest::StatusCode;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(in crate::cli) enum JobCommand {
    /// Submit a job; prints its id and URL
    Submit(SubmitOptions),
    /// Wait until a job has ended; exits with 0 passed, 1 failed, 2 error or aborted
    Wait(OneJob),
    /// Show a job and its tasks
    Show(OneJob),
    /// List jobs, the newest first
    List(ListOptions),
    /// End jobs early
    Abort(SomeJobs),
    /// Run jobs again, at the same commit
    Rerun(RerunOptions),
    /// Delete jobs with their logs and results
    Delete(SomeJobs),
    /// A job as `JUnit` XML
    Junit(JunitOptions),
    /// Read a job's log, or a task's
    Log(LogOptions),
}

#[derive(Args)]
pub(in crate::cli) struct OneJob {
    #[arg(value_parser = job_id)]
    id: JobId,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(in crate::cli) struct SomeJobs {
    #[arg(value_parser = job_id, value_name = "ID", required = true)]
    ids: Vec<JobId>,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(in crate::cli) struct RerunOptions {
    #[arg(value_parser = job_id, value_name = "ID", required = true)]
    ids: Vec<JobId>,
    /// Only the tasks that failed, ended as error or were aborted
    #[arg(long)]
    failed: bool,
    /// The branch's present commit
    #[arg(long)]
    latest: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(in crate::cli) struct JunitOptions {
    #[arg(value_parser = job_id)]
    id: JobId,
    /// Write to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
}

/// As people write it: `42` or `#42`.
pub(super) fn job_id(text: &str) -> Result<JobId, String> {
    let id = text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|JobId(id)| *id > 0);
    id.ok_or_else(|| "a job has a number, such as 42".to_owned())
}

impl JobCommand {
    pub(super) fn format(&self) -> &Format {
        match self {
            Self::Submit(options) => &options.format,
            Self::Wait(job) | Self::Show(job) => &job.format,
            Self::List(options) => &options.format,
            Self::Abort(jobs) | Self::Delete(jobs) => &jobs.format,
            Self::Rerun(options) => &options.format,
            Self::Junit(options) => &options.format,
            Self::Log(options) => &options.format,
        }
    }
}

pub(super) async fn run(command: JobCommand, variables: &Variables) -> CodeResult {
    let (api, out) = open(command.format(), variables)?;
    match command {
        JobCommand::Submit(options) => submit::run(options, &api, out).await,
        JobCommand::Wait(job) => wait_for(job.id, &api, out).await,
        JobCommand::Show(job) => show(job.id, &api, out).await,
        JobCommand::List(options) => listing::run(options, &api, out).await,
        JobCommand::Abort(jobs) => for_each(&jobs.ids, out, async |id| abort(id, &api, out).await).await,
        JobCommand::Delete(jobs) => for_each(&jobs.ids, out, async |id| delete(id, &api, out).await).await,
        JobCommand::Rerun(options) => rerun(&options, &api, out).await,
        JobCommand::Junit(options) => junit(options.id, options.output.as_deref(), &api).await,
        JobCommand::Log(options) => log::run(options, &api, out).await,
    }
}

async fn wait_for(id: JobId, api: &Api, out: Out) -> CodeResult {
    let view = View::new(out).with_head(format!("{id} {}", job_url(api, id)));
    wait::run(api, id, view, Patience::with_a_stranger()).await
}

/// Goes on after a failure: each job is a wish of its own. The worst outcome is the exit code.
async fn for_each(ids: &[JobId], out: Out, deed: impl AsyncFn(JobId) -> Result<(), Failure>) -> CodeResult {
    let mut code = DONE;
    for id in ids {
        match deed(*id).await {
            Ok(()) => {}
            Err(Failure::PipeClosed) => return Err(Failure::PipeClosed),
            Err(failure) => {
                if out.is_json {
                    failure.print_body();
                }
                note(format_args!("job {id}: {failure}"));
                code = code.max(failure.exit_code());
            }
        }
    }
    Ok(code)
}

async fn abort(id: JobId, api: &Api, out: Out) -> Result<(), Failure> {
    let reply = api.post(&format!("/api/job/{id}/abort")).send().await?;
    out.body(reply.text()?)?;
    let job: Job = reply.read()?;
    out.line(format!("job {id} is being aborted at {}", printable(&job.summary.environment)))
}

async fn delete(id: JobId, api: &Api, out: Out) -> Result<(), Failure> {
    let reply = api.delete(&format!("/api/job/{id}")).send().await?;
    if reply.status == StatusCode::NO_CONTENT {
        return out.line(format!("job {id} is deleted"));
    }
    out.body(reply.text()?)?;
    let job: Job = reply.read()?;
    out.line(format!("job {id} is gone as soon as {} has confirmed", printable(&job.summary.environment)))
}

async fn rerun(options: &RerunOptions, api: &Api, out: Out) -> CodeResult {
    let request = RerunRequest { only_failed: options.failed, latest: options.latest };
    let rerun_one = async |id| {
        let call = api.post(&format!("/api/job/{id}/rerun")).json(&request);
        let made = submit::make(call, None, Waits::Not).await?;
        submit::tell(made, api, out, false).await.map(drop)
    };
    for_each(&options.ids, out, rerun_one).await
}

async fn junit(id: JobId, output: Option<&Path>, api: &Api) -> CodeResult {
    if !wait::until_kept(api, id).await? {
        note(format_args!("the logs of job {id} are not all here yet; the report has what there is"));
    }
    let reply: Reply = api.get(&format!("/api/job/{id}/junit.xml")).send().await?;
    reply.require("application/xml")?;
    match output.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            let cant = |error| Failure::Local(format!("{} can't be written: {error}", file.display()));
            tokio::fs::write(file, &reply.body).await.map_err(cant)?;
        }
        None => write_all(&reply.body)?,
    }
    Ok(DONE)
}

async fn show(id: JobId, api: &Api, out: Out) -> CodeResult {
    let reply = api.get(&format!("/api/job/{id}")).send().await?;
    out.body(reply.text()?)?;
    let job: Job = reply.read()?;
    for (name, value) in facts(&job, api) {
        let value = if name == "status" { out.colored(&value) } else { value };
        out.line(format!("{name:<12} {value}"))?;
    }
    out.line("")?;
    let rows = job.tasks.iter().map(|task| {
        let took = task.duration_ms.map_or(String::new(), duration);
        vec![task.task_id.clone(), task.status.to_string(), printable(&task.scenario), took, remark(task)]
    });
    out.table(&["TASK", "STATUS", "SCENARIO", "TOOK", "REMARK"], rows.collect())?;
    Ok(DONE)
}

fn facts(job: &Job, api: &Api) -> Vec<(&'static str, String)> {
    let job = &job.summary;
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let sync = match job.sync.state {
        SyncState::Synced => None,
        state => Some(format!("{state} {}", printable(job.sync.error.as_deref().unwrap_or_default()))),
    };
    let wishes = [(job.abort_requested, "abort"), (job.delete_requested, "delete")];
    let wishes: Vec<&str> = wishes.iter().filter(|(is_wished, _)| *is_wished).map(|(_, wish)| *wish).collect();
    let all = [
        ("job", Some(job.id.to_string())),
        ("url", Some(job_url(api, job.id))),
        ("status", Some(job.status.to_string())),
        ("reason", reason(job)),
        ("position", job.position.map(|position| position.to_string())),
        ("requested", Some(wishes.join(", ")).filter(|wishes| !wishes.is_empty())),
        ("environment", Some(printable(&job.environment))),
        ("branch", Some(printable(&job.branch_name))),
        ("commit", Some(job.commit.clone())),
        ("user", Some(job.user.username.clone())),
        ("rerun of", job.rerun_of.map(|id| id.to_string())),
        ("created", Some(job.created_at.to_string())),
        ("started", time(job.started_at)),
        ("finished", time(job.finished_at)),
        ("took", job.started_at.zip(job.finished_at).map(|(start, end)| duration(end.0 - start.0))),
        ("tasks", Some(counts(&job.counts))),
        ("sync", sync.map(|sync| sync.trim_end().to_owned())),
        ("logs", Some(job.logs.state.to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_number() {
        assert_eq!(job_id("42"), Ok(JobId(42)));
        assert_eq!(job_id("#42"), Ok(JobId(42)));
        for text in ["", "0", "-1", "42-1", "latest"] {
            assert!(job_id(text).is_err(), "{text}");
        }
    }
}
