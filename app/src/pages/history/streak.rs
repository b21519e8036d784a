//! Since when a scenario has been failing, or had been: the first failure after a pass.

use protocol::TaskStatus;
use protocol::api::{LastPassed, Run};

/// The latest failures in a row on one branch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Streak {
    /// The first of them, as far back as the runs reach.
    pub(super) first: Run,
    /// The last pass before them.
    pub(super) before: Option<LastPassed>,
    /// The pass that ended them; none while it still fails.
    pub(super) ended_by: Option<Run>,
}

/// Of runs from the newest to the oldest.
pub(super) fn latest(runs: &[Run]) -> Option<Streak> {
    let newest = runs.iter().position(|run| fails(run.status))?;
    let branch = runs[newest].branch_name.as_str();
    let on_branch = |run: &&Run| run.branch_name == branch;
    let passed = |run: &&Run| run.status == TaskStatus::Passed;
    let row = runs[newest..].iter().filter(on_branch).take_while(|run| !passed(run));
    let first = row.filter(|run| fails(run.status)).last()?.clone();
    let ended_by = runs[..newest].iter().rev().filter(on_branch).find(passed).cloned();
    Some(Streak { before: first.last_passed.clone(), first, ended_by })
}

const fn fails(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Failed | TaskStatus::Error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{JobId, Timestamp};

    /// Runs of jobs 9, 8, …, of which none knows a pass but by its own streak.
    fn runs(told: &[(TaskStatus, &str)]) -> Vec<Run> {
        let run = |(at, (status, branch)): (i64, &(TaskStatus, &str))| Run {
            job_id: JobId(9 - at),
            task_id: format!("{}-1", 9 - at),
            branch_name: (*branch).to_owned(),
            commit: "c".to_owned(),
            status: *status,
            duration_ms: None,
            finished_at: Timestamp(9 - at),
            last_passed: None,
        };
        (0..).zip(told).map(run).collect()
    }

    fn jobs(told: &[(TaskStatus, &str)]) -> Option<(i64, Option<i64>)> {
        latest(&runs(told)).map(|streak| (streak.first.job_id.0, streak.ended_by.map(|run| run.job_id.0)))
    }

    #[test]
    fn the_first_failure_after_a_pass_is_found_on_its_own_branch() {
        use TaskStatus::{Aborted, Error, Failed, Passed, Skipped};
        assert_eq!(jobs(&[]), None);
        assert_eq!(jobs(&[(Passed, "main"), (Skipped, "main")]), None);
        assert_eq!(jobs(&[(Failed, "main"), (Aborted, "main"), (Error, "main"), (Passed, "main")]), Some((7, None)));
        // A pass elsewhere ends nothing; what is aborted neither fails nor passes.
        assert_eq!(jobs(&[(Passed, "other"), (Failed, "main"), (Passed, "other"), (Failed, "main")]), Some((6, None)));
        assert_eq!(jobs(&[(Failed, "main"), (Aborted, "main")]), Some((9, None)));
        // It passes again: the pass next to the failures ended them.
        let mended = [(Passed, "main"), (Passed, "main"), (Failed, "main"), (Failed, "main"), (Passed, "main")];
        assert_eq!(jobs(&mended), Some((6, Some(8))));
    }
}
