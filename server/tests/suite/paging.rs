//! Paging while others write: no row comes twice, none that was there all the time is left out, and the order holds.
//! Each run tries other sizes and moments; a failure says its seed.

use crate::test_app::{Client, TestApp};
use protocol::JobId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use server::store::jobs::remove_job;
use std::collections::BTreeSet;

/// Every page from the first to the last, each of another size, with something done after each.
async fn all_pages(
    client: &Client,
    path: &str,
    list: &str,
    random: &mut StdRng,
    mut between: impl AsyncFnMut(),
) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let limit = random.random_range(1..8);
        let page = client.get(&format!("{path}limit={limit}{cursor}")).await.expect(200);
        let rows = page[list].as_array().unwrap();
        assert!(rows.len() <= limit, "{page}");
        ids.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { return ids };
        assert!(!rows.is_empty(), "an empty page leads on");
        cursor = format!("&cursor={next}");
        between().await;
    }
}

#[track_caller]
fn falls(ids: &[i64]) {
    assert!(ids.is_sorted_by(|newer, older| newer > older), "not in order, or twice: {ids:?}");
}

#[tokio::test]
async fn no_job_comes_twice_and_none_is_left_out_while_jobs_come_and_go() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.user("adam").await;
    for path in ["/api/jobs?", "/api/jobs?search=ada&", "/api/jobs?branch=main&status=waiting&status=failed&"] {
        let start = rand::random();
        println!("{path} seed {start}");
        let mut random = StdRng::seed_from_u64(start);
        let mut there = BTreeSet::new();
        for _ in 0..40 {
            there.insert(app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await.0);
        }
        let (mut gone, mut others) = (BTreeSet::new(), StdRng::seed_from_u64(start ^ 1));
        let before: BTreeSet<i64> = ada.get(&format!("{path}limit=200")).await.expect(200)["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_i64().unwrap())
            .collect();
        let seen = all_pages(&ada, path, "jobs", &mut random, async || {
            let owner = if others.random() { "ada" } else { "adam" };
            app.store_job(owner, "bench-a", "main", &["smoke/boot"]).await;
            let nth = others.random_range(0..before.len());
            let victim = JobId(*before.iter().nth(nth).unwrap());
            gone.insert(victim.0);
            app.state.store.write(move |connection| remove_job(connection, victim)).await.unwrap();
        })
        .await;
        falls(&seen);
        let left_out: Vec<&i64> = before.difference(&gone).filter(|id| !seen.contains(id)).collect();
        assert!(left_out.is_empty(), "left out: {left_out:?}, seen: {seen:?}");
        let new: Vec<&i64> = seen.iter().filter(|id| !before.contains(id)).collect();
        assert!(new.is_empty(), "came after the first page and shown all the same: {new:?}");
    }
}

#[tokio::test]
async fn jobs_that_many_submit_and_delete_at_once_keep_their_order() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut kept = BTreeSet::new();
    for _ in 0..30 {
        kept.insert(app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await.0);
    }
    let write = async {
        for n in 0..60 {
            let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
            if n % 2 == 0 {
                app.state.store.write(move |connection| remove_job(connection, id)).await.unwrap();
            }
        }
    };
    let read = async {
        for _ in 0..6 {
            let mut random = StdRng::seed_from_u64(7);
            let seen =
                all_pages(&ada, "/api/jobs?", "jobs", &mut random, async || tokio::task::yield_now().await).await;
            falls(&seen);
            assert!(kept.iter().all(|id| seen.contains(id)), "{seen:?}");
        }
    };
    tokio::join!(write, write_more(&app), read);
}

async fn write_more(app: &TestApp) {
    for _ in 0..60 {
        app.store_job("ada", "bench-b", "main", &["smoke/boot"]).await;
    }
}

#[tokio::test]
async fn the_audit_log_is_read_to_its_end_while_more_is_noted() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for n in 0..20 {
        root.post("/api/tokens", json!({"name": format!("t{n}")})).await.expect(201);
    }
    let before = root.get("/api/audit?limit=200").await.expect(200)["entries"].as_array().unwrap().len();
    let mut random = StdRng::seed_from_u64(rand::random());
    let seen = all_pages(&root, "/api/audit?", "entries", &mut random, async || {
        root.post("/api/tokens", json!({"name": "more"})).await.expect(201);
    })
    .await;
    falls(&seen);
    assert_eq!(seen.len(), before);
}
