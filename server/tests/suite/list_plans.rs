//! How the databases read a page of jobs: by the index that has its rows in order, never all jobs and never sorting them.

use crate::test_app::TestApp;
use crate::test_database::{plans_of, seed_jobs};
use protocol::{JobId, JobStatus, UserId};
use server::store::DatabaseUrl;
use server::store::listing::{JobFilter, Search, list_heads};

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
