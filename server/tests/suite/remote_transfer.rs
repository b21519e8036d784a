//! Logs and result files, as they come from servers with and without ranges, hostile or cut off.
//! Each server is a real one on a loopback port.

use crate::remote_environment::{QUEUE, serve, server_that_answers, server_with, transient_message};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use server::remote::Remote;

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
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        let range = format!("bytes {from}-9/10");
        (StatusCode::PARTIAL_CONTENT, [("content-range", range)], &LOG[from..]).into_response()
    })
    .await;
    let plain = serve(|_| async { LOG.into_response() }).await;
    for url in [ranged, plain] {
        let server = server_with(url, |_| {});
        for (from, expected) in [(0, LOG), (4, "456789"), (10, "")] {
            assert_eq!(server.log_piece(QUEUE, "42-1", from).await.unwrap(), expected.as_bytes());
        }
    }
    let url =
        serve(|_| async { (StatusCode::PARTIAL_CONTENT, [("content-range", "bytes 0-9/10")], LOG).into_response() })
            .await;
    assert!(transient_message(server_with(url, |_| {}).log_piece(QUEUE, "42-1", 4).await).contains("another range"));
}

#[tokio::test]
async fn a_large_log_comes_in_pieces_and_a_broken_one_as_far_as_it_came() {
    let url = serve(|_| async { vec![b'x'; 6 << 20].into_response() }).await;
    let server = server_with(url, |_| {});
    assert_eq!(server.log_piece(QUEUE, "42-1", 0).await.unwrap().len(), 4 << 20);
    assert_eq!(server.log_piece(QUEUE, "42-1", 4 << 20).await.unwrap().len(), 2 << 20);

    let url = serve(|_| async { broken_off("abc") }).await;
    assert_eq!(server_with(url, |_| {}).log_piece(QUEUE, "42-1", 0).await.unwrap(), b"abc");
}

#[tokio::test]
async fn result_files_with_hostile_paths_are_never_fetched() {
    let server = server_that_answers(200, "root").await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x");
    transient_message(server.fetch_result(QUEUE, "42-1", "../x", &target).await);
    assert!(!target.exists());
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
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("shots/a b.png");
    assert_eq!(server.fetch_result(QUEUE, "42-1", "shots/a b.png", &target).await, Ok(Some(3)));
    transient_message(server.fetch_result(QUEUE, "42-1", "broken", &target).await);
    assert_eq!(std::fs::read(&target).unwrap(), b"PNG");
    assert_eq!(std::fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "no part is left behind");
}

#[tokio::test]
async fn a_list_of_results_may_be_longer_than_other_answers() {
    let padding = "x".repeat(9 * 1024 * 1024);
    let body = format!(r#"{{"task_id":"42-1","files":[{{"path":"a","size":1}}],"padding":"{padding}"}}"#);
    let server = server_with(serve(move |_: Request| std::future::ready(body.clone().into_response())).await, |_| {});
    assert_eq!(server.results(QUEUE, "42-1").await.map(|files| files.len()), Ok(1));
}
