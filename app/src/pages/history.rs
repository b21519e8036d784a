//! A scenario's history: how its last runs ended and how long they took, and since when it fails.

use super::At;
use super::not_found::NotFoundPage;
use crate::client::{self, ClientError};
use crate::components::duration_chart::{DurationChart, Point};
use crate::components::icon::Icon;
use crate::components::notice::Failure;
use crate::components::run_strip::{Mark, RunStrip};
use crate::paths::{self, Query};
use crate::reload::{Reload, reload};
use crate::words;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use leptos_router::params::ParamsMap;
use protocol::api::{ErrorCode, Run, RunSummary, ScenarioHistory};
use std::time::Duration;

mod run_table;
mod streak;

use run_table::RunTable;
use streak::Streak;

/// None: there is no such environment, or no scenario can be named so.
type Found = Result<Option<ScenarioHistory>, ClientError>;

/// Which scenario, and where.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    environment: String,
    scenario: String,
    /// Empty for all.
    branch: String,
}

impl Asked {
    fn of(params: &ParamsMap, query: &Query) -> Self {
        let text = |name| params.get(name).unwrap_or_default();
        Self { environment: text("environment"), scenario: text("name"), branch: query.text("branch") }
    }

    fn on_branch(&self, branch: &str) -> String {
        paths::scenario(&self.environment, &self.scenario, branch)
    }
}

pub(crate) async fn load(at: At) -> Found {
    find(Asked::of(&at.params, &at.query)).await
}

async fn find(asked: Asked) -> Found {
    match client::scenario_history(&asked.environment, &asked.scenario, &asked.branch).await {
        Err(error) if error.is(ErrorCode::EnvironmentNotFound) || error.is(ErrorCode::InvalidInput) => Ok(None),
        found => found.map(Some),
    }
}

pub(crate) fn draw(seed: Found) -> AnyView {
    view! { <HistoryPage seed /> }.into_any()
}

#[component]
fn HistoryPage(seed: Found) -> impl IntoView {
    let (params, query) = (use_params_map(), Query::here());
    let asked = Memo::new(move |_| params.with(|params| query.with(|query| Asked::of(params, query))));
    let Reload { value: found, again } = reload(asked, seed, find);
    let view = move || {
        match found.get() {
        Ok(Some(history)) => view! { <Present asked=asked.get_untracked() history /> }.into_any(),
        Ok(None) => view! { <NotFoundPage /> }.into_any(),
        Err(error) => {
            view! { <Title text="The history can't be shown" /><Failure title="The history can't be shown" message=error.message() retry=again /> }.into_any()
        }
    }
    };
    view! { {view} }
}

#[component]
fn Present(asked: Asked, history: ScenarioHistory) -> impl IntoView {
    let ScenarioHistory { runs, summary, next_cursor } = history;
    let title = format!("{} on {}", asked.scenario, asked.environment);
    let content = if runs.is_empty() {
        view! { <Empty is_narrowed=!asked.branch.is_empty() everywhere=asked.on_branch("") /> }.into_any()
    } else {
        let has_more = next_cursor.is_some();
        view! { <Runs asked=asked.clone() runs summary has_more /> }.into_any()
    };
    view! {
        <Title text=title />
        <div class="page-head">
            <h1>
                <span class="visually-hidden">"History of "</span>
                <span class="scenario">{asked.scenario.clone()}</span>
            </h1>
        </div>
        <Where asked />
        {content}
    }
}

#[component]
fn Where(asked: Asked) -> impl IntoView {
    let everywhere = asked.on_branch("");
    let branch = if asked.branch.is_empty() {
        "All branches".into_any()
    } else {
        view! {
            <span class="chip">
                <span class="branch">{asked.branch}</span>
                <a href=everywhere aria-label="All branches" title="All branches"><Icon name="close" /></a>
            </span>
        }
        .into_any()
    };
    view! {
        <ul class="facts-line">
            <li><Icon name="server" />{asked.environment}</li>
            <li><Icon name="branch" />{branch}</li>
        </ul>
    }
}

#[component]
fn Empty(is_narrowed: bool, everywhere: String) -> impl IntoView {
    let (advice, href, action) = if is_narrowed {
        ("On another branch it may have.", everywhere, "Show all branches")
    } else {
        ("What it does is kept here from its first run on.", paths::NEW_JOB.to_owned(), "New job")
    };
    view! {
        <div class="empty">
            <h2>"It has not run here yet"</h2>
            <p>{advice}</p>
            <a class="button is-primary" href=href>{action}</a>
        </div>
    }
}

#[component]
fn Runs(asked: Asked, runs: Vec<Run>, summary: RunSummary, has_more: bool) -> impl IntoView {
    let streak = streak::latest(&runs);
    let first_failure = streak.as_ref().map(|streak| streak.first.job_id);
    let told = streak.map(|streak| view! { <FailingSince streak names_branch=asked.branch.is_empty() /> });
    let title = if has_more { format!("Last {} runs", runs.len()) } else { words::plural(runs.len() as u64, "run") };
    // As a clock goes: the newest at the right.
    let points = runs.iter().rev().map(|run| Point { status: run.status, ms: run.duration_ms }).collect();
    let marks = runs.iter().rev().map(mark).collect();
    let label = format!("Durations of {}, {}", words::plural(runs.len() as u64, "run"), usual(&summary));
    let width = format!("max-width:{}rem", 5 + 3 * runs.len());
    view! {
        <Figures summary=summary.clone() />
        {told}
        <section class="panel">
            <h2>{title}</h2>
            <div class="runs" style=width>
                <DurationChart points median_ms=summary.median_ms label />
                <RunStrip label="Runs from the oldest to the newest" marks />
                <div class="runs-ends" aria-hidden="true">
                    <span>"Oldest"</span>
                    <span>"Newest"</span>
                </div>
            </div>
            <RunTable runs asked first_failure />
        </section>
    }
}

fn mark(run: &Run) -> Mark {
    let took = run.duration_ms.map(|ms| format!(", {}", millis(ms))).unwrap_or_default();
    let label = format!("Job #{}: {}{took}, {}", run.job_id, words::task_status(run.status), run.branch_name);
    Mark { status: run.status, href: paths::task_log(run.job_id, &run.task_id), label }
}

fn millis(ms: i64) -> String {
    words::duration(Duration::from_millis(ms.unsigned_abs()))
}

fn usual(summary: &RunSummary) -> String {
    summary.median_ms.map_or_else(|| "none known".to_owned(), |ms| format!("usually {}", millis(ms)))
}

#[component]
fn Figures(summary: RunSummary) -> impl IntoView {
    let RunSummary { runs, passed, failed, error, median_ms, p90_ms, flakiness } = summary;
    let figure = |name: &'static str, value: Option<String>, note: String| {
        view! {
            <div class="stat">
                <dt>{name}</dt>
                <dd>{value.unwrap_or_else(|| "–".to_owned())}</dd>
                <dd class="stat-note">{note}</dd>
            </div>
        }
    };
    let share = (runs > 0).then(|| words::percent(f64::from(passed) / f64::from(runs.max(1))));
    let slow = p90_ms
        .map_or_else(|| "of runs that passed or failed".to_owned(), |ms| format!("9 of 10 within {}", millis(ms)));
    let of_two = if flakiness.is_some() { "of runs ended unlike the one before" } else { "takes two runs on a branch" };
    view! {
        <dl class="stats">
            {figure("Pass rate", share, format!("{passed} of {}", words::plural(runs.into(), "run")))}
            {figure("Did not pass", Some((runs - passed).to_string()), format!("{failed} failed, {error} error"))}
            {figure("Usual duration", median_ms.map(millis), slow)}
            {figure("Flakiness", flakiness.map(words::percent), of_two.to_owned())}
        </dl>
    }
}

/// The first failure after a pass, with both commits, so that one knows where to look.
#[component]
fn FailingSince(streak: Streak, names_branch: bool) -> impl IntoView {
    let Streak { first, before, ended_by } = streak;
    let link = |id| view! { <a href=paths::job(id)>{format!("job #{id}")}</a> };
    let commit = |commit: &str| view! { <code title=commit.to_owned()>{words::short_commit(commit).to_owned()}</code> };
    let (class, icon, began) = match ended_by {
        None => ("notice is-warning", "warning", "Failing since "),
        Some(_) => ("notice is-status", "info", "Failed from "),
    };
    let branch = names_branch.then(|| view! { " on " <span class="branch">{first.branch_name.clone()}</span> });
    let until = ended_by.map(|run| view! { " until it passed in " {link(run.job_id)} " (" {commit(&run.commit)} ")" });
    let passed = before.map_or_else(
        || " No pass before that is known.".into_any(),
        |before| {
            let compare = paths::compare(before.job_id, first.job_id);
            view! {
                " It had last passed in " {link(before.job_id)} " (" {commit(&before.commit)} "). "
                <a href=compare>"Compare the two jobs"</a>
            }
            .into_any()
        },
    );
    view! {
        <div class=class>
            <Icon name=icon />
            <p>{began} {link(first.job_id)} " (" {commit(&first.commit)} ")" {branch} {until} "." {passed}</p>
        </div>
    }
}
