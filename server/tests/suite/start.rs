//! Putting the server together: what must hold when several replicas start on one database, and who may read what the
//! server makes.

use crate::test_app::TestApp;
use crate::test_database::TestDatabase;
use futures_util::future::join_all;
use server::config::{Config, Variables};
use server::state::AppState;
use server::store::DatabaseUrl;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn replicas_that_start_at_once_are_one_installation() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path());
    let mut config = Config::parse("", folder.path(), &Variables::default()).unwrap();
    config.database_url = database.url.clone();
    let started = join_all((0..4).map(|_| AppState::new(config.clone(), CancellationToken::new()))).await;
    let instances: Vec<_> = started.into_iter().map(|state| state.unwrap().instance.clone()).collect();
    assert!(instances.iter().all(|instance| *instance == instances[0]), "{instances:?}");
}

#[tokio::test]
async fn what_the_server_makes_is_for_its_owner_alone() {
    let outer = tempfile::tempdir().unwrap();
    let (data, file) = (outer.path().join("data"), outer.path().join("store/testarena.db"));
    let start = async |name: &str| {
        let app = TestApp::with_config(|config| {
            config.data_dir.clone_from(&data);
            config.database_url = DatabaseUrl::Sqlite(file.clone());
        });
        let app = app.await;
        app.user(name).await.get("/api/me").await.expect(200);
        app
    };
    let running = start("ada").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(file.parent().unwrap())), (0o700, 0o700));
    let beside = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let modes: Vec<_> = beside.map(|path| (path.clone(), mode(&path))).collect();
    assert!(modes.len() > 1 && modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    drop(running);
    // An earlier version's, or one that somebody has copied here.
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    start("bob").await;
    assert_eq!(mode(&file), 0o600);
    // A folder that was there before stays as somebody has made it.
    fs::set_permissions(&data, Permissions::from_mode(0o750)).unwrap();
    start("eve").await;
    assert_eq!(mode(&data), 0o750);
}
