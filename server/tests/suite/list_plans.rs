//! How the databases read a page of a list: by the index that has its rows in order, never all rows and never sorting them.

use crate::test_app::TestApp;
use crate::test_database::{plans_of, seed_jobs};
use protocol::{AuditId, JobId, JobStatus, TaskStatus, Timestamp, UserId};
use server::store::audit::{AuditFilter, list_entries};
use server::store::jobs::{Lane, list_due};
use server::store::listing::{JobFilter, Search, list_heads};
use server::store::runs::{self, Run, Series};
use server::store::tasks::find_results;
use server::store::{AnyConnection, DatabaseUrl, QueryResult};

fn filters() -> Vec<JobFilter> {
    let none = JobFilter::default;
    let (two, branch) = (vec![JobStatus::Passed, JobStatus::Failed], Some("feature/7".to_owned()));
    let environment = Some("bench-b".to_owned());
    vec![
        JobFilter { owner: Some(UserId(7)), ..none() },
        JobFilter { statuses: vec![JobStatus::Failed], ..none() },
        JobFilter { statuses: two.clone(), ..none() },
        JobFilter { environment: environment.clone(), ..none() },
        JobFilter { branch: branch.clone(), ..none() },
        JobFilter { branch: branch.clone(), statuses: two.clone(), ..none() },
        JobFilter { environment: environment.clone(), statuses: two.clone(), ..none() },
        JobFilter { owner: Some(UserId(7)), statuses: two.clone(), ..none() },
        JobFilter { environment, branch, statuses: two.clone(), ..none() },
        JobFilter { search: Search::new("1500"), ..none() },
        JobFilter { search: Search::new("user7"), statuses: two, ..none() },
    ]
}

#[tokio::test]
async fn a_page_of_the_list_neither_reads_nor_sorts_all_jobs() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    for filter in filters() {
        for before in [None, Some(JobId(1_500))] {
            let filter = JobFilter { before, ..filter.clone() };
            let asked = filter.clone();
            let plans = app.state.store.read(move |connection| {
                plans_of(connection, |connection| list_heads(connection, &asked, 51).map(drop))
            });
            let plans = plans.await.unwrap();
            assert!(!plans.is_empty());
            for line in plans {
                let reads_all =
                    if is_sqlite { line.starts_with("SCAN jobs") } else { line.contains("Seq Scan on jobs") };
                assert!(!reads_all && !line.contains("TEMP B-TREE"), "{filter:?}: {line}");
            }
        }
    }
    // Everybody's newest: all of them in their order, of which only the first are read.
    let plans = app.state.store.read(|connection| {
        plans_of(connection, |connection| list_heads(connection, &JobFilter::default(), 51).map(drop))
    });
    for line in plans.await.unwrap() {
        assert!(!line.contains("TEMP B-TREE") && !line.contains("Sort"), "{line}");
    }
}

/// The jobs' runs, in which every scenario has run on every branch, and an entry of the audit log for each job.
const RUNS: &str = "INSERT INTO runs (job_id, n, environment, branch_name, scenario, status, duration_ms, finished_at)
     SELECT id, 1, environment, branch_name, 'smoke/' || id % 7, status, 5, id FROM jobs;";
const ENTRIES: &str = "INSERT INTO audit_log (id, at, actor, via, address, action, object, detail)
     SELECT id, id, 'ada', 'page', NULL, 'job.submit', 'job:' || id, '{}' FROM jobs;";

type Ask = fn(&mut AnyConnection) -> QueryResult<()>;

fn series(branch: Option<&str>) -> Series {
    let (environment, scenario) = ("bench-a".to_owned(), "smoke/2".to_owned());
    Series { environment, scenario, branch: branch.map(str::to_owned) }
}

fn a_run() -> Run {
    let Series { environment, scenario, .. } = series(None);
    let (branch_name, status) = ("feature/2".to_owned(), TaskStatus::Failed);
    let finished_at = Timestamp(2_000);
    Run { job_id: JobId(2_000), n: 1, environment, branch_name, scenario, status, duration_ms: Some(5), finished_at }
}

const LISTS: [(&str, Ask); 12] = [
    ("history", |c| runs::list_runs(c, &series(None), None, 51).map(drop)),
    ("history of a branch", |c| runs::list_runs(c, &series(Some("feature/2")), None, 51).map(drop)),
    ("history further down", |c| {
        let before = runs::Before { finished_at: Timestamp(1_500), job_id: JobId(1_500) };
        runs::list_runs(c, &series(None), Some(before), 51).map(drop)
    }),
    ("summary", |c| runs::last_runs(c, &series(None), 51).map(drop)),
    ("summary of a branch", |c| runs::last_runs(c, &series(Some("feature/2")), 51).map(drop)),
    ("stats", |c| runs::list_scenarios(c, "bench-a", None).map(drop)),
    ("stats of a branch", |c| runs::list_scenarios(c, "bench-a", Some("feature/2")).map(drop)),
    ("last passed", |c| runs::last_passed(c, &a_run(), "feature/2").map(drop)),
    ("what did not pass", |c| runs::list_unpassed(c, JobId(1_500)).map(drop)),
    ("audit", |c| list_entries(c, AuditFilter::default(), None, 51).map(drop)),
    ("audit further down", |c| list_entries(c, AuditFilter::default(), Some(AuditId(1_500)), 51).map(drop)),
    ("result files", |c| find_results(c, JobId(1_500), 1).map(drop)),
];

#[tokio::test]
async fn every_other_list_is_read_by_an_index_in_its_order() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    for statement in [RUNS, ENTRIES, "ANALYZE"] {
        app.sql(statement).await;
    }
    for (name, ask) in LISTS {
        let plans = app.state.store.read(move |connection| plans_of(connection, ask)).await.unwrap();
        assert!(!plans.is_empty());
        for line in plans {
            let reads_all = (line.starts_with("SCAN ") && !line.starts_with("SCAN audit_log"))
                || (line.contains("Seq Scan on ") && !line.contains("result_files"));
            let sorts =
                line.contains("TEMP B-TREE") || line.trim_start().trim_start_matches("-> ").starts_with("Sort ");
            assert!(!reads_all && !sorts, "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn the_next_jobs_of_each_lane_are_found_without_those_behind_them() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    for lane in [Lane::Send, Lane::Ask, Lane::Act] {
        app.sql(format!("UPDATE jobs SET lane = '{lane}', next_at = 3000 - id")).await;
        app.sql("ANALYZE").await;
        let plans = app.state.store.read(move |connection| {
            plans_of(connection, |connection| {
                list_due(connection, "bench-a", lane, Timestamp(9_000), &[JobId(7)], 1).map(drop)
            })
        });
        for line in plans.await.unwrap() {
            assert!(!line.contains("TEMP B-TREE") && !line.starts_with("SCAN "), "{lane}: {line}");
            assert!(!line.contains("Seq Scan on jobs"), "{lane}: {line}");
        }
    }
}
