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

/// `PostgreSQL` can always walk along an index of less and look at each row, and does so where that costs little in a test.
/// Without those it has to show the index that spares it that; single rows are still found.
async fn forget(app: &TestApp, order_of_ids: Option<&str>, indexes: &[&str]) {
    if matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_)) {
        return;
    }
    if let Some(table) = order_of_ids {
        app.sql(format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE")).await;
        app.sql(format!("CREATE INDEX {table}_by_id ON {table} USING hash (id)")).await;
    }
    for index in indexes {
        app.sql(format!("DROP INDEX {index}")).await;
    }
}

/// Where `PostgreSQL` throws rows of the table away after it has read them.
fn thrown_away<'a>(plans: &'a [String], table: &str) -> Option<&'a String> {
    let mut is_there = false;
    plans.iter().find(|line| {
        if line.contains("(cost=") {
            is_there = line.contains(&format!(" on {table} "));
        }
        is_there && line.trim_start().starts_with("Filter: ")
    })
}

fn sorts(line: &str) -> bool {
    let step = line.trim_start().trim_start_matches("-> ");
    line.contains("TEMP B-TREE") || step.starts_with("Sort ") || step.starts_with("Incremental Sort ")
}

/// With `is_exact` every row that is read is one of those asked for.
async fn check_filter(app: &TestApp, filter: JobFilter, is_exact: bool) {
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    for before in [None, Some(JobId(1_500))] {
        let filter = JobFilter { before, ..filter.clone() };
        let asked = filter.clone();
        let plans = app
            .state
            .store
            .read(move |connection| plans_of(connection, |connection| list_heads(connection, &asked, 51).map(drop)));
        let plans = plans.await.unwrap();
        assert!(!plans.is_empty());
        assert!(!is_exact || thrown_away(&plans, "jobs").is_none(), "{filter:?}: {plans:#?}");
        for line in plans {
            let reads_all = if is_sqlite { line.starts_with("SCAN jobs") } else { line.contains("Seq Scan on jobs") };
            assert!(!reads_all && !sorts(&line), "{filter:?}: {line}");
        }
    }
}

#[tokio::test]
async fn a_page_of_the_list_neither_reads_nor_sorts_all_jobs() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    // Everybody's newest: all of them in their order, of which only the first are read.
    let plans = app.state.store.read(|connection| {
        plans_of(connection, |connection| list_heads(connection, &JobFilter::default(), 51).map(drop))
    });
    for line in plans.await.unwrap() {
        assert!(!sorts(&line), "{line}");
    }
    let none = JobFilter::default;
    let (two, branch) = (vec![JobStatus::Passed, JobStatus::Failed], Some("feature/7".to_owned()));
    let (owner, environment) = (Some(UserId(7)), Some("bench-b".to_owned()));
    for filter in [
        JobFilter { environment: environment.clone(), branch: branch.clone(), statuses: two.clone(), ..none() },
        JobFilter { search: Search::new("1500"), ..none() },
        JobFilter { search: Search::new("user7"), statuses: two.clone(), ..none() },
    ] {
        check_filter(&app, filter, false).await;
    }
    forget(&app, Some("jobs"), &[]).await;
    for filter in [
        JobFilter { owner, ..none() },
        JobFilter { statuses: vec![JobStatus::Failed], ..none() },
        JobFilter { statuses: two.clone(), ..none() },
        JobFilter { environment: environment.clone(), ..none() },
        JobFilter { branch: branch.clone(), ..none() },
    ] {
        check_filter(&app, filter, true).await;
    }
    forget(&app, None, &["jobs_user", "jobs_status", "jobs_environment", "jobs_branch"]).await;
    for filter in [
        JobFilter { owner, statuses: two.clone(), ..none() },
        JobFilter { environment, statuses: two.clone(), ..none() },
        JobFilter { branch, statuses: two, ..none() },
    ] {
        check_filter(&app, filter, true).await;
    }
}

/// The jobs' runs, in which every scenario has run on every branch, and an entry of the audit log for each job.
const RUNS: &str = "INSERT INTO runs (job_id, n, environment, branch_name, scenario, status, duration_ms, finished_at)
     SELECT id, 1, environment, branch_name, 'smoke/' || (id % 7), status, 5, id FROM jobs;";
const ENTRIES: &str = "INSERT INTO audit_log (id, at, actor, via, address, action, object, detail)
     SELECT id, id, 'user' || (id % 31), 'page', NULL, 'job.' || (id % 37), 'job:' || id, '{}' FROM jobs;";

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

fn deeds(actor: Option<&str>, action: Option<&str>, object: Option<&str>) -> AuditFilter {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    AuditFilter { actor: owned(actor), action: owned(action), object: owned(object) }
}

const LISTS: [(&str, Ask); 17] = [
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
    ("audit", |c| list_entries(c, deeds(None, None, None), None, 51).map(drop)),
    ("audit further down", |c| list_entries(c, deeds(None, None, None), Some(AuditId(1_500)), 51).map(drop)),
    ("narrowed audit: somebody", |c| list_entries(c, deeds(Some("user7"), None, None), None, 51).map(drop)),
    ("narrowed audit: somebody, further down", |c| {
        list_entries(c, deeds(Some("user7"), None, None), Some(AuditId(1_500)), 51).map(drop)
    }),
    ("narrowed audit: a kind", |c| list_entries(c, deeds(None, Some("job.7"), None), None, 51).map(drop)),
    ("narrowed audit: a kind of somebody's", |c| {
        list_entries(c, deeds(Some("user7"), Some("job.7"), None), None, 51).map(drop)
    }),
    ("narrowed audit: an object", |c| list_entries(c, deeds(None, None, Some("job:7")), None, 51).map(drop)),
    ("result files", |c| find_results(c, JobId(1_500), 1).map(drop)),
];

#[tokio::test]
async fn every_other_list_is_read_by_an_index_in_its_order() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    for statement in [RUNS, ENTRIES, "ANALYZE"] {
        app.sql(statement).await;
    }
    let narrowed = LISTS.iter().position(|(name, _)| name.starts_with("narrowed")).unwrap();
    for (n, (name, ask)) in LISTS.into_iter().enumerate() {
        if n == narrowed {
            forget(&app, Some("audit_log"), &[]).await;
        }
        let plans = app.state.store.read(move |connection| plans_of(connection, ask)).await.unwrap();
        assert!(!plans.is_empty());
        assert!(n < narrowed || thrown_away(&plans, "audit_log").is_none(), "{name}: {plans:#?}");
        for line in plans {
            let reads_all = (line.starts_with("SCAN ") && !name.starts_with("audit"))
                || (line.contains("Seq Scan on ") && !line.contains("result_files"));
            assert!(!reads_all && !sorts(&line), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn the_open_tasks_of_an_environment_are_found_from_its_open_jobs() {
    let app = TestApp::on_a_file().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    let ask = |connection: &mut AnyConnection| runs::list_open_tasks(connection, "bench-a", 5_000).map(drop);
    let plans = app.state.store.read(move |connection| plans_of(connection, ask)).await.unwrap();
    assert!(plans.iter().any(|line| line.contains("jobs_open")), "{plans:#?}");
    // Those of one job it may sort.
    let sorts_all = |line: &String| sorts(line) && !line.contains("LAST TERM");
    assert!(!plans.iter().any(|line| line.starts_with("SCAN ") || sorts_all(line)), "{plans:#?}");
}

#[tokio::test]
async fn the_next_jobs_of_each_lane_are_found_without_those_behind_them() {
    let app = TestApp::start().await;
    app.state.store.write(|connection| seed_jobs(connection, 3_000)).await.unwrap();
    let is_sqlite = matches!(app.state.config.database_url, DatabaseUrl::Sqlite(_));
    let lanes = [Lane::Send, Lane::Ask, Lane::Act];
    // SQLite makes no statistics by itself.
    let without = lanes.into_iter().filter(|_| is_sqlite).map(|lane| (lane, false));
    for (lane, has_statistics) in without.chain(lanes.map(|lane| (lane, true))) {
        app.sql(format!("UPDATE jobs SET lane = '{lane}', next_at = 3000 - id")).await;
        if has_statistics {
            app.sql("ANALYZE").await;
        }
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
