//! Pages that were drawn before: sent again for as long as all that they show is so, and never to anybody else.

use crate::test_app::{Answer, TestApp};
use protocol::JobStatus;

fn nonce(page: &Answer) -> &str {
    page.header("content-security-policy").split('\'').find_map(|word| word.strip_prefix("nonce-")).unwrap()
}

/// What is the same for every visit as long as nothing changes.
fn content(page: &Answer) -> String {
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    page.body.replace(nonce(page), "…")
}

#[tokio::test]
async fn a_page_that_was_drawn_before_shows_what_is_so_now() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    for path in ["/", "/?search=ada", &format!("/jobs/{first}"), "/nothing"] {
        let (once, again) = (ada.get(path).await, ada.get(path).await);
        assert_eq!(once.status, again.status, "{path}");
        for page in [&once, &again] {
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
        }
        assert_ne!(nonce(&once), nonce(&again), "{path}");
    }
    let before = content(&ada.get("/").await);
    assert!(before.contains(&format!("/jobs/{first}")));

    let second = app.store_job("ada", "bench-a", "feature/x", &["smoke/net"]).await;
    let after = content(&ada.get("/").await);
    assert!(!before.contains("feature/x") && after.contains("feature/x") && after.contains(&format!("/jobs/{second}")));

    let waiting = content(&ada.get(&format!("/jobs/{first}")).await);
    app.change_job(first, |job, _| job.status = JobStatus::Aborted).await;
    let aborted = content(&ada.get(&format!("/jobs/{first}")).await);
    assert_ne!(waiting, aborted);
}

#[tokio::test]
async fn a_page_is_drawn_for_one_visitor_alone() {
    let app = TestApp::start().await;
    let (ada, ben) = (app.user("ada").await, app.user("ben").await);
    app.store_job("ada", "bench-a", "of-ada-alone", &["smoke/boot"]).await;
    assert!(content(&ada.get("/").await).contains("of-ada-alone"));
    assert!(!content(&ben.get("/").await).contains("of-ada-alone"));
    assert_eq!(app.anybody().get("/").await.status, 303);

    let session = app.anybody().sign_in("ada").await;
    assert!(content(&session.get("/").await).contains("of-ada-alone"));
    session.send_nothing("/api/logout").await.expect(204);
    assert_eq!(session.get("/").await.status, 303, "whoever has signed out sees nothing more of it");
}
