//! The facts about a job on one line: where it runs what, for whom, since when, how old that is; the rest folds open.

use crate::client;
use crate::components::facts::{Fact, Facts};
use crate::components::icon::Icon;
use crate::components::notice::Alert;
use crate::components::time_stamp::{MaybeTimeStamp, TimeStamp, took};
use crate::poll::{Clock, Live};
use crate::{browser, paths, words};
use leptos::prelude::*;
use protocol::Timestamp;
use protocol::api::{Estimate, Job, JobSummary, SyncState};
use std::time::Duration;

/// Three rounds of a poller at its usual interval: after that it is no longer a matter of seconds.
const SILENT: Duration = Duration::from_mins(1);
/// Less is no time to tell.
const A_SECOND: Duration = Duration::from_secs(1);

#[component]
pub(super) fn Overview(job: Live<Job>, seed: JobSummary) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let times = Memo::new(move |_| job.value.with(|job| (job.summary.started_at, job.summary.finished_at)));
    let commit = words::short_commit(&seed.commit).to_owned();
    let full_commit = seed.commit.clone();
    let branch = seed.branch_name.clone();
    let user = seed.user.username.clone();
    view! {
        <div class="job-facts">
            <ul class="facts-line" aria-label="Facts">
                <li title="Branch"><Icon name="branch" /><span class="branch">{branch}</span></li>
                <li title="Commit"><Icon name="commit" /><code title=full_commit>{commit}</code></li>
                <li title="Environment"><Icon name="server" /><b>{seed.environment.clone()}</b></li>
                <li title="Submitted by"><Icon name="user" />{user}</li>
                <li title="Submitted"><Icon name="clock" /><TimeStamp at=seed.created_at /></li>
                <li title="Took">
                    <Icon name="timer" />
                    <span class="job-took">{move || took(times.get().0, times.get().1, clock)}</span>
                </li>
            </ul>
            <details class="fold">
                <summary>"Details"</summary>
                <AllFacts times seed />
            </details>
            <Age job />
        </div>
        <Trouble job />
    }
}

#[component]
fn AllFacts(times: Memo<(Option<Timestamp>, Option<Timestamp>)>, seed: JobSummary) -> impl IntoView {
    let origin = seed.rerun_of.map(|of| {
        view! { <Fact name="Rerun of"><a href=paths::job(of)>{format!("Job #{of}")}</a></Fact> }
    });
    view! {
        <Facts>
            <Fact name="Commit"><code>{seed.commit}</code></Fact>
            <Fact name="Submitted"><TimeStamp at=seed.created_at /></Fact>
            <Fact name="Started">{move || view! { <MaybeTimeStamp at=times.get().0 /> }}</Fact>
            <Fact name="Finished">{move || view! { <MaybeTimeStamp at=times.get().1 /> }}</Fact>
            <Fact name="Time limit">{words::duration(Duration::from_secs(seed.timeout_s))}</Fact>
            <Fact name="At the remote test server">{format!("Queue {}", seed.remote_queue_id)}</Fact>
            {origin}
            <Fact name="Report"><a href=client::junit_url(seed.id) rel="external" download="">"JUnit XML"</a></Fact>
        </Facts>
    }
}

/// How old what is shown is, and what it will probably come to; nothing of either once it has ended.
#[component]
fn Age(job: Live<Job>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let estimate = Memo::new(move |_| {
        let (starts_at, ends_at) = job.value.with(|job| {
            let summary = &job.summary;
            let is_waiting = summary.started_at.is_none();
            let estimate = if summary.status.is_terminal() { Estimate::default() } else { summary.estimate };
            (estimate.starts_at.filter(|_| is_waiting), estimate.ends_at.filter(|_| !is_waiting))
        });
        let now = clock.now()?;
        let until = |at: Timestamp| (at.since(now) >= A_SECOND).then(|| words::age(at.since(now)));
        let starts = starts_at.and_then(until).map(|left| format!("Starts in about {left}."));
        starts.or_else(|| ends_at.and_then(until).map(|left| format!("About {left} left.")))
    });
    let age = Memo::new(move |_| {
        let has_ended = job.value.with(|job| job.summary.status.is_terminal());
        let synced_at = job.synced_at.get().filter(|_| !has_ended)?;
        let zone = browser_zone(clock, synced_at)?;
        let now = clock.now();
        let age = now.map(|now| now.since(synced_at)).unwrap_or_default();
        // While our own server is away nobody can tell how the bench fares.
        let silence = job.answered_at.get().map(|at| at.since(synced_at)).unwrap_or_default();
        if job.value.with(|job| job.summary.sync.state == SyncState::Failing) || age.min(silence) >= SILENT {
            let environment = job.value.with(|job| job.summary.environment.clone());
            return Some(format!("{environment} unreachable since {}", words::time_of_day(synced_at, now, Some(zone))));
        }
        Some(format!("as of {} ago", words::age(age)))
    });
    let exact = move || job.synced_at.get().map(|at| words::exact_moment(at, browser_zone(clock, at)));
    view! {
        <span class="progress-text">{move || estimate.get()}</span>
        <span class="age" title=exact>{move || age.get()}</span>
    }
}

/// None before the page is live.
fn browser_zone(clock: Clock, at: Timestamp) -> Option<i64> {
    clock.is_live().then(|| browser::zone_offset_minutes(at))
}

/// Our own server does not tell. What is wrong with the whole page says the banner.
#[component]
fn Trouble(job: Live<Job>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let told = Signal::derive(move || {
        let trouble = job.trouble.get().filter(|trouble| !trouble.is_told_by_banner())?;
        let at = job.answered_at.get()?;
        let shown = words::exact_moment(at, browser_zone(clock, at));
        Some(format!("{} What is shown is from {shown}.", trouble.message()))
    });
    view! { <Alert message=told /> }
}
