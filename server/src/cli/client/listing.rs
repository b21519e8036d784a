//! `job list`: as many pages of the API's list as the limit needs.

use super::api::{Api, Reply};
use super::catalog::query;
use super::failure::Failure;
use super::out::{Out, printable};
use super::words::counts;
use super::{CodeResult, DONE, Format};
use clap::Args;
use clap::builder::PossibleValuesParser;
use protocol::api::{DEFAULT_PAGE, JobList, JobSummary, MAX_PAGE, User};
use protocol::{JobStatus, UserId};
use serde_json::Value;

#[derive(Args)]
pub(in crate::cli) struct ListOptions {
    /// Only jobs with this status; may be repeated
    #[arg(long, value_name = "S", value_parser = statuses())]
    status: Vec<String>,
    /// Only jobs of this branch
    #[arg(long, value_name = "B")]
    branch: Option<String>,
    /// Only jobs on this environment
    #[arg(long, value_name = "E")]
    environment: Option<String>,
    /// Only your own jobs, also where you may see all
    #[arg(long)]
    mine: bool,
    /// A job's number, or the beginning of a user's name: searches everybody's jobs
    #[arg(long, value_name = "WORDS", conflicts_with = "mine")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PAGE, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    pub(super) format: Format,
}

fn statuses() -> PossibleValuesParser {
    PossibleValuesParser::new(JobStatus::ALL.iter().map(|status| status.as_str()))
}

pub(super) async fn run(options: ListOptions, api: &Api, out: Out) -> CodeResult {
    let me: Option<User> = if options.mine { Some(api.get("/api/me").send().await?.read()?) } else { None };
    let search = me.as_ref().map(|me| me.username.as_str()).or(options.search.as_deref());
    let mut left = options.limit as usize;
    let mut cursor: Option<String> = None;
    let mut rows = Vec::new();
    while left > 0 {
        let limit = if options.mine { MAX_PAGE } else { MAX_PAGE.min(options.limit) }.to_string();
        let mut values = vec![
            ("search", search),
            ("environment", options.environment.as_deref()),
            ("branch", options.branch.as_deref()),
            ("limit", Some(&limit)),
            ("cursor", cursor.as_deref()),
        ];
        values.extend(options.status.iter().map(|status| ("status", Some(status.as_str()))));
        let reply = api.get(&format!("/api/jobs{}", query(&values))).send().await?;
        let page: JobList = reply.read()?;
        let owner = me.as_ref().map(|me| me.id);
        // A search finds names that merely begin so.
        let mut jobs: Vec<JobSummary> =
            page.jobs.into_iter().filter(|job| owner.is_none_or(|id| job.user.id == id)).collect();
        jobs.truncate(left);
        left -= jobs.len();
        print_body(out, &reply, owner, jobs.len())?;
        rows.extend(jobs.iter().map(row));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    out.table(&["ID", "STATUS", "ENVIRONMENT", "BRANCH", "USER", "CREATED", "TASKS"], rows)?;
    Ok(DONE)
}

/// A page as the API gave it, less the jobs that were not asked for.
fn print_body(out: Out, reply: &Reply, owner: Option<UserId>, count: usize) -> Result<(), Failure> {
    let mut body: Value = reply.read()?;
    let Some(jobs) = body.get_mut("jobs").and_then(Value::as_array_mut) else {
        return out.body(reply.text()?);
    };
    let before = jobs.len();
    jobs.retain(|job| owner.is_none_or(|UserId(id)| job["user"]["id"] == id));
    jobs.truncate(count);
    let is_whole = jobs.len() == before;
    if is_whole { out.body(reply.text()?) } else { out.body(&body.to_string()) }
}

fn row(job: &JobSummary) -> Vec<String> {
    vec![
        job.id.to_string(),
        job.status.to_string(),
        printable(&job.environment),
        printable(&job.branch_name),
        job.user.username.clone(),
        job.created_at.to_string(),
        counts(&job.counts),
    ]
}
