//! Logs and results over HTTP: parts, tags, and nothing beyond a task's own folder.
//! Scenarios make the files, good ones and traps alike.

use crate::test_runner::{TestRunner, refusal, run_alone};
use reqwest::{Method, Response};
use serde_json::json;
use std::os::unix::process::CommandExt;

/// A user without rights, by Linux's old custom.
pub const NOBODY: u32 = 65_534;

async fn part(server: &TestRunner, path: &str, range: &str) -> Response {
    server.client.request(Method::GET, path).header("Range", range).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn a_log_is_read_on_from_where_one_was() {
    let text = "echo one; while ! [ -e go ]; do sleep 0.05; done; echo two";
    let server = TestRunner::start(&[("a", text)]).await;
    server.submit("42", &["a"]).await;
    server.client.logged("42-1", "one\n").await;
    let log = "/api/logs/42-1";
    let nothing_new = part(&server, log, "bytes=4-").await;
    assert_eq!(header(&nothing_new, "content-range"), "bytes */4");
    assert_eq!(refusal(nothing_new).await.0, 416);
    std::fs::write(server.workspace("42").join("go"), "").unwrap();
    server.client.ended("42").await;
    let rest = part(&server, log, "bytes=4-").await;
    assert_eq!((rest.status().as_u16(), header(&rest, "content-range")), (206, "bytes 4-7/8"));
    assert_eq!(header(&rest, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(rest.text().await.unwrap(), "two\n");
    let all = server.client.get(log).await;
    assert_eq!(
        (all.status().as_u16(), header(&all, "content-length"), header(&all, "accept-ranges")),
        (200, "8", "bytes")
    );
    let tag = header(&all, "etag").to_owned();
    let again = server.client.request(Method::GET, log).header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let range = |tag: &str| server.client.request(Method::GET, log).header("Range", "bytes=4-").header("If-Range", tag);
    assert_eq!(range(&tag).send().await.unwrap().status(), 206);
    assert_eq!(range("\"other\"").send().await.unwrap().status(), 200);
    let head = server.client.send(Method::HEAD, log).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "8"));
}

#[tokio::test]
async fn the_log_of_a_task_that_waits_is_empty() {
    let server = TestRunner::start_with(&[("a", "sleep 600")], |config| config.slots.truncate(1)).await;
    server.submit("42", &["a", "a"]).await;
    let log = server.client.get("/api/logs/42-2").await;
    assert_eq!((log.status().as_u16(), log.text().await.unwrap()), (200, String::new()));
    assert_eq!(part(&server, "/api/logs/42-2", "bytes=0-").await.status(), 416);
    assert_eq!(refusal(server.client.get("/api/logs/42-3").await).await, (404, "unknown_id".into()));
}

#[tokio::test]
async fn the_queues_own_log_tells_its_story() {
    let server = TestRunner::start(&[("a", "exit 3")]).await;
    server.run("42", &["a"]).await;
    let log = server.client.log("42").await;
    let lines: Vec<&str> = log.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines[0], "accepted: 1 tasks, submitted by ada");
    assert_eq!(lines[1], format!("checkout of {} (branch main)", server.commit));
    assert!(lines[2].starts_with("checked out after "));
    assert_eq!(lines[3], "task 42-1 (a) starts in slot 0");
    assert!(lines[4].starts_with("task 42-1 has ended: failed, exit code 3, after "));
    assert!(log.lines().all(|line| line.split_once(' ').unwrap().0.parse::<protocol::Timestamp>().is_ok()));
}

#[tokio::test]
async fn results_are_what_the_task_left_in_its_folder() {
    let text = "cd $TESTARENA_RESULTS; mkdir -p 'shots/a b'; echo '<testsuite/>' > junit.xml; printf png > 'shots/a b/ü.PNG';\
                touch empty; ln -s /etc/hostname link; ln -s /etc etc; mkfifo pipe; ln -s junit.xml inner";
    let server = TestRunner::start(&[("a", text)]).await;
    server.run("42", &["a"]).await;
    let expected = json!({"task_id": "42-1", "files": [
        {"path": "empty", "size": 0, "content_type": "application/octet-stream"},
        {"path": "junit.xml", "size": 13, "content_type": "application/xml"},
        {"path": "shots/a b/ü.PNG", "size": 3, "content_type": "image/png"},
    ]});
    assert_eq!(server.client.get_json("/api/results/42-1").await, expected);
    let log = server.client.log("42").await;
    assert!(log.contains("of task 42-1 4 results are left out: "), "{log}");
    for words in ["\"link\" (a link)", "\"etc\" (a link)", "\"inner\" (a link)", "\"pipe\" (no plain file)"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let file = server.client.get("/api/results/42-1/shots/a%20b/%C3%BC.PNG").await;
    assert_eq!((header(&file, "content-type"), header(&file, "x-content-type-options")), ("image/png", "nosniff"));
    assert_eq!(file.text().await.unwrap(), "png");
    let piece = part(&server, "/api/results/42-1/junit.xml", "bytes=1-4").await;
    assert_eq!((piece.status().as_u16(), piece.text().await.unwrap()), (206, "test".to_owned()));
    assert_eq!(server.client.get("/api/results/42-1/empty").await.text().await.unwrap(), "");
}

#[tokio::test]
async fn results_may_lie_elsewhere_by_a_link() {
    let server = TestRunner::start_in(&[("a", "echo x > $TESTARENA_RESULTS/x")], |config, folder| {
        std::fs::create_dir_all(&config.data_dir).unwrap();
        std::fs::create_dir(folder.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.join("elsewhere"), config.data_dir.join("results")).unwrap();
    })
    .await;
    server.run("42", &["a"]).await;
    let file = server.client.get("/api/results/42-1/x").await;
    assert_eq!(file.text().await.unwrap(), "x\n");
    let log = server.client.log("42").await;
    assert!(!log.contains("may not survive"), "{log}");
}

#[tokio::test]
async fn no_path_leads_out_of_the_results_folder() {
    let text =
        "cd $TESTARENA_RESULTS; echo secret > ../secret; ln -s /etc/hostname link; ln -s .. up; mkdir d; mkfifo pipe";
    let server =
        TestRunner::start(&[("a", text), ("b", "rm -rf $TESTARENA_RESULTS; ln -s /etc $TESTARENA_RESULTS")]).await;
    server.run("42", &["a", "b"]).await;
    for path in [
        "link",
        "up/secret",
        "..%2Fsecret",
        "%2E%2E/secret",
        "d%2F..%2F..%2Fsecret",
        "d",
        "pipe",
        "none",
        "d/none",
        ".",
        "%2Fetc%2Fhostname",
        "junit%00.xml",
        "d//x",
        "link/x",
    ] {
        let answer = server.client.get(&format!("/api/results/42-1/{path}")).await;
        let status = answer.status().as_u16();
        assert_eq!(status, 404, "{path}: {}", answer.text().await.unwrap());
    }
    assert_eq!(server.client.get_json("/api/results/42-2").await, json!({"task_id": "42-2", "files": []}));
    assert_eq!(refusal(server.client.get("/api/results/42-2/hostname").await).await, (404, "unknown_result".into()));
    let log = server.client.log("42").await;
    assert!(log.contains("of task 42-2 1 results are left out: the results folder (a link)"), "{log}");
}

#[tokio::test]
async fn what_can_not_be_read_hides_no_other_result() {
    // Nothing is locked to root, so this has to be somebody else.
    if rustix::process::geteuid().is_root() {
        return run_alone("files::what_can_not_be_read_hides_no_other_result", |test| {
            test.uid(NOBODY).gid(NOBODY);
        });
    }
    let text = "cd $TESTARENA_RESULTS; echo a > a; echo b > b; chmod 000 b; mkdir c; echo d > c/d; chmod 000 c; \
                mkdir e; echo f > e/f; chmod 600 e";
    let locked = "echo a > $TESTARENA_RESULTS/a; chmod 000 $TESTARENA_RESULTS";
    let server = TestRunner::start(&[("a", text), ("locked", locked)]).await;
    server.run("42", &["a", "locked"]).await;
    let listed = server.client.get_json("/api/results/42-1").await;
    assert_eq!(listed["files"], json!([{"path": "a", "size": 2, "content_type": "application/octet-stream"}]));
    for path in ["b", "c/d", "e/f"] {
        assert_eq!(refusal(server.client.get(&format!("/api/results/42-1/{path}")).await).await.0, 404, "{path}");
    }
    let log = server.client.log("42").await;
    for words in [
        "of task 42-1 3 results",
        "\"b\" (",
        "\"c/\" (",
        "\"e/f\" (",
        "42-2 1 results are left out: the results folder (",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[tokio::test]
async fn odd_names_are_handed_on_or_told() {
    let longest = format!("{}.txt", "l".repeat(246));
    let text = format!(
        "cd $TESTARENA_RESULTS; mkdir -p './%2e%2e' './-rf'; for name in '#1 50%?.txt' '..foo' 'back\\slash.txt' 'q\"uote'\\''s.txt' '{longest}' \\
        'a+b c.txt' '%2e%2e/x' '-rf/-rf' '&;$(x).txt' '...'; do printf %s \"$name\" > \"./$name\"; done; \\
        echo x > $'new\\nline'; echo x > $'esc\\e[1m'; echo x > $'latin\\xe4'"
    );
    let server = TestRunner::start(&[("a", &text)]).await;
    assert_eq!(server.run("42", &["a"]).await.status, protocol::QueueStatus::Finished);
    let listed = server.client.get_json("/api/results/42-1").await;
    let paths: Vec<&str> =
        listed["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths.len(), 10, "{paths:?}");
    for path in paths {
        let segments = path
            .split('/')
            .map(|segment| segment.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}")));
        // Dots alone would be taken for a way up by whoever reads the address.
        let encoded = segments.collect::<Vec<_>>().join("/");
        let file = server.client.get(&format!("/api/results/42-1/{encoded}")).await;
        assert_eq!((file.status().as_u16(), file.text().await.unwrap()), (200, path.to_owned()));
    }
    let log = server.client.log("42").await;
    assert!(log.contains("of task 42-1 3 results are left out: "), "{log}");
    for words in ["\"new\\nline\" (control characters)", "latin", "(not UTF-8)"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

/// PowerShell's `Out-File` writes UTF-16, and old programs what they always have.
#[tokio::test]
async fn a_text_is_named_by_what_it_is_written_in() {
    let text = r"cd $TESTARENA_RESULTS; printf 'Gr\xc3\xbc\xc3\x9fe' > a.txt; printf '\xff\xfeh\0i\0' > b.TXT;
        printf '\xfe\xff\0h\0i' > c.log; printf 'Gr\xfc\xdfe' > d.log; printf '\xff\xfeh\0' > e.csv;
        printf '<meta charset=latin1>\xfc' > f.html; printf '\xff\xfe' > g.bin";
    let server = TestRunner::start(&[("a", text)]).await;
    server.run("42", &["a"]).await;
    let listed = server.client.get_json("/api/results/42-1").await;
    let types: Vec<(&str, &str)> = listed["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["content_type"].as_str().unwrap()))
        .collect();
    let expected = [
        ("a.txt", "text/plain; charset=utf-8"),
        ("b.TXT", "text/plain; charset=utf-16"),
        ("c.log", "text/plain; charset=utf-16be"),
        ("d.log", "text/plain; charset=windows-1252"),
        ("e.csv", "text/csv; charset=utf-16"),
        ("f.html", "text/html"),
        ("g.bin", "application/octet-stream"),
    ];
    assert_eq!(types, expected);
    for (path, content_type) in expected {
        let file = server.client.get(&format!("/api/results/42-1/{path}")).await;
        assert_eq!(header(&file, "content-type"), content_type);
    }
}

#[tokio::test]
async fn thousands_of_small_results_are_served_quickly() {
    let text = "cd $TESTARENA_RESULTS; mkdir d; for i in $(seq 5000); do echo $i > d/$i.txt; done";
    let server = TestRunner::start(&[("a", text)]).await;
    server.run("42", &["a"]).await;
    let start = std::time::Instant::now();
    let listed = server.client.get_json("/api/results/42-1").await;
    assert_eq!(listed["files"].as_array().unwrap().len(), 5000);
    let listing = start.elapsed();
    let readers = (0..8).map(|reader| {
        let client = server.client.clone();
        tokio::spawn(async move {
            for n in (1..=5000).filter(|n| n % 8 == reader) {
                let file = client.get(&format!("/api/results/42-1/d/{n}.txt")).await;
                assert_eq!(file.text().await.unwrap(), format!("{n}\n"));
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    println!("5,000 results: listed in {listing:?}, all read after {:?}", start.elapsed());
    assert!(start.elapsed() < std::time::Duration::from_mins(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_left_of_a_queue_that_nobody_knows_any_more_is_no_other_queues() {
    let server = TestRunner::start(&[("pass", "echo new > $TESTARENA_RESULTS/new")]).await;
    for file in ["results/42/1/old", "logs/42/queue.log"] {
        let file = server.config.data_dir.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "old\n").unwrap();
    }
    server.run("42", &["pass"]).await;
    let listed = server.client.get_json("/api/results/42-1").await;
    assert_eq!(listed["files"].as_array().unwrap().len(), 1, "{listed:#}");
    assert_eq!(listed["files"][0]["path"], "new");
    assert!(!server.client.log("42").await.contains("old"));
}
