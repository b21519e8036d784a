//! Result files and the JUnit report through the API.
//! What is in them comes from test code, so the headers matter as much as the bodies.

use crate::kept::{Kept, send};
use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE, RETRY_AFTER,
};
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    for (path, kind) in
        [("a.bmp", "image/bmp"), ("a.avif", "image/avif"), ("a.apng", "image/apng"), ("a.ico", "image/x-icon")]
    {
        kept.keep_result(path, kind, b"raster").await;
        let image = kept.get(&format!("1/tasks/a.1-1/results/{path}")).await;
        let disposition = format!("inline; filename=\"{path}\"");
        assert_eq!((image.header(CONTENT_TYPE), image.header(CONTENT_DISPOSITION)), (kind, disposition.as_str()));
    }
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

/// A folder from an older backup, or none: what the database knows of is not "not found", which scripts take for final.
#[tokio::test]
async fn what_was_kept_and_is_gone_is_missing_for_now_and_not_for_good() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "it broke\n").await;
    kept.note_kept_log(1, TaskStatus::Failed).await;
    kept.keep_result("junit.xml", "application/xml", b"<a/>").await;
    let paths = ["1/junit.xml", "1/tasks/a.1-1/results/junit.xml"];
    for path in paths {
        assert_eq!(kept.get(path).await.status, StatusCode::OK, "{path}");
    }
    std::fs::remove_dir_all(kept.state.config.data_dir.join("jobs")).unwrap();
    for path in paths {
        let answer = kept.get(path).await;
        assert_eq!(
            (answer.status, &answer.json()["code"], answer.header(RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"), "60"),
            "{path}"
        );
    }
    assert_eq!(kept.get("1/tasks/a.1-1/results/none.xml").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_hostile_report_is_saved_and_never_a_page_of_ours_however_it_is_asked_for() {
    let kept = Kept::new().await;
    let script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>fetch('/api/me')</script></svg>";
    for (path, kind) in [
        ("a.svg", "image/svg+xml"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.xml", "text/xml"),
        ("a.html", "text/html; charset=utf-7"),
        ("a.HTM", "TEXT/HTML"),
        ("a.mht", "multipart/related"),
        ("a.pdf", "application/pdf"),
        ("a.swf", "application/x-shockwave-flash"),
        ("a.js", "text/javascript"),
        ("a.mjs", "application/ecmascript"),
        ("a.css", "text/css"),
        ("a.wasm", "application/wasm"),
        ("a", "text/html\r\nContent-Security-Policy: x"),
    ] {
        kept.keep_result(path, kind, script).await;
        let path = format!("/api/job/1/tasks/a.1-1/results/{path}");
        for (method, range) in [("GET", None), ("GET", Some("bytes=0-9")), ("GET", Some("bytes=999-")), ("HEAD", None)]
        {
            let basic = format!("Basic {}", STANDARD.encode("ada:a good password"));
            let mut request = Request::builder().method(method).uri(&path).header(AUTHORIZATION, basic);
            if let Some(range) = range {
                request = request.header(RANGE, range);
            }
            let answer = send(&server::build(kept.state.clone()), request.body(Body::empty()).unwrap()).await;
            let policy = answer.header(CONTENT_SECURITY_POLICY);
            assert!(policy.contains("default-src 'none'"), "{path} {range:?}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            if answer.status == StatusCode::RANGE_NOT_SATISFIABLE {
                continue;
            }
            assert_eq!(policy, "sandbox; default-src 'none'", "{path}");
            assert!(answer.header(CONTENT_DISPOSITION).starts_with("attachment"), "{path}");
            // What a page of ours could be made to run or to dress itself with has no type.
            let kind = answer.header(CONTENT_TYPE);
            assert!(!["script", "css"].iter().any(|word| kind.contains(word)), "{path}: {kind}");
        }
    }
}
