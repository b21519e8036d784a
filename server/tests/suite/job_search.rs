//! Searching and filtering the list of jobs: what is odd or large, and pages through the jobs of many users.

use crate::job_reading::{CONFIGURED, ids, start};
use protocol::JobStatus;

#[tokio::test]
async fn what_is_asked_for_a_thousand_times_counts_once() {
    let (app, ada) = start().await;
    app.store_job("ada", CONFIGURED, "main", &["smoke/boot"]).await;
    let list = async |query: &str| ids(&ada.get(&format!("/api/jobs?{query}")).await.expect(200));
    assert_eq!(list(&"status=waiting&".repeat(3_000)).await, [1]);
    assert_eq!(list(&"status=failed&".repeat(3_000)).await, [0; 0]);
    for character in ["a", "1", "_", "%25"] {
        assert_eq!(list(&format!("search={}", character.repeat(20_000))).await, [0; 0]);
    }
}

#[tokio::test]
async fn a_search_pages_through_the_jobs_of_many_users() {
    let (app, _) = start().await;
    let mut newest = Vec::new();
    for n in 0..12 {
        app.user(&format!("a_{n}")).await;
        app.user(&format!("ab{n}")).await;
    }
    for n in 0..30 {
        let owner = format!("{}{}", ["a_", "ab"][n % 2], n * 5 % 12);
        let id = app.store_job(&owner, CONFIGURED, ["main", "next"][n / 2 % 2], &["smoke/boot"]).await;
        if n % 3 == 0 {
            app.change_job(id, |job, _| job.status = JobStatus::Failed).await;
        }
        newest.insert(0, (id.0, owner, n / 2 % 2 == 0, n % 3 == 0));
    }
    let reader = app.user("bob").await;
    let search = async |query: &str, wanted: fn(&str, bool, bool) -> bool| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = reader.get(&format!("/api/jobs?limit=3&{query}&cursor={cursor}")).await.expect(200);
            found.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let wanted = newest.iter().filter(|(_, owner, is_main, is_failed)| wanted(owner, *is_main, *is_failed));
        assert_eq!(found, wanted.map(|(id, ..)| *id).collect::<Vec<_>>(), "{query}");
    };
    search("search=a", |_, _, _| true).await;
    search("search=a_", |owner, _, _| owner.starts_with("a_")).await;
    search("search=AB1", |owner, _, _| owner.starts_with("ab1")).await;
    search("search=a&status=failed", |_, _, is_failed| is_failed).await;
    search("search=a&branch=main&status=failed&status=error", |_, is_main, is_failed| is_main && is_failed).await;
    search("search=a_&branch=next&environment=bench-a", |owner, is_main, _| owner.starts_with("a_") && !is_main).await;
    search("search=a&environment=nowhere", |_, _, _| false).await;
}
