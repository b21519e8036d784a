//! What can be run where: `env list`, `branches`, `scenarios`.

use super::out::{note, printable};
use super::{CodeResult, DONE, Format, open};
use crate::config::Variables;
use crate::remote::segment;
use clap::{Args, Subcommand};
use protocol::api::{Branches, Environments, Scenarios};

#[derive(Subcommand)]
pub(in crate::cli) enum EnvCommand {
    /// List the environments, and how they are
    List(Format),
}

#[derive(Args)]
pub(in crate::cli) struct BranchesOptions {
    /// Of which environment; may be left out when there is only one
    #[arg(long, value_name = "E")]
    environment: Option<String>,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Args)]
pub(in crate::cli) struct ScenariosOptions {
    /// The branch
    #[arg(long, value_name = "B")]
    branch: String,
    /// Of which environment; may be left out when there is only one
    #[arg(long, value_name = "E")]
    environment: Option<String>,
    #[command(flatten)]
    pub(super) format: Format,
}

pub(super) async fn environments(EnvCommand::List(format): EnvCommand, variables: &Variables) -> CodeResult {
    let (api, out) = open(&format, variables)?;
    let reply = api.get("/api/environments").send().await?;
    out.body(reply.text()?)?;
    let listed: Environments = reply.read()?;
    let count = |count: Option<u32>| count.map_or(String::new(), |count| count.to_string());
    let rows = listed.environments.into_iter().map(|environment| {
        let (slots, busy, waiting) = (environment.slots, environment.busy, environment.waiting);
        vec![environment.name, environment.health.to_string(), count(slots), count(busy), count(waiting)]
    });
    out.table(&["NAME", "HEALTH", "SLOTS", "BUSY", "WAITING"], rows.collect())?;
    Ok(DONE)
}

pub(super) async fn branches(options: BranchesOptions, variables: &Variables) -> CodeResult {
    let (api, out) = open(&options.format, variables)?;
    let query = query(&[("environment", options.environment.as_deref())]);
    let reply = api.get(&format!("/api/branches{query}")).send().await?;
    out.body(reply.text()?)?;
    let listed: Branches = reply.read()?;
    let rows = listed.branches.into_iter().map(|branch| vec![printable(&branch.name), branch.commit]);
    out.table(&["BRANCH", "COMMIT"], rows.collect())?;
    Ok(DONE)
}

pub(super) async fn scenarios(options: ScenariosOptions, variables: &Variables) -> CodeResult {
    let (api, out) = open(&options.format, variables)?;
    let query = query(&[("environment", options.environment.as_deref()), ("branch", Some(&options.branch))]);
    let reply = api.get(&format!("/api/scenarios{query}")).send().await?;
    out.body(reply.text()?)?;
    let listed: Scenarios = reply.read()?;
    listed.scenarios.iter().try_for_each(|name| out.line(printable(name)))?;
    for problem in listed.problems.iter().filter(|_| !out.is_json) {
        note(printable(problem));
    }
    Ok(DONE)
}

/// A query of those values that there are.
pub(super) fn query(values: &[(&str, Option<&str>)]) -> String {
    let given = values.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", segment(value))));
    let given: Vec<String> = given.collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}
