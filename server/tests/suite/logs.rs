//! Logs through the API: as plain text, by line, and searched.
//! What each module of the mirror does with odd bytes is tested beside it.

use crate::kept::{Kept, send};
use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use protocol::api::{LogsState, MAX_LINE_BYTES};
use protocol::{JobStatus, TaskStatus, UserId};
use serde_json::json;
use server::logs::LogId;
use server::store::jobs;
use server::store::tasks::{self, Task};

#[tokio::test]
async fn a_log_is_sent_as_it_is_whole_or_in_part() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), b"\x1b[31mred\x1b[0m\xff\nend").await;
    let whole = kept.get("1/tasks/a.1-1/log").await;
    assert_eq!((whole.status, whole.header(CONTENT_LENGTH)), (StatusCode::OK, "17"));
    assert_eq!(whole.body, b"\x1b[31mred\x1b[0m\xff\nend");
    assert_eq!(whole.header(CONTENT_TYPE), "text/plain; charset=utf-8");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header(CONTENT_DISPOSITION), "inline; filename=\"job-1-1-smoke-boot.log\"");
    for (range, expected, content_range) in [
        ("bytes=14-", "end", "bytes 14-16/17"),
        ("bytes=5-7", "red", "bytes 5-7/17"),
        ("bytes=-3", "end", "bytes 14-16/17"),
    ] {
        let part = kept.get_part("1/tasks/a.1-1/log", Some(range)).await;
        assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, expected));
        assert_eq!((part.header(CONTENT_RANGE), part.header(CONTENT_LENGTH)), (content_range, "3"));
    }
    let nothing_new = kept.get_part("1/tasks/a.1-1/log", Some("bytes=17-")).await;
    assert_eq!(nothing_new.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(nothing_new.header(CONTENT_RANGE), "bytes */17");
    assert_eq!(nothing_new.json()["code"], "range_not_satisfiable");
    assert_eq!(nothing_new.header(CONTENT_TYPE), "application/problem+json");
}

#[tokio::test]
async fn who_asks_for_the_head_of_a_file_learns_its_size_and_gets_no_part() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "one\ntwo\n").await;
    kept.keep_result("a.txt", "text/plain", b"content").await;
    for (path, size) in [("1/tasks/a.1-1/log", "8"), ("1/log", "0"), ("1/tasks/a.1-1/results/a.txt", "7")] {
        for range in [None, Some("bytes=1-2"), Some("bytes=99-")] {
            let head = kept.ask(Method::HEAD, path, range).await;
            assert_eq!((head.status, head.header(CONTENT_LENGTH)), (StatusCode::OK, size), "{path} {range:?}");
            assert_eq!((head.header("accept-ranges"), head.body.len()), ("bytes", 0));
        }
    }
    for path in ["1/junit.xml", "1/log/lines", "1"] {
        let head = kept.ask(Method::HEAD, path, None).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
    }
}

#[tokio::test]
async fn a_line_is_what_a_terminal_shows_of_it_and_colours_go_on() {
    let kept = Kept::new().await;
    let states: String = (0..2_000).map(|n| format!("J {n:>5} of 2000 written\r")).collect::<Vec<_>>().concat();
    kept.append(LogId::Task(1), format!("\u{1b}[1;33mstart\nmiddle\nend\u{1b}[0m\n{states}")).await;
    kept.append(LogId::Task(1), "J done: CHECKSUM MISMATCH\nplain\r\n").await;
    let lines = kept.get("1/tasks/a.1-1/log/lines").await.json();
    let yellow = |text: &str| format!("\u{1b}[1;33m{text}");
    let end = yellow("end\u{1b}[0m");
    assert_eq!(lines["lines"], json!([yellow("start"), yellow("middle"), end, "J done: CHECKSUM MISMATCH", "plain"]));
    assert_eq!(lines["total"], 5);
    let window = kept.get("1/tasks/a.1-1/log/lines?from=2&limit=1").await.json();
    assert_eq!(window["lines"], json!([yellow("middle")]));
    let found = kept.get("1/tasks/a.1-1/log/search?q=checksum").await.json();
    assert_eq!(found["matches"], json!([{"line": 4, "text": "J done: CHECKSUM MISMATCH"}]));
    assert_eq!(kept.get("1/tasks/a.1-1/log/search?q=of+2000").await.json()["total"], 0);
    assert_eq!(
        kept.get("1/tasks/a.1-1/log/search?q=middle").await.json()["matches"][0]["text"],
        json!(yellow("middle"))
    );
    // The plain log keeps every state.
    assert!(kept.get("1/tasks/a.1-1/log").await.text().contains("J  1999 of 2000 written\rJ done"));
}

#[tokio::test]
async fn a_line_leaves_no_colour_to_the_next_that_it_does_not_have() {
    let kept = Kept::new().await;
    let long = "x".repeat(20_000);
    kept.append(LogId::Task(1), "\u{1b}[33m 50%\r\u{1b}[32m100%\u{1b}[0m\nplain\n").await;
    kept.append(LogId::Task(1), format!("\u{1b}[38:2::255:100:0m{long}\u{1b}[0m\nplain\n")).await;
    kept.append(LogId::Task(1), "\u{1b}[38:2::255:100:0mstart\nend\n").await;
    let lines = kept.get("1/tasks/a.1-1/log/lines").await.json();
    let lines: Vec<&str> = lines["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(lines[..2], ["\u{1b}[32m100%\u{1b}[0m", "plain"]);
    assert!(lines[2].ends_with("x\u{1b}[0m…") && lines[2].len() <= MAX_LINE_BYTES, "{}", lines[2]);
    assert_eq!(lines[3..], ["plain", "\u{1b}[38:2::255:100:0mstart", "\u{1b}[38;2;255;100;0mend"]);
    let found = kept.get("1/tasks/a.1-1/log/search?q=100").await.json();
    assert_eq!(found["matches"], json!([{"line": 1, "text": lines[0]}]));
}

#[tokio::test]
async fn of_progress_that_moves_the_cursor_the_last_state_is_shown_and_found() {
    let kept = Kept::new().await;
    let state = |n: u32| format!("\u{1b}[2K\u{1b}[1GJ {n:>5} of 3000 written");
    let states = (0..3_000).map(state).collect::<Vec<_>>().concat();
    kept.append(LogId::Task(1), states + "\u{1b}[2K\u{1b}[1Gdone: CHECKSUM MISMATCH\nplain\n").await;
    let lines = kept.get("1/tasks/a.1-1/log/lines").await.json();
    assert_eq!(lines["lines"], json!(["done: CHECKSUM MISMATCH", "plain"]));
    let found = kept.get("1/tasks/a.1-1/log/search?q=checksum").await.json();
    assert_eq!(found["matches"], json!([{"line": 1, "text": "done: CHECKSUM MISMATCH"}]));
    assert_eq!(kept.get("1/tasks/a.1-1/log/search?q=of+3000").await.json()["total"], 0);
}

#[tokio::test]
async fn a_log_that_has_not_begun_is_empty_and_one_of_another_job_is_not_found() {
    let kept = Kept::new().await;
    for path in ["1/log", "1/tasks/a.1-2/log"] {
        let answer = kept.get(path).await;
        assert_eq!((answer.status, answer.text(), answer.header(CONTENT_LENGTH)), (StatusCode::OK, "", "0"));
    }
    let no_lines = json!({"first": 1, "lines": [], "total": 0, "bytes": 0, "complete": false});
    assert_eq!(kept.get("1/log/lines").await.json(), no_lines);
    assert_eq!(kept.get("1/log/lines?tail=5").await.json(), no_lines);
    for path in [
        "2/log",
        "1/tasks/a.1-3/log",
        "1/tasks/1-1/log",
        "1/tasks/a.1-01/log",
        "1/tasks/a.2-1/log",
        "x/log",
        "1/tasks/a.1-9/log/lines",
        "1/tasks/a.1-9/log/search?q=x",
        "1/tasks/a.1-9/results",
        "2/junit.xml",
    ] {
        let answer = kept.get(path).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("not_found")),
            "{path}"
        );
    }
    let stranger = Request::get("/api/job/1/log").body(Body::empty()).unwrap();
    assert_eq!(send(&kept.router, stranger).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn lines_are_counted_from_one_and_say_when_all_are_here() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "one\ntwo\r\n\u{1b}[1mthree\u{1b}[m\nf\n").await;
    kept.append(LogId::Task(1), b"b\xffd\n".to_vec()).await;
    kept.append(LogId::Task(1), "x".repeat(20_000)).await;
    let lines = kept.get("1/tasks/a.1-1/log/lines?from=2&limit=2").await.json();
    assert_eq!(
        lines,
        json!({"first": 2, "lines": ["two", "\u{1b}[1mthree\u{1b}[m"], "total": 6, "bytes": 20_028, "complete": false})
    );
    kept.end_task(1, TaskStatus::Failed, false).await;
    assert_eq!(kept.get("1/tasks/a.1-1/log/lines").await.json()["complete"], false);
    kept.end_task(1, TaskStatus::Failed, true).await;
    let tail = kept.get("1/tasks/a.1-1/log/lines?tail=2").await.json();
    assert_eq!((tail["first"].as_u64(), tail["lines"][0].as_str()), (Some(5), Some("b\u{fffd}d")));
    let cut = tail["lines"][1].as_str().unwrap();
    assert!(cut.ends_with("x…") && cut.len() <= MAX_LINE_BYTES && tail["complete"] == true);
}

#[tokio::test]
async fn a_kept_log_whose_file_is_gone_is_not_shown_as_an_empty_one() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "one\ntwo\n").await;
    let job = kept.job;
    let ended = move |connection: &mut _| {
        let task = tasks::find_task(connection, job, 1)?.unwrap();
        let (status, log_size, log_complete) = (TaskStatus::Passed, 8, true);
        tasks::save_mirrored(connection, &Task { status, log_size, log_complete, ..task })
    };
    kept.state.store.write(ended).await.unwrap();
    kept.end_task(1, TaskStatus::Passed, true).await;
    assert_eq!(kept.get("1/tasks/a.1-1/log/lines").await.json()["total"], 2);
    let jobs = kept.state.config.data_dir.join("jobs");
    let lose_the_end = || std::fs::write(jobs.join("0/1/task-1.log"), "one\n").unwrap();
    let lose_all = || std::fs::remove_dir_all(&jobs).unwrap();
    for lose in [&lose_the_end as &dyn Fn(), &lose_all] {
        lose();
        for path in ["log", "log/lines", "log/lines?tail=5", "log/search?q=one"] {
            let answer = kept.get(&format!("1/tasks/a.1-1/{path}")).await;
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (StatusCode::SERVICE_UNAVAILABLE, Some("unavailable")),
                "{path}"
            );
        }
    }
    // Of one that has not begun nothing is missing.
    assert_eq!(kept.get("1/tasks/a.1-2/log").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_queues_own_log_is_complete_once_the_job_has_ended_and_all_of_it_is_here() {
    let kept = Kept::new().await;
    kept.append(LogId::Queue, "checkout\n").await;
    for (status, logs_state, complete) in [
        (JobStatus::Passed, LogsState::Mirroring, false),
        (JobStatus::Passed, LogsState::Incomplete, false),
        (JobStatus::Passed, LogsState::Complete, true),
    ] {
        let job = kept.job;
        let saved = move |connection: &mut _| {
            let before = jobs::find_job(connection, job)?.unwrap();
            jobs::save_job(connection, &before, &jobs::Job { status, logs_state, ..before.clone() }, Vec::new())
        };
        assert!(kept.state.store.write(saved).await.unwrap());
        assert_eq!(kept.get("1/log/lines").await.json()["complete"], complete);
    }
    assert_eq!(kept.get("1/log").await.header(CONTENT_DISPOSITION), "inline; filename=\"job-1.log\"");
}

#[tokio::test]
async fn a_search_finds_lines_in_any_case_and_goes_on_page_by_page() {
    let kept = Kept::new().await;
    kept.append(LogId::Task(1), "Error one\nfine\n\u{1b}[31mERR\u{1b}[0mor two\nerror & three\n").await;
    let first = kept.get("1/tasks/a.1-1/log/search?q=error&limit=2").await.json();
    let matches = json!([{"line": 1, "text": "Error one"}, {"line": 3, "text": "\u{1b}[31mERR\u{1b}[0mor two"}]);
    assert_eq!(first, json!({"matches": matches, "total": 3, "next_from": 4}));
    let rest = kept.get("1/tasks/a.1-1/log/search?q=Error&from=4").await.json();
    assert_eq!(rest, json!({"matches": [{"line": 4, "text": "error & three"}], "total": 3, "next_from": null}));
    let nothing = json!({"matches": [], "total": 0, "next_from": null});
    assert_eq!(kept.get("1/tasks/a.1-1/log/search?q=31m").await.json(), nothing);
    assert_eq!(kept.get("1/log/search?q=error").await.json(), nothing);
    assert_eq!(kept.get("1/tasks/a.1-1/log/search?q=r+%26+th").await.json()["total"], 1);
}

#[tokio::test]
async fn a_wrong_query_is_refused_by_name() {
    let kept = Kept::new().await;
    for (path, field) in [
        ("lines?from=0", "from"),
        ("lines?limit=0", "limit"),
        ("lines?limit=5001", "limit"),
        ("lines?tail=5001", "tail"),
        ("lines?tail=5&from=1", "tail"),
        ("search?q=", "q"),
        ("search?q=a%0Ab", "q"),
        ("search?q=a&limit=5001", "limit"),
        ("search", "q"),
    ] {
        let answer = kept.get(&format!("1/log/{path}")).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status, problem["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid_input"))
        );
        assert!(problem["fields"].get(field).is_some(), "{path}: {problem}");
    }
    for path in ["lines?from=x", "lines?line=1", "search?q=a&q=b"] {
        assert_eq!(kept.get(&format!("1/log/{path}")).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
}

#[tokio::test]
async fn who_searches_beside_too_many_others_is_told_to_come_again() {
    let kept = Kept::new().await;
    kept.append(LogId::Queue, "one\ntwo\n").await;
    let others =
        [kept.state.searches.take(UserId(100)).await.unwrap(), kept.state.searches.take(UserId(101)).await.unwrap()];
    let refused = kept.get("1/log/search?q=two").await;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert_eq!(refused.header("retry-after"), "2");
    // Lines are another thing than searches.
    assert_eq!(kept.get("1/log/lines").await.status, StatusCode::OK);
    drop(others);
    assert_eq!(kept.get("1/log/search?q=two").await.json()["total"], 1);
}
