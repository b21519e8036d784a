//! Result files and the JUnit report through the API.
//! What is in them comes from test code, so the headers matter as much as the bodies.

use crate::kept::Kept;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use protocol::TaskStatus;
use serde_json::json;
use server::logs::LogId;

#[tokio::test]
async fn result_files_are_listed_and_sent_so_that_no_browser_runs_them() {
    let kept = Kept::new().await;
    assert_eq!(kept.get("1/tasks/a.1-1/results").await.json(), json!({"files": []}));
    kept.keep_result("out/scope.png", "image/png", b"\x89PNG").await;
    kept.keep_result("page ä.html", "text/html", b"<script>").await;
    let listed = json!({"files": [
        {"path": "out/scope.png", "size": 4, "content_type": "image/png"},
        {"path": "page ä.html", "size": 8, "content_type": "text/html"}
    ]});
    assert_eq!(kept.get("1/tasks/a.1-1/results").await.json(), listed);
    let image = kept.get("1/tasks/a.1-1/results/out/scope.png").await;
    assert_eq!((image.status, image.body.as_slice()), (StatusCode::OK, b"\x89PNG".as_slice()));
    assert_eq!(image.header(CONTENT_DISPOSITION), "inline; filename=\"scope.png\"");
    let page = kept.get("1/tasks/a.1-1/results/page%20%C3%A4.html").await;
    let disposition = "attachment; filename=\"page _.html\"; filename*=UTF-8''page%20%C3%A4.html";
    assert_eq!((page.text(), page.header(CONTENT_DISPOSITION)), ("<script>", disposition));
    for answer in [&image, &page] {
        assert_eq!(answer.header(CONTENT_SECURITY_POLICY), "sandbox; default-src 'none'");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let part = kept.get_part("1/tasks/a.1-1/results/out/scope.png", Some("bytes=1-3")).await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "PNG"));
    for path in ["none.txt", "out", "%00", "a%00b", "..%2F..%2Ftask-1.log", "../../../1/log"] {
        let answer = kept.get(&format!("1/tasks/a.1-1/results/{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(kept.get("1/tasks/a.1-2/results/out/scope.png").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_junit_report_shows_the_end_of_a_failed_tasks_log() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "\u{1b}[31m1 < 2\u{1b}[0m\n").await;
    kept.end_task(1, TaskStatus::Failed, true).await;
    kept.end_task(2, TaskStatus::Passed, true).await;
    let report = kept.get("1/junit.xml").await;
    assert_eq!(report.header(CONTENT_TYPE), "application/xml; charset=utf-8");
    let (xml, failure) = (report.text(), "<failure message=\"exit code 1\" type=\"failed\"/>");
    assert!(xml.contains(failure) && xml.contains("<system-out>1 &lt; 2</system-out>"), "{xml}");
    assert!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\" time="), "{xml}");
}
