//! The start's look for what a crash has left below `data_dir`.
//! Nothing of a job that is there is ever touched, nor what another database may own.

use crate::test_app::TestApp;
use protocol::JobId;
use server::logs::LogId;
use server::poller::sweep;
use server::store::jobs;

#[tokio::test]
async fn files_of_jobs_that_are_gone_go_and_all_others_stay() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await);
    }
    let logs = &app.state.logs;
    // The last was never given out here.
    for id in ids.iter().copied().chain([JobId(4_711)]) {
        logs.append(id, LogId::Task(1), 0, b"kept".to_vec()).await.unwrap();
    }
    let gone = ids[1];
    app.state.store.write(move |connection| jobs::remove_job(connection, gone)).await.unwrap();
    let data_dir = &app.state.config.data_dir;
    std::fs::create_dir_all(data_dir.join("parts")).unwrap();
    std::fs::write(data_dir.join("parts/.tmpabc"), "half").unwrap();
    std::fs::write(data_dir.join("jobs/notes.txt"), "of an administrator").unwrap();
    assert_eq!(sweep(&app.state.store, logs).await.unwrap(), 1);
    for (id, size) in [(ids[0], 4), (gone, 0), (ids[2], 4), (JobId(4_711), 4)] {
        assert_eq!(logs.size(id, LogId::Task(1)).await.unwrap(), size, "{id}");
    }
    assert!(data_dir.join("jobs/notes.txt").is_file() && !data_dir.join("parts").exists());
    assert_eq!(sweep(&app.state.store, logs).await.unwrap(), 0);
}
