//! Logs and result files, as they come from servers with and without ranges, hostile or cut off.
//! Each server is a real one on a loopback port.

use crate::remote_environment::{QUEUE, serve, server_that_answers, server_with, transient_message};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use protocol::JobId;
use protocol::remote::RemoteFile;
use server::logs::{Budget, KeepLimits, LogStore, Outcome};
use server::remote::{LogPiece, Refusal, Remote, RemoteError};
use std::time::Duration;

/// A body that ends before its end.
fn broken_off(start: &'static str) -> Response {
    let broken = async {
        // Lets the start leave first.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cable out"))
    };
    let body = stream::once(async move { Ok(Bytes::from(start)) }).chain(stream::once(broken));
    Body::from_stream(body).into_response()
}

#[tokio::test]
async fn a_log_is_read_on_from_where_we_are() {
    const LOG: &str = "0123456789";
    let ranged = serve(|request: Request| async move {
        let from: usize = request.headers()["range"].to_str().unwrap()[6..].trim_end_matches('-').parse().unwrap();
        if from >= LOG.len() {
            return (StatusCode::RANGE_NOT_SATISFIABLE, [("content-range", "bytes */10")]).into_response();
        }
        let range = format!("bytes {from}-9/10");
        (StatusCode::PARTIAL_CONTENT, [("content-range", range)], &LOG[from..]).into_response()
    })
    .await;
    let plain = serve(|_| async { LOG.into_response() }).await;
    for url in [ranged, plain] {
        let server = server_with(url, |_| {});
        for (from, expected) in [(0, LOG), (4, "456789"), (10, "")] {
            let expected = LogPiece { bytes: expected.into(), total: Some(10) };
            assert_eq!(server.log_piece(QUEUE, "42-1", from).await, Ok(Some(expected)));
        }
    }
    let url =
        serve(|_| async { (StatusCode::PARTIAL_CONTENT, [("content-range", "bytes 0-9/10")], LOG).into_response() })
            .await;
    assert!(transient_message(server_with(url, |_| {}).log_piece(QUEUE, "42-1", 4).await).contains("another range"));
}

#[tokio::test]
async fn a_log_that_is_shorter_than_what_we_have_says_how_long_it_is() {
    let shrunken = [("content-range", "bytes */3")];
    let refused = serve(move |_| async move { (StatusCode::RANGE_NOT_SATISFIABLE, shrunken).into_response() }).await;
    let plain = serve(|_| async { "abc".into_response() }).await;
    // Neither says how long it is.
    let in_chunks =
        serve(|_| async { Body::from_stream(stream::iter([Ok::<_, std::io::Error>("abc")])).into_response() }).await;
    for url in [refused, plain, in_chunks] {
        let piece = server_with(url, |_| {}).log_piece(QUEUE, "42-1", 10).await;
        assert_eq!(piece, Ok(Some(LogPiece { bytes: Vec::new(), total: Some(3) })));
    }
    let silent = serve(|_| async { StatusCode::NO_CONTENT.into_response() }).await;
    let piece = server_with(silent, |_| {}).log_piece(QUEUE, "42-1", 0).await;
    assert_eq!(piece, Ok(Some(LogPiece::default())));
}

#[tokio::test]
async fn a_page_that_is_no_plain_text_is_no_log() {
    for page in ["text/html", "application/json", "application/octet-stream", "text/plainer"] {
        let url = serve(move |_| async move { ([("content-type", page)], "<html>").into_response() }).await;
        let message = transient_message(server_with(url, |_| {}).log_piece(QUEUE, "42-1", 0).await);
        assert!(message.contains("no log"), "{message}");
    }
    let url = serve(|_| async { ([("content-type", "Text/Plain;charset=x")], "a").into_response() }).await;
    assert!(server_with(url, |_| {}).log_piece(QUEUE, "42-1", 0).await.is_ok());
}

#[tokio::test]
async fn an_older_server_without_logs_or_results_is_told_from_one_that_fails() {
    for status in [404, 405, 501] {
        let server = server_that_answers(status, "no such page").await;
        assert_eq!(server.log_piece(QUEUE, "42-1", 0).await, Ok(None), "{status}");
        assert_eq!(server.results(QUEUE, "42-1").await, Ok(None), "{status}");
    }
    let unknown = server_that_answers(404, r#"{"code":"unknown_id"}"#).await;
    let refused = Err(RemoteError::Permanent(Refusal::UnknownId));
    assert_eq!(unknown.log_piece(QUEUE, "42-1", 0).await, refused);
    for status in [401, 500, 503] {
        transient_message(server_that_answers(status, "").await.log_piece(QUEUE, "42-1", 0).await);
    }
}

#[tokio::test]
async fn a_large_log_comes_in_pieces_and_a_broken_one_as_far_as_it_came() {
    let url = serve(|_| async { "x".repeat(6 << 20).into_response() }).await;
    let server = server_with(url, |_| {});
    for (from, length) in [(0, 4 << 20), (4 << 20, 2 << 20)] {
        let piece = server.log_piece(QUEUE, "42-1", from).await.unwrap().unwrap();
        assert_eq!((piece.bytes.len(), piece.total), (length, Some(6 << 20)));
    }
    let url = serve(|_| async { broken_off("abc") }).await;
    let piece = server_with(url, |_| {}).log_piece(QUEUE, "42-1", 0).await;
    assert_eq!(piece, Ok(Some(LogPiece { bytes: b"abc".to_vec(), total: None })));
}

fn store() -> (tempfile::TempDir, LogStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::new(folder.path().to_owned(), KeepLimits::default());
    (folder, store)
}

fn listed(path: &str) -> RemoteFile {
    RemoteFile { path: path.to_owned(), size: 3, content_type: "text/plain".to_owned() }
}

#[tokio::test]
async fn result_files_with_hostile_paths_are_never_fetched() {
    let server = server_that_answers(200, "root").await;
    let (_folder, store) = store();
    let mut part = store.begin_result(JobId(1), 1, "x", &Budget::new(100)).unwrap();
    transient_message(server.fetch_result(QUEUE, "42-1", &listed("../x"), &mut part).await);
    assert_eq!(part.size(), 0);
}

#[tokio::test]
async fn a_result_file_is_there_whole_or_not_at_all() {
    async fn answer(request: Request) -> Response {
        if request.uri().path() == "/api/results/42-1/shots/a%20b.png" {
            return "PNG".into_response();
        }
        broken_off("half")
    }
    let server = server_with(serve(answer).await, |_| {});
    let ((folder, store), budget) = (store(), Budget::new(100));
    let mut part = store.begin_result(JobId(1), 1, "shots/a b.png", &budget).unwrap();
    assert_eq!(server.fetch_result(QUEUE, "42-1", &listed("shots/a b.png"), &mut part).await, Ok(true));
    assert!(matches!(part.keep().await.unwrap(), Outcome::Kept(3)));
    let mut part = store.begin_result(JobId(1), 1, "broken", &budget).unwrap();
    transient_message(server.fetch_result(QUEUE, "42-1", &listed("broken"), &mut part).await);
    drop(part);
    assert_eq!(budget.left(), 97, "what was not kept counts for nothing");
    let results = folder.path().join("jobs/0/1/results/1");
    assert_eq!(std::fs::read(results.join("shots/a b.png")).unwrap(), b"PNG");
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 1, "no part is left behind");
}

#[tokio::test]
async fn an_endless_result_file_is_read_no_further_than_it_may_be_large() {
    let url = serve(|_| async {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 64 << 10])));
        Body::from_stream(endless).into_response()
    })
    .await;
    let (folder, store) = store();
    let budget = Budget::new(1 << 20);
    let mut part = store.begin_result(JobId(1), 1, "endless", &budget).unwrap();
    assert_eq!(server_with(url, |_| {}).fetch_result(QUEUE, "42-1", &listed("endless"), &mut part).await, Ok(true));
    assert!(matches!(part.keep().await.unwrap(), Outcome::TooLarge));
    assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 0);
}

/// Sends so many bytes of a result file at each beat of a clock, and is silent when there are no more.
async fn paced(beat: Duration, bytes: usize, pieces: usize, has_end: bool) -> String {
    serve(move |_| async move {
        let piece = move |n: usize| async move {
            if n >= pieces && !has_end {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(beat).await;
            (n < pieces).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; bytes])), n + 1))
        };
        Body::from_stream(stream::unfold(0, piece)).into_response()
    })
    .await
}

const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_result_file_over_a_slow_line_takes_longer_than_a_call_and_is_kept() {
    // 20 KiB a second, for more than twice as long as a whole call.
    let url = paced(Duration::from_millis(100), 2048, 50, true).await;
    let server = server_with(url, |config| config.http_timeout = SHORT);
    let (_folder, store) = store();
    let mut part = store.begin_result(JobId(1), 1, "slow", &Budget::new(1 << 20)).unwrap();
    assert_eq!(server.fetch_result(QUEUE, "42-1", &listed("slow"), &mut part).await, Ok(true));
    assert!(matches!(part.keep().await.unwrap(), Outcome::Kept(102_400)));
}

#[tokio::test]
async fn a_result_file_that_stalls_or_trickles_ends() {
    for (beat, bytes, pieces) in [(10, 8192, 10), (20, 1, usize::MAX)] {
        let url = paced(Duration::from_millis(beat), bytes, pieces, false).await;
        let server = server_with(url, |config| config.http_timeout = SHORT);
        let (_folder, store) = store();
        let mut part = store.begin_result(JobId(1), 1, "x", &Budget::new(1 << 20)).unwrap();
        let listed = listed("x");
        let fetched = server.fetch_result(QUEUE, "42-1", &listed, &mut part);
        let fetched = tokio::time::timeout(Duration::from_secs(20), fetched).await.expect("it ends");
        let message = transient_message(fetched);
        assert!(message.contains("within 2 s"), "{message}");
    }
}

#[tokio::test]
async fn a_list_of_results_is_bounded_and_an_odd_entry_spoils_no_other() {
    let padding = "x".repeat(9 * 1024 * 1024);
    let body = format!(r#"{{"task_id":"42-1","files":[{{"path":"a","size":1}}],"padding":"{padding}"}}"#);
    let server = server_with(serve(move |_: Request| std::future::ready(body.clone().into_response())).await, |_| {});
    assert!(transient_message(server.results(QUEUE, "42-1").await).contains("more than 8 MiB"));
    let odd = r#"{"task_id":"42-1","files":[{"path":"a","size":1},{"path":"b","size":-1},7,{"path":"c","size":2}]}"#;
    let files = server_that_answers(200, odd).await.results(QUEUE, "42-1").await.unwrap().unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a", "", "c"]);
}
