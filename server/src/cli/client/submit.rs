//! `job submit`, and what it shares with a rerun: making a job once, however often the call has to be sent.

use super::api::{Api, Call, Reply};
use super::failure::Failure;
use super::out::{Out, note};
use super::patience::Patience;
use super::view::View;
use super::words::job_url;
use super::{CodeResult, DONE, Format, patterns, wait};
use clap::Args;
use protocol::JobId;
use protocol::api::{Job, Scenarios, SubmitJobRequest};
use reqwest::header::HeaderName;
use std::time::{Duration, Instant};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A branch that moves while it is read is read again.
const BRANCH_ATTEMPTS: u32 = 3;
/// How long it is tried to learn whether a job was made, by a command that does not wait for it.
const DOUBT_LIMIT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(in crate::cli) struct SubmitOptions {
    /// The branch to test
    #[arg(long, value_name = "B")]
    branch: String,
    /// Where; may be left out when there is only one
    #[arg(long, value_name = "E")]
    environment: Option<String>,
    /// Scenarios, as a shell's patterns: `smoke/*` (`*` also crosses `/`); each must match one at least
    #[arg(long = "scenario", value_name = "PATTERN", required = true, num_args = 1..)]
    scenarios: Vec<String>,
    /// Limit of the job's run, in seconds
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// Wait until the job has ended, and exit with its verdict
    #[arg(long)]
    wait: bool,
    /// The same key makes the same job: for a script that may be run again
    #[arg(long, value_name = "K")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    pub(super) format: Format,
}

pub(super) async fn run(options: SubmitOptions, api: &Api, out: Out) -> CodeResult {
    let (scenarios, has_answered) = find_scenarios(&options, api).await?;
    let request = SubmitJobRequest {
        environment: options.environment,
        branch_name: options.branch,
        scenarios,
        timeout_s: options.timeout,
    };
    let call = api.post("/api/submit_job").json(&request);
    let waits = if options.wait { Waits::ForTheJob { has_answered } } else { Waits::Not };
    let made = make(call, options.idempotency_key, waits).await?;
    tell(made, api, out, options.wait).await
}

/// What the patterns match, and whether the server was asked for it; names alone are left to the server, which says which
/// one there is not.
async fn find_scenarios(options: &SubmitOptions, api: &Api) -> Result<(Vec<String>, bool), Failure> {
    if !options.scenarios.iter().any(|text| patterns::is_pattern(text)) {
        let named = patterns::choose(&options.scenarios, &options.branch, &options.scenarios)?;
        return Ok((named, false));
    }
    let environment = options.environment.as_deref();
    let query = super::catalog::query(&[("environment", environment), ("branch", Some(&options.branch))]);
    let mut attempts = 1;
    let listed = loop {
        match api.get(&format!("/api/scenarios{query}")).send().await {
            Err(failure) if failure.code() == Some("branch_moved") && attempts < BRANCH_ATTEMPTS => attempts += 1,
            listed => break listed?,
        }
    };
    let listed: Scenarios = listed.read()?;
    let chosen = patterns::choose(&options.scenarios, &options.branch, &listed.scenarios)?;
    Ok((chosen, true))
}

/// What a command that makes a job waits for.
#[derive(Clone, Copy)]
pub(super) enum Waits {
    Not,
    /// The server too, where it goes away after it has answered. One that never did most likely has another address.
    ForTheJob {
        has_answered: bool,
    },
}

/// The job as it was made, in the API's words, and its id.
pub(super) struct Made {
    pub(super) id: JobId,
    pub(super) text: String,
}

/// Sends a call that makes a job. Whatever becomes of the connection, the key lets it make one job at most.
pub(super) async fn make(call: Call<'_>, key: Option<String>, waits: Waits) -> Result<Made, Failure> {
    let key = key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let call = call.header(IDEMPOTENCY_KEY, &key);
    let mut is_in_doubt = false;
    let told = |key: &str| {
        format!(
            "Whether the job was made is not known; the same command with --idempotency-key {key} makes no second one."
        )
    };
    let made = tokio::select! {
        made = send(&call, waits, &mut is_in_doubt) => made,
        code = wait::interrupted() => Err(Failure::Interrupted { code: code?, told: told(&key) }),
    };
    match made {
        Ok(reply) => {
            let job: Job = reply.read()?;
            Ok(Made { id: job.summary.id, text: reply.text()?.to_owned() })
        }
        Err(failure) if is_in_doubt => Err(failure.and(told(&key))),
        Err(failure) => Err(failure),
    }
}

/// Sends the call until it is known what came of it.
async fn send(call: &Call<'_>, waits: Waits, is_in_doubt: &mut bool) -> Result<Reply, Failure> {
    let (waits, mut has_answered) = match waits {
        Waits::Not => (false, false),
        Waits::ForTheJob { has_answered } => (true, has_answered),
    };
    let mut patience = Patience::with_an_acquaintance();
    let start = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let failure = match call.send_once().await {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        };
        if failure.code() == Some("branch_moved") && attempts < BRANCH_ATTEMPTS {
            continue;
        }
        // An answer of TestArena's own says that no job was made now, but not that none was made before.
        *is_in_doubt |= match &failure {
            Failure::Unreachable { was_sent, .. } => *was_sent,
            failure => failure.refusal().is_some_and(|refusal| refusal.status >= 500 && refusal.problem.is_none()),
        };
        has_answered |= failure.code().is_some();
        let is_put_off = failure.retry_after().is_some();
        let has_gone_away = waits && has_answered && failure.code().is_none() && failure.may_pass();
        if !*is_in_doubt && !is_put_off && !has_gone_away {
            return Err(failure);
        }
        if !waits && start.elapsed() + failure.retry_after().unwrap_or_default() >= DOUBT_LIMIT {
            return Err(failure);
        }
        let (pause, told) = patience.bear(failure, Instant::now())?;
        if let Some(told) = told.filter(|_| waits) {
            note(told);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Says which job it is, and goes on to wait for it where that was asked for.
pub(super) async fn tell(made: Made, api: &Api, out: Out, waits: bool) -> CodeResult {
    out.body(&made.text)?;
    out.line(format!("{} {}", made.id, job_url(api, made.id)))?;
    if !waits {
        return Ok(DONE);
    }
    wait::run(api, made.id, View::new(out).after_body(made.text), Patience::with_an_acquaintance()).await
}
