//! What outlives a process: the database, the files, and the configuration. In memory, since a run makes thousands of
//! commits, each of which is synced.

use crate::profile::Profile;
use futures_util::FutureExt;
use protocol::UserId;
use server::config::{CommandTemplates, EnvironmentConfig, HostKeyCheck, PathTemplates, SshConfig, SshCredential};
use server::inline::Inline;
use server::store::users::{NewUser, insert_user};
use server::store::{DatabaseUrl, Store};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

const DEVICE: &str = "/dev/shm";
/// Made once: every migration of every run would take longer than the run.
static EMPTY: OnceLock<(Vec<u8>, UserId)> = OnceLock::new();

pub struct Ground {
    _folder: TempDir,
    pub database: DatabaseUrl,
    pub files: PathBuf,
    pub environment: Arc<EnvironmentConfig>,
    pub instance: String,
    pub owner: UserId,
}

impl Ground {
    pub fn new(profile: &Profile) -> Self {
        let folder = new_folder();
        let file = folder.path().join("testarena.db");
        let (empty, owner) = EMPTY.get_or_init(make_database);
        std::fs::write(&file, empty).unwrap();
        let environment = Arc::new(environment(profile));
        Self {
            database: DatabaseUrl::Sqlite(file),
            files: folder.path().join("data"),
            environment,
            instance: "simulation".to_owned(),
            owner: *owner,
            _folder: folder,
        }
    }

    pub fn shared_memory(&self) -> PathBuf {
        self.files.with_file_name("testarena.db-shm")
    }

    /// Looks at the database without taking part.
    pub fn observe(&self) -> Store {
        Store::open_here(&self.database, Inline::new(|| async {}))
    }
}

fn new_folder() -> TempDir {
    let in_memory = Path::new(DEVICE);
    if in_memory.is_dir() { TempDir::new_in(in_memory).unwrap() } else { TempDir::new().unwrap() }
}

fn make_database() -> (Vec<u8>, UserId) {
    let folder = new_folder();
    let file = folder.path().join("empty.db");
    let owner = {
        let store = Store::open_here(&DatabaseUrl::Sqlite(file.clone()), Inline::new(|| async {}));
        store.migrate().now_or_never().unwrap().unwrap();
        let ada = NewUser {
            username: "ada".to_owned(),
            password_hash: "-".to_owned(),
            is_admin: true,
            must_change_password: false,
        };
        let made = store.write(move |c| insert_user(c, ada, protocol::Timestamp(0)));
        made.now_or_never().unwrap().unwrap().unwrap().id
    };
    (std::fs::read(&file).unwrap(), owner)
}

fn environment(profile: &Profile) -> EnvironmentConfig {
    EnvironmentConfig {
        name: "bench".to_owned(),
        url: "http://bench.invalid".to_owned(),
        token: None,
        queue_id_prefix: String::new(),
        plain_404_means_unknown: false,
        paths: PathTemplates::default(),
        job_timeout: Duration::from_mins(10),
        waiting_timeout: profile.longest_wait,
        cleanup_give_up: profile.gives_up_after,
        retry_max_interval: Duration::from_mins(5),
        remote_retention: Some(profile.kept_there_for),
        http_timeout: Duration::from_secs(30),
        ssh: SshConfig {
            host: "bench.invalid".to_owned(),
            port: 22,
            user: "ta".to_owned(),
            credential: SshCredential::IdentityFile(PathBuf::new()),
            host_key: HostKeyCheck::Fingerprint(String::new()),
            repository: "/srv/repository".to_owned(),
            scenario_dir: "scenarios".to_owned(),
            workspace_root: "/srv/work".to_owned(),
            timeout: Duration::from_secs(30),
            commands: CommandTemplates::default(),
        },
    }
}
