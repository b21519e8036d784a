//! Putting the server together: what must hold when several replicas start on one database.

use crate::test_database::TestDatabase;
use futures_util::future::join_all;
use server::config::{Config, Variables};
use server::state::AppState;

#[tokio::test]
async fn replicas_that_start_at_once_are_one_installation() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path());
    let mut config = Config::parse("", folder.path(), &Variables::default()).unwrap();
    config.database_url = database.url.clone();
    let started = join_all((0..4).map(|_| AppState::new(config.clone()))).await;
    let instances: Vec<_> = started.into_iter().map(|state| state.unwrap().instance.clone()).collect();
    assert!(instances.iter().all(|instance| *instance == instances[0]), "{instances:?}");
}
